"""What the order feed tells of payments is what the provider is told of a refund (X6)."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest_asyncio

from activities.gateways.limits import Limits
from activities.gateways.payment import Charge
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.payments import Payments
from activities.postgres import ledger, loading
from activities.postgres.instructions import instruction
from activities.postgres.payable import payable_in, refused_withdrawal
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, open_case, open_order, payout, reserve, settle, some_id
from tests.storage.own_keys import vault
from tests.storage.test_resting_provider import Down
from workflows.messages.openings import Payable
from workflows.messages.orders import AllowanceFacts
from workflows.messages.payouts import LegState, TenderKind

PAID_AT, CHARGED_AT = datetime(2026, 11, 1, 2, tzinfo=UTC), datetime(2026, 11, 2, 3, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(database)
    yield opened
    await opened.close()


async def loaded(pool: asyncpg.Pool, order_no: str, *tenders: dict[str, object]) -> None:
    """The order as the feed tells it, with these tenders; the fund is open already."""
    total = sum(int(str(each["paid"])) for each in tenders)
    record = {
        "order_no": order_no,
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": "b-1",
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s", "quantity": 1, "paid": total}],
        "tenders": [{"kind": "wallet", **each} for each in tenders],
        "paid_at": PAID_AT.isoformat(),
    }
    async with pool.acquire() as connection:
        report = await loading.load_orders(connection, [json.dumps(record)], vault())
    assert not report.problems, report.problems


async def charge_of(pool: asyncpg.Pool, refund_no: str) -> Charge | None:
    async with pool.acquire() as connection:
        return (await instruction(connection, refund_no)).charge


async def test_each_leg_names_the_payment_behind_its_tender(pool: asyncpg.Pool) -> None:
    one, two = some_id("tx"), some_id("tx")
    order_no = await open_order(
        pool, lines=[10_000], tenders=[("a", TenderKind.WALLET, 4_000), ("b", TenderKind.WALLET, 6_000)]
    )
    await loaded(
        pool,
        order_no,
        {"tender": "a", "paid": 4_000, "transaction": one},
        {
            "tender": "b",
            "paid": 6_000,
            "transaction": two,
            "charged": 9_000,
            "charged_at": CHARGED_AT.isoformat(),
            "account": "sub-7",
        },
    )
    reserved = await reserve(pool, payout(order_no, {"line:1": 10_000}))
    first, second = reserved.legs

    assert await charge_of(pool, first.refund_no) == Charge(
        transaction=one, total=4_000, currency="CNY", paid_at=PAID_AT
    )
    assert await charge_of(pool, second.refund_no) == Charge(
        transaction=two, total=9_000, currency="CNY", paid_at=CHARGED_AT, account="sub-7"
    )


async def test_other_refunds_of_the_payment_are_counted_and_failed_ones_are_not(pool: asyncpg.Pool) -> None:
    transaction = some_id("tx")
    order_no = await open_order(pool)
    await loaded(pool, order_no, {"tender": "w", "paid": 10_000, "transaction": transaction})
    numbers: list[str] = []
    for amount in (1_000, 2_000, 3_000):
        reserved = await reserve(pool, payout(order_no, {"line:1": amount}))
        numbers.append(reserved.legs[0].refund_no)
        await charge_of(pool, numbers[-1])  # asking notes the payment with the leg
    await pool.execute("UPDATE ledger.legs SET state = 'failed' WHERE refund_no = $1", numbers[0])

    charge = await charge_of(pool, numbers[2])

    assert charge
    assert (charge.refunds, charge.refunded) == (1, 2_000)


async def test_a_payment_that_is_told_later_is_known_from_then_on(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool)
    await loaded(pool, order_no, {"tender": "w", "paid": 10_000})
    (leg,) = (await reserve(pool, payout(order_no, {"line:1": 100}))).legs
    assert await charge_of(pool, leg.refund_no) is None

    transaction = some_id("tx")
    await loaded(pool, order_no, {"tender": "w", "paid": 10_000, "transaction": transaction})

    charge = await charge_of(pool, leg.refund_no)
    assert charge
    assert charge.transaction == transaction


async def test_what_is_known_only_when_money_is_sent_is_not_sent_and_gives_its_room_back(pool: asyncpg.Pool) -> None:
    """X6: without the payment's id, or too often, nobody is called."""
    gateway = Down(PaymentGatewayStub(pool))
    gateway.limits = Limits(needs_charge=True)
    wish = await open_case(pool)

    settled = await Payments(pool, gateway, lambda: None).settle(settle(wish))

    (leg,) = settled.legs
    assert (leg.state, leg.failure, gateway.calls) == (LegState.FAILED, "charge_unknown", 0)
    async with pool.acquire() as connection:
        held = [part.held for part in await ledger.parts_of(connection, wish.fund)]
    assert sum(held) == 0


async def test_a_withdrawal_keeps_to_the_limits_too(pool: asyncpg.Pool) -> None:
    known, unknown = some_id("a"), some_id("a")
    for allowance_id, transaction in ((known, some_id("tx")), (unknown, None)):
        record = {
            "allowance_id": allowance_id,
            "marketplace": "douyin",
            "merchant_id": "m-1",
            "buyer_id": "b-1",
            "currency": "CNY",
            "principal": 8_000,
            "bonus": 0,
            "tender_kind": "wallet",
            "valid_until": (NOON + timedelta(days=90)).isoformat(),
        }
        async with pool.acquire() as connection:
            report = await loading.load_allowances(connection, [json.dumps(record)], vault())
            assert not report.problems, report.problems
            if transaction:  # told later
                told = json.dumps({**record, "transaction": transaction})
                report = await loading.load_allowances(connection, [told], vault())
                assert not report.problems, report.problems
                other = json.dumps({**record, "transaction": "another"})
                report = await loading.load_allowances(connection, [other], vault())
                assert [each.field for each in report.problems] == ["transaction"]

    async def refused(allowance_id: str, limits: Limits, amount: int = 8_000) -> str | None:
        facts = AllowanceFacts.model_validate(
            {
                "allowance_id": allowance_id,
                "marketplace": "douyin",
                "merchant_id": "m-1",
                "buyer_id": "b-1",
                "currency": "CNY",
                "principal": 8_000,
                "bonus": 0,
                "spent": 0,
                "tender_kind": "wallet",
                "valid_until": NOON,
            }
        )
        async with pool.acquire() as connection:
            refusal = await refused_withdrawal(connection, limits, facts, amount, NOON)
        return refusal and refusal.rule

    needs = Limits(needs_charge=True)
    assert await refused(known, needs) is None
    assert await refused(unknown, needs) == "X6"
    assert await refused(unknown, Limits(steps={"CNY": 100}), 8_050) == "X6"


def test_a_case_is_told_only_of_what_is_coarser_than_its_currency() -> None:
    limits = Limits(steps={"KWD": 10}, least=1)
    assert payable_in(limits, "KWD") == Payable(step=10)
    assert payable_in(limits, "CNY") is None
    assert payable_in(Limits(least=50), "CNY") == Payable(least=50)
