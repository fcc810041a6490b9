"""Counts of the whole platform: made by one process for all, of one moment, and told with their age (section 12)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import kept_figures, open_counts, schema
from activities.postgres.kept_figures import Figure, Kept
from activities.postgres.open_counts import OpenCounts
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkQuery, count_work
from starter.stack import Stack
from tests.benchmarks.filling import BEFORE_WORK_LISTS, LARGE, fill
from tests.benchmarks.plans import explained
from tests.databases import database_for_one_test
from workflows.messages.stages import Attention, CaseKind, WorkList

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
OPEN = open_counts.WORTH_KEEPING + 1_000
AT_ONCE = timedelta(0)
KEPT = [
    WorkQuery(),
    WorkQuery(work_list=WorkList.RULINGS),
    WorkQuery(kind=CaseKind.RETURN),
    WorkQuery(kind=CaseKind.RETURN, work_list=WorkList.PAYMENTS),
    WorkQuery(attention=Attention.RETURN_OVERDUE),
    WorkQuery(needs_attention=True),
    WorkQuery(work_list=WorkList.RESHIPMENTS, kind=CaseKind.DISPUTE),
]
ANEW = [
    WorkQuery(merchant_id=LARGE),
    WorkQuery(merchant_id=LARGE, work_list=WorkList.RULINGS),
    WorkQuery(due_before=NOW + timedelta(hours=12)),
    WorkQuery(opened_from=NOW - timedelta(hours=30)),
    WorkQuery(with_closed=True),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(stack: Stack) -> AsyncIterator[asyncpg.Pool]:
    async with database_for_one_test(stack.database_url) as database:
        await schema.upgrade(database, BEFORE_WORK_LISTS)
        async with await open_pool(database, max_size=6) as opened:
            async with opened.acquire() as connection:
                await fill(connection, NOW, open_cases=OPEN, closed_cases=15_000)
            await schema.upgrade(database)
            await opened.execute("VACUUM ANALYZE casebook.cases")
            yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def connection(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    async with pool.acquire() as acquired:
        await open_counts.renewed(acquired, AT_ONCE)
        yield acquired


@pytest.mark.parametrize("query", KEPT, ids=str)
async def test_what_is_told_is_what_was_counted(connection: asyncpg.pool.PoolConnectionProxy, query: WorkQuery) -> None:
    told, exact = await count_work(connection, query), await count_work(connection, query, exact=True)

    assert told.lists == exact.lists
    assert told.counted_at
    assert abs(datetime.now(UTC) - told.counted_at) < timedelta(minutes=1)
    assert exact.counted_at is None


@pytest.mark.parametrize("query", ANEW, ids=str)
async def test_merchants_and_other_filters_are_counted_anew(
    connection: asyncpg.pool.PoolConnectionProxy, query: WorkQuery
) -> None:
    assert (await count_work(connection, query)).counted_at is None


async def test_a_case_that_ends_is_missed_by_its_merchant_at_once_and_by_the_platform_later(
    connection: asyncpg.pool.PoolConnectionProxy,
) -> None:
    mine, all_cases = WorkQuery(merchant_id=LARGE), WorkQuery()
    before = await count_work(connection, mine), await count_work(connection, all_cases)
    await connection.execute(
        """
        UPDATE casebook.cases SET closed_at = $2, outcome = 'refunded', stage = 'closed', work_list = NULL
        WHERE case_id = (SELECT min(case_id) FROM casebook.cases WHERE merchant_id = $1 AND closed_at IS NULL)
        """,
        LARGE,
        NOW,
    )

    after = await count_work(connection, mine), await count_work(connection, all_cases)
    await open_counts.renewed(connection, AT_ONCE)
    later = await count_work(connection, all_cases)

    assert [each.in_all for each in after] == [before[0].in_all - 1, before[1].in_all]
    assert later.in_all == before[1].in_all - 1


async def test_all_of_a_count_is_of_one_moment_while_cases_move(pool: asyncpg.Pool) -> None:
    """Cases change their list again and again; none is counted twice, and none is passed over."""
    counted: list[int] = []
    moves = True

    async def move(number: int) -> None:
        while moves:
            await pool.execute(
                """
                UPDATE casebook.cases SET
                    work_list = CASE work_list WHEN 'rulings' THEN 'payments' ELSE 'rulings' END,
                    attention = CASE WHEN attention IS NULL THEN 'return_overdue' END
                WHERE closed_at IS NULL AND abs(hashtext(case_id)) % 50 = $1
                """,
                number,
            )

    movers = [asyncio.create_task(move(number)) for number in range(3)]
    async with pool.acquire() as connection:
        open_cases = await connection.fetchval("SELECT count(*) FROM casebook.cases WHERE closed_at IS NULL")
        for _ in range(10):
            counts = await open_counts.renewed(connection, AT_ONCE)
            assert counts
            counted.append(sum(counts.per_list().values()))
    moves = False
    await asyncio.gather(*movers)

    assert counted == [open_cases] * 10


async def test_of_many_who_find_it_too_old_one_counts(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    began = 0
    count = open_counts.count

    async def watched(connection: asyncpg.pool.PoolConnectionProxy) -> tuple[Figure, ...]:
        nonlocal began
        began += 1
        return await count(connection)

    monkeypatch.setattr(open_counts, "count", watched)
    await pool.execute("UPDATE casebook.standing SET measured_at = 'epoch'")

    async def ask() -> OpenCounts | None:
        async with pool.acquire() as connection:
            return await open_counts.renewed(connection, timedelta(hours=1))

    told = await asyncio.gather(*(ask() for _ in range(5)))

    assert began == 1
    assert all(told)


async def test_a_count_that_nobody_renews_is_not_told(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    await connection.execute("UPDATE casebook.standing SET measured_at = now() - interval '1 hour'")
    assert (await count_work(connection, WorkQuery())).counted_at is None

    await open_counts.renewed(connection, timedelta(minutes=1))
    assert (await count_work(connection, WorkQuery())).counted_at


async def test_all_but_the_few_in_attention_are_counted_in_an_index_alone(
    connection: asyncpg.pool.PoolConnectionProxy,
) -> None:
    await connection.execute("VACUUM ANALYZE casebook.cases")
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")  # so small a table would be read as a whole
        plan = await explained(connection, open_counts.STATEMENT, [])

    assert "Index Only Scan" in plan.scans, str(plan)


def test_counting_takes_a_fiftieth_of_the_time_at_most() -> None:
    minute = timedelta(minutes=1)

    def after(took: float) -> timedelta:
        return OpenCounts(Kept((Figure(name="took", value=took),), 0)).renewed_after(minute)

    assert [after(each) for each in (0.0, 0.5, 1.2, 6.0)] == [minute, minute, minute, 5 * minute]


async def test_a_small_platform_is_counted_anew(pool: asyncpg.Pool) -> None:
    small = Figure(name="cases", value=open_counts.WORTH_KEEPING - 1, labels={"kind": "return"})
    async with pool.acquire() as connection, connection.transaction():
        await kept_figures.renewed(connection, open_counts.SUBJECT, AT_ONCE, lambda: _just(small))
        assert await open_counts.told(connection) is None


async def _just(figure: Figure) -> tuple[Figure, ...]:
    return (figure,)
