"""Section 11: disputes beside payments in flight, at the deadline, and at the end of a case."""

import asyncio
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import (
    OFFICER,
    accept,
    apart,
    charged,
    disputed,
    entry_of,
    evidence,
    intervened,
    offer,
    opening,
    paid,
    rejected_refund,
    request,
    resolution,
    ruling,
)
from tests.workflow.world import Working, World, until
from workflows.messages.actors import GATEWAY, buyer, merchant
from workflows.messages.commands import Approve, CloseCase, GatewayCallback, GatewayResult, Withdraw
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.rulings import Award
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import OutcomeKind, StageName
from workflows.messages.statements import EvidenceStanding


async def settling(world: World, amount: int) -> tuple[str, Case, str]:
    """A refund of so much that the gateway has and says nothing about; its number."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no, uses_left=1))
    case = await world.refund(amount, order_no=order_no)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    view = await world.at(case, StageName.SETTLING)
    return order_no, case, view.legs[0].refund_no


async def tell(world: World, number: str, result: GatewayResult) -> None:
    told = GatewayCallback(
        key=world.fresh("cb"), by=GATEWAY, refund_no=number, result=result, settled_at=datetime.now(UTC)
    )
    await world.aftersales.gateway_callback(told)


# Beside a payment in flight ------------------------------------------------------------------------------


async def test_a_leg_in_flight_finishes_and_the_ruling_pays_what_is_missing(world: World) -> None:  # D8, section 11
    order_no, case, number = await settling(world, 6_000)
    dispute = await apart(world, request(world, order_no, about=case))
    await dispute.act(ruling())
    waiting = await world.at(dispute, StageName.AWAITING_ROOM)
    paid_meanwhile = await world.refunded(order_no)

    await tell(world, number, GatewayResult.SUCCEEDED)
    first = await case.outcome()
    await world.forward(dispute, hours=2)
    outcome = await dispute.outcome()

    assert (waiting.legs, paid_meanwhile) == ((), 0)
    assert (first.outcome, first.refunded and first.refunded.amount) == (OutcomeKind.REFUNDED, 6_000)
    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 4_000)
    assert await world.refunded(order_no) == 10_000


async def test_a_payment_that_failed_may_yet_be_made_and_the_ruling_waits_for_its_end(world: World) -> None:
    """D8: what is missing is known once the case has ended, paid or not."""
    order_no, case, number = await settling(world, 6_000)
    dispute = await apart(world, request(world, order_no, about=case))
    await dispute.act(ruling())
    await world.at(dispute, StageName.AWAITING_ROOM)

    await tell(world, number, GatewayResult.FAILED)
    await world.at(case, StageName.PAYMENT_ATTENTION)
    await world.forward(dispute, hours=2)
    waiting = await dispute.view()
    await case.act_and_wait(CloseCase(key="close", by=OFFICER, reason="card_closed", proof="ticket:1"))
    await world.forward(dispute, hours=2)
    outcome = await dispute.outcome()

    assert waiting.stage is StageName.AWAITING_ROOM
    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, 10_000)
    assert await paid(world, order_no) == 10_000


async def test_a_leg_that_finished_before_the_ruling_counts(world: World) -> None:  # D8
    order_no, case, number = await settling(world, 6_000)
    dispute = await apart(world, request(world, order_no, about=case))
    await tell(world, number, GatewayResult.SUCCEEDED)
    await case.outcome()

    outcome = await dispute.act_and_wait(ruling(Award.PARTIAL, 7_500))

    assert outcome.refunded is not None
    assert outcome.refunded.amount == 1_500
    assert await world.refunded(order_no) == 7_500


async def test_a_ruling_that_gives_no_more_than_was_paid_pays_nothing(world: World) -> None:  # D8
    order_no, case, number = await settling(world, 6_000)
    dispute = await apart(world, request(world, order_no, about=case))
    await tell(world, number, GatewayResult.SUCCEEDED)
    await case.outcome()

    outcome = await dispute.act_and_wait(ruling(Award.PARTIAL, 6_000))

    assert outcome.outcome is OutcomeKind.COVERED
    assert await world.refunded(order_no) == 6_000


async def test_the_dispute_of_a_case_whose_money_settles_is_over(world: World) -> None:  # D2, section 11
    order_no = await world.shipped_order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no, uses_left=1))
    case = await rejected_refund(world, order_no=order_no)
    dispute = await disputed(world, case)

    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    ended = await dispute.outcome()
    still = await world.at(case, StageName.SETTLING)
    await tell(world, still.legs[0].refund_no, GatewayResult.SUCCEEDED)

    assert ended.outcome is OutcomeKind.RESOLVED
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == 10_000


async def test_a_ruling_and_a_merchants_refund_never_pay_more_than_was_paid(world: World) -> None:  # R8, section 11
    order_no = await world.order()
    dispute = await apart(world, request(world, order_no, amount=10_000))
    by_merchant = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        lines=(LineAmount(line="1", quantity=1, amount=10_000),),
        reason=RefundReason.OTHER,
    )

    _, refund = await asyncio.gather(dispute.act(ruling()), world.aftersales.open_merchant_refund(by_merchant))
    await world.forward(dispute, hours=2)
    ends = {(await dispute.outcome()).outcome, await outcome_or_refusal(refund)}

    assert OutcomeKind.REFUNDED in ends
    assert ends <= {OutcomeKind.REFUNDED, OutcomeKind.COVERED, OutcomeKind.NOTHING_LEFT, None}
    assert await paid(world, order_no) == 10_000


async def outcome_or_refusal(case: Case) -> OutcomeKind | None:
    """How it ended; None where it was not opened, because all had been paid by then."""
    try:
        return (await case.outcome()).outcome
    except RefusedRequest:
        return None


# In one workflow task ------------------------------------------------------------------------------------


async def test_the_merchant_grants_and_the_parties_settle_at_the_same_instant(shop: World, working: Working) -> None:
    """What decided the case first is paid, once; the other is told in the log."""
    order_no = await shop.shipped_order()
    await shop.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no, uses_left=1))
    async with working():
        case = await rejected_refund(shop, order_no=order_no)
        dispute = await disputed(shop, case)
        await dispute.act(offer(shop, 4_000))
    await dispute.tell(accept(shop, 4_000))
    await case.tell(Approve(key="approve", by=merchant(shop.merchant)))
    async with working():
        settled = await dispute.outcome()
        still = await shop.at(case, StageName.SETTLING)
        await tell(shop, still.legs[0].refund_no, GatewayResult.SUCCEEDED)
        outcome = await case.outcome()

    assert (outcome.outcome, settled.outcome) == (OutcomeKind.REFUNDED, OutcomeKind.SETTLED)
    assert await shop.refunded(order_no) == 10_000
    assert (await shop.events(case))[-1] == "ruling_after_end"


async def test_two_ends_of_a_dispute_in_one_task(shop: World, working: Working) -> None:
    """The first recorded wins; the second is refused and says so in the log."""
    async with working():
        case = await rejected_refund(shop)
        dispute = await intervened(shop, case)
    await dispute.tell(ruling(Award.PARTIAL, 2_500))
    await dispute.tell(resolution(shop))
    async with working():
        outcome = await case.outcome()

    assert outcome.refunded is not None
    assert outcome.refunded.amount == 2_500
    refused = [each.facts for each in await dispute.log() if each.event == "command_refused"]
    assert refused == [{"command": "resolve", "code": "not_open"}]


async def test_evidence_and_the_deadline_in_one_task(shop: World, working: Working) -> None:
    """D6: it was recorded before the deadline was acted on, so it is in time; and the merchant was not silent."""
    async with working():
        dispute = await intervened(shop, await rejected_refund(shop))
        await shop.forward(dispute, hours=12, minutes=1)  # past the reminder, so that the timer is the deadline's
        await entry_of(shop, dispute, "deadline_near")
        await shop.forward(dispute, hours=11, minutes=57, seconds=53)  # a minute went with the negotiation
    await dispute.tell(evidence(merchant(shop.merchant)))

    async def fired() -> int:
        events = [each.event_type async for each in dispute.handle.fetch_history_events()]
        return events.count(EventType.EVENT_TYPE_TIMER_FIRED)

    before = 2  # the negotiation's, and the reminder's
    await until(fired, lambda count: count == before + 1)
    async with working():
        await shop.at(dispute, StageName.RULING)

    (kept,) = await shop.aftersales.desk.evidence(dispute.id)
    assert (kept.late, kept.standing) == (False, EvidenceStanding.DRAFT)
    assert [cause for _, cause, _ in await charged(shop)] == [ScoreCause.INTERVENTION]


async def test_a_case_that_waits_for_a_worker_hears_of_intervention_and_end_at_once(
    shop: World, working: Working
) -> None:
    """D3: the dispute is over when the case looks at it, and the case is not locked for ever."""
    async with working():
        case = await rejected_refund(shop)
        dispute = await intervened(shop, case)
    await dispute.tell(resolution(shop))
    async with working():
        await dispute.outcome()
        view = await shop.at(case, StageName.REJECTED)

    assert view.dispute is None


# At the end ----------------------------------------------------------------------------------------------


async def test_a_case_does_not_end_before_its_dispute(shop: World, working: Working) -> None:  # section 11
    async with working():
        case = await rejected_refund(shop)
        dispute = await disputed(shop, case)
    await case.tell(Withdraw(key="withdraw", by=buyer(shop.buyer)))
    await case.tell(opening(shop, "too-late"))
    async with working():
        outcome = await case.outcome()

    told = [each.event_type async for each in case.handle.fetch_history_events()]
    assert EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED in told
    assert (outcome.outcome, (await dispute.outcome()).outcome) == (OutcomeKind.WITHDRAWN, OutcomeKind.RESOLVED)
    assert "command_refused" in await shop.events(case)


async def test_the_same_dispute_twice_is_one(world: World) -> None:  # section 11
    case = await rejected_refund(world)

    views = await asyncio.gather(*(case.act(opening(world)) for _ in range(3)))
    await case.tell(opening(world))
    await world.at(world.aftersales.case(str(views[0].dispute)), StageName.NEGOTIATION)

    assert {view.dispute for view in views} == {f"dispute/{case.id}/d1"}
    assert (await world.events(case)).count("dispute_opened") == 1


async def test_a_dispute_that_is_stopped_does_not_hold_up_the_money(world: World) -> None:  # section 11
    order_no = await world.shipped_order()
    case = await rejected_refund(world, order_no=order_no)
    dispute = await disputed(world, case)

    await dispute.handle.terminate("by an operator")
    await world.at(case, StageName.REJECTED)
    again = world.aftersales.case(str((await case.act(opening(world, "another"))).dispute))
    outcome = await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert (await again.outcome()).outcome is OutcomeKind.RESOLVED
    assert await paid(world, order_no) == 10_000
