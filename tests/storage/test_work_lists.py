"""Work lists by flag: an order's flag is the flag of all its cases, and its merchant's own (section 12)."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import casebook, flags
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkItem, WorkQuery, count_work, find_work
from tests.storage.money import NOON, POLICY, some_id
from workflows.messages.actors import CLOCK, merchant
from workflows.messages.cases import CaseKey, LogEntry, OpenCase, Opened
from workflows.messages.flags import Colour, SetFlag
from workflows.messages.money import Money
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest, WithdrawalRequest
from workflows.messages.stages import CaseKind, StageName, WorkList
from workflows.rules.identity import case_id


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
    identifier = case_id(request)
    opening = OpenCase(case=CaseKey(case_id=identifier, run_id="run-1"), at=NOON, request=request)
    found = Opened(
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.MERCHANT_REVIEW,
        policy=POLICY,
        asked=Money(amount=100, currency="CNY"),
    )
    entry = LogEntry(event="opened", by=CLOCK, rule="R1", at=NOON)
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_opening(
            connection, opening, found, entry=entry, work_list=WorkList.UNSHIPPED_REFUNDS, buyer_id="b-1"
        )
    return identifier


async def refund(pool: asyncpg.Pool, merchant_id: str, order_no: str) -> str:
    lines = (LineAmount(line="1", quantity=1, amount=100),)
    key = some_id("k")
    request = RefundRequest(
        request_key=key,
        order_no=order_no,
        merchant_id=merchant_id,
        buyer_id="b-1",
        lines=lines,
        reason=RefundReason.OTHER,
    )
    return await opened(pool, request)


async def put(pool: asyncpg.Pool, merchant_id: str, subject: str, colour: Colour | None) -> None:
    wish = SetFlag(subject=subject, merchant_id=merchant_id, colour=colour, by=merchant(merchant_id), key=some_id("k"))
    async with pool.acquire() as connection, connection.transaction():
        await flags.set_flag(connection, wish, NOON)


async def find(pool: asyncpg.Pool, merchant_id: str, flag: Colour | None) -> dict[str, WorkItem]:
    async with pool.acquire() as connection:
        found = await find_work(connection, WorkQuery(merchant_id=merchant_id, flag=flag))
    return {each.case_id: each for each in found}


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

    assert (flagged, all_cases) == ({"unshipped_refunds": 2}, {"unshipped_refunds": 3})


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
