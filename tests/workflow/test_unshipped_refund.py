"""R1 and R7: the unshipped refund."""

from datetime import UTC, datetime

import pytest

from activities.postgres.work_lists import WorkQuery
from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Role, buyer, carrier, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    Approve,
    Reject,
    RejectReason,
    ReportParcel,
    ShippingProof,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.money import Money
from workflows.messages.parcels import ParcelEvent
from workflows.messages.stages import CaseKind, OutcomeKind, StageName, WorkList


def shipping_proof() -> ShippingProof:
    return ShippingProof(carrier="sf", tracking_no="SF100", shipped_at=datetime.now(UTC))


def report(event: ParcelEvent, key: str = "p1") -> ReportParcel:
    return ReportParcel(
        key=key, by=carrier("sf"), event=event, carrier="sf", tracking_no="SF100", happened_at=datetime.now(UTC)
    )


async def test_approval_pays_the_order_back(world: World) -> None:  # R1
    order_no = await world.order()
    case = await world.refund(10_000, order_no=order_no)

    view = await case.act(Approve(key="c1", by=merchant(world.merchant)))
    outcome = await case.outcome()

    assert view.stage in (StageName.PAYING, StageName.CLOSED)
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "R1")
    assert outcome.refunded is not None
    assert outcome.refunded.amount == 10_000
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 10_000)
    assert await world.events(case) == ["opened", "approved", "refund_succeeded"]


async def test_a_mapping_opens_the_case_that_its_model_opens(world: World) -> None:  # section 11
    request = world.refund_request(await world.order())
    stated = request.model_dump(mode="json")

    case = await world.aftersales.open_refund(stated)
    again = await world.aftersales.open({"request": "refund", **stated})
    await world.aftersales.check({"request": "refund", **stated})
    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_refund({**stated, "lines": [{"line": "1", "quantity": "one", "amount": 1}]})

    assert (case.existed, again.existed, again.id) == (False, True, case.id)
    assert (refused.value.refusal.field, refused.value.refusal.rule) == ("lines.0.quantity", "section 11")


async def test_silence_refunds_after_48_hours_and_not_before(world: World) -> None:  # R1
    case = await world.refund(10_000)
    await world.at(case, StageName.MERCHANT_REVIEW)

    await world.forward(case, hours=47, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert before.stage is StageName.MERCHANT_REVIEW
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert (outcome.closed_at - before.opened_at).total_seconds() == pytest.approx(48 * 3600, abs=60)


async def test_the_notice_near_the_deadline_goes_once(world: World) -> None:  # R1
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    await world.forward(case, hours=35, minutes=59)
    early = await world.notices(case, NoticeTemplate.DEADLINE_NEAR)
    await world.forward(case, minutes=2)
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    await world.forward(case, hours=13)
    await case.outcome()

    assert early == 0
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1


async def test_a_note_before_the_notice_does_not_swallow_it(world: World) -> None:  # R1
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))

    await world.forward(case, hours=36, minutes=1)
    await until(lambda: world.events(case), lambda events: "deadline_near" in events)

    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1


async def test_evidence_leaves_the_deadline_as_it_is(world: World) -> None:  # R2
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)
    await world.forward(case, hours=1)

    after = await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))

    assert after.due == before.due
    assert after.log[-1].facts == {"evidence_1": EVIDENCE[0].uri}


@pytest.mark.parametrize(
    ("reason", "shipping", "field"),
    [
        (RejectReason.NO_FAULT_SHOWN, None, "reason"),
        (RejectReason.NO_FAULT_SHOWN, shipping_proof(), "reason"),
        (RejectReason.GOODS_SHIPPED, None, "shipping"),
    ],
)
async def test_a_rejection_needs_proof_that_the_goods_have_shipped(
    world: World, reason: RejectReason, shipping: ShippingProof | None, field: str
) -> None:  # R1
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(
            Reject(key="c1", by=merchant(world.merchant), reason=reason, evidence=EVIDENCE, shipping=shipping)
        )

    assert (refused.value.refusal.field, refused.value.refusal.rule) == (field, "R1")
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW


async def test_shipping_proof_converts_the_refund_instead_of_rejecting_it(world: World) -> None:  # R1
    case = await world.refund()

    view = await case.act(
        Reject(
            key="c1",
            by=merchant(world.merchant),
            reason=RejectReason.GOODS_SHIPPED,
            evidence=EVIDENCE,
            shipping=shipping_proof(),
        )
    )

    assert (view.stage, view.kind) == (StageName.RETURN_REVIEW, CaseKind.RETURN)
    assert view.asked == Money(amount=10_000, currency="CNY")


async def test_goods_that_ship_meanwhile_stop_the_automatic_refund(world: World) -> None:  # R7
    await world.address()
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)

    await case.act(report(ParcelEvent.SHIPPED))
    await world.forward(case, hours=49)
    agreed = await world.at(case, StageName.AWAITING_RETURN)
    await world.forward(case, days=7, hours=1)
    outcome = await case.outcome()

    assert agreed.kind is CaseKind.RETURN
    assert outcome.outcome is OutcomeKind.NOT_RETURNED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 0


async def test_the_profile_can_send_shipped_goods_to_the_merchants_review(world: World) -> None:  # R1, R7
    case = await world.refund(order_no=await world.order(marketplace="reviewing"))

    view = await case.act(report(ParcelEvent.SHIPPED))

    assert (view.stage, view.kind) == (StageName.SHIPPED_REVIEW, CaseKind.SHIPPED_REFUND)
    assert view.due is not None


async def test_an_event_before_shipping_changes_nothing(world: World) -> None:  # R7
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)

    after = await case.act(report(ParcelEvent.OUTBOUND))

    assert (after.stage, after.due) == (StageName.MERCHANT_REVIEW, before.due)
    assert after.log[-1].event == "goods_outbound"


async def test_the_buyer_withdraws_while_it_is_undecided(world: World) -> None:  # R6
    order_no = await world.order()
    case = await world.refund(order_no=order_no)

    outcome = await case.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert await world.refunded(order_no) == 0


async def test_an_open_case_is_in_its_merchants_list_and_a_closed_one_is_not(world: World) -> None:  # section 12
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    mine = WorkQuery(merchant_id=world.merchant, work_list=WorkList.UNSHIPPED_REFUNDS)

    before = await world.aftersales.work_list(mine)
    view = await case.view()
    await case.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))
    after = await world.aftersales.work_list(mine)

    assert [(item.case_id, item.due_at) for item in before.items] == [(case.id, view.due)]
    assert after.items == ()
