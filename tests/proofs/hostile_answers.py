"""What nobody should answer: servers on this machine that send, as HTTP or as SMTP, whatever comes to their mind.

Whoever asks them must come to an end, within bounds of memory, with an answer of ours.
"""

import asyncio
import gzip
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tests.proofs.hostile_values import MARK

ENOUGH: Final = 48 << 20
"""Bytes. A sender without end gives up after so many, and whoever has taken that much has no bound."""
_CHUNK: Final = b"x" * (64 << 10)
_PERSONAL: Final = f"{MARK} 13912345678".encode()

Piece = bytes | float
"""What is sent, or for how many seconds nothing is."""

_STATUS_LINES: Final = (
    *(b"HTTP/1.1 200 OK", b"HTTP/1.1 204 Nothing", b"HTTP/1.1 202", b"HTTP/1.1 299 ?", b"HTTP/1.0 200 OK"),
    *(b"HTTP/1.1 301 Moved", b"HTTP/1.1 302 Found", b"HTTP/1.1 307 Again", b"HTTP/1.1 304 Same", b"HTTP/1.1 300 Many"),
    *(b"HTTP/1.1 400 No", b"HTTP/1.1 401 Who", b"HTTP/1.1 407 Proxy", b"HTTP/1.1 404 -", b"HTTP/1.1 410 Gone"),
    *(b"HTTP/1.1 422 " + _PERSONAL, b"HTTP/1.1 429 Slow", b"HTTP/1.1 500 Oh", b"HTTP/1.1 503 Later"),
    *(b"HTTP/1.1 101 Switching", b"HTTP/1.1 999 Odd", b"HTTP/1.1 99999 Odd", b"HTTP/1.1 -1 Odd", b"HTTP/1.1 000 Odd"),
    *(b"HTTP/9.9 200 OK", b"HTTP/2 200", b"ICY 200 OK", b"SSH-2.0-OpenSSH_9.0", b"220 mail ready", b"", b"\x00" * 100),
    *(b"HTTP/1.1 200 " + b"y" * 20_000, b"HTTP/1.1 \xff\xfe OK", b"HTTP/1.1", "HTTP/1.1 ２００ OK".encode()),
)
_HEADERS: Final = (
    *(
        b"Retry-After: 5",
        b"Retry-After: -5",
        b"Retry-After: 99999999999999999999",
        b"Retry-After: \xb2",
        b"Retry-After:",
    ),
    *(b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", b"Retry-After: 1e400", b"Retry-After: 1\r\nRetry-After: 2"),
    *(
        b"Location: /",
        b"Location: http://169.254.169.254/",
        b"Location: file:///etc/passwd",
        b"Location: //",
        b"Location",
    ),
    *(
        b"Set-Cookie: a=" + b"b" * 5_000,
        b"X-Odd: " + _PERSONAL,
        b"X-Odd: \x00",
        b"X-\xff: 1",
        b": empty",
        b" folded: 1",
    ),
    *(b"X-Long: " + b"z" * 100_000, b"X: 1\r\n" * 5_000 + b"X: 1", b"Content-Type: \xff/\xff", b"Content-Type: ;;;"),
    *(b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Content-Encoding: ,,"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \x00"),
    *(b"Content-Length: 5\r\nContent-Length: 7", b"Content-Length: -1", b"Content-Length: 99999999999999999999"),
    *(b"Content-Length: 0x5", b"Content-Length: ", b"Connection: upgrade\r\nUpgrade: h2c", b"Keep-Alive: max=-1"),
    *(b"Date: Mon, 01 Jan 0001 00:00:00 GMT", b"WWW-Authenticate: \xff", b"Wechatpay-Timestamp: 1e400"),
)


def _chunked(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)


@cache
def _bomb() -> bytes:
    return gzip.compress(b"\x00" * ENOUGH, 6)


def _bodies(told: bytes) -> tuple[Callable[[], Iterator[Piece]], ...]:
    bomb = _bomb()

    def once(*pieces: Piece) -> Callable[[], Iterator[Piece]]:
        return lambda: iter(pieces)

    def endless(piece: bytes) -> Callable[[], Iterator[Piece]]:
        return lambda: iter([piece] * (ENOUGH // len(piece)))

    whole = b"Content-Length: %d\r\n\r\n" % len(told)
    return (
        once(whole, told),
        once(whole, told),
        once(whole, told[: len(told) // 2]),
        once(b"\r\n", told),
        once(b"Content-Length: 3\r\n\r\n", told),
        once(b"Transfer-Encoding: chunked\r\n\r\n", _chunked(told)),
        once(b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", told),
        once(b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", told),
        once(b"Transfer-Encoding: chunked\r\n\r\n5;" + b"e" * 50_000 + b"\r\n", told),
        once(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb), bomb),
        once(b"Content-Encoding: gzip\r\n\r\n", told),
        once(b"Content-Length: 10\r\n\r\n", 30.0),
        once(30.0),
        once(b"\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
        endless(b"HTTP/1.1 102 Wait\r\n\r\n" * 1_000),
        lambda: iter([b"\r\n", *[_CHUNK] * (ENOUGH // len(_CHUNK))]),
        lambda: iter([b"X: ", *[_CHUNK] * (ENOUGH // len(_CHUNK))]),
        lambda: iter(
            [b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + _CHUNK + b"\r\n"] * (ENOUGH // len(_CHUNK))]
        ),
        lambda: iter([piece for letter in told[:200] for piece in (bytes([letter]), 0.2)]),
        once(),
    )


@dataclass
class Sent:
    """What a server has been asked, and how much it could send to one who asked."""

    asked: int = 0
    most: int = 0
    now: set["asyncio.Task[object]"] = field(default_factory=set["asyncio.Task[object]"])


def odd_http(dice: random.Random, told: bytes) -> Iterator[Piece]:
    """An answer like one that says ``told``: its status line, headers, and body, each odd perhaps."""
    if dice.random() < 0.03:
        yield dice.randbytes(dice.choice((0, 1, 100, 70_000)))
        return
    plain = dice.random() < 0.5
    yield (_STATUS_LINES[0] if plain else dice.choice(_STATUS_LINES)) + b"\r\n"
    for _ in range(dice.choice((0, 0, 1, 2))):
        yield dice.choice(_HEADERS) + b"\r\n"
    yield from dice.choice(_bodies(told))()


@asynccontextmanager
async def serving(
    answer: Callable[[bytes], Iterator[Piece]], *, greets: bool = False
) -> AsyncGenerator[tuple[int, Sent]]:
    """A server's port, and what it has seen. ``answer`` is asked for each request's head; for the greeting with b""."""
    sent = Sent()

    async def say(pieces: Iterator[Piece], writer: asyncio.StreamWriter) -> None:
        size = 0
        for piece in pieces:
            if not isinstance(piece, bytes):
                await asyncio.sleep(piece)
                continue
            writer.write(piece)
            await writer.drain()
            size += len(piece)
            sent.most = max(sent.most, size)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        sent.now.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                if greets:
                    await say(answer(b""), writer)
                    while line := await reader.readline():
                        sent.asked += 1
                        await say(answer(line), writer)
                else:
                    head = await reader.readuntil(b"\r\n\r\n")
                    sent.asked += 1
                    await say(answer(head), writer)
        finally:
            sent.now.discard(task)
            writer.transport.abort() if random.random() < 0.3 else writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1], sent
    finally:
        server.close()
        for each in list(sent.now):
            each.cancel()
