"""The process that starts the servers of a stack, and stops them when its starter is gone.

It is run as ``python -m starter.stack.keeper`` in a session of its own, so that Ctrl-C in a terminal does not
reach it or the servers, with a pipe as standard input whose other end only the starter holds: when the
starter ends, even by SIGKILL, the pipe does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator

import psutil

from starter.stack import ports
from starter.stack.lingering import stop_lingering, stop_lingering_postgres, stop_lingering_temporal
from starter.stack.postgres_server import PostgresServer
from starter.stack.protocol import Answer, Failed, Restart, Running, Start
from starter.stack.server import ServerFailedError
from starter.stack.state_folder import FolderInUseError, StateFolder
from starter.stack.temporal_server import TemporalServer

_log = logging.getLogger("keeper")


class Keeper:
    """The servers that one starter asked for."""

    def __init__(self, folder: StateFolder, start: Start) -> None:
        # First of all: ports and files must be free when it is looked whether they are.
        for pid in stop_lingering(folder):
            _log.warning("stopped process %d, left by a keeper that was killed", pid)
        folder.withdraw()
        self._folder = folder
        self._postgres = PostgresServer(folder) if start.postgres else None
        self._temporal = self._new_temporal(start) if start.temporal else None
        self._order = start

    async def start(self) -> Answer:
        """Starts the servers at the same time."""
        results = await asyncio.gather(self._start_postgres(), self._start_temporal(), return_exceptions=True)
        reasons = [str(result) for result in results if isinstance(result, ServerFailedError | OSError)]
        if reasons:
            return Failed(reason="\n".join(reasons))
        for result in results:
            if result is not None:
                raise result
        return self.state()

    async def restart(self, server: str) -> Answer:
        """Starts one server anew on its addresses, running or not."""
        try:
            match server:
                case "temporal" if self._temporal is not None:
                    await self._temporal.process.stop()
                    stop_lingering_temporal(self._folder)
                    await self._temporal.process.start()
                case "postgres" if self._postgres is not None:
                    await self._postgres.process.stop()
                    stop_lingering_postgres(self._folder)
                    await self._start_postgres()
                case _:
                    return Failed(reason=f"this stack has no {server} server of its own")
        except (ServerFailedError, OSError) as error:
            return Failed(reason=str(error))
        return self.state()

    async def stop(self) -> None:
        """Stops both servers and takes back where they answered."""
        self._folder.withdraw()
        await asyncio.gather(
            *(server.process.stop() for server in (self._postgres, self._temporal) if server is not None)
        )
        # What a server that was killed under us may have left.
        stop_lingering(self._folder)
        if self._postgres is not None:
            self._postgres.tidy()

    def state(self) -> Running:
        """Where the servers answer and which processes they are."""
        postgres, temporal = self._postgres, self._temporal
        return Running(
            temporal_address=temporal.address if temporal else None,
            ui_address=temporal.ui_address if temporal else None,
            metrics_address=temporal.metrics_address if temporal else None,
            temporal_pid=temporal.process.pid if temporal else None,
            postgres_url=postgres.url if postgres else None,
            postgres_pid=postgres.process.pid if postgres else None,
        )

    async def _start_postgres(self) -> None:
        if self._postgres is not None:
            await asyncio.to_thread(self._postgres.prepare)
            await self._postgres.process.start()

    async def _start_temporal(self) -> None:
        if self._temporal is None:
            return
        try:
            await self._temporal.process.start()
        except ServerFailedError as error:
            if "address already in use" not in str(error):
                raise
            _log.warning("a port was taken in the meantime: %s", error)
            ports.forget(self._folder.ports)
            self._temporal = self._new_temporal(self._order)
            await self._temporal.process.start()

    def _new_temporal(self, start: Start) -> TemporalServer:
        return TemporalServer(
            self._folder,
            start.search_attributes,
            headless=start.headless,
            codec_endpoint=start.codec_endpoint,
        )


async def _keep(keeper: Keeper, starter: asyncio.StreamReader) -> None:
    starting = asyncio.create_task(keeper.start())
    asking = asyncio.create_task(starter.readline())
    try:
        # Not a plain await: the starter may be gone before its servers are up.
        await asyncio.wait((starting, asking), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return
        _say(starting.result())
        while line := await asking:
            _say(await keeper.restart(Restart.model_validate_json(line).server))
            asking = asyncio.create_task(starter.readline())
    finally:
        starting.cancel()
        await asyncio.wait((starting,))
        await keeper.stop()


async def _main() -> None:
    os.umask(0o077)  # the servers' too: what they write is nobody else's
    async with _standard_input() as starter:
        line = await starter.readline()
        if not line:
            return
        start = Start.model_validate_json(line)
        folder = StateFolder.at(start.state_dir)
        folder.logs.mkdir(exist_ok=True)
        logging.basicConfig(filename=folder.logs / "keeper.log", level=logging.INFO, format="%(asctime)s %(message)s")
        try:
            with folder.held(psutil.Process(start.owner)):
                folder.close_to_others()
                # Being told to stop is the same as the starter being gone.
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, starter.feed_eof)
                await _keep(Keeper(folder, start), starter)
        except (FolderInUseError, ServerFailedError, OSError) as error:
            _say(Failed(reason=str(error)))
        except psutil.NoSuchProcess:
            _log.info("the starter was gone before anything ran")


def _say(answer: Answer) -> None:
    # The starter may be gone: then there is nobody to tell.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(answer.model_dump_json() + "\n")
        sys.stdout.flush()


@contextlib.asynccontextmanager
async def _standard_input() -> AsyncGenerator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()


if __name__ == "__main__":
    asyncio.run(_main())
