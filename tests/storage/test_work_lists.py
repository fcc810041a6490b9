"""Work lists: in which order, page by page, by what filters; an order's flag is that of all its cases (section 12)."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given, settings, strategies
from pydantic import ValidationError

from activities.postgres import casebook, flags
from activities.postgres.connection import Connection
from activities.postgres.page_keys import PageKey
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkItem, WorkQuery, count_work, find_work
from tests.patience import PATIENCE
from tests.storage.money import NOON, POLICY, some_id
from workflows.messages.actors import CLOCK, merchant
from workflows.messages.cases import CaseKey, LogEntry
from workflows.messages.flags import Colour, SetFlag
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest, WithdrawalRequest
from workflows.messages.stages import Attention, CaseKind, StageName, WorkList
from workflows.rules.identity import case_id

case_ids = strategies.from_regex(r"[a-z-]{3,32}/[A-Za-z0-9_.:/-]{1,200}", fullmatch=True)


def coded(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=4)
    yield pool
    await pool.close()


@pytest.fixture
def merchant_id() -> str:
    return some_id("m")


async def opened(pool: asyncpg.Pool, request: RefundRequest | WithdrawalRequest) -> str:
    """A case in the case book, in the list of unshipped refunds; its id."""
    async with pool.acquire() as connection, connection.transaction():
        return await written(connection, request)


async def written(connection: Connection, request: RefundRequest | WithdrawalRequest) -> str:
    identifier = case_id(request)
    opening = OpenCase(case=CaseKey(case_id=identifier, run_id="run-1"), at=NOON, request=request)
    found = Opened(
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.MERCHANT_REVIEW,
        policy=POLICY,
        asked=Money(amount=100, currency="CNY"),
    )
    entry = LogEntry(event="opened", by=CLOCK, rule="R1", at=NOON)
    await casebook.write_opening(
        connection, opening, found, entry=entry, work_list=WorkList.UNSHIPPED_REFUNDS, buyer_id="b-1"
    )
    return identifier


async def refund(pool: asyncpg.Pool, merchant_id: str, order_no: str) -> str:
    return await opened(pool, refund_request(merchant_id, order_no))


def refund_request(merchant_id: str, order_no: str) -> RefundRequest:
    lines = (LineAmount(line="1", quantity=1, amount=100),)
    key = some_id("k")
    return RefundRequest(
        request_key=key,
        order_no=order_no,
        merchant_id=merchant_id,
        buyer_id="b-1",
        lines=lines,
        reason=RefundReason.OTHER,
    )


async def put(pool: asyncpg.Pool, merchant_id: str, subject: str, colour: Colour | None) -> None:
    wish = SetFlag(subject=subject, merchant_id=merchant_id, colour=colour, by=merchant(merchant_id), key=some_id("k"))
    async with pool.acquire() as connection, connection.transaction():
        await flags.set_flag(connection, wish, NOON)


async def find(pool: asyncpg.Pool, merchant_id: str, flag: Colour | None) -> dict[str, WorkItem]:
    async with pool.acquire() as connection:
        found = await find_work(connection, WorkQuery(merchant_id=merchant_id, flag=flag))
    return {each.case_id: each for each in found.items}


async def test_a_flag_of_an_order_lists_all_its_cases_and_no_others(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no, other = some_id("o"), some_id("o")
    first, second = await refund(pool, merchant_id, order_no), await refund(pool, merchant_id, order_no)
    plain = await refund(pool, merchant_id, other)
    await put(pool, merchant_id, order_no, Colour.RED)

    red, all_cases = await find(pool, merchant_id, Colour.RED), await find(pool, merchant_id, None)

    assert red.keys() == {first, second}
    assert {case: each.flag for case, each in all_cases.items()} == {
        first: Colour.RED,
        second: Colour.RED,
        plain: None,
    }
    assert await find(pool, merchant_id, Colour.BLUE) == {}


async def test_counts_go_by_the_flag_as_well(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no = some_id("o")
    for subject in (order_no, order_no, some_id("o")):
        await refund(pool, merchant_id, subject)
    await put(pool, merchant_id, order_no, Colour.GREEN)

    async with pool.acquire() as connection:
        flagged = await count_work(connection, WorkQuery(merchant_id=merchant_id, flag=Colour.GREEN))
        all_cases = await count_work(connection, WorkQuery(merchant_id=merchant_id))

    assert (flagged.lists, all_cases.lists) == ({"unshipped_refunds": 2}, {"unshipped_refunds": 3})


async def test_an_allowance_has_a_flag_too(pool: asyncpg.Pool, merchant_id: str) -> None:
    allowance_id = some_id("a")
    request = WithdrawalRequest(
        request_key=some_id("k"), allowance_id=allowance_id, merchant_id=merchant_id, buyer_id="b-1"
    )
    case = await opened(pool, request)
    await put(pool, merchant_id, allowance_id, Colour.YELLOW)

    assert (await find(pool, merchant_id, Colour.YELLOW)).keys() == {case}


async def test_a_flag_that_was_taken_down_is_none(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no = some_id("o")
    case = await refund(pool, merchant_id, order_no)
    await put(pool, merchant_id, order_no, Colour.RED)
    await put(pool, merchant_id, order_no, None)

    assert await find(pool, merchant_id, Colour.RED) == {}
    assert (await find(pool, merchant_id, None))[case].flag is None


async def test_another_merchants_flag_does_not_show(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no = some_id("o")
    case = await refund(pool, merchant_id, order_no)
    await put(pool, some_id("m"), order_no, Colour.PURPLE)

    assert await find(pool, merchant_id, Colour.PURPLE) == {}
    assert (await find(pool, merchant_id, None))[case].flag is None


# Flags and cases at the same moment ----------------------------------------------------------------------


async def waits_for_lock(pool: asyncpg.Pool, busy: "asyncio.Task[object]") -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(PATIENCE):
        while not busy.done() and not await pool.fetchval(waiting):
            await asyncio.sleep(0.01)
    assert not busy.done()


async def test_a_flag_that_is_put_up_while_a_case_opens_is_the_cases_too(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no = some_id("o")
    async with pool.acquire() as connection:
        async with connection.transaction():
            case = await written(connection, refund_request(merchant_id, order_no))
            putting = asyncio.create_task(put(pool, merchant_id, order_no, Colour.RED))
            await waits_for_lock(pool, putting)
        await putting

    assert (await find(pool, merchant_id, Colour.RED)).keys() == {case}


async def test_a_case_that_opens_while_a_flag_is_put_up_has_it(pool: asyncpg.Pool, merchant_id: str) -> None:
    order_no = some_id("o")
    wish = SetFlag(
        subject=order_no, merchant_id=merchant_id, colour=Colour.RED, by=merchant(merchant_id), key=some_id("k")
    )
    async with pool.acquire() as connection:
        async with connection.transaction():
            await flags.set_flag(connection, wish, NOON)
            opening = asyncio.create_task(refund(pool, merchant_id, order_no))
            await waits_for_lock(pool, opening)
        case = await opening

    assert (await find(pool, merchant_id, Colour.RED)).keys() == {case}


# Pages ---------------------------------------------------------------------------------------------------


async def listed(pool: asyncpg.Pool, merchant_id: str, hours: float | None, **changes: object) -> str:
    """A case in the lists, due so many hours after noon or never; its id."""
    case = await refund(pool, merchant_id, some_id("o"))
    values = {"due_at": None if hours is None else NOON + timedelta(hours=hours), **changes}
    for column, value in values.items():
        await pool.execute(f"UPDATE casebook.cases SET {column} = $2 WHERE case_id = $1", case, value)
    return case


async def pages(pool: asyncpg.Pool, query: WorkQuery) -> list[list[str]]:
    """All pages from the query's on, as case ids."""
    found: list[list[str]] = []
    while True:
        async with pool.acquire() as connection:
            page = await find_work(connection, query)
        found.append([each.case_id for each in page.items])
        if page.next is None:
            return found
        query = query.model_copy(update={"after": page.next})


async def test_the_oldest_of_the_cases_without_a_deadline_is_the_first_of_them(
    pool: asyncpg.Pool, merchant_id: str
) -> None:
    opened = [NOON, NOON - timedelta(days=9), NOON - timedelta(days=2)]
    young, old, middle = [await listed(pool, merchant_id, None, opened_at=moment) for moment in opened]
    far = await listed(pool, merchant_id, 24 * 365 * 50)

    assert await pages(pool, WorkQuery(merchant_id=merchant_id, limit=2)) == [[far, old], [middle, young]]
    far_off = datetime(2100, 1, 1, tzinfo=UTC)
    assert await pages(pool, WorkQuery(merchant_id=merchant_id, due_before=far_off)) == [[far]]


async def test_pages_follow_each_other_by_deadline_then_by_id_and_cases_without_one_come_last(
    pool: asyncpg.Pool, merchant_id: str
) -> None:
    due = [None, 3, 1, None, 2, 2, 2, 1.0000001, None, -5]
    cases = [(hours, await listed(pool, merchant_id, hours)) for hours in due]
    in_order = [case for _, case in sorted(cases, key=lambda each: (each[0] is None, each[0] or 0, each[1]))]

    for limit in (1, 2, 3, 5, 9, 10, 11):
        found = await pages(pool, WorkQuery(merchant_id=merchant_id, limit=limit))
        assert [case for page in found for case in page] == in_order
        assert {len(page) for page in found[:-1]} <= {limit}
        assert found[-1]


async def test_a_key_stays_valid_when_cases_move(pool: asyncpg.Pool, merchant_id: str) -> None:
    first, second, third, fourth = [await listed(pool, merchant_id, hours) for hours in (1, 2, 3, 4)]
    async with pool.acquire() as connection:
        page = await find_work(connection, WorkQuery(merchant_id=merchant_id, limit=2))
    assert [each.case_id for each in page.items] == [first, second]

    # The one that the key was made of ends; one that was seen gets more time; one that was not seen gets less.
    await pool.execute("UPDATE casebook.cases SET closed_at = $2, outcome = 'ruled' WHERE case_id = $1", second, NOON)
    await pool.execute("UPDATE casebook.cases SET due_at = $2 WHERE case_id = $1", first, NOON + timedelta(hours=9))
    await pool.execute("UPDATE casebook.cases SET due_at = $2 WHERE case_id = $1", third, NOON)
    rest = await pages(pool, WorkQuery(merchant_id=merchant_id, limit=2, after=page.next))

    assert rest == [[fourth, first]]  # the first again, the third not at all


# Filters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "abcdef"),
        ({"kind": "return"}, "b"),
        ({"attention": "refund_declined"}, "c"),
        ({"needs_attention": True}, "cd"),
        ({"needs_attention": True, "attention": "return_overdue"}, "d"),
        ({"due_before": NOON + timedelta(hours=3)}, "ab"),
        ({"opened_from": NOON}, "abcdef"),
        ({"opened_from": NOON + timedelta(hours=1)}, "e"),
        ({"opened_until": NOON + timedelta(hours=1)}, "abcdf"),
        ({"opened_from": NOON + timedelta(seconds=1), "opened_until": NOON + timedelta(hours=1)}, ""),
        ({"work_list": "rulings"}, "f"),
        ({"work_list": "rulings", "kind": "return"}, ""),
    ],
    ids=repr,
)
async def test_filters_and_counts_agree(
    pool: asyncpg.Pool, some_cases: tuple[str, dict[str, str]], query: dict[str, object], named: str
) -> None:
    merchant_id, cases = some_cases
    asked = WorkQuery.model_validate({"merchant_id": merchant_id, **query})

    (found,) = await pages(pool, asked)
    async with pool.acquire() as connection:
        counts = await count_work(connection, asked.model_copy(update={"limit": 1}))

    assert found == [cases[name] for name in named]
    assert counts.in_all == len(found)
    assert counts.lists.get("rulings", 0) == named.count("f")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def some_cases(database: str) -> tuple[str, dict[str, str]]:
    """A merchant's cases by the name that the test gives them; those without a deadline are ordered by it."""
    merchant_id = some_id("m")
    async with await open_pool(database, max_size=1) as pool:
        cases = {
            "a": await listed(pool, merchant_id, 1),
            "b": await listed(pool, merchant_id, 2, kind=CaseKind.RETURN),
            "c": await listed(pool, merchant_id, 3, attention=Attention.REFUND_DECLINED),
            "d": await listed(pool, merchant_id, 4, attention=Attention.RETURN_OVERDUE),
            "e": await listed(pool, merchant_id, 5, opened_at=NOON + timedelta(hours=1)),
            "f": await listed(pool, merchant_id, None, work_list=WorkList.RULINGS),
        }
        ended = await listed(pool, merchant_id, None, kind=CaseKind.RETURN, attention=Attention.RETURN_OVERDUE)
        await pool.execute(
            "UPDATE casebook.cases SET closed_at = $2, outcome = 'ruled' WHERE case_id = $1", ended, NOON
        )
    return merchant_id, cases


# Keys ----------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(rank=strategies.datetimes(timezones=strategies.just(UTC)), case_id=case_ids)
def test_a_page_key_is_what_it_was_made_of(rank: datetime, case_id: str) -> None:
    key = PageKey(rank, case_id)

    assert PageKey.parse(str(key)) == key
    assert re.fullmatch(r"[A-Za-z0-9_-]+", str(key))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        f"{PageKey(NOON, 'refund/o-1/k')}=",
        coded(f"{NOON.isoformat()} refund/o-1/k-1")[:-1] + "R",
        coded("refund/o-1/k-1"),
        coded(f"{NOON.isoformat()} "),
        coded(f"{NOON.isoformat()} refund/张三/k-1"),
        coded(f"{NOON.isoformat()} refund/o-1/k-1' OR true"),
        coded("2026-11-20T09:00:00 refund/o-1/k-1"),
        coded("2026-11-20T09:00:00+08:00 refund/o-1/k-1"),
        coded("soon refund/o-1/k-1"),
        coded("0001-01-01T00:00:00+23:59 refund/o-1/k-1"),
        "ÿ",
    ],
)
def test_a_malformed_page_key_is_refused_and_named(key: str) -> None:
    with pytest.raises(ValidationError, match="must be the key of a page") as refused:
        WorkQuery(after=key)

    assert [error["loc"] for error in refused.value.errors()] == [("after",)]
    assert "input_value" not in str(refused.value)


@given(strategies.text())
def test_no_text_is_worse_than_malformed(key: str) -> None:
    try:
        found = PageKey.parse(key)
    except ValueError:
        return
    assert str(found) == key


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="opened_until must be after opened_from"):
        WorkQuery(opened_from=NOON, opened_until=NOON)


def test_a_moment_without_its_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="due_before"):
        WorkQuery.model_validate({"due_before": datetime(2026, 11, 20, 9)})  # noqa: DTZ001 -- that is the point
