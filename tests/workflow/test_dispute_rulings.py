"""D8, D9: what the platform rules is carried out, and what it costs the merchant."""

from datetime import timedelta

import pytest

from starter.client import Case
from tests.workflow.disputes import (
    apart,
    charged,
    disputed,
    entry,
    evidence,
    intervened,
    overdue_return,
    paid,
    receipt,
    received,
    refusal,
    rejected_refund,
    request,
    reshipped_exchange,
    ruling,
)
from tests.workflow.world import World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import ConfirmProposal, GiveRefundAccount
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault, FreightBearer
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.compensation import return_freight_fund

pytestmark = pytest.mark.in_memory


async def rulable(world: World, **order: int) -> tuple[str, Case, Case]:
    """A disputed refund whose merchant has given evidence: 100.00 on line 1, and the order's freight."""
    order_no = await world.shipped_order(**order)
    case = await rejected_refund(world, order_no=order_no, freight=order.get("freight", 0))
    dispute = await intervened(world, case)
    await dispute.act(evidence(merchant(world.merchant), final=True))
    return order_no, case, dispute


@pytest.mark.parametrize(
    ("refund", "amount", "freight", "pays", "ends"),
    [
        (Award.FULL, 0, 0, 10_800, OutcomeKind.REFUNDED),
        (Award.PARTIAL, 2_500, 0, 2_500, OutcomeKind.REFUNDED),
        (Award.PARTIAL, 0, 800, 800, OutcomeKind.REFUNDED),
        (Award.NOTHING, 0, 0, 0, OutcomeKind.DISMISSED),
    ],
)
async def test_the_case_carries_the_ruling_out(
    world: World, refund: Award, amount: int, freight: int, pays: int, ends: OutcomeKind
) -> None:  # D8
    order_no, case, dispute = await rulable(world, freight=800)

    ruled = await dispute.act_and_wait(ruling(refund, amount, freight=freight, fault=Fault.NOBODY))
    outcome = await case.outcome()

    assert (ruled.outcome, ruled.decided_by, ruled.rule) == (OutcomeKind.RULED, Role.PLATFORM, "D8")
    assert ruled.ruling is not None
    assert (ruled.ruling.award, ruled.ruling.amount) == (refund, pays)
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (ends, Role.PLATFORM, "D8")
    assert outcome.ruling == ruled.ruling
    assert outcome.refunded is not None
    assert outcome.refunded.amount == pays
    assert (await entry(case, "ruling_carried_out")).facts["amount"] == pays
    assert await paid(world, order_no) == pays


async def test_a_ruling_is_within_the_claim(world: World) -> None:  # D8
    order_no, case, dispute = await rulable(world, freight=800)
    before = await dispute.view()
    unknown = (LineAmount(line="2", quantity=1, amount=1),)

    for wrong, field in (
        (ruling(Award.PARTIAL, 10_001), "lines.0.amount"),
        (ruling(Award.PARTIAL, 1, freight=801), "freight"),
        (ruling(Award.PARTIAL, 1).model_copy(update={"lines": unknown}), "lines.0.amount"),
    ):
        refused = await refusal(dispute, wrong)
        assert (refused.code, refused.field, refused.rule) == ("beyond_claim", field, "D8")

    assert await dispute.view() == before
    await dispute.act_and_wait(ruling(Award.PARTIAL, 10_000, freight=800))
    await case.outcome()
    assert await paid(world, order_no) == 10_800


@pytest.mark.on_servers
async def test_it_is_ruled_once(world: World) -> None:  # D8
    order_no, case, dispute = await rulable(world)
    await dispute.act_and_wait(ruling(Award.PARTIAL, 2_500))

    again = await refusal(dispute, ruling(Award.FULL, key="again"))
    await dispute.act(ruling(Award.PARTIAL, 2_500))  # the same command is the same ruling
    await case.outcome()

    assert again.code == "not_open"
    assert await paid(world, order_no) == 2_500


async def test_what_rules_itself_is_ruled_once(world: World) -> None:  # D8
    order_no = await world.order()
    dispute = await apart(world, request(world, order_no))
    await dispute.act(ruling(Award.PARTIAL, 2_500))

    assert (await refusal(dispute, ruling(Award.FULL, key="again"))).code == "not_open"
    await dispute.outcome()
    assert await paid(world, order_no) == 2_500


async def test_only_the_platform_rules(world: World) -> None:  # D8
    _, _, dispute = await rulable(world)

    for by in (merchant(world.merchant), buyer(world.buyer)):
        refused = await refusal(dispute, ruling(key=f"by-{by.role}").model_copy(update={"by": by}))
        assert refused.code == "wrong_actor"


async def test_there_is_nothing_to_confirm_where_nothing_was_proposed(world: World) -> None:  # D5, D8
    _, _, dispute = await rulable(world)
    await world.forward(dispute, hours=48, minutes=1)
    await world.at(dispute, StageName.RULING_OVERDUE)

    by_officer = ruling().by
    refused = await refusal(dispute, ConfirmProposal(key="confirm", by=by_officer, reason="merchant_silent"))

    assert (refused.code, refused.rule) == ("nothing_proposed", "D5")


async def test_the_platform_may_rule_before_the_merchants_time_is_over(world: World) -> None:  # D8
    case = await rejected_refund(world)
    dispute = await intervened(world, case)

    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))

    assert (await case.outcome()).outcome is OutcomeKind.DISMISSED


async def test_after_48_hours_staff_is_called_and_may_still_rule(world: World) -> None:  # D8
    order_no, case, dispute = await rulable(world)
    submitted = await entry(dispute, "evidence_submitted")
    due = (await dispute.view()).due

    await world.forward(dispute, hours=48, minutes=1)
    overdue = await world.at(dispute, StageName.RULING_OVERDUE)
    late = await dispute.act(evidence(merchant(world.merchant), "late"))
    await dispute.act_and_wait(ruling())
    await case.outcome()

    assert due == submitted.at + timedelta(hours=48)
    assert (overdue.attention, late.attention) == (Attention.RULING_OVERDUE, Attention.RULING_OVERDUE)
    assert await world.notices(dispute, NoticeTemplate.ATTENTION_RAISED) == 1
    assert await paid(world, order_no) == 10_000


@pytest.mark.on_servers
async def test_both_sides_are_told(world: World) -> None:  # D8
    _, case, dispute = await rulable(world)

    await dispute.act_and_wait(ruling(Award.PARTIAL, 2_500, fault=Fault.BOTH))
    await case.outcome()

    told = await world.pool.fetch(
        "SELECT DISTINCT recipient_role, recipient_id FROM notices.outbox WHERE case_id = $1 AND template = $2",
        dispute.id,
        NoticeTemplate.DISPUTE_RULED,
    )
    assert {tuple(row) for row in told} == {("merchant", world.merchant), ("buyer", world.buyer)}


async def test_an_exchange_can_be_ruled_to_be_paid(world: World) -> None:  # D8, T8
    case = await reshipped_exchange(world)
    dispute = await intervened(world, case)

    await dispute.act_and_wait(ruling(Award.PARTIAL, 3_000))

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await paid(world, (await case.view()).order_no) == 3_000


# Freight -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bearer", "compensated"), [(FreightBearer.MERCHANT, 1_200), (FreightBearer.BUYER, 0)])
async def test_who_bears_the_freight_of_the_return(world: World, bearer: FreightBearer, compensated: int) -> None:
    """D8, T10: paid beside the refund, and no more than it has cost."""
    case = await received(world, freight_paid=1_200)
    dispute = await intervened(world, case)

    await dispute.act_and_wait(ruling(Award.PARTIAL, 2_500, return_freight=bearer))
    await case.outcome()
    if compensated:
        await world.aftersales.case(return_freight_fund(case.id)).outcome()

    assert await world.compensated(return_freight_fund(case.id)) == compensated
    assert await paid(world, (await case.view()).order_no) == 2_500


async def test_the_freight_can_be_borne_without_a_refund(world: World) -> None:  # D8, T10
    case = await received(world, freight_paid=1_200)
    dispute = await intervened(world, case)

    await dispute.act_and_wait(ruling(Award.NOTHING, return_freight=FreightBearer.MERCHANT))

    await world.at(case, StageName.RECEIPT_REJECTED)  # T15: the goods go back to the buyer
    await world.aftersales.case(return_freight_fund(case.id)).outcome()
    assert await world.compensated(return_freight_fund(case.id)) == 1_200


async def test_a_silent_merchant_bears_the_freight(world: World) -> None:  # D4, T10
    case = await overdue_return(world, freight_paid=1_200)
    dispute = await intervened(world, case)

    await world.forward(dispute, hours=24, minutes=1)
    await case.outcome()

    await world.aftersales.case(return_freight_fund(case.id)).outcome()
    assert await world.compensated(return_freight_fund(case.id)) == 1_200


@pytest.mark.on_servers
async def test_the_freight_of_an_ended_return_is_owed_as_well_and_once(world: World) -> None:  # D8, T10
    case = await received(world, freight_paid=1_200, reason=RefundReason.QUALITY_FAULT)
    await case.act_and_wait(receipt(world))  # a fault: the merchant bears it already
    order_no = str((await case.view()).order_no)
    other = await received(world, freight_paid=900)
    await other.act_and_wait(receipt(world))
    disputes = [
        await apart(world, request(world, str((await each.view()).order_no), about=each)) for each in (case, other)
    ]

    for dispute in disputes:
        outcome = await dispute.act_and_wait(ruling(return_freight=FreightBearer.MERCHANT))
        assert outcome.outcome is OutcomeKind.COVERED

    for each, owed in ((case, 1_200), (other, 900)):
        await world.aftersales.case(return_freight_fund(each.id)).outcome()
        assert await world.compensated(return_freight_fund(each.id)) == owed
    assert await paid(world, order_no) == 10_000


# What it costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "lost"),
    [(Fault.MERCHANT, True), (Fault.BOTH, True), (Fault.BUYER, False), (Fault.NOBODY, False)],
)
async def test_a_lost_ruling_costs_points(world: World, fault: Fault, lost: bool) -> None:  # D9
    _, case, dispute = await rulable(world)

    await dispute.act_and_wait(ruling(Award.PARTIAL, 2_500, fault=fault))
    await case.outcome()

    intervention = (dispute.id, ScoreCause.INTERVENTION, 2)
    assert await charged(world) == [intervention, *([(dispute.id, ScoreCause.RULING_LOST, 4)] if lost else [])]
    assert await world.aftersales.desk.score(world.merchant) == (6 if lost else 2)


async def test_a_ruling_that_pays_by_itself_costs_points_as_well(world: World) -> None:  # D9
    dispute = await apart(world, request(world, await world.order()))

    await dispute.act_and_wait(ruling(fault=Fault.BOTH))

    assert await charged(world) == [
        (dispute.id, ScoreCause.INTERVENTION, 2),
        (dispute.id, ScoreCause.RULING_LOST, 4),
    ]


async def test_a_merchant_that_is_silent_apart_from_a_case_loses(world: World) -> None:  # D4, D9
    order_no = await world.order()
    dispute = await apart(world, request(world, order_no))

    await world.forward(dispute, hours=24)
    outcome = await dispute.outcome()

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CLOCK, "D4")
    assert await world.aftersales.desk.score(world.merchant) == 7
    assert await paid(world, order_no) == 10_000


async def test_cash_on_delivery_waits_for_an_account_where_no_case_does(world: World) -> None:  # D8, T4
    order_no = await world.shipped_order(tenders=[("t1", "cash", 10_000)])
    dispute = await apart(world, request(world, order_no))
    asked = await dispute.act(ruling())
    asked = await world.at(dispute, StageName.AWAITING_ACCOUNT)

    outcome = await dispute.act_and_wait(
        GiveRefundAccount(key="account", by=buyer(world.buyer), account="vault:accounts/1")
    )

    assert asked.ruling is not None
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000
    assert await world.aftersales.desk.score(world.merchant) == 6
    assert await world.notices(dispute, NoticeTemplate.DISPUTE_RULED) == 2


async def test_nothing_is_charged_where_the_platform_did_not_step_in(world: World) -> None:  # D9
    case = await rejected_refund(world)
    await disputed(world, case)

    assert await world.aftersales.desk.score_changes(world.merchant) == ()
