"""G3: what the merchant's silence does is the profile's; the buyer's right to intervention has an end of its own."""

from typing import Any

import pytest

from starter.client import Case
from tests.workflow.disputes import OFFICER, refusal, rejection
from tests.workflow.goods import agreement
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, OpenDispute, Resolve, Rule, Withdraw
from workflows.messages.requests import DisputeReason, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, Silence, StageName

pytestmark = pytest.mark.in_memory


async def asked(world: World, marketplace: str, reason: RefundReason = RefundReason.DAMAGED, **changes: Any) -> Case:
    """A refund of shipped goods, without them."""
    order_no = await world.shipped_order(marketplace=marketplace)
    case = await world.refund(order_no=order_no, reason=reason, **changes)
    await world.at(case, StageName.SHIPPED_REVIEW)
    return case


async def overdue(world: World) -> Case:
    """jd-pop: the merchant has let 48 hours go by."""
    case = await asked(world, "jd-pop")
    await world.forward(case, hours=48)
    await world.at(case, StageName.MERCHANT_OVERDUE)
    return case


@pytest.mark.parametrize("marketplace", ["jd-pop", "jd-self"])
async def test_where_a_service_order_is_overdue_jd_gives_the_right_to_intervention(
    world: World, marketplace: str
) -> None:  # G3
    case = await asked(world, marketplace)
    assert (await case.view()).on_silence is Silence.RIGHT_TO_INTERVENTION

    await world.forward(case, hours=47)
    assert await world.stage_of(case) == StageName.SHIPPED_REVIEW
    await world.forward(case, hours=1)
    view = await world.at(case, StageName.MERCHANT_OVERDUE)

    assert view.order_no
    assert await world.refunded(view.order_no) == 0
    assert view.on_silence is Silence.CLOSE_UNDECIDED
    assert view.due is not None
    assert await world.notices(case, NoticeTemplate.MERCHANT_OVERDUE) == 2  # told to both
    assert {each.name for each in view.commands if Role.BUYER in each.roles} >= {"open_dispute", "withdraw"}


async def test_a_right_that_is_not_used_ends_by_itself(world: World) -> None:  # G3
    case = await overdue(world)

    await world.forward(case, days=6, hours=23)
    assert await world.stage_of(case) == StageName.MERCHANT_OVERDUE
    await world.forward(case, hours=1)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule, outcome.refunded.amount if outcome.refunded else 0) == (
        OutcomeKind.UNDECIDED,
        "G3",
        0,
    )


async def test_the_merchant_may_still_decide(world: World) -> None:  # G3
    case = await overdue(world)

    await case.act(Approve(key="a", by=merchant(world.merchant)))

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_or_still_reject(world: World) -> None:  # G3
    case = await overdue(world)

    await case.act(rejection(world))

    await world.at(case, StageName.REJECTED)


async def test_both_may_go_on_talking(world: World) -> None:  # G3, N5
    case = await overdue(world)

    view = await case.view()

    assert {tuple(each.roles) for each in view.commands if each.name == "say"} == {("buyer", "merchant", "platform")}


async def test_the_buyer_may_take_it_back(world: World) -> None:  # G3
    case = await overdue(world)

    await case.act(Withdraw(key="w", by=buyer(world.buyer)))

    assert (await case.outcome()).outcome is OutcomeKind.WITHDRAWN


async def test_the_platform_decides_where_the_buyer_uses_its_right(world: World) -> None:  # G3, D1, D8
    case = await overdue(world)
    because = DisputeReason.SERVICE_ORDER_OVERDUE
    view = await case.act(OpenDispute(key="d", by=buyer(world.buyer), reason=because))
    assert view.stage is StageName.DISPUTED
    dispute = world.aftersales.case((await case.view()).dispute or "")
    await world.forward(dispute, hours=25)
    ruling = Rule(key="r", by=OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="overdue")

    await dispute.act(ruling)

    outcome = await case.outcome()
    assert (outcome.outcome, outcome.refunded.amount if outcome.refunded else 0) == (OutcomeKind.REFUNDED, 10_000)


async def test_a_right_goes_on_with_the_time_that_was_left(world: World) -> None:  # G3, D3
    case = await overdue(world)
    await world.forward(case, days=5)
    await case.act(OpenDispute(key="d", by=buyer(world.buyer), reason=DisputeReason.SERVICE_ORDER_OVERDUE))
    dispute = world.aftersales.case((await case.view()).dispute or "")
    await world.forward(dispute, hours=3)

    await dispute.act(Resolve(key="s", by=buyer(world.buyer)))

    await world.at(case, StageName.MERCHANT_OVERDUE)
    await world.forward(case, days=1, hours=23)
    assert await world.stage_of(case) == StageName.MERCHANT_OVERDUE
    await world.forward(case, hours=2)
    assert (await case.outcome()).outcome is OutcomeKind.UNDECIDED


async def test_a_return_that_the_merchant_leaves_undecided(world: World) -> None:  # G3, T1
    order_no = await world.shipped_order(marketplace="jd-pop")
    case = await world.returned(order_no=order_no)
    await world.forward(case, hours=49)
    await world.at(case, StageName.MERCHANT_OVERDUE)
    await world.address()

    await case.act(agreement(world))

    await world.at(case, StageName.AWAITING_RETURN)


async def test_douyin_keeps_its_48_hours(world: World) -> None:  # R2, G3
    case = await asked(world, "douyin")

    await world.forward(case, hours=49)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


@pytest.mark.parametrize(
    ("says", "reason", "paid"),
    [
        ({}, RefundReason.NOT_RECEIVED, True),
        ({}, RefundReason.DAMAGED, False),  # a fault is one of goods that were seen
        ({"goods_received": True}, RefundReason.OTHER, False),
        ({"goods_received": False}, RefundReason.OTHER, True),
        ({}, RefundReason.OTHER, True),
    ],
)
async def test_in_china_since_2025_what_the_buyer_has_is_the_merchants_to_decide(
    world: World, says: dict[str, Any], reason: RefundReason, paid: bool
) -> None:  # G3
    case = await asked(world, "cn-2026", reason, evidence=EVIDENCE, **says)

    await world.forward(case, hours=49)

    if paid:
        assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    else:
        view = await world.at(case, StageName.MERCHANT_OVERDUE)
        assert view.refunded is not None
        assert view.refunded.amount == 0


async def test_an_unshipped_refund_is_paid_by_silence_at_jd_too(world: World) -> None:  # R1, G3
    case = await world.refund(order_no=await world.order(marketplace="jd-pop"))
    await world.at(case, StageName.MERCHANT_REVIEW)

    await world.forward(case, hours=49)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_before_the_time_is_over_there_is_no_right_yet(world: World) -> None:  # G3, D1
    case = await asked(world, "jd-pop")

    early = await refusal(case, OpenDispute(key="d", by=buyer(world.buyer), reason=DisputeReason.SERVICE_ORDER_OVERDUE))

    assert early.code == "not_open"
