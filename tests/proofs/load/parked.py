"""Cases that wait: what they take, how soon the first is answered after a restart, and half of them due at once.

Deadlines are moved by moving each case's clock, as tests do, so that all fall into one minute that is still to come.
"""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil

from tests.benchmarks.meters import memory
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Offered, Traffic, commands
from tests.proofs.load.checks import all_right
from tests.proofs.load.fairness import PARKED, counted
from tests.proofs.load.figures import Latency, latency
from tests.proofs.load.shop import merchants, orders

_MERCHANTS = 50
_OPENED_AT_ONCE = 32
_MOVED_AT_ONCE = 8
_FIRST = 40
"""Clocks that are moved to learn how long one takes."""
_MINUTE = 60.0
_MARGIN = 1.3
_DRAINED = 4 * 3600.0


@dataclass
class Parked:
    """What was found."""

    cases: int = 0
    cache: int = 0
    """How many the worker keeps in memory at most."""
    opened_a_second: float = 0.0
    worker_before: int = 0
    """Bytes of the worker's own."""
    worker_with_half: int = 0
    worker_with_all: int = 0
    worker_after: int = 0
    """When the herd had passed."""
    restart: float = 0.0
    """Seconds until a new worker asks for work."""
    first: float = 0.0
    """Seconds from its start until the first command was answered."""
    commands: dict[str, Latency] = field(default_factory=dict[str, Latency])
    """One after the other: on cached cases, on evicted ones, on cases of another merchant while the herd drains."""
    moving: float = 0.0
    """Seconds in which clocks were moved."""
    herd: int = 0
    drained: float = 0.0
    """Seconds from the first deadline until the last had been paid; the deadlines alone take a minute."""
    alerts: int = 0
    differences: list[str] = field(default_factory=list[str])


async def parked(ground: Ground, count: int, cache: int, samples: int, say: Callable[[str], None]) -> Parked:
    """So many cases; the worker keeps ``cache`` of them."""
    found, shops = Parked(count, cache), merchants(_MERCHANTS)
    made = await orders(ground, count, shops)
    traffic = Traffic(ground, iter(made))
    found.worker_before = memory(_worker(ground))
    began = time.monotonic()
    await _opened(traffic, count // 2)
    await counted(ground, shops, PARKED, count // 2)
    found.worker_with_half = memory(_worker(ground))
    await _opened(traffic, count - count // 2)
    await counted(ground, shops, PARKED, count)
    found.opened_a_second = round(count / (time.monotonic() - began), 1)
    found.worker_with_all = memory(_worker(ground))
    say(f"{count} wait, {found.opened_a_second}/s; the worker has {found.worker_with_all / 1e6:.0f} MB")

    offered = traffic.offered[:]
    cached, evicted = offered[-samples:], offered[:samples]
    found.commands["cached"] = await _one_by_one(traffic, cached)
    found.commands["evicted"] = await _one_by_one(traffic, evicted)
    found.restart, found.first = await _restarted(ground, traffic, offered[samples])
    rest = offered[samples + 1 : len(offered) - samples]
    herd, others = rest[: count // 2], rest[count // 2 :]
    say(f"cached {found.commands['cached']} ms, evicted {found.commands['evicted']} ms, first {found.first:.1f} s")

    small = merchants(1)
    theirs = Traffic(ground, iter(await orders(ground, 40 * samples, small)))
    await _opened(theirs, samples)
    await counted(ground, small, PARKED, samples)
    found.commands["another merchant's, quiet"] = await _one_by_one(theirs, theirs.offered[:])
    due_at, found.moving = await _moved(ground, herd)
    say(f"{len(herd)} clocks moved in {found.moving:.0f} s; they fall due at {due_at:%H:%M:%S}")
    await _opened(theirs, 4 * samples)
    await counted(ground, small, PARKED, 5 * samples)
    await asyncio.sleep(max((due_at - datetime.now(UTC)).total_seconds(), 0))
    began, found.herd = time.monotonic(), len(herd)
    ending = asyncio.create_task(_all_ended(ground, [each.case.id for each in herd if each.case]))
    asked: list[Offered] = []
    while not ending.done() and len(asked) < 4 * samples:
        one = theirs.offered[samples + len(asked)]
        await theirs.approved(one)
        asked.append(one)
    found.commands["another merchant's, while the herd drains"] = latency(commands(asked))
    await ending
    found.drained = round(time.monotonic() - began, 1)
    found.worker_after = memory(_worker(ground))
    say(f"{len(herd)} drained in {found.drained} s; meanwhile {latency(commands(asked))} ms")
    for each in [*theirs.offered[samples + len(asked) :], *others]:
        await (theirs if each in theirs.offered else traffic).approved(each)
    everything = [*offered, *theirs.offered]
    await _all_ended(ground, [each.case.id for each in everything if each.case])
    found.alerts = await ground.pool.fetchval("SELECT count(*) FROM ledger.alerts")
    found.differences = await all_right(ground, everything, [*traffic.unexpected, *theirs.unexpected])
    return found


def _worker(ground: Ground) -> psutil.Process:
    process = ground.workers[0].process
    assert process
    return psutil.Process(process.pid)


async def _opened(traffic: Traffic, count: int) -> None:
    """So many more, some at a time; nobody approves them yet."""
    for start in range(0, count, _OPENED_AT_ONCE):
        for _ in range(min(_OPENED_AT_ONCE, count - start)):
            traffic.begin(next(traffic.orders), time.monotonic(), decides=False)
        await traffic.answered()


async def _one_by_one(traffic: Traffic, some: Sequence[Offered]) -> Latency:
    for each in some:
        await traffic.approved(each)
    return latency(commands(some))


async def _restarted(ground: Ground, traffic: Traffic, one: Offered) -> tuple[float, float]:
    """Stop the workers, start them, and approve this one at once."""
    await ground.stop_workers(signal.SIGTERM)
    began = time.monotonic()
    approving = asyncio.create_task(traffic.approved(one))
    await ground.start_workers()
    restart = time.monotonic() - began
    await approving
    return round(restart, 2), round(time.monotonic() - began, 2)


async def _moved(ground: Ground, herd: Sequence[Offered]) -> tuple[datetime, float]:
    """Move the clock of each, so that all fall due within one minute; when that begins, and how long moving took."""
    rows = await ground.pool.fetch("SELECT case_id, due_at FROM casebook.cases WHERE closed_at IS NULL")
    due = {row["case_id"]: row["due_at"] for row in rows}
    dice, gate = random.Random("herd"), asyncio.Semaphore(_MOVED_AT_ONCE)

    async def move(one: Offered, by: timedelta) -> None:
        assert one.case
        async with gate:
            await ground.skipper.fast_forward(one.case.handle, by)
            due[one.case.id] -= by

    def until(one: Offered, at: datetime) -> timedelta:
        assert one.case
        return due[one.case.id] - at - timedelta(seconds=dice.uniform(0, _MINUTE))

    began = time.monotonic()
    first = herd[:_FIRST]
    await asyncio.gather(*(move(each, timedelta(hours=1)) for each in first))
    each_takes = (time.monotonic() - began) / max(len(first), 1)
    at = datetime.now(UTC) + timedelta(seconds=_MARGIN * each_takes * len(herd) + _MINUTE / 2)
    await asyncio.gather(*(move(each, until(each, at)) for each in herd))
    return at, round(time.monotonic() - began, 1)


async def _all_ended(ground: Ground, cases: Sequence[str]) -> None:
    query = "SELECT count(*) FROM casebook.cases WHERE case_id = ANY($1) AND closed_at IS NULL"
    until = time.monotonic() + _DRAINED
    while await ground.pool.fetchval(query, cases) and time.monotonic() < until:
        await asyncio.sleep(1)
