"""Servers of their own, worker processes that can be killed, and a look into both books afterwards."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres import ledger, schema
from activities.postgres.books import side_by_side
from activities.postgres.pool import open_pool
from starter.client import Aftersales, Case
from starter.connection import connect
from starter.settings import Settings
from starter.stack import Stack, embedded_stack
from starter.vault import opened_vault, prepare_key_store
from tests.chaos import killing
from tests.workflow.world import World, until
from workflows.messages.payouts import LegState
from workflows.messages.search_attributes import declarations

ROOT = Path(__file__).parents[2]


@dataclass
class Site:
    """One stack, of which any process may be killed without disturbing another test."""

    stack: Stack
    state_dir: Path
    world: World

    @property
    def pool(self) -> asyncpg.Pool:
        """Connections of the test's own."""
        return self.world.pool

    @asynccontextmanager
    async def worker(self, *, sandbox: bool = False) -> AsyncGenerator["WorkerProcess"]:
        """A worker process, as it runs in production, or with developers' sandbox; killed at the end at the latest."""
        output = self.state_dir / "logs" / "worker.log"
        with output.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(ROOT / "worker.py")),
                cwd=ROOT,
                env={
                    **os.environ,
                    "AFTERSALES_STATE_DIR": str(self.state_dir),
                    "AFTERSALES_WORKFLOW_SANDBOX": str(sandbox).lower(),
                    "PYTHONUNBUFFERED": "1",
                },
                stdout=log,
                stderr=log,
            )
        worker = WorkerProcess(process)
        try:

            async def said() -> str:
                if process.returncode is not None:
                    raise AssertionError(f"the worker ended: {output.read_text()}")
                return output.read_text()

            await until(said, lambda text: ": running" in text)
            yield worker
        finally:
            await worker.kill()

    async def waits_for_a_lock(self, application: str) -> None:
        """Wait until a connection of this application waits for a lock of ours."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = $1"
        await until(lambda: self.pool.fetchval(waiting, application), lambda found: found > 0)

    async def gateway_has_paid(self, order_no: str) -> None:
        """Wait until the gateway has committed the payment for this order."""
        await until(lambda: self.world.paid_by_gateway(order_no), lambda paid: paid > 0)

    async def leg_states(self, case: Case) -> list[LegState]:
        """How the legs of the case's payout stand in our ledger."""
        async with self.pool.acquire() as connection:
            return [leg.state for leg in await ledger.legs_of(connection, case.id, 1)]

    async def kill_temporal(self) -> None:
        """SIGKILL for the Temporal server."""
        killing.kill_temporal(self.stack)

    async def kill_postgres(self) -> None:
        """SIGKILL for PostgreSQL: all of its processes at once, so that none can end what it was doing."""
        killing.kill_postgres(self.stack)


@dataclass
class WorkerProcess:
    """A running ``worker.py``."""

    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        """SIGKILL: no word of farewell to anybody."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def site(state_dir: Path) -> AsyncGenerator[Site]:
    """Servers on ``state_dir`` and a shop on them; workers are the test's to start."""
    settings = Settings(state_dir=state_dir)
    async with embedded_stack(settings, search_attributes=declarations(), headless=True) as stack:
        await schema.upgrade(stack.database_url)
        await prepare_key_store(settings, stack.database_url)
        skipper = TimeSkipper(
            await connect(settings, target=stack.temporal_address), config=TimeSkippingConfig(enabled=False)
        )
        async with (
            await open_pool(stack.database_url, max_size=10, application_name="tests") as pool,
            opened_vault(settings, stack.database_url) as vault,
        ):
            aftersales = Aftersales(skipper.client, settings.task_queue, pool, vault)
            yield Site(stack, state_dir, World(aftersales, skipper, pool))


async def pending(case: Case) -> dict[str, int]:
    """The activities that the case waits for, and which attempt each is at."""
    raw = (await case.handle.describe()).raw_description
    return {each.activity_type.name: each.attempt for each in raw.pending_activities}


async def scheduled(case: Case) -> dict[str, int]:
    """The activities that the server has run for the case, and how many attempts the last of each took."""
    names: dict[int, str] = {}
    attempts: dict[str, int] = {}
    for event in (await case.handle.fetch_history()).events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            attempts[names[started.scheduled_event_id]] = started.attempt
    return attempts


async def assert_paid_once(site: Site, case: Case, order_no: str, *events: str) -> None:
    """The money left once, by both books; and the log has exactly these events, without a gap (section 12)."""
    fund = f"order/{order_no}"
    paid = await site.pool.fetch("SELECT amount, result, attempts FROM gateway.refunds WHERE fund = $1", fund)
    assert [tuple(row) for row in paid] == [(10_000, "succeeded", 1)]
    assert await site.world.refunded(order_no) == 10_000
    assert await site.leg_states(case) == [LegState.SUCCEEDED]
    books = await side_by_side(site.pool, site.world.gateway, datetime.now(UTC) + timedelta(days=30))
    assert [line.equal for line in books.lines if line.case_id == case.id] == [True]
    log = await site.pool.fetch(
        "SELECT position, event FROM casebook.log WHERE case_id = $1 ORDER BY position", case.id
    )
    assert [tuple(row) for row in log] == list(enumerate(events, start=1))
    row = await site.pool.fetchrow("SELECT outcome, log_length FROM casebook.cases WHERE case_id = $1", case.id)
    assert row is not None
    assert tuple(row) == ("refunded", len(events))
