"""Standing orders in the database: their versions, and that no two cases share what is left of a day (G4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.opening import Opening
from activities.policies import Policies
from activities.postgres import casebook
from activities.postgres.limits import LimitReached
from activities.postgres.loading import load_orders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.errors import RefusedStandingOrder
from starter.merchant_desk import MerchantDesk
from tests.storage.money import some_id
from workflows.messages.actors import CLOCK, merchant
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseKey, NewEntry, Step
from workflows.messages.openings import OpenCase
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import CaseKind, StageName
from workflows.messages.standing_orders import (
    MOST_ORDERS,
    ByStandingOrder,
    EndStandingOrder,
    SetStandingOrder,
    StandingOrder,
)
from workflows.rules.identity import case_id

NOW = datetime.now(UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=10) as pool:
        yield pool


@pytest.fixture
def desk(pool: asyncpg.Pool, vault: Vault) -> MerchantDesk:
    return MerchantDesk(pool, vault)


def terms(**fields: object) -> StandingOrder:
    kinds = ("unshipped_refund", "shipped_refund")
    return StandingOrder.model_validate({"kinds": kinds, "up_to": 5900, "most_a_day": 12_000} | fields)


def wish(of: str, number: int | None = None, **fields: object) -> SetStandingOrder:
    return SetStandingOrder(merchant_id=of, profile="douyin", by=merchant(of), number=number, terms=terms(**fields))


def ending(of: str, number: int) -> EndStandingOrder:
    return EndStandingOrder(merchant_id=of, profile="douyin", by=merchant(of), number=number)


async def opening_of(pool: asyncpg.Pool, vault: Vault, merchant_id: str, *, buyer_id: str = "b-1") -> OpenCase:
    """A refund of all of a new order."""
    order_no = some_id("o")
    record = {
        "order_no": order_no,
        "marketplace": "douyin",
        "merchant_id": merchant_id,
        "buyer_id": buyer_id,
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s-1", "quantity": 1, "paid": 5900}],
        "tenders": [{"tender": "w", "kind": "wallet", "paid": 5900}],
        "paid_at": (NOW - timedelta(days=1)).isoformat(),
    }
    async with pool.acquire() as connection:
        assert (await load_orders(connection, [json.dumps(record)], vault)).loaded == 1
    request = RefundRequest(
        request_key="k-1",
        order_no=order_no,
        merchant_id=merchant_id,
        buyer_id=buyer_id,
        lines=(LineAmount(line="1", quantity=1, amount=5900),),
        reason=RefundReason.NO_LONGER_WANTED,
    )
    return OpenCase(case=CaseKey(case_id=case_id(request), run_id=some_id("run")), at=NOW, request=request)


async def decided(pool: asyncpg.Pool, opening: OpenCase) -> ByStandingOrder | None:
    opened = await Opening(pool, Policies(), lambda: None).open_case(opening)
    assert opened.refusal is None
    return opened.standing_order


async def test_each_change_is_a_version_and_the_same_again_is_none(desk: MerchantDesk, pool: asyncpg.Pool) -> None:
    of, other = some_id("m"), some_id("m")

    first = await desk.set_standing_order(wish(of))
    again = await desk.set_standing_order(wish(of))
    second = await desk.set_standing_order(wish(of, up_to=100))
    changed = await desk.set_standing_order(wish(of, 1, up_to=200))
    ended = await desk.end_standing_order(ending(of, 2))

    assert again == first
    assert [(each.number, each.version) for each in (first, second, changed, ended)] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert await desk.end_standing_order(ending(of, 2)) == ended
    now = await desk.standing_orders(of)
    assert [(each.number, each.terms.up_to, each.ended) for each in now] == [(1, 200, False), (2, 100, True)]
    history = await desk.standing_orders(of, "douyin", history=True)
    assert [(each.number, each.version) for each in history] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert await desk.standing_orders(of, "cn-2026") == await desk.standing_orders(other) == ()
    for number, whose in ((2, of), (3, of), (1, other)):
        with pytest.raises(RefusedStandingOrder, match=r"number: .* \(G4\)"):
            await desk.set_standing_order(wish(whose, number))
    with pytest.raises(RefusedStandingOrder, match=r"number: .* \(G4\)"):
        await desk.end_standing_order(ending(other, 1))
    with pytest.raises(RefusedStandingOrder, match=r"up_to: .* \(G4\)"):
        await desk.set_standing_order(wish(of, up_to=20_001))
    for change in ("UPDATE shop.standing_orders SET ended = false", "DELETE FROM shop.standing_orders"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await pool.execute(change)


async def test_there_is_an_end_to_them(desk: MerchantDesk) -> None:  # G4, R16
    of = some_id("m")
    for each in range(MOST_ORDERS):
        await desk.set_standing_order(wish(of, up_to=each + 1))

    with pytest.raises(LimitReached, match="R16"):
        await desk.set_standing_order(wish(of, up_to=1000))
    await desk.end_standing_order(ending(of, 1))
    assert (await desk.set_standing_order(wish(of, up_to=1000))).number == MOST_ORDERS + 1


async def test_cases_that_open_at_once_keep_to_the_limit_of_the_day(
    desk: MerchantDesk, pool: asyncpg.Pool, vault: Vault
) -> None:  # G4
    of, without = some_id("m"), some_id("m")
    await desk.set_standing_order(wish(of))
    openings = [await opening_of(pool, vault, of) for _ in range(6)]

    found = await asyncio.gather(*(decided(pool, each) for each in openings))

    assert sorted(each is not None for each in found) == [False] * 4 + [True] * 2
    assert [await decided(pool, each) for each in openings] == found, "opened again, as after a crash"
    assert await decided(pool, await opening_of(pool, vault, without)) is None
    spent = await pool.fetchval("SELECT sum(amount) FROM shop.standing_decisions WHERE merchant_id = $1", of)
    assert spent == 2 * 5900


async def test_a_buyers_other_cases_count_with_this_merchant_alone(
    desk: MerchantDesk, pool: asyncpg.Pool, vault: Vault
) -> None:  # G4
    of, other, who = some_id("m"), some_id("m"), some_id("b")
    for each in (of, other):
        await desk.set_standing_order(wish(each, most_cases=0))

    found = [await decided(pool, await opening_of(pool, vault, whose, buyer_id=who)) for whose in (of, of, other)]

    assert [each is not None for each in found] == [True, False, True]


async def test_what_no_buyer_opens_counts_against_none(
    desk: MerchantDesk, pool: asyncpg.Pool, vault: Vault
) -> None:  # G4
    of, who = some_id("m"), some_id("b")
    await desk.set_standing_order(wish(of, most_cases=0))
    first = await opening_of(pool, vault, of, buyer_id=who)
    assert await decided(pool, first) is not None
    kind = "UPDATE casebook.cases SET kind = $2 WHERE case_id = $1"
    await pool.execute(kind, first.case.case_id, CaseKind.LATE_SHIPMENT)

    assert await decided(pool, await opening_of(pool, vault, of, buyer_id=who)) is not None


async def test_what_is_applied_for_again_is_looked_at_once(
    desk: MerchantDesk, pool: asyncpg.Pool, vault: Vault
) -> None:  # G4, R6
    of = some_id("m")
    await desk.set_standing_order(wish(of, up_to=100))
    opening = await opening_of(pool, vault, of)
    assert await decided(pool, opening) is None
    application = ApplicationVersion(
        version=2, lines=(LineAmount(line="1", quantity=1, amount=100),), reason="other", route="original", at=NOW
    )
    step = Step(
        case=opening.case,
        step=1,
        at=NOW,
        entries=(NewEntry(event="amended", by=CLOCK, rule="R6", at=NOW),),
        kind=CaseKind.SHIPPED_REFUND,
        stage=StageName.SHIPPED_REVIEW,
        work_list=None,
        span=None,
        attention=None,
        outcome=None,
        refunded=0,
        application=application,
        asks_standing_orders=True,
    )

    answers: list[ByStandingOrder | None] = []
    for _ in range(2):
        async with pool.acquire() as connection, connection.transaction():
            answers.append((await casebook.write_step(connection, step)).standing_order)

    assert answers == [ByStandingOrder(number=1, version=1, does="agree")] * 2
    spent = await pool.fetch("SELECT application, amount FROM shop.standing_decisions WHERE merchant_id = $1", of)
    assert [tuple(each) for each in spent] == [(2, 100)]
