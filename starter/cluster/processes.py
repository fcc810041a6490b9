"""Worker processes as an orchestrator has them: started with an environment, probed by HTTP, ended by signals."""

import asyncio
import json
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import wait as one_of
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import Final

import aiohttp

from starter.cluster.fault import with_fault
from starter.settings import Settings, variable_name
from starter.stack import StackError, ports
from starter.stack.server import last_lines
from workflows.rules.worker_roles import WorkerRole

LOOK_SECONDS: Final = 0.1
"""How often what others do is looked at."""


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Returns once ``look`` finds that it is so."""
    while True:
        if await look():
            return
        await asyncio.sleep(LOOK_SECONDS)


_PROCESSES: Final = multiprocessing.get_context("forkserver")
# Loading the program takes most of a worker's start: it is done once, and each process is a fork of that.
_PROCESSES.set_forkserver_preload(["worker"])
_ADDRESS: Final = re.compile(r"probes on (http://\S+\d)")


@dataclass(frozen=True)
class Place:
    """One of the workers that each version has."""

    role: WorkerRole
    number: int


FLEET: Final = (
    Place(WorkerRole.WORKFLOWS, 1),
    Place(WorkerRole.WORKFLOWS, 2),
    Place(WorkerRole.MONEY, 1),
    Place(WorkerRole.MONEY, 2),
    Place(WorkerRole.NOTIFICATIONS, 1),
)
"""What a version consists of: where one worker carries cases or money, another must be able to go on."""
FEW: Final = tuple(place for place in FLEET if place.number == 1)
"""Enough for a version that takes few cases."""


class Ending(StrEnum):
    """How a worker process ended."""

    DRAINED = "drained"
    """SIGTERM: it finishes what it has begun."""
    KILLED = "killed"
    """SIGKILL: no word of farewell to anybody."""


class WorkerProcess:
    """One worker of one version."""

    def __init__(self, place: Place, build: str, process: ForkServerProcess, log: Path, metrics: str) -> None:
        self.place = place
        self.build = build
        self.metrics = metrics
        """Host and port of its ``/metrics``."""
        self.ending: Ending | None = None
        self._process = process
        self._log = log

    @property
    def name(self) -> str:
        """Version, role and number."""
        return f"{self.build}/{self.place.role}-{self.place.number}"

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """As the operating system tells it; None while the process runs."""
        return self._process.exitcode

    async def ready(self) -> None:
        """Returns when ``/readyz`` says so.

        Raises:
            StackError: the process has ended instead.
        """
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await self._says_ready(session):
                if self.exit_code is not None:
                    raise StackError(f"the worker {self.name} ended with {self.exit_code}. {last_lines(self._log)}")
                await asyncio.sleep(LOOK_SECONDS)

    async def drain(self) -> int:
        """SIGTERM, and the exit code once the process has ended."""
        self.ending = Ending.DRAINED
        self._process.terminate()
        return await self._ended()

    async def kill(self) -> int:
        """SIGKILL, and the exit code."""
        self.ending = Ending.KILLED
        self._process.kill()
        return await self._ended()

    def give_up(self) -> None:
        """End it, whatever it is doing; for the end of the whole."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    async def _says_ready(self, session: aiohttp.ClientSession) -> bool:
        found = _ADDRESS.search(self._log.read_text(errors="replace"))
        if found is None:
            return False
        try:
            async with session.get(f"{found[1]}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _ended(self) -> int:
        while True:
            if (code := self._process.exitcode) is not None:
                return code
            await asyncio.sleep(LOOK_SECONDS)


class Fleet:
    """All worker processes, of whichever version."""

    def __init__(self, settings: Settings, deployment: str, logs: Path) -> None:
        """``settings`` lead to the stack and name the task queue; ``logs`` is a folder for what workers say."""
        self._settings = settings
        self._deployment = deployment
        self._logs = logs
        self.all: list[WorkerProcess] = []
        self.targets = logs / "targets.json"
        """Whose metrics there are, as Prometheus reads it."""

    def running(self, build: str) -> Sequence[WorkerProcess]:
        """The workers of a version that have not ended, in the order of ``FLEET``."""
        return sorted(
            (each for each in self.all if each.build == build and each.exit_code is None),
            key=lambda each: FLEET.index(each.place),
        )

    async def start(self, place: Place, build: str, *, faulty: bool = False) -> WorkerProcess:
        """A worker of this version, once it is ready; a ``faulty`` one fails at what cases are told.

        Raises:
            StackError: it does not come up.
        """
        port = ports.choose(["metrics"], self._logs / f"metrics-{len(self.all)}.json")["metrics"]
        environment = {
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": ports.LOOPBACK,
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
            variable_name("state_dir"): str(self._settings.state_dir.resolve()),
            variable_name("task_queue"): self._settings.task_queue,
            variable_name("role"): place.role.value,
            variable_name("health_listen"): "127.0.0.1:0",
            # As in production, which this is to be like.
            variable_name("workflow_sandbox"): "false",
            variable_name("notice_poll_seconds"): "1",
            variable_name("deployment_name"): self._deployment,
            variable_name("build_id"): build,
        }
        log = self._logs / f"worker-{len(self.all)}.log"
        log.touch()
        process = _PROCESSES.Process(target=_work, args=(environment, str(log), faulty))
        with _nothing_to_load_first():
            process.start()
        worker = WorkerProcess(place, build, process, log, f"{ports.LOOPBACK}:{port}")
        self.all.append(worker)
        self._tell_targets()
        await worker.ready()
        return worker

    def _tell_targets(self) -> None:
        draft = self.targets.with_suffix(".new")
        running = [each.metrics for each in self.all if each.exit_code is None]
        draft.write_text(json.dumps([{"targets": running}]))
        draft.replace(self.targets)

    def give_up(self) -> None:
        """End what still runs."""
        for each in self.all:
            each.give_up()


@contextmanager
def _nothing_to_load_first() -> Generator[None]:
    """A new process would load the program that started it: a console script without a guard would run in it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(environment: Mapping[str, str], log: str, faulty: bool) -> None:
    """What ``python worker.py`` does in this environment, in a process of its own."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(handle, number)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment)
    import worker  # noqa: PLC0415 -- loaded before the process was forked, and not needed where it is started from

    if faulty:
        worker.workers_for = with_fault(worker.workers_for)
    code = worker.main()
    sys.stdout.flush()
    # The interpreter may abort while it tears the SDK's threads down: everything is done, so leave.
    os._exit(code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    one_of([parent.sentinel])
    os._exit(1)
