"""R2 and R6: refund only, after shipping; rejection, amendment, withdrawal, the end of the window."""

from datetime import UTC, datetime, timedelta

import pytest

from starter.client import Case
from starter.errors import RefusedCommand
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.commands import Amend, Approve, Reject, RejectReason, Withdraw
from workflows.messages.requests import LineAmount, OriginalRoute, RefundReason
from workflows.messages.stages import OutcomeKind, StageName

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


async def shipped(world: World) -> tuple[str, Case]:
    order_no = await world.order(shipped_at=YESTERDAY)
    case = await world.refund(order_no=order_no, reason=RefundReason.DAMAGED, evidence=EVIDENCE)
    await world.at(case, StageName.SHIPPED_REVIEW)
    return order_no, case


def rejection(world: World, key: str = "r1") -> Reject:
    return Reject(
        key=key, by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )


def amendment(world: World, amount: int, key: str = "a1") -> Amend:
    return Amend(
        key=key,
        by=buyer(world.buyer),
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.DAMAGED,
        method=OriginalRoute(),
    )


async def test_silence_refunds_after_48_hours(world: World) -> None:  # R2
    order_no, case = await shipped(world)

    await world.forward(case, hours=47, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert before.stage is StageName.SHIPPED_REVIEW
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CLOCK, "R2")
    assert await world.refunded(order_no) == 10_000


async def test_a_rejection_stands_when_the_window_passes(world: World) -> None:  # R6
    order_no, case = await shipped(world)
    view = await case.act(rejection(world))

    await world.forward(case, days=6, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert view.log[-1].facts["reason"] == "goods_received_as_described"
    assert before.stage is StageName.REJECTED
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REJECTED, Role.CLOCK)
    assert await world.refunded(order_no) == 0


async def test_an_amended_request_is_decided_anew_and_paid_as_amended(world: World) -> None:  # R6
    order_no, case = await shipped(world)
    await case.act(rejection(world))
    await world.forward(case, days=3)

    view = await case.act(amendment(world, 4_000))
    outcome = await case.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))

    assert view.stage is StageName.SHIPPED_REVIEW
    assert view.due is not None
    assert view.due - view.log[-1].at == timedelta(hours=48)
    assert outcome.refunded is not None
    assert outcome.refunded.amount == 4_000
    assert await world.paid_by_gateway(order_no) == 4_000


async def test_an_amendment_must_fit_the_order(world: World) -> None:  # R6, R8
    _, case = await shipped(world)
    await case.act(rejection(world))

    with pytest.raises(RefusedCommand) as refused:
        await case.act(amendment(world, 10_001))

    assert (refused.value.refusal.field, refused.value.refusal.rule) == ("lines.0.amount", "R8")
    assert (await case.view()).stage is StageName.REJECTED


async def test_there_is_an_end_to_amending(world: World) -> None:  # R6
    _, case = await shipped(world)
    for number in (1, 2):
        await case.act(rejection(world, f"r{number}"))
        await case.act(amendment(world, 1_000 * number, f"a{number}"))
    await case.act(rejection(world, "r3"))

    with pytest.raises(RefusedCommand) as refused:
        await case.act(amendment(world, 3_000, "a3"))

    assert refused.value.refusal.code == "too_many_applications"


async def test_a_rejected_request_cannot_be_approved_or_withdrawn(world: World) -> None:  # R6
    _, case = await shipped(world)
    await case.act(rejection(world))

    for command in (Approve(key="c1", by=merchant(world.merchant)), Withdraw(key="c2", by=buyer(world.buyer))):
        with pytest.raises(RefusedCommand) as refused:
            await case.act(command)
        assert (refused.value.refusal.code, refused.value.view and refused.value.view.stage) == (
            "not_open",
            StageName.REJECTED,
        )
