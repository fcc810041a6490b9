"""The highest rate that the machine holds; then twice of it; then back, until nothing waits any more."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Offered, Sample, Traffic, commands, openings
from tests.proofs.load.checks import all_right
from tests.proofs.load.figures import Latency, latency
from tests.proofs.load.shop import merchants, orders

_MERCHANTS = 50
_WINDOWS = 10
_DRAINED = 3600.0
_STEPS = 3
_LOWER = 0.9
_RETURNED = 1.5


@dataclass(frozen=True)
class Window:
    """A stretch of a phase."""

    phase: str
    seconds: float
    offered: float
    """Cases a second."""
    ended: float
    """Cases a second."""
    waiting: int
    """Cases at its end that were offered and have not ended, those included that a merchant looks at."""
    opening: Latency
    """Of the cases that fell due in it."""
    command: Latency


@dataclass
class Rates:
    """What was found."""

    tried: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    """Cases a second that were offered while looking for the highest rate, and whether they were held."""
    highest: float = 0.0
    windows: list[Window] = field(default_factory=list[Window])
    drained: float | None = None
    """Seconds after the end of the double rate until no more waited than before it, at the highest rate."""
    returned: float | None = None
    """Seconds after it until a command took no longer than one and a half times as before (p99)."""
    cases: int = 0
    again: int = 0
    met: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Lengths:
    """Seconds, and the bound of what counts as held."""

    probe: float
    hold: float
    twice: float
    back: float
    within: float
    """A rate is held if a command takes no longer (p99), and no more waits than comes in so long a time."""
    rate: float = 0.0
    """The highest rate, if it is known."""


async def rates(ground: Ground, lengths: Lengths, say: Callable[[str], None]) -> Rates:
    """All of it."""
    found, shops = Rates(), merchants(_MERCHANTS)
    traffic = Traffic(ground, iter(()))
    highest = lengths.rate or await _highest(traffic, shops, lengths, found, say)

    async def stocked(rate: float, seconds: float) -> None:
        # Each phase begins with a case of its own, and may end with one more than it has room for.
        traffic.orders = iter(await orders(ground, round(rate * seconds) + 10, shops))

    async def phase(name: str, rate: float, seconds: float, enough: Callable[[], bool] = lambda: False) -> Phase:
        begun = Phase(name, time.monotonic())
        begun.offered = await traffic.offer(rate, seconds, enough)
        begun.ended = time.monotonic()
        say(f"{name}: {rate:.2f}/s for {begun.ended - begun.began:.0f} s")
        return begun

    await stocked(1, 20)
    await _warm(traffic)
    while True:
        await stocked(highest, lengths.hold + 2 * lengths.twice + lengths.back)
        async with watched(traffic):
            held = await phase("highest", highest, lengths.hold)
            if holds(traffic, held, highest, lengths) or lengths.rate:
                twice = await phase("twice", 2 * highest, lengths.twice)
                before = _waiting(traffic.samples, held.ended)

                def done(before: int = before) -> bool:
                    return _waiting(traffic.samples, time.monotonic()) <= before

                back = await phase("back", highest, lengths.back, done)
                found.drained = round(back.ended - back.began, 1) if done() else None
                after = await phase("after", highest, min(lengths.hold, lengths.back))
                await traffic.answered()
                await traffic.ended(_DRAINED)
                break
            await traffic.answered()
            await traffic.ended(_DRAINED)
        found.tried.append((highest, False))
        highest *= _LOWER
    found.highest = highest
    phases = [held, twice, back, after]
    found.windows = [window for each in phases for window in windows(traffic.samples, each)]
    found.returned = returned(held, [*back.offered, *after.offered], back.began)
    found.cases, found.again = len(traffic.offered), sum(each.again for each in traffic.offered)
    found.met = dict(traffic.met)
    found.differences = await all_right(ground, traffic.offered, traffic.unexpected)
    return found


@dataclass
class Phase:
    """What was offered in it, and from when to when."""

    name: str
    began: float
    ended: float = 0.0
    offered: list[Offered] = field(default_factory=list[Offered])


@asynccontextmanager
async def watched(traffic: Traffic) -> AsyncGenerator[None]:
    """Samples are taken meanwhile."""
    watching = asyncio.create_task(traffic.watched())
    try:
        yield
    finally:
        watching.cancel()


async def _warm(traffic: Traffic) -> None:
    """Modules are loaded, connections and caches stand."""
    await traffic.offer(1, 20)
    await traffic.answered()
    await traffic.ended(_DRAINED)


async def _highest(
    traffic: Traffic, shops: list[str], lengths: Lengths, found: Rates, say: Callable[[str], None]
) -> float:
    """Twice as many each time, until they are not held; then halfway between, some times."""

    async def tried(rate: float) -> bool:
        traffic.orders = iter(await orders(traffic.ground, round(rate * lengths.probe) + 2, shops))
        phase = Phase("probe", time.monotonic())
        async with watched(traffic):
            phase.offered = await traffic.offer(rate, lengths.probe)
            phase.ended = time.monotonic()
            # What is held is looked at when the last merchants have answered.
            held = holds(traffic, phase, rate, lengths)
            await traffic.answered()
            held = held and latency(commands(phase.offered)).p99 <= 1000 * lengths.within
            await traffic.ended(_DRAINED)
        found.tried.append((round(rate, 2), held))
        say(f"{rate:.2f}/s: {'held' if held else 'not held'}, a command {latency(commands(phase.offered))} ms")
        return held

    traffic.orders = iter(await orders(traffic.ground, 22, shops))
    await _warm(traffic)
    low, high = 0.0, 1.0
    while await tried(high):
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if await tried(middle):
            low = middle
        else:
            high = middle
    return low or high * _LOWER


def holds(traffic: Traffic, phase: Phase, rate: float, lengths: Lengths) -> bool:
    """Whether a phase kept up with what was offered."""
    more = _waiting(traffic.samples, phase.ended) - rate * traffic.think
    return more <= rate * lengths.within and latency(commands(phase.offered)).p99 <= 1000 * lengths.within


def _waiting(samples: list[Sample], at: float) -> int:
    """How many were offered and had not ended then."""
    last = _until(samples, at)
    return last.offered - last.ended if last else 0


def _until(samples: list[Sample], at: float) -> Sample | None:
    return next((each for each in reversed(samples) if each.at <= at), None)


def windows(samples: list[Sample], phase: Phase) -> list[Window]:
    """The phase in ten equal parts."""
    length = (phase.ended - phase.began) / _WINDOWS
    made: list[Window] = []
    for number in range(_WINDOWS):
        start, end = phase.began + number * length, phase.began + (number + 1) * length
        some = [each for each in phase.offered if start <= each.due < end]
        first, last = _until(samples, start), _until(samples, end)
        ended = (last.ended if last else 0) - (first.ended if first else 0)
        apart = last.at - first.at if first and last and last.at > first.at else length
        made.append(
            Window(
                phase.name,
                round(length, 1),
                round(len(some) / length, 2),
                round(ended / apart, 2),
                _waiting(samples, end),
                latency(openings(some)),
                latency(commands(some)),
            )
        )
    return made


def returned(held: Phase, later: list[Offered], since: float) -> float | None:
    """From when on a command takes, in stretches as long as a tenth of the first phase, no longer than before."""
    usual = latency(commands(held.offered)).p99 * _RETURNED
    length = (held.ended - held.began) / _WINDOWS
    start = since
    while some := [each for each in later if start <= each.due < start + length]:
        if latency(commands(some)).p99 <= usual:
            return round(start - since, 1)
        start += length
    return None
