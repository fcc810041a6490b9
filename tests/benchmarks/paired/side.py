"""One side of the comparison: a process that opens and decides cases when it is told to, and says what they cost.

It is told by lines of JSON on its standard input and answers by lines on its standard output, so that each side has a
process, an environment and a client of its own.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import psutil


class Side(Protocol):
    """What is compared. Cases are whatever the side takes for one."""

    async def prepared(self, count: int) -> Sequence[Any]:
        """What so many cases are to be about. Not measured."""
        ...

    async def open(self, subject: Any) -> Any:
        """Open a case."""
        ...

    async def parked(self, cases: Sequence[Any]) -> None:
        """Until all of them wait for a decision."""
        ...

    async def decide(self, case: Any) -> None:
        """Approve it: until the decision is written and whoever sent it knows."""
        ...

    async def ended(self, case: Any) -> None:
        """Until it has ended and whoever waits for it knows."""
        ...

    async def decide_after_restart(self, case: Any) -> None:
        """Stop the worker and start another; approve the case as soon as it answers."""
        ...

    def processes(self) -> Mapping[str, psutil.Process]:
        """Whose processor time counts, by part: worker, temporal, postgres, client; with its children."""
        ...


def processor_ms(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Milliseconds of processor that each part has used so far; a server with its children, a client without."""
    return {part: 1000 * _seconds(process, part != "client") for part, process in processes.items()}


def _seconds(process: psutil.Process, with_children: bool) -> float:
    times = process.cpu_times()
    own = times.user + times.system
    if not with_children:
        return own
    children = sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
    return own + times.children_user + times.children_system + children


def memory(process: psutil.Process) -> int:
    """Resident bytes that are the process's own."""
    return process.memory_full_info().uss


@dataclass
class _Cost:
    side: Side
    cases: int
    before: dict[str, float] = field(default_factory=dict[str, float])

    def begin(self) -> None:
        self.before = processor_ms(self.side.processes())

    def per_case(self) -> dict[str, float]:
        now = processor_ms(self.side.processes())
        return {part: (now[part] - before) / self.cases for part, before in self.before.items()}


async def _each(work: Iterable[Callable[[], Awaitable[None]]], in_flight: int) -> None:
    gate = asyncio.Semaphore(in_flight)

    async def one(todo: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await todo()

    await asyncio.gather(*map(one, work))


async def _opened(side: Side, count: int, in_flight: int) -> list[Any]:
    subjects = await side.prepared(count)
    cases: list[Any] = []

    async def open_one(subject: Any) -> None:
        cases.append(await side.open(subject))

    await _each([lambda subject=subject: open_one(subject) for subject in subjects], in_flight)
    await side.parked(cases)
    return cases


async def played(side: Side, cases: int, in_flight: int) -> dict[str, Any]:
    """Open so many cases and decide them; what one costs, and how long its decision takes."""
    subjects = await side.prepared(cases)
    opened: list[Any] = []
    seconds: list[float] = []

    async def open_one(subject: Any) -> None:
        opened.append(await side.open(subject))

    async def decide_one(case: Any) -> None:
        began = time.perf_counter()
        await side.decide(case)
        seconds.append(time.perf_counter() - began)
        await side.ended(case)

    cost = _Cost(side, cases)
    cost.begin()
    began = time.perf_counter()
    await _each([lambda subject=subject: open_one(subject) for subject in subjects], in_flight)
    await side.parked(opened)
    await _each([lambda case=case: decide_one(case) for case in opened], in_flight)
    took = time.perf_counter() - began
    return {
        "cases_a_second": cases / took,
        "command_ms": 1000 * statistics.median(seconds),
        "processor_ms": cost.per_case(),
    }


async def held(side: Side, cases: int, in_flight: int) -> dict[str, float]:
    """Open so many cases and leave them: what one takes of the worker's memory, once a quarter has taken its fill."""
    first = cases // 4
    await _opened(side, first, in_flight)
    before = memory(side.processes()["worker"])
    await _opened(side, cases - first, in_flight)
    return {"bytes": (memory(side.processes()["worker"]) - before) / (cases - first)}


async def left(side: Side, cases: int, in_flight: int, idle_seconds: float) -> dict[str, Any]:
    """Open so many cases and leave them; what they cost while nothing happens, and after a restart."""
    opened = await _opened(side, cases, in_flight)
    await asyncio.sleep(idle_seconds)
    before = processor_ms(side.processes())
    await asyncio.sleep(idle_seconds)
    idle = {part: (ms - before[part]) / (10 * idle_seconds) for part, ms in processor_ms(side.processes()).items()}
    size = memory(side.processes()["worker"])
    began = time.perf_counter()
    await side.decide_after_restart(opened[0])
    return {
        "idle_percent_of_a_core": idle,
        "worker_bytes": size,
        "restart_to_first_command_s": time.perf_counter() - began,
    }


async def serve(side: Side, ready: Mapping[str, Any]) -> None:
    """Say that the side is ready, and do what is asked until there is no more."""
    _say(ready)
    # A thread of its own: an engine may have taken the loop's.
    loop, reader = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    while line := await loop.run_in_executor(reader, sys.stdin.readline):
        asked: dict[str, Any] = json.loads(line)
        match asked.pop("do"):
            case "play":
                _say(await played(side, **asked))
            case "hold":
                _say(await held(side, **asked))
            case "leave":
                _say(await left(side, **asked))
            case other:
                raise ValueError(other)


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
