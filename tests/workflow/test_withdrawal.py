"""A1 to A6: allowance withdrawal and expiry."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import allowances
from starter.client import Case
from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, Role, buyer, merchant, officer
from workflows.messages.commands import (
    CloseCase,
    GatewayCallback,
    GatewayResult,
    PayOut,
    Retain,
    RetryPayment,
    Withdraw,
)
from workflows.messages.requests import ExpiryRequest
from workflows.messages.stages import Attention, OutcomeKind, StageName


async def expiry(world: World, allowance_id: str, *, days: float) -> Case:
    return await world.aftersales.schedule_expiry(
        ExpiryRequest(
            allowance_id=allowance_id,
            merchant_id=world.merchant,
            buyer_id=world.buyer,
            valid_until=datetime.now(UTC) + timedelta(days=days),
        )
    )


async def test_the_guides_example(world: World) -> None:  # A1, A3
    allowance_id = await world.allowance(principal=8_000, bonus=2_000)
    assert await world.spend(allowance_id, 1_000) is allowances.Spending.SPENT
    case = await world.withdrawal(allowance_id)
    await world.at(case, StageName.RETENTION)

    await world.forward(case, hours=47, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert before.stage is StageName.RETENTION
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert outcome.refunded is not None
    assert outcome.bonus_voided is not None
    assert (outcome.refunded.amount, outcome.bonus_voided.amount) == (7_200, 1_800)
    assert await world.paid_by_gateway(allowance_id) == 7_200
    assert await world.spend(allowance_id, 1) is allowances.Spending.VOID


async def test_nothing_spent_is_paid_at_once(world: World) -> None:  # A2
    allowance_id = await world.allowance()
    case = await world.withdrawal(allowance_id)

    outcome = await case.outcome()

    assert (outcome.refunded and outcome.refunded.amount, outcome.bonus_voided and outcome.bonus_voided.amount) == (
        8_000,
        2_000,
    )
    assert outcome.rule == "A2"


async def test_retained_at_hour_47_the_buyer_keeps_the_allowance(world: World) -> None:  # A3, A5
    allowance_id = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance_id)
    await world.at(case, StageName.RETENTION)
    await world.forward(case, hours=47)

    offered = await case.act(Retain(key="c1", by=merchant(world.merchant)))
    frozen = await world.spend(allowance_id, 100)
    outcome = await case.act_and_wait(Withdraw(key="c2", by=buyer(world.buyer)))

    assert offered.stage is StageName.RETENTION
    assert frozen is allowances.Spending.FROZEN
    assert outcome.outcome is OutcomeKind.RETAINED
    assert await world.paid_by_gateway(allowance_id) == 0
    assert await world.spend(allowance_id, 9_000) is allowances.Spending.SPENT


async def test_retaining_alone_does_not_stop_the_clock(world: World) -> None:  # A3
    allowance_id = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance_id)
    before = await world.at(case, StageName.RETENTION)

    offered = await case.act(Retain(key="c1", by=merchant(world.merchant)))
    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert offered.due == before.due
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)


async def test_the_merchant_pays_out_now(world: World) -> None:  # A3
    allowance_id = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance_id)

    outcome = await case.act_and_wait(PayOut(key="c1", by=merchant(world.merchant)))

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    assert await world.paid_by_gateway(allowance_id) == 7_200


async def test_one_request_at_a_time(world: World) -> None:  # A5
    allowance_id = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance_id)
    await world.at(case, StageName.RETENTION)

    second = await world.withdrawal(allowance_id)
    with pytest.raises(RefusedRequest) as refused:
        await second.outcome()

    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("request_open", "A5")


async def test_two_requests_at_once_pay_once(world: World) -> None:  # A5, section 11
    allowance_id = await world.allowance()

    cases = await asyncio.gather(*(world.withdrawal(allowance_id) for _ in range(2)), return_exceptions=True)
    opened = [case for case in cases if isinstance(case, Case)]
    ends = await asyncio.gather(*(case.outcome() for case in opened), return_exceptions=True)

    refused = [end for end in (*cases, *ends) if isinstance(end, RefusedRequest)]
    assert len(refused) == 1
    assert await world.paid_by_gateway(allowance_id) == 8_000


async def test_the_end_of_validity_pays_by_itself_and_not_before(world: World) -> None:  # A6
    allowance_id = await world.allowance(spent=1_000, days=30)
    case = await expiry(world, allowance_id, days=30)
    waiting = await case.handle.describe()
    await world.pool.execute("UPDATE shop.allowances SET valid_until = now() WHERE allowance_id = $1", allowance_id)

    await world.forward(case, days=29)
    paid_before = await world.paid_by_gateway(allowance_id)
    await world.forward(case, days=1, minutes=1)
    outcome = await case.outcome()

    assert waiting.history_length <= 2
    assert paid_before == 0
    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "A6")
    assert await world.paid_by_gateway(allowance_id) == 7_200


async def test_before_the_end_of_validity_nothing_is_open(world: World) -> None:  # A6
    allowance_id = await world.allowance(days=10)
    case = await expiry(world, allowance_id, days=0)  # started too early: it sleeps until the validity ends
    await until(case.view, lambda view: view.stage is StageName.OPENING)
    await until(world.timers(case), lambda timers: timers == 1)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(CloseCase(key="c1", by=officer("o-1"), reason="mistake", proof="ticket:1"))

    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("not_open", "A6")


async def test_expiry_leaves_the_payment_to_an_open_request(world: World) -> None:  # A6
    allowance_id = await world.allowance(spent=1_000, days=0)
    request = await world.withdrawal(allowance_id)
    await world.at(request, StageName.RETENTION)

    handed_over = await (await expiry(world, allowance_id, days=0)).outcome()
    await world.forward(request, hours=48, minutes=1)
    paid = await request.outcome()

    assert (handed_over.outcome, handed_over.refunded and handed_over.refunded.amount) == (OutcomeKind.HANDED_OVER, 0)
    assert paid.refunded is not None
    assert paid.refunded.amount == 7_200
    assert await world.paid_by_gateway(allowance_id) == 7_200


async def test_a_request_taken_back_after_expiry_is_paid_nevertheless(world: World) -> None:  # A6
    allowance_id = await world.allowance(spent=1_000, days=0)
    request = await world.withdrawal(allowance_id)
    await world.at(request, StageName.RETENTION)
    await (await expiry(world, allowance_id, days=0)).outcome()

    outcome = await request.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "A6")
    assert await world.paid_by_gateway(allowance_id) == 7_200


@pytest.mark.parametrize("ends", ["withdrawal", "validity"])
async def test_what_the_gateway_has_paid_after_all_is_not_spent_as_well(world: World, ends: str) -> None:
    """A5, A6, A7: a request that finds its principal paid back ends it as if it had paid it."""
    allowance_id = await world.allowance(spent=1_000, days=0 if ends == "validity" else 90)
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=allowance_id, uses_left=1))
    declined = await world.withdrawal(allowance_id)
    await declined.act(PayOut(key="p1", by=merchant(world.merchant)))
    view = await world.at(declined, StageName.PAYMENT_ATTENTION)
    await declined.act_and_wait(CloseCase(key="c1", by=officer("o-1"), reason="buyer_keeps_it", proof="ticket:1"))
    number = view.legs[0].refund_no
    paid = GatewayCallback(
        key="late", by=GATEWAY, refund_no=number, result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(paid)
    await until(lambda: world.compensated(f"allowance/{allowance_id}"), lambda amount: amount == 7_200)

    again = await (expiry(world, allowance_id, days=0) if ends == "validity" else world.withdrawal(allowance_id))
    if ends == "withdrawal":
        await again.act(PayOut(key="p2", by=merchant(world.merchant)))
    outcome = await again.outcome()

    assert outcome.outcome is OutcomeKind.COVERED
    assert outcome.bonus_voided is not None
    assert outcome.bonus_voided.amount == 1_800
    assert await world.spend(allowance_id, 1) is allowances.Spending.VOID
    async with world.pool.acquire() as connection:
        account = await allowances.account(connection, allowance_id)
    assert account is not None
    assert (account.balance, account.withdrawable) == (0, 0)

    back = GatewayCallback(
        key="back", by=GATEWAY, refund_no=number, result=GatewayResult.RETURNED, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(back)
    owed = await until(declined.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)
    paid_again = await declined.act_and_wait(RetryPayment(key="c3", by=officer("o-1"), reason="came_back"))

    assert owed.attention is Attention.REFUND_RETURNED
    assert paid_again.outcome is OutcomeKind.REFUNDED
    assert await world.compensated(f"allowance/{allowance_id}") == 7_200, "what another case has counted"
    async with world.pool.acquire() as connection:
        account = await allowances.account(connection, allowance_id)
    assert account is not None
    assert (account.balance, account.frozen_by) == (0, declined.id)


@pytest.mark.parametrize("ends", ["retried", "closed", "taken_back"])
async def test_nor_where_the_next_request_is_declined_or_taken_back(world: World, ends: str) -> None:  # A5, A6
    allowance_id = await world.allowance(spent=1_000)
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=allowance_id, uses_left=2))
    first = await world.withdrawal(allowance_id)
    await first.act(PayOut(key="p1", by=merchant(world.merchant)))
    number = (await world.at(first, StageName.PAYMENT_ATTENTION)).legs[0].refund_no
    await first.act_and_wait(CloseCase(key="c1", by=officer("o-1"), reason="buyer_keeps_it", proof="ticket:1"))
    second = await world.withdrawal(allowance_id)
    await world.at(second, StageName.RETENTION)
    if ends != "taken_back":
        await second.act(PayOut(key="p2", by=merchant(world.merchant)))
        await world.at(second, StageName.PAYMENT_ATTENTION)
    paid = GatewayCallback(
        key="late", by=GATEWAY, refund_no=number, result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(paid)
    await until(lambda: world.compensated(f"allowance/{allowance_id}"), lambda amount: amount == 7_200)

    outcome = await second.act_and_wait(
        {
            "retried": RetryPayment(key="c2", by=officer("o-1"), reason="account_funded"),
            "closed": CloseCase(key="c2", by=officer("o-1"), reason="paid_before", proof="ticket:1"),
            "taken_back": Withdraw(key="c2", by=buyer(world.buyer)),
        }[ends]
    )

    assert outcome.outcome is (OutcomeKind.CLOSED_BY_OFFICER if ends == "closed" else OutcomeKind.COVERED)
    assert await world.spend(allowance_id, 1) is allowances.Spending.VOID
    assert await world.compensated(f"allowance/{allowance_id}") == 7_200


async def test_a_prolonged_validity_is_waited_for(world: World) -> None:  # A6
    allowance_id = await world.allowance(days=10)
    case = await expiry(world, allowance_id, days=0)

    await world.forward(case, days=9)
    before = await world.paid_by_gateway(allowance_id)
    await world.forward(case, days=1, minutes=1)
    outcome = await case.outcome()

    assert before == 0
    assert outcome.refunded is not None
    assert outcome.refunded.amount == 8_000
