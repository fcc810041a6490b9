"""Where it all happens: servers of their own behind proxies, worker processes, and a client as a service has it."""

import asyncio
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.pool import open_pool
from activities.privacy.keys import new_key, unique_id
from starter.client import Aftersales
from starter.connection import connect
from starter.settings import PREFIX, Settings
from starter.stack import Stack, embedded_stack
from starter.vault import opened_vault, prepare_key_store
from tests.chaos import killing
from tests.patience import PATIENCE
from tests.proofs.chaos.proxy import Proxy
from tests.workflow.world import World, until
from workflows.messages.search_attributes import declarations

ROOT: Final = Path(__file__).parents[3]
_QUEUE: Final = "chaos"
_SOCKET: Final = ".s.PGSQL.5432"
FAKETIME: Final = shutil.which("faketime")


@dataclass
class Worker:
    """A place where a worker process runs, and the process that runs there now."""

    number: int
    log: Path
    environment: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    held: bool = False
    """It is not to be started again for now."""

    async def start(self, *, skew: str = "") -> None:
        """Start a process; with ``skew`` its wall clock is so far off, as in ``+7m``."""
        words = [sys.executable, str(ROOT / "worker.py")]
        if skew and FAKETIME:
            words = [FAKETIME, "-f", skew, *words]
        environment = {**self.environment, "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *words, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self.process is not None and self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """A signal to the process, and to what it has started."""
        if self.process is not None and self.runs:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and its end."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


@dataclass
class Ground:
    """All of it, and what has been met."""

    folder: Path
    stack: Stack
    settings: Settings
    temporal: Proxy
    postgres: Proxy
    workers: list[Worker]
    aftersales: Aftersales
    """Through the proxies."""
    direct: Aftersales
    """Past them: for looking, and for what an operator does."""
    skipper: TimeSkipper
    faults: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of fault was made."""
    met: Counter[str] = field(default_factory=Counter[str])
    """What those who used the client were told meanwhile."""
    unexpected: list[str] = field(default_factory=list[str])

    @property
    def pool(self) -> asyncpg.Pool:
        """Connections past the proxy."""
        return self.direct.pool

    def world(self, merchant: str | None = None, buyer: str | None = None, *, direct: bool = False) -> World:
        """A merchant and a buyer; new ones unless they are named."""
        client = self.direct if direct else self.aftersales
        # What the world's own hands do (orders, the gateway's moods, clocks) is no part of the product.
        world = World(client, self.skipper, self.pool, task_queue=_QUEUE)
        world.merchant, world.buyer = merchant or world.merchant, buyer or world.buyer
        return world

    async def stop_workers(self, number: signal.Signals) -> None:
        """End all of them, and start none until they are let."""
        for each in self.workers:
            each.held = True
            each.send(number)
        for each in self.workers:
            if each.process:
                await each.process.wait()

    async def start_workers(self) -> None:
        """Start all of them, once they have been stopped; each asks for work when this returns."""
        lengths = [each.log.stat().st_size for each in self.workers]
        for each in self.workers:
            await each.start()
        for each, length in zip(self.workers, lengths, strict=True):
            await until(lambda each=each, length=length: _has_begun(each, length), lambda begun: begun, PATIENCE)
        self.let_workers()

    def let_workers(self) -> None:
        """Have them started again."""
        for each in self.workers:
            each.held = False

    async def see_to_workers(self) -> None:
        """Start again what has ended by itself, as an orchestrator does."""
        while True:
            for each in self.workers:
                if not each.runs and not each.held:
                    self.met[f"worker started again after exit {each.process.returncode if each.process else '?'}"] += 1
                    await each.start()
            await asyncio.sleep(0.2)

    def kill_postgres(self) -> None:
        """SIGKILL for all of its processes at once."""
        killing.kill_postgres(self.stack)

    def kill_temporal(self) -> None:
        """SIGKILL for the server."""
        killing.kill_temporal(self.stack)

    async def command(self, *words: str) -> tuple[int, str]:
        """``aftersales`` with these words, past the proxies: exit code, and standard output."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starter.commands", *words),
            cwd=ROOT,
            env=_environment(self.settings, self.stack.temporal_address, self.stack.database_url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, (out or err).decode()


@asynccontextmanager
async def prepared(
    folder: Path, workers: int, *, proxied: bool = True, variables: Mapping[str, str] | None = None
) -> AsyncGenerator[Ground]:
    """Servers in this folder, empty, with so many workers, which have these ``variables`` besides.

    Where it is not ``proxied``, nothing goes through the proxies, which take their share of a processor.
    """
    ring = folder / "keys"
    ring.write_text(new_key(unique_id("chaos")) + "\n", encoding="utf-8")
    settings = Settings.model_validate(
        {"state_dir": folder / "state", "key_file": ring, "task_queue": _QUEUE, "workflow_sandbox": False}
    )
    async with AsyncExitStack() as stack:
        stopped = stack.enter_async_context
        running = await stopped(embedded_stack(settings, search_attributes=declarations(), headless=True))
        url = running.database_url
        await schema.upgrade(url)
        await prepare_key_store(settings, url)
        sockets = folder / "s"
        sockets.mkdir(mode=0o711)
        temporal = Proxy(running.temporal_address)
        postgres = Proxy(Path(_socket_folder(url)) / _SOCKET)
        address = await stopped(temporal.listening("127.0.0.1:0"))
        await stopped(postgres.listening(sockets / _SOCKET))
        through = url.replace(quote(_socket_folder(url)), quote(str(sockets)))
        if not proxied:
            address, through = running.temporal_address, url
        environment = _environment(settings, address, through) | {**(variables or {})}
        environment[f"{PREFIX}GRACEFUL_SHUTDOWN_SECONDS"] = "2"
        places = [Worker(number, folder / f"worker-{number}.log", environment) for number in range(workers)]
        direct, skipper = await stopped(_client(settings, running.temporal_address, url))
        client, _ = await stopped(_client(settings, address, through))
        ground = Ground(folder, running, settings, temporal, postgres, places, client, direct, skipper)
        try:
            code, said = await ground.command("setup")
            assert code == 0, said
            for each in places:
                await each.start()
            for each in places:
                await until(lambda each=each: _has_begun(each, 0), lambda begun: begun, PATIENCE)
            yield ground
        finally:
            temporal.heal()
            postgres.heal()
            for each in places:
                await each.kill()


async def _has_begun(worker: Worker, since: int) -> bool:
    """Whether its log says so behind its first bytes."""
    return b": running" in worker.log.read_bytes()[since:]


@asynccontextmanager
async def _client(settings: Settings, address: str, url: str) -> AsyncGenerator[tuple[Aftersales, TimeSkipper]]:
    skipper = TimeSkipper(await connect(settings, target=address), config=TimeSkippingConfig(enabled=False))
    async with (
        await open_pool(url, max_size=10, application_name="chaos") as pool,
        opened_vault(settings, url) as vault,
    ):
        policies = Policies(settings.policies_dir)
        yield Aftersales(skipper.client, settings.task_queue, pool, vault, policies), skipper


def _environment(settings: Settings, address: str, url: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "TEMPORAL_"))},
        f"{PREFIX}STATE_DIR": str(settings.state_dir),
        f"{PREFIX}KEY_FILE": str(settings.key_file),
        f"{PREFIX}TASK_QUEUE": settings.task_queue,
        f"{PREFIX}WORKFLOW_SANDBOX": "false",
        "TEMPORAL_ADDRESS": address,
        "DATABASE_URL": url,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def _socket_folder(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]
