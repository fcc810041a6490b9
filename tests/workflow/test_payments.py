"""Section 10 and R5: the money leg of a case, whatever the gateway does."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedCommand, UnknownCase
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    Approve,
    CloseCase,
    GatewayCallback,
    GatewayResult,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import Attention, OutcomeKind, StageName

OFFICER = officer("o-1")


async def approved(world: World, mode: Mode, tenders: list[tuple[str, str, int]] | None = None) -> tuple[str, Case]:
    """An approved refund of an order that the gateway treats in this way."""
    order_no = await world.order(tenders=tenders)
    await world.behave(Behaviour(mode=mode, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return order_no, case


def callback(refund_no: str, key: str = "cb1", result: GatewayResult = GatewayResult.SUCCEEDED) -> GatewayCallback:
    return GatewayCallback(key=key, by=GATEWAY, refund_no=refund_no, result=result, settled_at=datetime.now(UTC))


async def refund_no(case: Case) -> str:
    return (await case.view()).legs[0].refund_no


async def paid_once(world: World, order_no: str) -> bool:
    return (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 10_000)


@pytest.mark.parametrize("mode", [Mode.LOSE_ANSWER, Mode.LOSE_REQUEST])
async def test_a_lost_answer_is_asked_for_and_never_guessed(world: World, mode: Mode) -> None:  # section 10
    order_no = await world.order()
    await world.behave(Behaviour(mode=mode, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    unknown = await world.at(case, StageName.SETTLING)

    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert unknown.legs[0].state is LegState.UNKNOWN
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.legs[0].refund_no == unknown.legs[0].refund_no
    assert await paid_once(world, order_no)


async def test_a_callback_ends_the_case(world: World) -> None:  # R5
    order_no, case = await approved(world, Mode.SETTLE_LATER, tenders=[("card", "credit_card", 10_000)])
    settling = await world.at(case, StageName.SETTLING)
    await world.forward(case, minutes=30)

    await world.aftersales.gateway_callback(callback(settling.legs[0].refund_no))
    outcome = await case.outcome()

    leg = settling.legs[0]
    assert leg.arrives_from is not None
    assert leg.arrives_until is not None
    assert settling.due == leg.arrives_until + timedelta(hours=1)
    assert leg.arrives_until - leg.arrives_from >= timedelta(days=3)
    assert outcome.legs[0].state is LegState.SUCCEEDED
    assert await world.notices(case, NoticeTemplate.REFUND_SUBMITTED) == 1
    assert await world.refunded(order_no) == 10_000


async def test_a_callback_that_comes_twice_is_one(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.SETTLE_LATER)
    number = (await world.at(case, StageName.SETTLING)).legs[0].refund_no

    for _ in range(2):
        await world.aftersales.gateway_callback(callback(number))
    await case.outcome()
    await world.aftersales.gateway_callback(callback(number))
    await world.aftersales.gateway_callback(callback(number, key="cb2"))

    assert (await world.events(case)).count("refund_succeeded") == 1
    assert await world.refunded(order_no) == 10_000


async def test_without_a_callback_polling_finds_the_result(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.CALL_BACK_NEVER)
    await world.at(case, StageName.SETTLING)

    await world.forward(case, hours=3)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid_once(world, order_no)


async def test_money_that_does_not_arrive_in_time_is_flagged(world: World) -> None:  # R5
    order_no, case = await approved(world, Mode.NEVER_SETTLE, tenders=[("card", "debit_card", 10_000)])
    settling = await world.at(case, StageName.SETTLING)
    assert settling.due is not None

    await world.forward(case, days=(settling.due - settling.opened_at).days + 1, hours=1)
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    assert flagged.attention is Attention.ARRIVAL_OVERDUE
    assert await world.refunded(order_no) == 0
    for unsafe in (
        CloseCase(key="x1", by=OFFICER, reason="given_up", proof="ticket:1"),
        PayInAdvance(key="x2", by=OFFICER, reason="buyer_waits", proof="ticket:1"),
    ):
        with pytest.raises(RefusedCommand) as refused:
            await case.act(unsafe)
        assert refused.value.refusal.code == "outcome_open"


async def test_a_declined_refund_is_retried_with_the_same_number(world: World) -> None:  # section 10
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(RetryPayment(key="c2", by=OFFICER, reason="card_unblocked"))

    assert (flagged.attention, flagged.legs[0].state) == (Attention.REFUND_DECLINED, LegState.FAILED)
    assert outcome.legs[0].refund_no == flagged.legs[0].refund_no
    assert await paid_once(world, order_no)


async def test_a_short_account_is_paid_in_advance_by_the_platform(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.ACCOUNT_SHORT)
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(PayInAdvance(key="c2", by=OFFICER, reason="merchant_short", proof="ticket:2"))

    assert flagged.attention is Attention.MERCHANT_ACCOUNT_SHORT
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert (outcome.outcome, outcome.legs[0].paid_by) == (OutcomeKind.PAID_BY_PLATFORM, PaidBy.PLATFORM)
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 0)


async def test_a_transfer_by_hand_is_recorded_with_its_proof(world: World) -> None:  # section 10
    _, case = await approved(world, Mode.ACCOUNT_SHORT)
    await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(
        RecordManualTransfer(
            key="c2", by=OFFICER, reason="merchant_short", proof="bank:slip/9", transferred_at=datetime.now(UTC)
        )
    )

    assert (outcome.outcome, outcome.legs[0].paid_by) == (OutcomeKind.PAID_MANUALLY, PaidBy.OFFICER)
    assert (await case.log())[-1].facts["proof"] == "bank:slip/9"


async def test_a_declined_refund_can_be_closed_unpaid(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.DECLINE)
    await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(CloseCase(key="c2", by=OFFICER, reason="buyer_agreed", proof="ticket:3"))

    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.CLOSED_BY_OFFICER, 0)
    assert await world.refunded(order_no) == 0


async def test_success_after_failure_is_taken_and_raises_an_alert(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.DECLINE)
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    await world.aftersales.gateway_callback(callback(flagged.legs[0].refund_no))
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == 10_000
    kinds = await world.pool.fetch("SELECT kind FROM ledger.alerts WHERE case_id = $1", case.id)
    assert [row["kind"] for row in kinds] == ["success_after_failure"]


async def test_a_success_told_after_the_case_has_ended_still_reaches_the_ledger(world: World) -> None:  # section 10
    order_no, case = await approved(world, Mode.DECLINE)
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)
    await case.act_and_wait(CloseCase(key="c2", by=OFFICER, reason="buyer_agreed", proof="ticket:3"))

    await world.aftersales.gateway_callback(callback(flagged.legs[0].refund_no, key="late"))

    assert await until(lambda: world.refunded(order_no), lambda refunded: refunded == 10_000)


async def test_a_callback_for_a_number_that_is_not_ours_is_refused(world: World) -> None:  # section 10
    with pytest.raises(UnknownCase):
        await world.aftersales.gateway_callback(callback("RF-nobody"))


async def test_a_failing_notice_does_not_delay_money(world: World) -> None:  # section 10
    await world.break_channels(1_000)
    try:
        order_no, case = await approved(world, Mode.SUCCEED)
        outcome = await case.outcome()
    finally:
        await world.break_channels(0)

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid_once(world, order_no)


async def test_a_case_waits_for_room_that_a_failing_leg_gives_back(world: World) -> None:  # R8
    order_no, first = await approved(world, Mode.SETTLE_LATER)
    number = (await world.at(first, StageName.SETTLING)).legs[0].refund_no
    second = await world.refund(order_no=order_no)
    await second.act(Approve(key="c1", by=merchant(world.merchant)))
    waiting = await world.at(second, StageName.AWAITING_ROOM)

    await world.gateway.clear_behaviours()
    await world.aftersales.gateway_callback(callback(number, result=GatewayResult.FAILED))
    await world.at(first, StageName.PAYMENT_ATTENTION)
    await world.forward(second, hours=2)
    outcome = await second.outcome()

    assert waiting.due
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == 10_000
