"""D2: 24 hours in which merchant and buyer may settle, before the platform steps in."""

from datetime import timedelta

import pytest

from tests.workflow.disputes import (
    accept,
    charged,
    disputed,
    entry,
    evidence,
    in_list,
    intervened,
    offer,
    overdue_exchange,
    paid,
    receipt,
    received,
    refusal,
    rejected_after_receipt,
    rejected_refund,
    request,
    reshipped_exchange,
    resolution,
    ruling,
)
from tests.workflow.world import World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, LineQuantity, RejectReason, Withdraw
from workflows.messages.requests import LineAmount
from workflows.messages.rulings import Award, Fault, Verdict
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import OutcomeKind, StageName, WorkList

pytestmark = pytest.mark.in_memory


async def test_resolved_by_the_buyer_nobody_is_at_fault_and_the_case_goes_on(world: World) -> None:  # D2, D3
    case = await rejected_refund(world)
    await world.forward(case, days=3)
    before = await case.view()
    dispute = await disputed(world, case)
    standing = await case.view()

    outcome = await dispute.act_and_wait(resolution(world))
    after = await world.at(case, StageName.REJECTED)

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.RESOLVED, Role.BUYER, "D2")
    assert outcome.ruling is not None
    assert (outcome.ruling.fault, outcome.ruling.amount) == (Fault.NOBODY, 0)
    assert before.due is not None
    assert standing.due is None
    assert after.due is not None
    left = before.due - (await entry(case, "dispute_opened")).at
    assert timedelta(days=3, hours=23) < left < timedelta(days=4)
    assert after.due - (await entry(case, "dispute_resolved")).at == left
    assert after.dispute is None
    assert await charged(world) == []


async def test_a_case_that_goes_on_after_a_dispute_ends_with_its_own_silence(world: World) -> None:  # D2, R6
    case = await rejected_refund(world)
    await (await disputed(world, case)).act_and_wait(resolution(world))
    await world.at(case, StageName.REJECTED)

    await world.forward(case, days=7)

    assert (await case.outcome()).outcome is OutcomeKind.REJECTED


async def test_the_merchant_grants_the_case_and_the_dispute_ends(world: World) -> None:  # D2
    case = await rejected_refund(world)
    dispute = await disputed(world, case)

    outcome = await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))
    ended = await dispute.outcome()

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "D2")
    assert (ended.outcome, ended.decided_by) == (OutcomeKind.RESOLVED, Role.CLOCK)
    assert (await entry(dispute, "dispute_resolved")).facts["reason"] == "case_decided_itself"
    assert "intervened" not in await world.events(dispute)
    assert await paid(world, (await case.view()).order_no) == 10_000
    assert await charged(world) == []


async def test_the_buyer_takes_the_disputed_request_back(world: World) -> None:  # D2, R6
    case = await rejected_refund(world)
    dispute = await disputed(world, case)

    outcome = await case.act_and_wait(Withdraw(key="withdraw", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert (await dispute.outcome()).outcome is OutcomeKind.RESOLVED
    assert await paid(world, (await case.view()).order_no) == 0


@pytest.mark.on_servers
async def test_what_the_parties_agree_on_is_paid_by_the_case(world: World) -> None:  # D2
    case = await rejected_refund(world)
    dispute = await disputed(world, case)
    offered = await dispute.act(offer(world, 4_000))

    settled = await dispute.act_and_wait(accept(world, 4_000))
    outcome = await case.outcome()

    assert offered.stage is StageName.NEGOTIATION
    assert (settled.outcome, settled.rule) == (OutcomeKind.SETTLED, "D2")
    assert settled.refunded is not None
    assert settled.refunded.amount == 0
    assert outcome.ruling == settled.ruling
    assert outcome.ruling is not None
    assert (outcome.ruling.verdict, outcome.ruling.fault) == (Verdict.SETTLED, Fault.NOBODY)
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.BUYER)
    assert await paid(world, (await case.view()).order_no) == 4_000
    assert await charged(world) == []


async def test_only_the_offer_that_stands_can_be_accepted(world: World) -> None:  # D2
    case = await rejected_refund(world)
    dispute = await disputed(world, case)

    nothing_offered = await refusal(dispute, accept(world, 4_000, "a1"))
    await dispute.act(offer(world, 4_000, "o1"))
    await dispute.act(offer(world, 3_000, "o2"))
    changed = await refusal(dispute, accept(world, 4_000, "a2"))
    await dispute.act_and_wait(accept(world, 3_000, "a3"))
    await case.outcome()

    assert nothing_offered.code == "no_offer"
    assert (changed.code, changed.field, changed.rule) == ("offer_changed", "amount", "D2")
    assert await paid(world, (await case.view()).order_no) == 3_000


async def test_an_offer_is_within_the_claim(world: World) -> None:  # D2
    dispute = await disputed(world, await rejected_refund(world))
    unknown = (LineAmount(line="2", quantity=1, amount=1),)

    for wrong, field in (
        (offer(world, 10_001), "lines.0.amount"),
        (offer(world, 1, freight=1), "freight"),
        (offer(world, 1).model_copy(update={"lines": unknown}), "lines.0.amount"),
    ):
        refused = await refusal(dispute, wrong)
        assert (refused.code, refused.field) == ("beyond_claim", field)


async def test_it_is_the_merchant_who_offers_and_the_buyer_who_accepts(world: World) -> None:  # D2
    dispute = await disputed(world, await rejected_refund(world))
    await dispute.act(offer(world, 4_000))

    for command in (
        offer(world, 1, "x1").model_copy(update={"by": buyer(world.buyer)}),
        accept(world, 4_000, "x2").model_copy(update={"by": merchant(world.merchant)}),
        resolution(world, "x3").model_copy(update={"by": merchant(world.merchant)}),
    ):
        assert (await refusal(dispute, command)).code == "wrong_actor"
    assert (await refusal(dispute, ruling(Award.NOTHING))).code == "not_open"


async def test_when_they_do_not_settle_the_platform_steps_in(world: World) -> None:  # D2, D3, D9
    case = await rejected_refund(world)
    dispute = await disputed(world, case)

    await world.forward(dispute, hours=23, minutes=59)
    before = await dispute.view()
    await world.forward(dispute, minutes=2)
    demanded = await world.at(dispute, StageName.EVIDENCE)
    locked = await world.at(case, StageName.LOCKED)

    assert before.stage is StageName.NEGOTIATION
    assert demanded.due == (await entry(dispute, "intervened")).at + timedelta(hours=24)
    assert locked.due is None
    assert await world.notices(dispute, NoticeTemplate.EVIDENCE_DEMANDED) == 1
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]


async def test_until_the_platform_rules_they_may_still_settle(world: World) -> None:  # D2, D9
    case = await rejected_refund(world)
    dispute = await intervened(world, case)
    await dispute.act(offer(world, 4_000))

    settled = await dispute.act_and_wait(accept(world, 4_000))
    await case.outcome()

    assert (settled.outcome, settled.rule) == (OutcomeKind.SETTLED, "D2")
    assert await paid(world, (await case.view()).order_no) == 4_000
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]


@pytest.mark.on_servers
async def test_meanwhile_a_case_that_waits_for_the_merchant_goes_on(world: World) -> None:  # D2, T6
    case = await received(world)
    await world.forward(case, days=9, hours=23, minutes=59, seconds=57)
    dispute = await disputed(world, case)

    outcome = await case.outcome()

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert (await dispute.outcome()).outcome is OutcomeKind.RESOLVED


async def test_the_clock_does_not_end_an_exchange_that_is_disputed(world: World) -> None:  # D1, T8
    case = await reshipped_exchange(world)
    before = await case.view()
    await world.forward(case, days=9, hours=23)
    dispute = await disputed(world, case)
    standing = await case.view()

    await dispute.act_and_wait(resolution(world))
    after = await world.at(case, StageName.EXCHANGE_UNDERWAY)
    await world.forward(case, hours=1)

    assert (standing.stage, standing.due) == (StageName.DISPUTED, None)
    assert before.due is not None
    assert after.due is not None
    left = before.due - (await entry(case, "dispute_opened")).at
    assert after.due - (await entry(case, "dispute_resolved")).at == left
    await world.at(case, StageName.RESHIP_FAILED)  # T14: nobody has signed for the goods


async def test_a_merchant_that_accepts_less_may_be_disputed_for_the_rest(world: World) -> None:  # T11, D1
    case = await received(world, quantity=2)
    dispute = await disputed(world, case)
    one_of_two = receipt(
        world,
        accepted=(LineQuantity(line="1", quantity=1),),
        reason=RejectReason.OTHER,
        evidence=evidence(merchant(world.merchant)).evidence,
    )

    await case.act_and_wait(one_of_two)
    ended = await dispute.outcome()
    again = await world.aftersales.open_dispute(
        request(
            world,
            str((await case.view()).order_no),
            about=case,
            lines=(LineAmount(line="1", quantity=2, amount=10_000),),
        )
    )

    assert ended.outcome is OutcomeKind.RESOLVED
    assert (await world.at(again, StageName.NEGOTIATION)).dispute == case.id


async def test_a_rejected_receipt_can_be_granted_after_all(world: World) -> None:  # D2, T6
    case = await rejected_after_receipt(world)
    dispute = await disputed(world, case)

    outcome = await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert (await dispute.outcome()).outcome is OutcomeKind.RESOLVED


@pytest.mark.on_servers
async def test_disputes_are_in_the_merchants_work_lists(world: World) -> None:  # section 12
    waiting = await rejected_refund(world)
    negotiated = await disputed(world, waiting)
    locked = await overdue_exchange(world)
    demanded = await intervened(world, locked)

    assert set(await in_list(world, WorkList.NEGOTIATIONS)) == {waiting.id, negotiated.id}
    assert await in_list(world, WorkList.EVIDENCE_DUE) == [demanded.id]
    assert await in_list(world, WorkList.RULINGS) == [locked.id]

    await demanded.act(evidence(merchant(world.merchant), final=True))

    assert await in_list(world, WorkList.EVIDENCE_DUE) == []
    assert set(await in_list(world, WorkList.RULINGS)) == {demanded.id, locked.id}
