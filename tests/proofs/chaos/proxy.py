"""A proxy in front of a server, by TCP or Unix socket: what runs through it can be cut off, held up and slowed down."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_PIECE = 65_536

Address = str | Path
"""``host:port``, or the path of a socket."""


class Proxy:
    """Everything that its users send goes on to the server behind it, as long as it is let through."""

    def __init__(self, behind: Address) -> None:
        self._behind = behind
        self._open = asyncio.Event()
        self._open.set()
        self._delay = 0.0
        self._connections: set[asyncio.StreamWriter] = set()
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, at: Address) -> AsyncGenerator[str]:
        """Listen there (port 0 takes a free one); the address under which it is reached."""
        if isinstance(at, Path):
            server = await asyncio.start_unix_server(self._connected, at)
            at.chmod(0o777)
            address = str(at)
        else:
            host, port = at.rsplit(":", 1)
            server = await asyncio.start_server(self._connected, host, int(port))
            address = f"{host}:{server.sockets[0].getsockname()[1]}"
        try:
            yield address
        finally:
            server.close()
            self.cut()
            for each in self._running:
                each.cancel()

    def cut(self) -> int:
        """Break off every connection that there is; how many. New ones are taken."""
        connections = list(self._connections)
        for each in connections:
            each.transport.abort()
        return len(connections) // 2

    def hold(self) -> None:
        """Let nothing through from now on, without a word: as where a network loses every packet."""
        self._open.clear()

    def slow(self, seconds: float) -> None:
        """Let each piece wait so long."""
        self._delay = seconds

    def heal(self) -> None:
        """Let everything through at once again."""
        self._delay = 0.0
        self._open.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Kept: a server of asyncio's does not end the tasks of its connections.
        task = asyncio.current_task()
        assert task
        self._running.add(task)
        try:
            await self._carry(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # the end of all: asyncio's server would tell of it as a failure
        finally:
            self._running.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self._behind, Path):
                far_reader, far_writer = await asyncio.open_unix_connection(self._behind)
            else:
                host, port = self._behind.rsplit(":", 1)
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._connections |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, far_writer))
                group.create_task(self._pass_on(far_reader, writer))
        except* OSError:
            pass
        finally:
            self._connections -= ends
            for each in ends:
                with suppress(OSError):
                    each.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._open.wait()
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError("one side has ended")
