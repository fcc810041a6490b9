"""One merchant has thousands of cases in front of the workers; what another one, who comes one by one, notices of it.

The cases wait as tasks: they are opened, and later approved by signals, while no worker runs. Then the worker is
started, and while it works the tasks off, the other merchant opens cases and approves such as it had opened before.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.patience import PATIENCE
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Offered, Traffic, commands
from tests.proofs.load.figures import Latency, latency
from tests.proofs.load.shop import merchants, orders
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve

QUIET: Final = "quiet"
_AT_ONCE = 32
CLOSED = "closed_at IS NOT NULL"
PARKED = f"due_at IS NOT NULL OR {CLOSED}"


@dataclass
class Fairness:
    """What the other merchant met."""

    waiting: int = 0
    """Cases of the one in front of it."""
    opened: dict[str, Latency] = field(default_factory=dict[str, Latency])
    """From asking for a case until its approval, sent at once, was answered; by what went on meanwhile."""
    command: dict[str, Latency] = field(default_factory=dict[str, Latency])
    """A command on a case that had waited."""
    drained: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds in which what waited was worked off."""
    differences: list[str] = field(default_factory=list[str])

    def times(self, when: str) -> tuple[float, float]:
        """p99 of both, as so many times that of the quiet."""
        new, old = (each[when].p99 / max(each[QUIET].p99, 0.1) for each in (self.opened, self.command))
        return round(new, 1), round(old, 1)


@dataclass
class Other:
    """The other merchant: it opens a case and approves it, approves an old one, and begins again."""

    traffic: Traffic
    old: list[Offered]
    new: list[float] = field(default_factory=list[float])
    known: list[Offered] = field(default_factory=list[Offered])

    async def goes_on(self, enough: Callable[[], bool]) -> None:
        while self.old and not enough():
            one = Offered(next(self.traffic.orders), time.monotonic())
            self.traffic.offered.append(one)
            await self.traffic.opened(one)
            await self.traffic.approved(one)
            self.new.append(time.monotonic() - one.due)
            known = self.old.pop()
            await self.traffic.approved(known)
            self.known.append(known)


async def fairness(ground: Ground, waiting: int, samples: int, say: Callable[[str], None]) -> Fairness:
    """So many cases of the one merchant, so many calls of the other at least."""
    found = Fairness(waiting)
    (big,), (small,) = merchants(1), merchants(1)
    many = await orders(ground, waiting, [big])
    theirs = Traffic(ground, iter(many))
    traffic = Traffic(ground, iter(await orders(ground, 60 * samples, [small])))
    old: list[Offered] = []
    for _ in range(6 * samples):
        one = traffic.begin(next(traffic.orders), time.monotonic(), decides=False)
        old.append(one)
    await traffic.answered()
    await counted(ground, [small], PARKED, len(old))

    async def noticed(when: str, enough: Callable[[], bool]) -> None:
        other = Other(traffic, old)
        began = time.monotonic()
        await other.goes_on(lambda: enough() and len(other.new) >= samples)
        found.opened[when], found.command[when] = latency(other.new), latency(commands(other.known))
        say(f"{when}: {found.opened[when]} ms, {found.command[when]} ms, {time.monotonic() - began:.0f} s")

    async def beside(
        when: str, work: Callable[[], Awaitable[object]], until_done: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        await ground.stop_workers(signal.SIGTERM)
        await work()
        say(f"{when}: {waiting} wait")
        await ground.start_workers()
        began = time.monotonic()
        done = asyncio.create_task(until_done())
        await noticed(when, done.done)
        await done
        found.drained[when] = round(time.monotonic() - began, 1)

    async def open_all() -> None:
        for start in range(0, waiting, _AT_ONCE):
            for order in many[start : start + _AT_ONCE]:
                theirs.begin(order, time.monotonic(), decides=False)
            await theirs.answered()

    async def approve_all() -> None:
        for start in range(0, waiting, _AT_ONCE):
            some = theirs.offered[start : start + _AT_ONCE]
            await asyncio.gather(*(each.case.tell(Approve(key="c1", by=merchant(big))) for each in some if each.case))

    await noticed(QUIET, lambda: True)
    await beside("as many are opened", open_all, lambda: counted(ground, [big], PARKED, waiting))
    await noticed("as many wait for their merchant", lambda: True)
    await beside("as many are approved", approve_all, lambda: counted(ground, [big], CLOSED, waiting))
    for each in old:
        await traffic.approved(each)
    await counted(ground, [small], CLOSED, len(traffic.offered))
    found.differences += [*theirs.unexpected, *traffic.unexpected]
    return found


async def counted(ground: Ground, of: Sequence[str], condition: str, count: int) -> None:
    """Until these merchants have so many cases of which this is true; as long as something moves, it is waited for."""
    query = f"SELECT count(*) FROM casebook.cases WHERE merchant_id = ANY($1) AND ({condition})"
    seen, since = -1, time.monotonic()
    while seen < count:
        now = await ground.pool.fetchval(query, of)
        if now > seen:
            seen, since = now, time.monotonic()
        assert time.monotonic() < since + PATIENCE, f"{seen} of {count}: {condition}"
        await asyncio.sleep(0.2)
