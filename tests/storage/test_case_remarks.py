"""Remarks of one case beside those of its order: who writes them, who sees them, and where they stand (section 12)."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import dossiers
from activities.postgres.flags import OtherMarkingUnderKey
from activities.postgres.limits import LimitReached
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkItem, WorkQuery, find_work
from starter.errors import UnknownCase
from starter.merchant_desk import MerchantDesk
from tests.storage.money import open_case, some_id
from tests.storage.own_keys import KEYS, vault
from tests.storage.test_flags import remark
from workflows.messages.actors import Actor, merchant, officer
from workflows.messages.flags import AddRemark
from workflows.messages.payouts import Payout
from workflows.messages.policy import LimitsPolicy

BUYER = "b-whom-remarks-are-about"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def desk(pool: asyncpg.Pool) -> MerchantDesk:
    return MerchantDesk(pool, vault())


@pytest_asyncio.fixture(loop_scope="session")
async def case(pool: asyncpg.Pool) -> Payout:
    return await open_case(pool, buyer_id=BUYER)


@pytest_asyncio.fixture(loop_scope="session")
async def order_no(pool: asyncpg.Pool, case: Payout) -> str:
    return await pool.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case.case_id)


def about(case: Payout, text: str, key: str, by: Actor | None = None) -> AddRemark:
    return remark(case.case_id, text, key, merchant_id=case.merchant_id, by=by or merchant(case.merchant_id))


async def read(desk: MerchantDesk, subject: str, merchant_id: str | None = None) -> list[tuple[str, str]]:
    found = await desk.remarks(merchant_id, subject)
    return [(each.subject, each.text.get_secret_value()) for each in found if each.text]


async def item(pool: asyncpg.Pool, case: Payout) -> WorkItem:
    async with pool.acquire() as connection:
        found = await find_work(connection, WorkQuery(merchant_id=case.merchant_id))
    (only,) = [each for each in found.items if each.case_id == case.case_id]
    return only


async def test_a_case_shows_its_own_remarks_and_those_of_its_order(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout, order_no: str
) -> None:
    at_order = remark(order_no, "货到仓库", "1", merchant_id=case.merchant_id, by=merchant(case.merchant_id))
    await desk.add_remark(at_order)
    await desk.add_remark(about(case, "买家已来电", "1"))
    await desk.add_remark(about(case, "已核实", "2", officer("f-1")))
    noted = [(order_no, "货到仓库"), (case.case_id, "买家已来电"), (case.case_id, "已核实")]

    assert await read(desk, case.case_id) == await read(desk, case.case_id, case.merchant_id) == noted
    assert await read(desk, order_no) == noted[:1], "an order has what is its own"
    assert await read(desk, case.case_id, "m-of-somebody-else") == []
    async with pool.acquire() as connection:
        dossier = await dossiers.dossier(connection, KEYS, case.case_id)
    assert dossier
    assert [(each.subject, each.text and each.text.get_secret_value()) for each in dossier.remarks] == noted
    shown = await item(pool, case)
    assert (shown.remarks, shown.order_remarks) == (2, 1)


async def test_a_case_without_remarks_counts_none(pool: asyncpg.Pool, case: Payout) -> None:
    shown = await item(pool, case)
    assert (shown.remarks, shown.order_remarks) == (0, 0)


async def test_what_stands_at_one_case_is_not_at_another_of_the_order(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout
) -> None:
    other = await open_case(pool)
    await desk.add_remark(about(case, "a", "1"))

    assert await read(desk, other.case_id) == []


async def test_nobody_notes_down_at_a_case_that_is_not_the_merchants(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout
) -> None:
    """Nor at one that does not exist: both are the same to whoever asks."""
    for subject in (case.case_id, "refund/nowhere/k-1"):
        wish = remark(subject, "a", "1", merchant_id="m-of-somebody-else", by=merchant("m-of-somebody-else"))
        with pytest.raises(UnknownCase):
            await desk.add_remark(wish)
        with pytest.raises(UnknownCase):
            await desk.add_remark(wish.model_copy(update={"by": officer("f-1")}))
    assert await pool.fetchval("SELECT count(*) FROM shop.remarks WHERE subject = $1", case.case_id) == 0


async def test_a_remark_is_one_by_its_key_and_stays_as_it_is(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout
) -> None:
    first = await desk.add_remark(about(case, "a", "1"))

    assert await desk.add_remark(about(case, "a", "1")) == first
    with pytest.raises(OtherMarkingUnderKey):
        await desk.add_remark(about(case, "b", "1"))
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute("UPDATE shop.remarks SET at = now() WHERE subject = $1", case.case_id)
    assert await read(desk, case.case_id) == [(case.case_id, "a")]


async def test_a_party_notes_down_so_much_at_a_case(desk: MerchantDesk, case: Payout, order_no: str) -> None:  # R16
    most = LimitsPolicy().remarks_of_a_party
    for number in range(most):
        await desk.add_remark(about(case, "a", f"k-{number}"))

    with pytest.raises(LimitReached):
        await desk.add_remark(about(case, "a", "once-too-often"))
    await desk.add_remark(about(case, "a", "of-the-platform", officer("f-1")))
    at_order = remark(order_no, "a", "k-1", merchant_id=case.merchant_id, by=merchant(case.merchant_id))
    await desk.add_remark(at_order)

    assert len(await read(desk, case.case_id)) == most + 2


async def test_it_is_under_the_key_of_the_buyer_whom_the_case_is_of(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout
) -> None:  # P6
    await desk.add_remark(about(case, some_id("t"), "1"))

    row = await pool.fetchrow("SELECT person, sealed FROM shop.remarks WHERE subject = $1", case.case_id)
    assert row
    assert row["person"] == f"buyer/{BUYER}"
