"""R14, section 10: however the legs of a payout stand, and whatever is left, some command of an officer's ends it."""

from collections.abc import AsyncIterator
from itertools import combinations_with_replacement

import asyncpg
import pytest
import pytest_asyncio

from activities.gateways.payment import RefundInstruction
from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.payments import Payments
from activities.postgres import ledger, whole_ledger
from activities.postgres.pool import open_pool
from tests.patience import PATIENCE
from tests.storage.money import by_hand, minutes, open_case, open_order, payout, reserve, settle, told
from workflows.messages.commands import NumberHolds, Whose
from workflows.messages.payouts import Ask, LegState, PaidBy, Payout, TenderKind
from workflows.messages.settlements import Settled
from workflows.rules.legs import CLOSABLE, GATEWAY, US, LegEvent

LEG = 5_000
STATES = [state for state in LegState if state is not LegState.MANUAL]
"""A manual payment has succeeded by the end of its transaction: nothing ever stands there."""
BEFORE = {
    LegState.RESERVED: [],
    LegState.SUBMITTED: [LegState.SUBMITTED],
}
"""What was said of a leg that stands so; of the others, that they were sent, and their state itself."""


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database)
    yield pool
    await pool.close()


async def standing(pool: asyncpg.Pool, states: tuple[LegState, ...], elsewhere: int) -> Payout:
    """A payout of two legs that stand like this; others have been paid ``elsewhere`` of what was declined."""
    tenders = [(f"t{index}", TenderKind.WALLET, LEG) for index, _ in enumerate(states)]
    order_no = await open_order(pool, lines=[LEG * len(states)], tenders=tenders)
    wish = await open_case(pool, {"line:1": LEG * len(states)}, order_no=order_no)
    async with pool.acquire() as connection:
        legs = await ledger.legs_of(connection, wish.case_id, 1)
    for leg, state in zip(legs, states, strict=True):
        await say(pool, leg.refund_no, BEFORE.get(state, [LegState.SUBMITTED, state]))
    if elsewhere:
        for leg in (await reserve(pool, payout(order_no, {"line:1": elsewhere}))).legs:
            await say(pool, leg.refund_no, [LegState.SUBMITTED, LegState.SUCCEEDED])
    return wish


async def say(pool: asyncpg.Pool, refund_no: str, states: list[LegState]) -> None:
    for at, says in enumerate(states, start=1):
        event = LegEvent(
            says=says,
            source=US if says is LegState.SUBMITTED else GATEWAY,
            at=minutes(at),
            as_of=minutes(at),
            paid_by=PaidBy.GATEWAY if says is LegState.SUCCEEDED else None,
        )
        async with pool.acquire() as connection, connection.transaction():
            await ledger.record(connection, refund_no, event)


def over(settled: Settled) -> bool:
    """Whether the case has ended, or nothing is left to pay, or an officer may close it as it stands."""
    return settled.closed or all(leg.state in CLOSABLE for leg in settled.legs)


@pytest.mark.parametrize("mode", [Mode.SUCCEED, Mode.DECLINE, Mode.ACCOUNT_SHORT])
async def test_no_legs_are_a_dead_end(pool: asyncpg.Pool, mode: Mode) -> None:
    """The gateway does what it does whenever it is sent something, and knows of nothing that it was not sent."""
    gateway = PaymentGatewayStub(pool)
    payments = Payments(pool, gateway, lambda: None, gateway_timeout=PATIENCE)
    stuck: list[tuple[tuple[LegState, ...], int, Settled]] = []
    funds: list[str] = []
    for states in combinations_with_replacement(STATES, 2):
        declined = LEG * states.count(LegState.FAILED)
        for elsewhere in {0, declined // 5, declined}:
            wish = await standing(pool, states, elsewhere)
            funds.append(wish.fund)
            await told(gateway, wish, mode)
            settled = await payments.settle(settle(wish, Ask.INQUIRE, at=minutes(10)))
            if not over(settled):
                settled = await payments.settle(settle(wish, Ask.RETRY, at=minutes(20)))
            if not over(settled):
                settled = await payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=minutes(30)))
            if not over(settled):
                stuck.append((states, elsewhere, settled))
    await gateway.clear_behaviours()
    assert stuck == []
    async with pool.acquire() as connection:
        assert await whole_ledger.overpaid(connection, funds) == []


@pytest.mark.parametrize("state", STATES)
async def test_no_leg_whose_number_is_in_use_is_a_dead_end(pool: asyncpg.Pool, state: LegState) -> None:
    """Another refund has the number at the provider, of another payment or of this one, whatever we believed of it."""
    gateway = PaymentGatewayStub(pool)
    payments = Payments(pool, gateway, lambda: None, gateway_timeout=PATIENCE)
    for whose, tender in ((Whose.ANOTHERS, "of_staging"), (Whose.BUYERS, "t0")):
        wish = await standing(pool, (state,), elsewhere=0)
        async with pool.acquire() as connection:
            (leg,) = await ledger.legs_of(connection, wish.case_id, 1)
        await gateway.submit(
            RefundInstruction(
                refund_no=leg.refund_no,
                merchant_id=wish.merchant_id,
                fund=wish.fund,
                tender=tender,
                account=None,
                amount=3_000,
                currency="CNY",
            )
        )
        settled = await payments.settle(settle(wish, Ask.INQUIRE, at=minutes(10)))
        if not over(settled):
            word = NumberHolds(amount=3_000, whose=whose)
            settled = await payments.settle_manually(by_hand(wish, at=minutes(30), number_holds=word))
        assert over(settled), (whose, settled)
