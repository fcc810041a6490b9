"""A7 in our books: what goes back to an allowance is a leg like any other, and no provider's business."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.differing import differing
from activities.gateways.payment import StatementLine
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import ledger, reservations, statement_days
from activities.postgres.alerts import open_alerts
from activities.postgres.books import side_by_side
from activities.postgres.pool import open_pool
from activities.tally import Moved, Tally
from tests.storage import test_allowances
from tests.storage.money import NOON, payout, some_id
from tests.storage.test_order_changes import found, open_fund_of, order, push
from tests.storage.test_orders_paid_with_allowances import granted, paid_with, spent_of
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import LegState, PaidBy, Payout, Reservation, TenderKind
from workflows.messages.reconciliation import DifferenceKind, ReconcileRequest
from workflows.rules.legs import AlertKind, LegEvent, callback_source

ALL = {"line:1": 9_000, "line:2": 3_000, "freight": 500}


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=5)
    yield pool
    await pool.close()


async def paid_order(pool: asyncpg.Pool) -> tuple[Payout, str]:
    """An order of 125.00, of which 25.00 were spent of an allowance; the payout of all of it, and the allowance."""
    allowance_id = await granted(pool, record := order())
    await push(pool, record := paid_with(record, allowance_id))
    await open_fund_of(pool, await found(pool, record))
    return payout(record["order_no"], ALL), allowance_id


async def reserved(pool: asyncpg.Pool, wish: Payout, tally: Tally | None = None) -> Reservation:
    async with pool.acquire() as connection, connection.transaction():
        return (await reservations.reserve(connection, wish, NOON, tally)).reservation


async def test_what_is_reserved_twice_is_back_once_and_counted_once(pool: asyncpg.Pool) -> None:
    wish, allowance_id = await paid_order(pool)
    tally = Tally()

    came = [await reserved(pool, wish, tally) for _ in range(2)]

    assert came == [Reservation.RESERVED] * 2
    assert await spent_of(pool, allowance_id) == 0
    assert tally.moves == [Moved(LegState.SUCCEEDED, PaidBy.ALLOWANCE, "CNY", 2_500)]
    async with pool.acquire() as connection:
        legs = await ledger.legs_of(connection, wish.case_id, 1)
    assert [(leg.amount, leg.tender_kind, leg.state, leg.principal) for leg in legs] == [
        (10_000, TenderKind.DEBIT_CARD, LegState.RESERVED, None),
        (2_500, TenderKind.ALLOWANCE, LegState.SUCCEEDED, 2_000),
    ]


async def test_the_books_do_not_look_for_it_with_the_provider(pool: asyncpg.Pool) -> None:
    wish, allowance_id = await paid_order(pool)
    await test_allowances.freeze(pool, allowance_id, "withdrawal/1")
    await test_allowances.void(pool, allowance_id, "withdrawal/1")
    await reserved(pool, wish)
    async with pool.acquire() as connection:
        legs = {leg.refund_no: leg for leg in await ledger.legs_of(connection, wish.case_id, 1)}
        booked = await statement_days.legs_of(connection, list(legs))
    books = await side_by_side(pool, PaymentGatewayStub(pool), NOON + timedelta(days=1))
    asked = ReconcileRequest(at=datetime.now(UTC))

    own = {line.refund_no: line for line in books.lines if line.refund_no in legs}
    (lost,) = [leg for leg in legs.values() if leg.paid_by is PaidBy.LOST_BONUS]

    assert sorted((leg.amount, leg.tender_kind or "") for leg in legs.values()) == [
        (500, TenderKind.ALLOWANCE),
        (2_000, TenderKind.WALLET),
        (10_000, TenderKind.DEBIT_CARD),
    ]
    assert (own[lost.refund_no].equal, own[lost.refund_no].theirs) == (True, None)
    assert list(differing(asked, booked[lost.refund_no], None)) == []
    stated = StatementLine(refund_no=lost.refund_no, amount=500, currency="CNY", result=GatewayResult.SUCCEEDED)
    assert list(differing(asked, booked[lost.refund_no], stated)) == [DifferenceKind.PAID_TWICE]


async def test_what_a_provider_says_of_it_changes_nothing(pool: asyncpg.Pool) -> None:
    wish, allowance_id = await paid_order(pool)
    await reserved(pool, wish)
    async with pool.acquire() as connection:
        (number,) = [
            leg.refund_no
            for leg in await ledger.legs_of(connection, wish.case_id, 1)
            if leg.tender_kind is TenderKind.ALLOWANCE
        ]
        for key, says, returned in (("a", LegState.FAILED, True), ("b", LegState.FAILED, False)):
            told = LegEvent(says=says, source=callback_source(key), at=NOON, as_of=NOON, returned=returned)
            assert not (await ledger.record(connection, number, told)).moved
        paid = LegEvent(
            says=LegState.SUCCEEDED, source=callback_source("c"), at=NOON, as_of=NOON, paid_by=PaidBy.GATEWAY
        )
        assert not (await ledger.record(connection, number, paid)).moved
        raised = [each.kind for each in await open_alerts(connection, limit=1_000) if each.refund_no == number]

    assert raised == [AlertKind.PAID_TWICE]
    assert await spent_of(pool, allowance_id) == 0


@pytest.mark.parametrize("paid_by", ["gateway", "officer"])
async def test_the_database_lets_nobody_pay_it_as_money(pool: asyncpg.Pool, paid_by: str) -> None:
    wish, _ = await paid_order(pool)
    await reserved(pool, wish)

    with pytest.raises(asyncpg.CheckViolationError, match="legs_of_allowances"):
        await pool.execute(
            "UPDATE ledger.legs SET paid_by = $2 WHERE case_id = $1 AND tender_kind = 'allowance'",
            wish.case_id,
            paid_by,
        )


@pytest.mark.parametrize("paid_out", [False, True])
async def test_refunds_of_several_orders_at_once_give_back_exactly_what_was_spent(
    pool: asyncpg.Pool, *, paid_out: bool
) -> None:  # section 11
    first = order()
    allowance_id = await granted(pool, first)
    records = [paid_with({**first, "order_no": some_id("o")}, allowance_id, 333) for _ in range(5)]
    for each in records:
        await push(pool, each)
        await open_fund_of(pool, await found(pool, each))
    if paid_out:
        await test_allowances.freeze(pool, allowance_id, "withdrawal/1")
        await test_allowances.void(pool, allowance_id, "withdrawal/1")
    wishes = [payout(each["order_no"], ALL) for each in records]

    came = await asyncio.gather(*(reserved(pool, wish) for wish in wishes))

    async with pool.acquire() as connection:
        legs = [leg for wish in wishes for leg in await ledger.legs_of(connection, wish.case_id, 1)]
    assert came == [Reservation.RESERVED] * 5
    assert await spent_of(pool, allowance_id) == (1_665 if paid_out else 0)
    assert sum(leg.principal or 0 for leg in legs) == 1_332  # of 1,665 spent, and not five times 266
    assert sum(leg.amount for leg in legs if leg.principal is not None) == 1_665
