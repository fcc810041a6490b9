"""What comparing one day of the provider's statement costs, however many legs the ledger has (X5).

    python -m tests.benchmarks.statements --legs 1000000 --day 2000

A database of its own is filled by SQL: so many refunds that were paid and stated before, and the day's.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import NotPublished, StatementLine
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import schema
from activities.postgres.pool import open_pool
from activities.reconciliation import Reconciliation
from starter.settings import load_settings
from starter.stack import embedded_stack
from workflows.messages.commands import GatewayResult
from workflows.messages.reconciliation import ReconcileReport, ReconcileRequest

NOW: Final = datetime(2026, 11, 29, 3, tzinfo=UTC)
DAY: Final = date(2026, 11, 28)
_LEGS: Final = """
INSERT INTO ledger.legs (refund_no, case_id, payout, leg, fund, merchant_id, currency, amount, route, tender,
                         tender_kind, state, paid_by, reserved_at, settled_at, stated_on)
SELECT $1 || number, 'refund/' || $1 || number, 1, 1, 'order/' || $1 || number, 'm-' || number % 500, 'CNY', 100,
       'original', 't', 'wallet', 'succeeded', 'gateway', at, at, $5
FROM (SELECT number, $3::timestamptz + ($4::timestamptz - $3) * (number / $2::float8) AS at
      FROM generate_series(1, $2::bigint) AS number) AS made
"""


class Daily(PassingOn):
    """A provider whose statement of the day has so many lines."""

    def __init__(self, pool: asyncpg.Pool, lines: int) -> None:
        super().__init__(PaymentGatewayStub(pool))
        self.lines = lines

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        if day > DAY:
            raise NotPublished
        for number in range(1, self.lines + 1 if day == DAY else 1):
            yield StatementLine(refund_no=f"D{number}", amount=100, currency="CNY", result=GatewayResult.SUCCEEDED)


async def fill(pool: asyncpg.Pool, legs: int, lines: int) -> None:
    """Old legs by SQL, without foreign keys and triggers, and those of the day."""
    begins = datetime(2026, 11, 28, tzinfo=UTC)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        old = (begins - timedelta(days=365), begins - timedelta(days=2))
        await connection.execute(_LEGS, "A", legs, *old, DAY, timeout=3600)
        await connection.execute(_LEGS, "D", lines, begins, NOW - timedelta(hours=4), None)
        await connection.execute(
            "INSERT INTO ledger.statement_days (day, compared_at, lines) SELECT $1::date - number, now(), 0 "
            "FROM generate_series(1, 30) AS number",
            DAY,
        )
    await pool.execute("VACUUM ANALYZE ledger.legs", timeout=3600)


async def main(legs: int, lines: int) -> None:
    """Fill, compare the day, and compare again where nothing is new."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(state_dir=Path(folder), environment="development")
        async with (
            embedded_stack(settings) as stack,
            await open_pool(stack.database_url, max_size=4, statement_timeout=3600) as pool,
        ):
            await schema.upgrade(stack.database_url)
            began = time.perf_counter()
            await fill(pool, legs, lines)
            print(f"{legs} legs filled in {time.perf_counter() - began:.0f} s", flush=True)
            reconciliation = Reconciliation(pool, Daily(pool, lines))
            for what in ("the new day", "nothing new", "nothing new"):
                began, report = time.perf_counter(), ReconcileReport(next_after="")
                while report.next_after is not None:
                    page = await reconciliation.reconcile(ReconcileRequest(at=NOW, after=report.next_after))
                    report = report.plus(page)
                took = 1000 * (time.perf_counter() - began)
                print(f"{what}: {report.compared} lines, {report.differences}, {took:.0f} ms", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, default=1_000_000)
    parser.add_argument("--day", type=int, default=2_000, help="lines on the day's statement")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.legs, arguments.day))
