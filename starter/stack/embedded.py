"""Starting, using and stopping the stack from the process that wants it."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

import psutil

from starter.settings import Settings
from starter.stack.lingering import stop_lingering
from starter.stack.protocol import Failed, Restart, Running, Start, answers
from starter.stack.server import last_lines
from starter.stack.state_folder import Addresses, Embedded, FolderInUseError, StateFolder

_STOP_SECONDS: Final = 90


class StackError(Exception):
    """The stack does not run as wanted. The text says why, with the end of a server's log if there is one."""


class Stack:
    """Where Temporal and PostgreSQL answer, and a hold on those that are embedded."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        running: Running | None = None,
        keeper: "_Keeper | None" = None,
        temporal_ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._addresses = addresses
        self._running = running or Running()
        self._keeper = keeper
        self._temporal_ready = temporal_ready

    @property
    def addresses(self) -> Addresses:
        """All addresses at once."""
        return self._addresses

    @property
    def temporal_address(self) -> str:
        """Host and port of Temporal."""
        return self._addresses.temporal_address

    @property
    def database_url(self) -> str:
        """The database, for asyncpg. It may hold a password when it is not the embedded one."""
        return self._addresses.database_url

    @property
    def ui_address(self) -> str | None:
        """Temporal's Web UI, as a URL; None if Temporal is not embedded or runs headless."""
        return self._addresses.ui_address

    @property
    def metrics_address(self) -> str | None:
        """The Temporal server's own Prometheus metrics, as a URL; None if it is not embedded."""
        return self._addresses.metrics_address

    @property
    def temporal_pid(self) -> int | None:
        """Process id of the embedded Temporal server, as it was last started."""
        return self._running.temporal_pid

    @property
    def postgres_pid(self) -> int | None:
        """Process id of the embedded PostgreSQL server, as it was last started."""
        return self._running.postgres_pid

    @property
    def keeper_pid(self) -> int | None:
        """Process id of the keeper of the embedded servers."""
        return None if self._keeper is None else self._keeper.pid

    async def restart_temporal(self) -> None:
        """Starts the embedded Temporal server anew on its address, whether it still runs or was killed.

        Raises:
            StackError: it does not come up, or is not embedded.
        """
        await self._restart("temporal")
        if self._temporal_ready is not None:
            await self._temporal_ready()

    async def restart_postgres(self) -> None:
        """Starts the embedded PostgreSQL server anew on its address, whether it still runs or was killed.

        Raises:
            StackError: it does not come up, or is not embedded.
        """
        await self._restart("postgres")

    async def _restart(self, server: Literal["temporal", "postgres"]) -> None:
        if self._keeper is None:
            raise StackError("this stack has no server of its own")
        self._running = await self._keeper.ask(Restart(server=server))


@contextlib.asynccontextmanager
async def embedded_stack(
    settings: Settings,
    *,
    search_attributes: Mapping[str, str] = MappingProxyType({}),
    headless: bool = False,
    codec_endpoint: str | None = None,
) -> AsyncGenerator[Stack]:
    """Runs those of Temporal and PostgreSQL that the settings do not place elsewhere.

    They run for as long as the context is open. However this process ends, the servers end with it.

    Args:
        settings: Say which servers are embedded, and on which state folder they run.
        search_attributes: Type of each by name, as in ``{"CaseDue": "Datetime"}``; the embedded Temporal gets
            those that it lacks.
        headless: Leaves out the Web UI.
        codec_endpoint: Where the Web UI is to have payloads decoded. Everybody who can open the Web UI or list
            processes can read it.

    Raises:
        SettingsError: Temporal's environment configuration is wrong.
        StackError: a server does not come up, or another process runs a stack on the folder.
    """
    # Not at the top: the keeper imports this package too, and needs none of the SDK.
    from starter.connection import temporal_config  # noqa: PLC0415
    from starter.stack import readiness  # noqa: PLC0415

    temporal_address = temporal_config(settings).get("target_host")
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    if temporal_address and database_url:
        yield Stack(Addresses(temporal_address, database_url))
        return
    folder = StateFolder.at(settings.state_dir)
    order = Start(
        state_dir=folder.path,
        temporal=temporal_address is None,
        postgres=database_url is None,
        search_attributes=search_attributes,
        headless=headless,
        codec_endpoint=codec_endpoint,
        owner=os.getpid(),
    )
    async with _keeper(folder) as keeper:
        running = await keeper.ask(order)
        own_database = None
        if running.postgres_url is not None:
            database_url = own_database = await readiness.database(running.postgres_url)
        temporal_ready = None
        if running.temporal_address is not None:
            temporal_address = running.temporal_address
            temporal_ready = partial(readiness.temporal, settings, temporal_address, search_attributes)
            await temporal_ready()
        assert temporal_address
        assert database_url
        addresses = Addresses(temporal_address, database_url, running.ui_address, running.metrics_address)
        folder.publish(
            Embedded(
                temporal_address=running.temporal_address,
                ui_address=running.ui_address,
                metrics_address=running.metrics_address,
                database_url=own_database,
                codec_address=_without_path(codec_endpoint) if running.ui_address and codec_endpoint else None,
            )
        )
        yield Stack(addresses, running=running, keeper=keeper, temporal_ready=temporal_ready)


def _without_path(endpoint: str) -> str:
    return urlsplit(endpoint)._replace(path="").geturl()


class _Keeper:
    """The keeper process, and the conversation with it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._conversation = asyncio.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, line: Start | Restart) -> Running:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._conversation:
            try:
                self._process.stdin.write(line.model_dump_json().encode() + b"\n")
                await self._process.stdin.drain()
                answer = await self._process.stdout.readline()
            except ConnectionError:
                answer = b""
        if not answer:
            raise StackError(f"the keeper of the stack has ended. {last_lines(self._log)}")
        match answers.validate_json(answer):
            case Failed(reason=reason):
                raise StackError(reason)
            case Running() as running:
                return running


@contextlib.asynccontextmanager
async def _keeper(folder: StateFolder) -> AsyncGenerator[_Keeper]:
    folder.logs.mkdir(exist_ok=True)
    log_path = folder.logs / "keeper.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starter.stack.keeper"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        yield _Keeper(process, log_path)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.returncode != 0:
            await asyncio.to_thread(_clean_up_after_keeper, folder)


def _clean_up_after_keeper(folder: StateFolder) -> None:
    # Held, because it may have ended on finding the folder in use: its servers are then another's.
    with contextlib.suppress(FolderInUseError), folder.held(psutil.Process()):
        folder.withdraw()
        stop_lingering(folder)
