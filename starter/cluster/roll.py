"""Rolling a fleet from version to version while cases go on, as Temporal's worker controller does it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from starter.cluster.deployment import Deployment
from starter.cluster.load import Load
from starter.cluster.processes import FEW, FLEET, Fleet, WorkerProcess, until
from starter.cluster.watching import Alerts
from workflows.messages.message import Message
from workflows.rules.worker_roles import WorkerRole

_RAMP: Final = 50.0
_CAREFUL_RAMP: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_SOME_CASES: Final = 3
"""So many cases must have begun on a version before the roll goes on: it is not to happen between two of them."""


class Event(Message):
    """Something that has happened on the way."""

    seconds: float
    """Since the beginning."""
    what: str
    workers: tuple[str, ...]
    """Which run now."""
    opened: int
    ended: int


class BadRelease(Message):
    """A release that failed, and how it was undone."""

    build: str
    percentage: float
    """Of the new cases, while it was ramped."""
    named_by: str
    """The alert that named it, or what the server says where the machine has no Prometheus."""
    seconds: float
    """Until that alert fires, from the first case that it took on."""


class Roll:
    """The whole of it: from the first version to the last."""

    def __init__(self, fleet: Fleet, deployment: Deployment, load: Load, say: Callable[[Event], None]) -> None:
        self._fleet = fleet
        self._deployment = deployment
        self._load = load
        self._say = say
        self._began = time.monotonic()

    async def begin(self, build: str) -> None:
        """Bring the first version up, which takes all cases.

        Raises:
            StackError: a worker does not come up.
            RPCError: Temporal does not answer.
        """
        await self._bring_up(build)
        await self._deployment.make_current(build)
        self._tell(f"{build} is current")

    async def through(self, builds: Sequence[str]) -> None:
        """Replace each version by the next; on the way to the second, kill two workers. Errors as in ``begin``."""
        for number, (old, new) in enumerate(pairwise(builds)):
            await self._some_cases_on(old)
            await self._bring_up(new)
            await self._deployment.ramp(new, _RAMP)
            self._tell(f"{new} takes {_RAMP:.0f} % of new cases")
            await self._some_cases_on(new)
            last = await self._thin_out(old)
            await self._deployment.make_current(new)
            self._tell(f"{new} is current")
            if number == 0:
                await self._kill(self._first(new, WorkerRole.WORKFLOWS))
                await self._kill(await self._one_that_pays(new))
            await self._take_down(last, old)

    async def undo(self, good: str, bad: str, alerts: Alerts | None) -> BadRelease:
        """Ramp a release with a fault, find it named, take the ramp back, and move its cases. Errors as in ``begin``.

        ``good`` is current; ``bad`` opens cases, and fails at what they are told.
        """
        for place in FEW:
            worker = await self._fleet.start(place, bad, faulty=True)
            self._tell(f"{worker.name} is ready, with a fault")
        await self._deployment.ramp(bad, _CAREFUL_RAMP)
        self._tell(f"{bad} takes {_CAREFUL_RAMP:.0f} % of new cases")
        await until(lambda: self._taken(bad))
        first = time.monotonic()
        self._tell(f"{bad} has its first case")
        named_by, lasts = await (self._alerted(bad, alerts) if alerts else self._reported(bad))
        seconds = time.monotonic() - first + lasts
        await self._deployment.ramp(bad, 0)
        self._tell(f"{bad} takes no new cases")
        await until(lambda: self._deployment.takes_none(bad))
        last = self._fleet.running(bad)
        # More than once: a case may have been with a worker of its first task when the others were moved.
        while not await self._deployment.no_longer_needed(bad):
            if await self._deployment.open(bad):
                moved = await self._deployment.move(bad, good)
                self._tell(f"{moved} cases of {bad} go on with {good}")
            await asyncio.sleep(_LOOK_SECONDS)
        await self._take_down(last, bad)
        return BadRelease(
            build=bad,
            percentage=_CAREFUL_RAMP,
            named_by=named_by,
            seconds=round(seconds, 1),
        )

    async def _taken(self, build: str) -> bool:
        return await self._deployment.begun(build) > 0

    async def _alerted(self, build: str, alerts: Alerts) -> tuple[str, float]:
        """The alert that names a version, and the seconds for which it must still last before it fires."""
        found: dict[str, float] = {}

        async def named() -> bool:
            found.update(await alerts.naming(build))
            return bool(found)

        await until(named)
        alert, lasts = min(found.items(), key=lambda each: each[1])
        self._tell(f"the alert {alert} names {build}, and fires in {lasts:.0f} s")
        return alert, lasts

    async def _reported(self, build: str) -> tuple[str, float]:
        """What an operator's view would show without alerts: the server reports a case of the version as stuck."""

        async def stuck() -> bool:
            return await self._deployment.stuck(build) > 0

        await until(stuck)
        self._tell(f"the server reports a case of {build} as stuck")
        return "TemporalReportedProblems", 0

    async def end(self, build: str) -> None:
        """Stop the last version, once its cases have ended."""
        for each in self._fleet.running(build):
            await self._drain(each)

    async def _bring_up(self, build: str) -> None:
        for place in FLEET:
            worker = await self._fleet.start(place, build)
            self._tell(f"{worker.name} is ready")

    async def _some_cases_on(self, build: str) -> None:
        async def enough() -> bool:
            return await self._deployment.begun(build) >= _SOME_CASES

        await until(enough)

    async def _thin_out(self, build: str) -> Sequence[WorkerProcess]:
        """End all but the last of each role, in the middle of what they do; gives those that are left."""
        last: dict[WorkerRole, WorkerProcess] = {}
        for each in self._fleet.running(build):
            fellow = last.get(each.place.role)
            last[each.place.role] = each
            if fellow is not None:
                await self._drain(fellow)
        return tuple(last.values())

    async def _take_down(self, last: Sequence[WorkerProcess], build: str) -> None:
        """End the last of a version, once no case needs it."""
        await until(lambda: self._deployment.no_longer_needed(build))
        self._tell(f"no case needs {build} any more")
        for each in last:
            await self._drain(each)

    async def _drain(self, worker: WorkerProcess) -> None:
        still_open = await self._deployment.open(worker.build)
        code = await worker.drain()
        self._tell(f"{worker.name} has drained with {still_open} cases of its version open, exit code {code}")

    def _first(self, build: str, role: WorkerRole) -> WorkerProcess:
        return next(each for each in self._fleet.running(build) if each.place.role is role)

    async def _one_that_pays(self, build: str) -> WorkerProcess:
        """A worker of this version that is in the middle of a payment."""
        while True:
            paying = await self._load.paying()
            for each in self._fleet.running(build):
                if each.pid in paying:
                    return each
            await asyncio.sleep(0)

    async def _kill(self, worker: WorkerProcess) -> None:
        """SIGKILL; whoever watches over the worker starts it again."""
        await worker.kill()
        still_open = await self._deployment.open(worker.build)
        self._tell(f"{worker.name} is killed (SIGKILL) with {still_open} cases of its version open")
        again = await self._fleet.start(worker.place, worker.build)
        self._tell(f"{again.name} is ready again")

    def _tell(self, what: str) -> None:
        running = tuple(each.name for each in self._fleet.all if each.exit_code is None)
        self._say(
            Event(
                seconds=round(time.monotonic() - self._began, 1),
                what=what,
                workers=running,
                opened=self._load.opened,
                ended=self._load.outcomes.total(),
            )
        )
