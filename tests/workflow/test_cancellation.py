"""R3: cancellations of orders that the platform ships itself."""

from datetime import UTC, datetime, timedelta

import pytest

from starter.client import Case
from tests.workflow.world import World
from workflows.messages.actors import Role, buyer, carrier, officer
from workflows.messages.commands import Approve, CloseCase, ReportParcel, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import RefundReason
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


async def cancellation(
    world: World, outbound_at: datetime | None = None, on_delivery_run_at: datetime | None = None
) -> tuple[str, Case]:
    order_no = await world.order(marketplace="jd-self", outbound_at=outbound_at, on_delivery_run_at=on_delivery_run_at)
    return order_no, await world.refund(order_no=order_no)


def report(event: ParcelEvent, key: str = "p1") -> ReportParcel:
    return ReportParcel(
        key=key, by=carrier("jdl"), event=event, carrier="jdl", tracking_no="JD1", happened_at=datetime.now(UTC)
    )


async def test_before_outbound_silence_refunds_after_30_minutes(world: World) -> None:  # R3
    order_no, case = await cancellation(world)
    view = await world.at(case, StageName.WAREHOUSE_REVIEW)

    await world.forward(case, minutes=29)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert view.kind is CaseKind.CANCELLATION
    assert before.stage is StageName.WAREHOUSE_REVIEW
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CLOCK, "R3")
    assert await world.refunded(order_no) == 10_000


async def test_after_outbound_silence_calls_an_operator_and_pays_nothing(world: World) -> None:  # R3
    order_no, case = await cancellation(world, outbound_at=YESTERDAY)
    await world.at(case, StageName.OUTBOUND_REVIEW)

    await world.forward(case, hours=23, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    escalated = await world.at(case, StageName.ESCALATED)
    paid_before = await world.paid_by_gateway(order_no)
    outcome = await case.act_and_wait(Approve(key="c1", by=officer("o-1")))

    assert before.stage is StageName.OUTBOUND_REVIEW
    assert escalated.attention is Attention.REVIEW_OVERDUE
    assert paid_before == 0
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.PLATFORM)


async def test_an_intercepted_parcel_is_refunded_once_it_is_back(world: World) -> None:  # R3
    order_no, case = await cancellation(world, outbound_at=YESTERDAY, on_delivery_run_at=YESTERDAY)
    await world.at(case, StageName.INTERCEPTING)

    refused = await case.act(report(ParcelEvent.REFUSED))
    paid_before = await world.paid_by_gateway(order_no)
    outcome = await case.act_and_wait(report(ParcelEvent.RETURNED_TO_WAREHOUSE, "p2"))

    assert refused.stage is StageName.INTERCEPTING
    assert paid_before == 0
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CARRIER)
    assert await world.paid_by_gateway(order_no) == 10_000


async def test_the_stage_follows_the_goods(world: World) -> None:  # R3, R7
    _, case = await cancellation(world)
    await world.at(case, StageName.WAREHOUSE_REVIEW)

    outbound = await case.act(report(ParcelEvent.OUTBOUND))
    running = await case.act(report(ParcelEvent.ON_DELIVERY_RUN, "p2"))
    late = await case.act(report(ParcelEvent.OUTBOUND, "p3"))

    assert [view.stage for view in (outbound, running, late)] == [
        StageName.OUTBOUND_REVIEW,
        StageName.INTERCEPTING,
        StageName.INTERCEPTING,
    ]
    assert late.due == running.due


async def test_a_parcel_that_does_not_come_back_is_flagged(world: World) -> None:  # R3
    order_no, case = await cancellation(world, on_delivery_run_at=YESTERDAY)
    await world.at(case, StageName.INTERCEPTING)

    await world.forward(case, days=15, minutes=1)
    escalated = await world.at(case, StageName.ESCALATED)
    outcome = await case.act_and_wait(CloseCase(key="c1", by=officer("o-1"), reason="lost", proof="ticket:7"))

    assert escalated.attention is Attention.INTERCEPT_OVERDUE
    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await world.paid_by_gateway(order_no) == 0


async def test_the_buyer_withdraws_a_cancellation(world: World) -> None:  # R6
    _, case = await cancellation(world)

    outcome = await case.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(RefundReason.NO_LONGER_WANTED, CaseKind.CANCELLATION), (RefundReason.DAMAGED, CaseKind.SHIPPED_REFUND)],
)
async def test_a_fault_of_goods_on_their_way_is_no_cancellation(
    world: World, reason: RefundReason, kind: CaseKind
) -> None:  # R2, R3
    order_no = await world.order(marketplace="jd-self", shipped_at=YESTERDAY)
    case = await world.refund(order_no=order_no, reason=reason)

    view = await world.at(case, StageName.SHIPPED_REVIEW if kind is CaseKind.SHIPPED_REFUND else StageName.INTERCEPTING)

    assert view.kind is kind
