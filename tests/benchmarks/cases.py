"""Opens and decides some hundreds of cases and measures what each costs: ``python -m tests.benchmarks.cases``.

Servers of its own, a worker process of its own, each part's use read from the operating system and from PostgreSQL.
Prints a table and writes ``measured.json``; ``python -m tests.benchmarks.page`` then writes docs/capacity.md anew.

Processor time and bytes are right on a busy machine too; cases a second are not.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
import psutil
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres import schema
from activities.postgres.pool import open_pool
from starter.client import Aftersales, Case
from starter.connection import connect
from starter.settings import Settings
from starter.stack import Stack, embedded_stack
from starter.stack.state_folder import StateFolder
from starter.vault import opened_vault, prepare_key_store
from tests.benchmarks import measured
from tests.benchmarks.measured import Measured, PathCost, Phase
from tests.benchmarks.meters import METER, Meters, Reading, memory, ours
from tests.workflow.world import World, until
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve, PayOut
from workflows.messages.search_attributes import declarations

Found = TypeVar("Found")

ROOT: Final = Path(__file__).parents[2]

STATISTICS_SECONDS: Final = 11
"""A backend of PostgreSQL hands in its counts after at most ten seconds of idleness."""

IDLE_SECONDS: Final = 15
SAMPLE: Final = 20
"""Cases whose histories are looked at."""

WARM_UP: Final = 20
"""Cases before the measured ones: modules are loaded, connections and caches stand."""


@dataclass(frozen=True)
class Way:
    """One path in one variant."""

    path: str
    variant: str
    prepare: Callable[[World], Awaitable[str]]
    """Makes what the case is about, and returns its id. Not measured."""
    open: Callable[[World, str], Awaitable[Case]]
    decide: Callable[[World, Case], Awaitable[object]]
    load: bool = True
    sandbox: bool = False
    restarted: bool = False
    """Another worker decides than the one that opened: every case must be read back from its history."""


async def _approve(world: World, case: Case) -> object:
    return await case.act(Approve(key="c1", by=merchant(world.merchant)))


async def _pay_out(world: World, case: Case) -> object:
    return await case.act(PayOut(key="c1", by=merchant(world.merchant)))


async def _silence(world: World, case: Case) -> object:
    return await world.forward(case, hours=49)


def _order(world: World) -> Awaitable[str]:
    return world.order()


def _refund(world: World, order_no: str) -> Awaitable[Case]:
    return world.refund(order_no=order_no)


WAYS: Final = (
    Way("unshipped_approved", "cached", _order, _refund, _approve),
    Way("unshipped_approved", "evicted", _order, _refund, _approve, restarted=True),
    Way("unshipped_approved", "sandbox", _order, _refund, _approve, sandbox=True),
    Way("unshipped_by_silence", "clock moved", _order, _refund, _silence, load=False),
    Way("withdrawal_paid_out", "cached", lambda world: world.allowance(spent=1000), World.withdrawal, _pay_out),
)


@dataclass
class Bench:
    """Where it is measured."""

    stack: Stack
    state_dir: Path
    pool: asyncpg.Pool
    meters: Meters
    plain: Aftersales
    skipped: Aftersales
    skipper: TimeSkipper
    in_flight: int
    cached: int

    def world(self, way: Way) -> World:
        """A shop of its own. Only where clocks are moved do workflows start as such whose clocks can be."""
        return World(self.plain if way.load else self.skipped, self.skipper, self.pool)

    @asynccontextmanager
    async def worker(self, *, sandbox: bool) -> AsyncGenerator[psutil.Process]:
        """A worker process as production runs it."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {
            "AFTERSALES_STATE_DIR": str(self.state_dir),
            "AFTERSALES_WORKFLOW_SANDBOX": str(sandbox).lower(),
            "AFTERSALES_MAX_CACHED_WORKFLOWS": str(self.cached),
            "PYTHONUNBUFFERED": "1",
        }
        output = self.state_dir / "logs" / "worker.log"
        with output.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(ROOT / "worker.py")), cwd=ROOT, env=environment, stdout=log, stderr=log
            )

        async def said() -> str:
            if process.returncode is not None:
                raise RuntimeError(f"the worker ended: {output.read_text()}")
            return output.read_text()

        try:
            await until(said, lambda text: ": running" in text, seconds=120)
            yield psutil.Process(process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def each(self, work: Iterable[Callable[[], Awaitable[object]]]) -> list[object]:
        """Do all of it, so many at a time."""
        gate = asyncio.Semaphore(self.in_flight)

        async def one(todo: Callable[[], Awaitable[object]]) -> object:
            async with gate:
                return await todo()

        return await asyncio.gather(*map(one, work))

    async def waiting(self, world: World, count: int) -> None:
        """Until so many cases of the shop wait for a decision."""
        await self._count(world, "closed_at IS NULL AND due_at IS NOT NULL", count)

    async def ended(self, world: World, count: int) -> None:
        """Until so many cases of the shop have ended."""
        await self._count(world, "closed_at IS NOT NULL", count)

    async def _count(self, world: World, condition: str, count: int) -> None:
        query = f"SELECT count(*) FROM casebook.cases WHERE merchant_id = $1 AND {condition}"
        while await self.meters.connection.fetchval(query, world.merchant) < count:
            await asyncio.sleep(0.5)

    async def warm(self, way: Way) -> None:
        """Cases that are not measured."""
        world = self.world(way)
        subjects = await self.prepared(way, world, WARM_UP)
        cases = await self.opened(way, world, subjects)
        await self.waiting(world, WARM_UP)
        await self.each([lambda case=case: way.decide(world, case) for case in cases])
        await self.ended(world, WARM_UP)
        await asyncio.sleep(STATISTICS_SECONDS)

    async def prepared(self, way: Way, world: World, count: int) -> list[str]:
        """What so many cases are to be about."""
        subjects: list[str] = []

        async def one() -> None:
            subjects.append(await way.prepare(world))

        await self.each([one] * count)
        return subjects

    async def opened(self, way: Way, world: World, subjects: Sequence[str]) -> list[Case]:
        """One case for each."""
        cases: list[Case] = []

        async def one(subject: str) -> None:
            cases.append(await way.open(world, subject))

        await self.each([lambda subject=subject: one(subject) for subject in subjects])
        return cases


@dataclass(frozen=True)
class Half:
    """One phase of all cases together."""

    used: Reading
    seconds: float
    """Until all were done."""
    measured_seconds: float

    def per_case(self, cases: int, idle: Counter[str]) -> Phase:
        """What one of them cost."""
        cpu = {
            part: max(0, used - idle[part] * self.measured_seconds / 1000) / cases
            for part, used in self.used.cpu.items()
        }
        return Phase(
            worker_ms=round(cpu["worker"], 2),
            temporal_ms=round(cpu["temporal"], 2),
            postgres_ms=round(cpu["postgres"], 2),
            client_ms=round(cpu["client"], 2),
            cases_per_second=round(cases / self.seconds, 1),
        )


async def phase(bench: Bench, worker: psutil.Process, work: Callable[[], Awaitable[Found]]) -> tuple[Half, Found]:
    """Do it, and read the meters before and after."""
    before = await bench.meters.read(worker)
    began = time.monotonic()
    found = await work()
    done = time.monotonic()
    await asyncio.sleep(STATISTICS_SECONDS)
    used = (await bench.meters.read(worker)).since(before)
    return Half(used, done - began, time.monotonic() - began), found


async def idle_cores(bench: Bench) -> Counter[str]:
    """Thousandths of a core that each part uses with nothing to do."""
    async with bench.worker(sandbox=False) as worker:
        await bench.warm(WAYS[0])
        before = (await bench.meters.read(worker)).cpu
        began = time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        after = (await bench.meters.read(worker)).cpu
        elapsed = time.monotonic() - began
    return Counter({part: round((after[part] - before[part]) / elapsed) for part in after})


@dataclass(frozen=True)
class Histories:
    """Means of some histories."""

    events: float
    size: float
    transitions: float


async def histories(cases: Sequence[Case]) -> Histories:
    """How large the histories are, as the server says."""
    described = [(await case.handle.describe()).raw_description.workflow_execution_info for case in cases[:SAMPLE]]
    return Histories(
        round(statistics.mean(info.history_length for info in described), 1),
        round(statistics.mean(info.history_size_bytes for info in described)),
        round(statistics.mean(info.state_transition_count for info in described), 1),
    )


async def measure(bench: Bench, way: Way, count: int, idle: Counter[str]) -> tuple[PathCost, int]:
    """One path in one variant; and the worker's own memory before it held any of these cases."""
    world = bench.world(way)
    subjects = await bench.prepared(way, world, count)
    cases: list[Case] = []
    first = count // 4

    async def opening() -> int:
        # The first ones fill memory that the worker has taken before and holds free.
        cases.extend(await bench.opened(way, world, subjects[:first]))
        await bench.waiting(world, first)
        part = memory(worker)
        # A sandbox takes a worker a tenth of a second: many at once outlast their workflow tasks, which start again.
        pace = bench.in_flight if way.sandbox else count
        for start in range(first, count, pace):
            cases.extend(await bench.opened(way, world, subjects[start : start + pace]))
            await bench.waiting(world, min(start + pace, count))
        return part

    async def deciding() -> None:
        await bench.each([lambda case=case: way.decide(world, case) for case in cases])
        await bench.ended(world, count)

    async with AsyncExitStack() as workers:
        worker = await workers.enter_async_context(bench.worker(sandbox=way.sandbox))
        await bench.warm(way)
        empty = memory(worker)
        opened, part = await phase(bench, worker, opening)
        held = (memory(worker) - part) / (count - first)
        while_open = await histories(cases)
        if way.restarted:
            await workers.aclose()
            worker = await workers.enter_async_context(bench.worker(sandbox=way.sandbox))
            await bench.warm(way)
        decided, _ = await phase(bench, worker, deciding)
    at_end = await histories(cases)
    cost = _per_case(way, count, idle, opened, decided, while_open, at_end, held)
    return cost, empty


def _per_case(
    way: Way,
    count: int,
    idle: Counter[str],
    opened: Half,
    decided: Half,
    while_open: Histories,
    at_end: Histories,
    held: float,
) -> PathCost:
    def both(part: Callable[[Reading], int], digits: int = 0) -> float:
        return round((part(opened.used) + part(decided.used)) / count, digits)

    def named(part: Callable[[Reading], Counter[str]], digits: int = 0) -> dict[str, float]:
        names = sorted({*part(opened.used), *part(decided.used)})
        means = {name: both(lambda used, name=name: part(used)[name], digits) for name in names}
        return {name: mean for name, mean in means.items() if mean}

    return PathCost(
        path=way.path,
        variant=way.variant,
        load=way.load,
        cases=count,
        opened=opened.per_case(count, idle),
        decided=decided.per_case(count, idle),
        postgres_ms=named(lambda used: used.postgres_cpu, 2),
        transactions=both(lambda used: used.transactions, 1),
        rows_inserted=both(lambda used: used.rows["inserted"], 2),
        rows_updated=both(lambda used: used.rows["updated"], 2),
        rows_deleted=both(lambda used: used.rows["deleted"], 2),
        inserted=named(lambda used: used.inserted, 2),
        table_bytes=both(lambda used: ours(used.table_bytes)),
        index_bytes=both(lambda used: ours(used.index_bytes)),
        stub_bytes=both(
            lambda used: used.table_bytes.total() + used.index_bytes.total()
            - ours(used.table_bytes) - ours(used.index_bytes)
        ),
        wal_bytes=both(lambda used: used.wal["all"]),
        full_pages=both(lambda used: used.full_pages, 2),
        wal_of=named(lambda used: Counter({name: size for name, size in used.wal.items() if name != "all"})),
        open_events=while_open.events,
        open_history_bytes=while_open.size,
        open_transitions=while_open.transitions,
        events=at_end.events,
        history_bytes=at_end.size,
        transitions=at_end.transitions,
        sqlite_bytes=both(lambda used: used.sqlite_bytes),
        memory_bytes=round(held),
    )  # fmt: skip


@asynccontextmanager
async def bench_on(state_dir: Path, *, in_flight: int, cached: int) -> AsyncGenerator[Bench]:
    """Servers and meters; workers are started for each path."""
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, search_attributes=declarations(), headless=True) as stack:
        await schema.upgrade(stack.database_url)
        await prepare_key_store(settings, stack.database_url)
        client = await connect(settings, target=stack.temporal_address)
        skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
        url = stack.database_url
        reader = await asyncpg.connect(url, server_settings={"application_name": METER})
        try:
            async with (
                await open_pool(url, max_size=10, application_name="aftersales-client") as pool,
                opened_vault(settings, url) as vault,
            ):
                meters = Meters(
                    reader,
                    psutil.Process(stack.temporal_pid),
                    psutil.Process(stack.postgres_pid),
                    StateFolder.at(state_dir).temporal_database,
                )
                plain = Aftersales(client, settings.task_queue, pool, vault)
                skipped = Aftersales(skipper.client, settings.task_queue, pool, vault)
                yield Bench(stack, state_dir, pool, meters, plain, skipped, skipper, in_flight, cached)
        finally:
            await reader.close()


async def run(count: int, in_flight: int) -> Measured:
    """Measure every way."""
    load = os.getloadavg()[0]
    paths: list[PathCost] = []
    empty: list[int] = []
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        async with bench_on(Path(folder), in_flight=in_flight, cached=10 * count) as bench:
            info = await bench.plain.temporal.workflow_service.get_system_info(GetSystemInfoRequest())
            postgres = await bench.pool.fetchval("SHOW server_version")
            idle = await idle_cores(bench)
            for way in WAYS:
                cost, worker = await measure(bench, way, count, idle)
                paths.append(cost)
                empty.append(worker)
                print(json.dumps(cost.model_dump()), flush=True)
    return Measured(
        on=datetime.now(UTC).date(),
        cores=os.cpu_count() or 1,
        load_before=round(load, 1),
        python=platform.python_version(),
        temporal=info.server_version,
        postgres=postgres,
        idle_cores={part: round(thousandths / 1000, 3) for part, thousandths in idle.items()},
        worker_bytes=empty[0],
        paths=tuple(paths),
    )


def table(found: Measured) -> str:
    """Processor milliseconds per case and bytes, to look at."""
    head = f"{'path':<38}{'worker':>9}{'temporal':>9}{'postgres':>9}{'rows':>6}{'bytes':>8}{'wal':>8}{'memory':>9}"
    return "\n".join([head, *map(_line, found.paths)])


def _line(cost: PathCost) -> str:
    milliseconds = (
        cost.opened.worker_ms + cost.decided.worker_ms,
        cost.opened.temporal_ms + cost.decided.temporal_ms,
        cost.opened.postgres_ms + cost.decided.postgres_ms,
    )
    return (
        f"{cost.path + ', ' + cost.variant:<38}"
        + "".join(f"{each:>9.1f}" for each in milliseconds)
        + f"{cost.rows_inserted:>6.1f}{cost.table_bytes + cost.index_bytes:>8.0f}{cost.wal_bytes:>8.0f}"
        + f"{cost.memory_bytes:>9.0f}"
    )


async def main() -> None:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks.cases", description=__doc__)
    arguments.add_argument("--cases", type=int, default=400, help="cases of each path (400)")
    arguments.add_argument("--in-flight", type=int, default=16, help="requests at a time (16)")
    arguments.add_argument("--file", type=Path, default=measured.FILE, help="where to keep what was measured")
    chosen = arguments.parse_args()
    found = await run(chosen.cases, chosen.in_flight)
    measured.write(found, chosen.file)
    print(table(found))


if __name__ == "__main__":
    asyncio.run(main())
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
