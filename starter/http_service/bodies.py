"""Reading what is sent: never more than is bounded, and never for longer than somebody sends."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from starter.http_service.refusals import NotTaken


async def whole(request: web.Request, most: int, seconds: float) -> bytes:
    """A body of at most ``most`` bytes, which is there within ``seconds``.

    Raises:
        NotTaken: it is longer, or it does not come.
    """
    read = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                read += chunk
                if len(read) > most:
                    raise NotTaken(413, f"the body may have {most} bytes")
    except TimeoutError:
        raise NotTaken(408, "the body did not come in time") from None
    return bytes(read)


async def lines(request: web.Request, most: int, seconds: float) -> AsyncIterator[bytes | None]:
    """Each line of a body as it comes, without its end; None for one of more than ``most`` bytes.

    Raises:
        NotTaken: nothing came for ``seconds``.
    """
    rest, too_long = bytearray(), False
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await request.content.readany()
        except TimeoutError:
            raise NotTaken(408, "the body did not come in time") from None
        *ended, last = chunk.split(b"\n")
        for piece in ended:
            rest += piece
            yield None if too_long or len(rest) > most else bytes(rest)
            rest, too_long = bytearray(), False
        rest += last
        if len(rest) > most:
            rest, too_long = bytearray(), True
        if not chunk:
            break
    if rest or too_long:
        yield None if too_long else bytes(rest)
