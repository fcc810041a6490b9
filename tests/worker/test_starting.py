"""A worker that is started while something it needs is not there yet: one line, and a code to restart it by."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from starter.settings import Settings
from tests.worker.processes import worker_process

_ASKS_FOR_TLS = 80877103


@asynccontextmanager
async def refusing_database(code: str, message: str) -> AsyncGenerator[int]:
    """A PostgreSQL that answers whoever connects with this error; gives its port."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length = int.from_bytes(await reader.readexactly(4), "big")
            if int.from_bytes((await reader.readexactly(length - 4))[:4], "big") != _ASKS_FOR_TLS:
                break
            writer.write(b"N")
        fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message}
        body = b"".join(f"{kind}{text}".encode() + b"\0" for kind, text in fields.items()) + b"\0"
        writer.write(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("57P03", "the database system is in recovery mode"),
        ("53300", "sorry, too many clients already"),
        ("28P01", 'password authentication failed for user "a"'),
    ],
)
async def test_a_database_that_does_not_serve_yet_is_told_in_one_line(
    own_settings: Settings, code: str, message: str
) -> None:
    async with (
        refusing_database(code, message) as port,
        worker_process(own_settings, DATABASE_URL=f"postgresql://a:secret@127.0.0.1:{port}/aftersales") as worker,
    ):
        assert await worker.ended() == 3
        (line,) = worker.output.read_text().splitlines()

    assert message in line
    assert "secret" not in line
