"""The figures of what is open: right, measured by one process for all, and told as zero once they are gone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest_asyncio
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from activities.gauges import OpenWorkGauges
from activities.postgres import schema, standing
from activities.postgres.kept_figures import Figure
from activities.postgres.pool import open_pool
from tests.storage.money import open_case

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def pool(empty_database: str) -> AsyncIterator[asyncpg.Pool]:
    await schema.upgrade(empty_database)
    async with await open_pool(empty_database, max_size=4, application_name="tests") as opened:
        yield opened


async def test_figures_of_what_is_open(pool: asyncpg.Pool) -> None:
    overdue, attended, _ = [await open_case(pool) for _ in range(3)]
    now = datetime.now(UTC)
    await pool.execute(
        "UPDATE casebook.cases SET work_list = 'refund_only', due_at = $2 WHERE case_id = $1",
        overdue.case_id,
        now - HOUR,
    )
    await pool.execute(
        "UPDATE casebook.cases SET attention = 'refund_declined', stage_since = $2 WHERE case_id = $1",
        attended.case_id,
        now - 2 * HOUR,
    )
    async with pool.acquire() as connection:
        measured, _ = await standing.figures(connection, every=timedelta(0))

    def value(name: str, **labels: str) -> float:
        (found,) = [each.value for each in measured if each.name == name and each.labels == labels]
        return found

    assert value("aftersales_cases_open", work_list="none") == 2
    assert value("aftersales_cases_overdue", work_list="refund_only") == 1
    assert 3600 <= value("aftersales_cases_most_overdue_seconds", work_list="refund_only") < 4200
    assert value("aftersales_cases_attention", reason="refund_declined") == 1
    assert 7200 <= value("aftersales_cases_attention_oldest_seconds", reason="refund_declined") < 7800
    assert value("aftersales_money_in_flight_legs", state="reserved", currency="CNY") == 3
    assert value("aftersales_money_in_flight_minor_units", state="reserved", currency="CNY") == 30_000


async def test_one_process_measures_for_all(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        first, _ = await standing.figures(one, every=HOUR)
        await open_case(pool)
        second, age = await standing.figures(other, every=HOUR)
        async with one.transaction():
            await one.execute("SELECT FROM casebook.standing FOR UPDATE")
            meanwhile, _ = await standing.figures(other, every=timedelta(0))
        anew, _ = await standing.figures(other, every=timedelta(0))

    assert second == meanwhile == first
    assert age < 600
    assert Figure(name="aftersales_cases_open", value=1, labels={"work_list": "none"}) in anew


async def test_what_is_gone_is_told_as_zero(pool: asyncpg.Pool) -> None:
    buffer = MetricBuffer(10_000)
    gauges = OpenWorkGauges(pool, Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter, every=timedelta(0))
    wish = await open_case(pool)

    def told() -> dict[str, float]:
        return {
            update.metric.name: update.value
            for update in buffer.retrieve_updates()
            if update.attributes.get("state") == "reserved" or update.attributes.get("reason") == "ruling_overdue"
        }

    await gauges.tell()
    open_now = told()
    await pool.execute("UPDATE ledger.legs SET state = 'failed' WHERE case_id = $1", wish.case_id)
    await gauges.tell()
    gone = told()

    assert (open_now["aftersales_money_in_flight_legs"], gone["aftersales_money_in_flight_legs"]) == (1, 0)
    assert open_now["aftersales_cases_attention"] == 0, "nothing needs anybody, and that is said"
