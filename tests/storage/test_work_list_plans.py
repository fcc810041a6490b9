"""However many cases are open, a page of a work list reads a page's worth of them (section 12).

The plans are those of a case book of some thousands of cases; docs/benchmarks.md has the figures of a million.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import schema
from activities.postgres.case_rows import clocks_sql, with_running_clock
from activities.postgres.work_lists import WorkQuery, count_work, counts_sql, find_work, page_sql
from starter.stack import Stack
from tests.benchmarks.filling import BEFORE_WORK_LISTS, LARGE, SMALL, fill
from tests.benchmarks.plans import Plan, explained
from tests.databases import database_for_one_test
from workflows.messages.flags import Colour
from workflows.messages.stages import Attention, CaseKind, WorkList

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
LIMIT = 5
PAGE_OF_CLOCKS = 100
DESCENT = 4
"""So many pages of an index lie at most on the way to the cases of a page."""

PAGES = {
    "merchant and list": WorkQuery(merchant_id=LARGE, work_list=WorkList.AWAITING_RETURN),
    "merchant, all lists": WorkQuery(merchant_id=LARGE),
    "small merchant": WorkQuery(merchant_id=SMALL),
    "platform and list": WorkQuery(work_list=WorkList.LATE_SHIPMENTS),
    "platform, all lists": WorkQuery(),
    "platform, due soon": WorkQuery(due_before=NOW + timedelta(hours=12)),
    "merchant, due soon": WorkQuery(merchant_id=LARGE, due_before=NOW + timedelta(hours=12)),
    "platform and kind": WorkQuery(kind=CaseKind.WITHDRAWAL),
    "merchant and kind": WorkQuery(merchant_id=LARGE, kind=CaseKind.WITHDRAWAL),
    "platform, any attention": WorkQuery(needs_attention=True),
    "platform and attention": WorkQuery(attention=Attention.RETURN_OVERDUE),
    "merchant, any attention": WorkQuery(merchant_id=LARGE, needs_attention=True),
    "merchant and attention": WorkQuery(merchant_id=LARGE, attention=Attention.REFUND_DECLINED),
    "merchant and flag": WorkQuery(merchant_id=LARGE, flag=Colour.RED),
    "platform and flag": WorkQuery(flag=Colour.BLUE),
    "merchant, opened in some hours": WorkQuery(
        merchant_id=LARGE, opened_from=NOW - timedelta(hours=30), opened_until=NOW - timedelta(hours=24)
    ),
    "platform, opened in some hours": WorkQuery(
        opened_from=NOW - timedelta(hours=30), opened_until=NOW - timedelta(hours=24)
    ),
}


PASS_OVER = {"merchant and kind", "merchant, opened in some hours", "platform, opened in some hours"}
"""Questions for which entries of an index are passed over; how many is not bounded."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def book(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """A case book that was filled before the indexes came: the migration takes along what is there."""
    async with database_for_one_test(stack.database_url) as database:
        await schema.upgrade(database, BEFORE_WORK_LISTS)
        connection = await asyncpg.connect(database)
        await fill(connection, NOW, open_cases=36_000, closed_cases=12_000)
        await schema.upgrade(database)
        await connection.execute("VACUUM ANALYZE casebook.cases")
        yield connection
        await connection.close()


async def page_plans(book: asyncpg.Connection, query: WorkQuery) -> list[Plan]:
    """Planned for these arguments, and for any: the server decides which of the two it does."""
    return [await explained(book, *page_sql(query), generic=generic) for generic in (False, True)]


async def middle(book: asyncpg.Connection, query: WorkQuery) -> str | None:
    """The key of a page in the midst of the list."""
    in_all = (await count_work(book, query, exact=True)).in_all
    return (await find_work(book, query.model_copy(update={"limit": max(in_all // 2, 1), "after": None}))).next


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_reads_no_more_cases_than_it_shows(book: asyncpg.Connection, name: str) -> None:
    first = PAGES[name].model_copy(update={"limit": LIMIT})
    later = first.model_copy(update={"after": await middle(book, first)})
    assert later.after

    plans = await page_plans(book, first) + await page_plans(book, later)

    for plan in plans:
        assert plan.cases_read <= LIMIT + 1, str(plan)
        assert plan.sorted <= LIMIT + 1, str(plan)
        assert plan.buffers <= LIMIT + 1 + DESCENT or name in PASS_OVER, str(plan)


@pytest.mark.parametrize("field", ["order_no", "buyer_id", "customer"])
@pytest.mark.parametrize("merchant_id", [LARGE, None])
async def test_what_has_few_cases_is_found_by_them(
    book: asyncpg.Connection, field: str, merchant_id: str | None
) -> None:
    known = await book.fetchrow(
        """
        SELECT order_no, buyer_id, hash AS customer FROM casebook.cases
        JOIN vault.lookups ON subject = order_no AND field = 'phone' AND lookups.merchant_id = cases.merchant_id
        WHERE cases.merchant_id = $1 AND closed_at IS NULL ORDER BY case_id LIMIT 1
        """,
        LARGE,
    )
    assert known
    query = WorkQuery.model_validate({"merchant_id": merchant_id, field: known[field]})
    everywhere = query.model_copy(update={"merchant_id": None, "with_closed": True})
    found = len((await find_work(book, everywhere)).items)
    assert 0 < found < 20

    for plan in await page_plans(book, query):
        assert plan.cases_read <= found, str(plan)
        assert plan.buffers <= 3 * DESCENT * found, str(plan)


@pytest.mark.parametrize(
    "query",
    [
        WorkQuery(),
        WorkQuery(merchant_id=LARGE),
        WorkQuery(merchant_id=LARGE, work_list=WorkList.AWAITING_RETURN),
        WorkQuery(merchant_id=LARGE, kind=CaseKind.RETURN),
        WorkQuery(merchant_id=LARGE, opened_from=NOW - timedelta(hours=30)),
        WorkQuery(merchant_id=LARGE, due_before=NOW + timedelta(hours=12)),
        WorkQuery(kind=CaseKind.RETURN),
        WorkQuery(due_before=NOW + timedelta(hours=12)),
    ],
    ids=lambda query: " ".join(query.model_dump(exclude_defaults=True)) or "all",
)
async def test_cases_are_counted_in_an_index_alone(book: asyncpg.Connection, query: WorkQuery) -> None:
    plan = await explained(book, *counts_sql(query))

    assert plan.scans == {"Index Only Scan"}, str(plan)
    assert plan.heap_fetches == 0


@pytest.mark.parametrize("kind", [CaseKind.WITHDRAWAL, CaseKind.CANCELLATION])
async def test_the_clocks_that_a_pause_moves_are_found_by_an_index(book: asyncpg.Connection, kind: CaseKind) -> None:
    """Section 9, D3: of a kind with few open cases neither all cases are looked through nor all open ones."""
    open_ones = await book.fetchval("SELECT count(*) FROM casebook.cases WHERE kind = $1 AND closed_at IS NULL", kind)

    plan = await explained(book, *clocks_sql([kind], "a", PAGE_OF_CLOCKS))

    assert "cases_with_clock" in plan.indexes, str(plan)
    assert plan.cases_read <= open_ones, str(plan)


async def test_what_stands_still_under_a_dispute_is_found_beside_what_runs(book: asyncpg.Connection) -> None:  # D3
    """In pages, by their ids, each once."""
    found = [case async for case in clocks(book, CaseKind.SHIPPED_REFUND)]

    rows = await book.fetch(
        """
        SELECT case_id, stage FROM casebook.cases
        WHERE kind = 'shipped_refund' AND closed_at IS NULL AND (due_at IS NOT NULL OR stage = 'locked')
        """
    )
    assert found == sorted(row["case_id"] for row in rows)
    assert {row["stage"] for row in rows} >= {"locked", "shipped_review"}


async def clocks(book: asyncpg.Connection, kind: CaseKind) -> AsyncIterator[str]:
    after = ""
    while page := await with_running_clock(book, [kind], after, PAGE_OF_CLOCKS):
        for after in page:
            yield after
