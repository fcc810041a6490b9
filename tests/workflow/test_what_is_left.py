"""R14: others have been paid a part meanwhile; what is left is paid, both sides are told, and every case can end."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedCommand, RefusedRequest
from starter.resetting import begun_again
from tests.workflow.disputes import intervened, rejected_refund, ruling
from tests.workflow.goods import receipt, signed_for
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    Approve,
    CloseCase,
    Command,
    GatewayCallback,
    GatewayResult,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, OutcomeKind, StageName

pytestmark = pytest.mark.in_memory


OFFICER = officer("o-1")
TWO_TENDERS = [("a", "wallet", 3_000), ("b", "wallet", 7_000)]


async def adjusts(world: World, order_no: str, amount: int, **changes: Any) -> Case:
    """The merchant pays a part back of its own accord, at once (R9)."""
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )
    case = await world.aftersales.open_merchant_refund(request.model_copy(update=changes))
    await case.outcome()
    return case


async def approve(world: World, case: Case) -> None:
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))


async def half_declined(world: World) -> tuple[str, Case]:
    """A refund of 100.00 by two tenders: 30.00 are paid, 70.00 declined."""
    order_no = await world.order(tenders=TWO_TENDERS)
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, amount=7_000))
    case = await world.refund(order_no=order_no)
    await approve(world, case)
    await world.at(case, StageName.PAYMENT_ATTENTION)
    return order_no, case


async def reductions(case: Case) -> list[tuple[object, object]]:
    return [(each.facts["asked"], each.facts["paid"]) for each in await case.log() if each.event == "payment_reduced"]


@pytest.mark.on_servers
async def test_goods_that_came_back_are_paid_as_far_as_they_are_not_paid_yet(world: World) -> None:
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, order_no=order_no)
    await adjusts(world, order_no, 1_500)

    outcome = await case.act_and_wait(receipt(world))

    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 8_500)
    assert await reductions(case) == [(10_000, 8_500)]
    assert await world.notices(case, NoticeTemplate.PAYMENT_REDUCED) == 2, "buyer and merchant"
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


@pytest.mark.on_servers
async def test_each_line_and_the_freight_give_what_is_left_of_them(world: World) -> None:
    order_no = await world.order(lines={"1": 6_000, "2": 4_000}, freight=1_000)
    lines = tuple(LineAmount(line=line, quantity=1, amount=amount) for line, amount in (("1", 6_000), ("2", 4_000)))
    case = await world.refund(order_no=order_no, lines=lines, freight=1_000)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await adjusts(world, order_no, 1, freight=300)

    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert outcome.refunded
    assert outcome.refunded.amount == 11_000 - 301
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 11_000


@pytest.mark.on_servers
async def test_where_the_gateway_is_slow_both_sides_are_told_before_the_money_arrives(world: World) -> None:
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await adjusts(world, order_no, 1_500)
    await world.behave(Behaviour(mode=Mode.CALL_BACK_NEVER, order_no=order_no))

    await approve(world, case)
    await world.at(case, StageName.SETTLING)
    told = await reductions(case)
    await world.forward(case, hours=3)
    outcome = await case.outcome()

    assert outcome.refunded
    assert (told, outcome.refunded.amount) == ([(10_000, 8_500)], 8_500)
    assert await reductions(case) == told, "told once"
    assert await world.notices(case, NoticeTemplate.PAYMENT_REDUCED) == 2


@pytest.mark.on_servers
async def test_what_is_refunded_in_full_elsewhere_is_said_so(world: World) -> None:
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await adjusts(world, order_no, 10_000)

    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.NOTHING_LEFT, "R14")
    assert (await case.log())[-1].facts == {"amount": 10_000}
    assert await world.notices(case, NoticeTemplate.CASE_CLOSED) == 2


def by_hand(key: str, amount: int | None = None) -> RecordManualTransfer:
    return RecordManualTransfer(
        key=key, by=OFFICER, reason="card_closed", proof="bank:slip/9", transferred_at=datetime.now(UTC), amount=amount
    )


RETRY = RetryPayment(key="r", by=OFFICER, reason="card_unblocked")
ADVANCE = PayInAdvance(key="p", by=OFFICER, reason="buyer_waits", proof="ticket:1")
CLOSE = CloseCase(key="x", by=OFFICER, reason="settled_in_store", proof="ticket:2")


@pytest.mark.on_servers
@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (RETRY, OutcomeKind.REFUNDED),
        (ADVANCE, OutcomeKind.PAID_BY_PLATFORM),
        (by_hand("m", 5_500), OutcomeKind.PAID_MANUALLY),
    ],
    ids=["retry", "advance", "transfer"],
)
async def test_what_was_declined_is_paid_as_far_as_it_is_left(
    world: World, command: Command, outcome: OutcomeKind
) -> None:
    order_no, case = await half_declined(world)
    await adjusts(world, order_no, 1_500)
    await world.gateway.clear_behaviours()

    ended = await case.act_and_wait(command)

    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (outcome, 8_500)
    view = await case.view()
    assert (view.refunded, [leg.amount for leg in view.legs]) == (ended.refunded, [3_000, 5_500])
    assert await reductions(case) == [(10_000, 8_500)]
    assert await world.notices(case, NoticeTemplate.PAYMENT_REDUCED) == 2
    assert await world.refunded(order_no) == 10_000


@pytest.mark.on_servers
async def test_what_was_declined_and_is_paid_elsewhere_ends_with_what_was_paid(world: World) -> None:
    order_no, case = await half_declined(world)
    await world.gateway.clear_behaviours()
    await adjusts(world, order_no, 7_000)
    with pytest.raises(RefusedCommand) as refused:
        await case.act(ADVANCE)

    ended = await case.act_and_wait(RETRY)

    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("no_room", "R14")
    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.REFUNDED, 3_000)
    assert await reductions(case) == [(10_000, 3_000)]


@pytest.mark.on_servers
async def test_what_was_declined_whole_and_is_paid_elsewhere_ends_with_nothing(world: World) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await approve(world, case)
    await world.at(case, StageName.PAYMENT_ATTENTION)
    await adjusts(world, order_no, 10_000)

    ended = await case.act_and_wait(RETRY)

    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.NOTHING_LEFT, 0)
    assert await world.refunded(order_no) == 10_000


@pytest.mark.on_servers
async def test_a_case_with_a_part_paid_can_be_closed_by_an_officer(world: World) -> None:
    order_no, case = await half_declined(world)

    ended = await case.act_and_wait(CLOSE)

    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.CLOSED_BY_OFFICER, 3_000)
    closed = (await case.log())[-1]
    assert (closed.facts["asked"], closed.facts["paid"]) == (10_000, 3_000)
    assert await world.notices(case, NoticeTemplate.REFUND_SUCCEEDED) == 1
    assert await world.refunded(order_no) == 3_000


# R8: waiting for room has an end -------------------------------------------------------------------------


async def held_up(world: World, held: int = 2_000) -> tuple[str, Case, Case]:
    """A refund of 100.00 that waits because another payment of ``held`` is on its way for ever."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no, amount=held))
    first = await world.refund(held, order_no=order_no)
    await approve(world, first)
    await world.at(first, StageName.SETTLING)
    second = await world.refund(order_no=order_no)
    await approve(world, second)
    await world.at(second, StageName.AWAITING_ROOM)
    return order_no, first, second


async def overdue(world: World, case: Case) -> None:
    await world.forward(case, days=7, minutes=1)
    await until(case.view, lambda view: view.attention is Attention.ROOM_OVERDUE)


async def test_looking_for_room_leaves_no_trace_and_has_a_limit(world: World) -> None:
    order_no, _, case = await held_up(world)
    waiting = await case.view()
    await world.forward(case, days=1)
    later = await case.view()
    await overdue(world, case)

    assert waiting.due, "a limit"
    assert (later.stage, later.steps) == (StageName.AWAITING_ROOM, waiting.steps), "a look is no step"
    assert (await case.view()).stage is StageName.ROOM_OVERDUE
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert await world.refunded(order_no) == 0


async def test_room_that_comes_back_after_the_limit_is_found(world: World) -> None:
    order_no, first, case = await held_up(world)
    await overdue(world, case)
    number = (await first.view()).legs[0].refund_no
    failed = GatewayCallback(
        key="cb", by=GATEWAY, refund_no=number, result=GatewayResult.FAILED, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(failed)
    await world.at(first, StageName.PAYMENT_ATTENTION)

    await world.forward(case, days=1)
    ended = await case.outcome()

    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.REFUNDED, 10_000)
    assert await world.refunded(order_no) == 10_000


async def test_an_officer_pays_what_there_is_room_for(world: World) -> None:
    order_no, _, case = await held_up(world)
    await overdue(world, case)
    with pytest.raises(RefusedCommand) as refused:
        await case.act(RETRY)

    ended = await case.act_and_wait(RetryPayment(key="r2", by=OFFICER, reason="holder_was_stopped", partly=True))

    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("no_room", "R8")
    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.REFUNDED, 8_000)
    assert await reductions(case) == [(10_000, 8_000)]
    assert await world.refunded(order_no) == 8_000


async def test_an_officer_ends_a_case_that_waits_for_room(world: World) -> None:
    order_no, _, case = await held_up(world)
    await overdue(world, case)

    ended = await case.act_and_wait(CLOSE)

    assert ended.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await world.refunded(order_no) == 0


@pytest.mark.on_servers
async def test_what_a_stopped_case_holds_calls_a_person_and_keeps_nobody_waiting(world: World) -> None:  # R8
    order_no, first, case = await held_up(world)
    await first.handle.terminate("by an operator")

    await overdue(world, case)
    ended = await case.act_and_wait(RetryPayment(key="r2", by=OFFICER, reason="holder_was_stopped", partly=True))

    assert ended.refunded
    assert ended.refunded.amount == 8_000
    assert await world.refunded(order_no) == 8_000, "what the stopped case holds may yet be paid"


async def reset(world: World, case: Case) -> None:
    """What the runbook says to do about a case that was terminated: from its first workflow task on."""
    assert await begun_again(world.aftersales.temporal, world.aftersales.runs, case.id, "terminated_by_mistake")


@pytest.mark.on_servers
async def test_a_payment_whose_case_was_stopped_goes_on(world: World) -> None:  # R8
    order_no, first, case = await held_up(world)
    await first.handle.terminate("by an operator")
    await overdue(world, case)

    await reset(world, first)
    first = world.aftersales.case(first.id)
    number = (await first.view()).legs[0].refund_no
    paid = GatewayCallback(
        key="cb", by=GATEWAY, refund_no=number, result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(paid)
    assert (await first.outcome()).outcome is OutcomeKind.REFUNDED
    ended = await case.act_and_wait(RETRY)

    assert ended.refunded
    assert ended.refunded.amount == 8_000
    assert await world.refunded(order_no) == 10_000


@pytest.mark.on_servers
async def test_an_allowance_that_a_stopped_withdrawal_holds_is_paid_back(world: World) -> None:  # A3, A5
    allowance = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance)
    await world.at(case, StageName.RETENTION)
    await case.handle.terminate("by an operator")
    with pytest.raises(RefusedRequest) as refused:
        await (await world.withdrawal(allowance)).outcome()

    await reset(world, case)
    case = world.aftersales.case(case.id)
    await world.at(case, StageName.RETENTION)
    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert refused.value.refusal.code == "request_open"
    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 7_200)


@pytest.mark.on_servers
async def test_a_dispute_whose_case_was_stopped_pays_what_it_rules(world: World) -> None:  # D8
    order_no = await world.shipped_order()
    case = await rejected_refund(world, order_no=order_no)
    dispute = await intervened(world, case)
    await case.handle.terminate("by an operator")
    # The server tells it of that by a request of its own, later: until then the ruling is left to the case's next run.
    await until(lambda: world.events(dispute), lambda events: "cancellation_ignored" in events)

    await dispute.act(ruling(Award.FULL, fault=Fault.MERCHANT))
    await world.at(dispute, StageName.AWAITING_ROOM)
    untold = await world.notices(dispute, NoticeTemplate.REFUND_SUCCEEDED)
    await overdue(world, dispute)
    outcome = await dispute.act_and_wait(RetryPayment(key="r", by=OFFICER, reason="case_was_stopped", partly=True))

    assert "disputed_case_stopped" in await world.events(dispute)
    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 10_000)
    assert untold == 0, "nobody is told of money that has not moved"
    assert await world.notices(dispute, NoticeTemplate.REFUND_SUCCEEDED) == 1
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


@pytest.mark.on_servers
async def test_a_dispute_that_somebody_wanted_to_cancel_leaves_the_ruling_to_its_case(world: World) -> None:  # D8
    order_no = await world.shipped_order()
    case = await rejected_refund(world, order_no=order_no)
    dispute = await intervened(world, case)
    await dispute.handle.cancel()
    await until(lambda: world.events(dispute), lambda events: "cancellation_ignored" in events)

    await dispute.act(ruling(Award.FULL, fault=Fault.MERCHANT))
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 10_000)
    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    assert await world.refunded(order_no) == 10_000
