"""An hour at a moderate rate: what worker, Temporal and PostgreSQL have of the memory meanwhile."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from tests.benchmarks.meters import memory
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Traffic, commands, openings
from tests.proofs.load.checks import all_right
from tests.proofs.load.figures import Growth, Latency, growth, latency
from tests.proofs.load.shop import merchants, orders

_MERCHANTS = 50
_SAMPLES = 120
_WARM_UP = 0.1
_DRAINED = 3600.0


@dataclass
class Soak:
    """What was found."""

    rate: float = 0.0
    seconds: float = 0.0
    cases: int = 0
    memory: dict[str, Growth] = field(default_factory=dict[str, Growth])
    """Bytes by process, with its children; the first tenth is left out, in which caches fill."""
    series: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Bytes by process in ten steps."""
    opening: list[Latency] = field(default_factory=list[Latency])
    """Of the first and of the second half."""
    command: list[Latency] = field(default_factory=list[Latency])
    differences: list[str] = field(default_factory=list[str])


async def soak(ground: Ground, rate: float, seconds: float, say: Callable[[str], None]) -> Soak:
    """So many cases a second for so long."""
    found = Soak(rate, seconds)
    traffic = Traffic(ground, iter(await orders(ground, round(rate * seconds) + 2, merchants(_MERCHANTS))))
    taken: dict[str, list[int]] = {"worker": [], "Temporal": [], "PostgreSQL": []}

    async def taking() -> None:
        while True:
            for name, process in _processes(ground).items():
                taken[name].append(_bytes(process))
            await asyncio.sleep(seconds / _SAMPLES)

    began = time.monotonic()
    sampling = asyncio.create_task(taking())
    await traffic.offer(rate, seconds)
    sampling.cancel()
    hours = seconds / 3600
    for name, samples in taken.items():
        warm = samples[round(_WARM_UP * len(samples)) :]
        found.memory[name] = growth(warm, hours * (1 - _WARM_UP))
        found.series[name] = samples[:: max(len(samples) // 10, 1)]
        say(f"{name}: {found.memory[name]}")
    await traffic.answered()
    await traffic.ended(_DRAINED)
    middle = began + seconds / 2
    halves = [[each for each in traffic.offered if (each.due < middle) is first] for first in (True, False)]
    found.opening = [latency(openings(half)) for half in halves]
    found.command = [latency(commands(half)) for half in halves]
    found.cases = len(traffic.offered)
    found.differences = await all_right(ground, traffic.offered, traffic.unexpected)
    return found


def _processes(ground: Ground) -> dict[str, psutil.Process]:
    worker = ground.workers[0].process
    assert worker
    return {
        "worker": psutil.Process(worker.pid),
        "Temporal": psutil.Process(ground.stack.temporal_pid),
        "PostgreSQL": psutil.Process(ground.stack.postgres_pid),
    }


def _bytes(process: psutil.Process) -> int:
    """Its own and its children's; of PostgreSQL without the buffers that all share."""
    total = memory(process)
    for child in process.children(recursive=True):
        try:
            total += memory(child)
        except psutil.NoSuchProcess:
            continue
    return total
