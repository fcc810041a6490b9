"""D3: a case that the platform decides stands still, and then goes on with exactly the time that was left."""

import pytest

from starter.client import Case
from tests.workflow.disputes import (
    Arrange,
    disputed,
    entry,
    entry_of,
    escalated_cancellation,
    intervened,
    opening,
    overdue_exchange,
    overdue_return,
    paid,
    receipt,
    received,
    refusal,
    rejected_refund,
    rejected_return,
    rejection,
    reshipped_exchange,
    resolution,
    ruling,
)
from tests.workflow.world import World
from workflows.messages.actors import CLOCK, Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    Approve,
    DisputeIntervened,
    GiveRefundAccount,
    LineQuantity,
    RefundDirectly,
    RejectReason,
    Reship,
    Withdraw,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.dispute import intervention_key

pytestmark = pytest.mark.in_memory


async def terminated(dispute: Case) -> None:
    await dispute.handle.terminate("by an operator")


async def test_the_merchant_of_a_locked_case_may_only_confirm_receipt(world: World) -> None:  # D3
    case = await received(world)
    await intervened(world, case)
    before = await case.view()
    mine = merchant(world.merchant)

    for command in (
        Approve(key="x1", by=mine),
        rejection(world, "x2"),
        RefundDirectly(key="x3", by=mine),
        Reship(key="x4", by=mine, parcel=world.parcel()),
        Withdraw(key="x5", by=buyer(world.buyer)),
        opening(world, "x6"),
    ):
        refused = await refusal(case, command)
        assert (refused.code, refused.rule) == ("not_open", "D3")

    assert await case.view() == before
    assert {each.name for each in before.commands if Role.MERCHANT in each.roles} == {"confirm_receipt"}


@pytest.mark.on_servers
async def test_its_clock_stands_still_and_no_second_of_it_is_lost(world: World) -> None:  # D3
    case = await received(world)
    await world.forward(case, days=4, hours=7, minutes=11)
    before = await case.view()
    dispute = await intervened(world, case)
    locked = await case.view()

    await dispute.act_and_wait(resolution(world))
    after = await world.at(case, StageName.RETURN_RECEIVED)

    assert before.due is not None
    assert after.due is not None
    assert (locked.due, locked.no_deadline_because != "") == (None, True)
    assert after.due - (await entry(case, "dispute_resolved")).at == before.due - (await entry(case, "locked")).at
    assert after.dispute is None
    await world.forward(case, days=5, hours=17)
    assert (await case.outcome()).decided_by is Role.CLOCK


@pytest.mark.parametrize(
    ("arrange", "stands", "attention"),
    [
        (rejected_refund, StageName.REJECTED, None),
        (rejected_return, StageName.REJECTED, None),
        (reshipped_exchange, StageName.EXCHANGE_UNDERWAY, None),
        (overdue_exchange, StageName.RESHIP_OVERDUE, Attention.RESHIP_OVERDUE),
        (overdue_return, StageName.RETURN_OVERDUE, Attention.RETURN_OVERDUE),
        (escalated_cancellation, StageName.ESCALATED, Attention.REVIEW_OVERDUE),
    ],
)
async def test_a_case_goes_on_where_it_stood(
    world: World, arrange: Arrange, stands: StageName, attention: Attention | None
) -> None:  # D3
    case = await arrange(world)
    demanded = StageName.EVIDENCE_WORKING_HOURS if stands is StageName.ESCALATED else StageName.EVIDENCE
    dispute = await intervened(world, case, demanded)
    locked = await case.view()

    await dispute.act_and_wait(resolution(world))
    after = await world.at(case, stands)

    assert locked.attention is None
    assert after.attention is attention


async def test_the_notice_near_the_deadline_is_kept_as_well(world: World) -> None:  # D3, T8
    case = await overdue_return(world, exchange=True)
    dispute = await disputed(world, case)
    await case.act(receipt(world))
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await dispute.act_and_wait(resolution(world))
    await world.at(case, StageName.RESHIPMENT)

    await world.forward(case, hours=61)
    await entry_of(world, case, "deadline_near")

    assert (await case.view()).stage is StageName.RESHIPMENT


@pytest.mark.on_servers
async def test_a_receipt_is_recorded_and_refunds_once_the_case_goes_on(world: World) -> None:  # D3, T6
    case = await received(world, quantity=2)
    order_no = (await case.view()).order_no
    dispute = await intervened(world, case)
    accepted = (LineQuantity(line="1", quantity=1),)

    locked = await case.act(
        receipt(world, accepted=accepted, reason=RejectReason.OTHER, evidence=rejection(world).evidence)
    )
    again = await refusal(case, receipt(world, "again"))
    paid_while_locked = await paid(world, order_no)
    await dispute.act_and_wait(resolution(world))
    outcome = await case.outcome()

    assert locked.stage is StageName.LOCKED
    assert (again.code, again.rule) == ("said_before", "D3")
    assert paid_while_locked == 0
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    assert await paid(world, order_no) == 5_000


@pytest.mark.parametrize("arrange", [rejected_return, overdue_exchange, reshipped_exchange])
async def test_no_receipt_is_recorded_where_none_was_awaited(world: World, arrange: Arrange) -> None:  # D3, T8
    case = await arrange(world)
    await intervened(world, case)

    assert (await refusal(case, receipt(world, "another"))).code == "nothing_to_receive"


async def test_a_ruling_comes_before_a_receipt_that_was_recorded(world: World) -> None:  # D3, D8
    case = await received(world)
    dispute = await intervened(world, case)
    await case.act(receipt(world))

    await dispute.act_and_wait(ruling(Award.PARTIAL, 3_000))
    outcome = await case.outcome()

    assert outcome.rule == "D8"
    assert await paid(world, (await case.view()).order_no) == 3_000


async def test_what_the_carrier_tells_meanwhile_counts_once_the_case_goes_on(world: World) -> None:  # D3, T6
    case = await overdue_return(world)
    sent_with = (await entry(case, "tracking_entered")).facts
    parcel = Parcel(carrier=str(sent_with["carrier"]), tracking_no=str(sent_with["tracking_no"]))
    dispute = await intervened(world, case)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    recorded = await entry_of(world, case, "report_recorded")
    locked = await case.view()
    await dispute.act_and_wait(resolution(world))

    assert locked.stage is StageName.LOCKED
    assert recorded.facts["told"] == ParcelEvent.SIGNED
    await world.at(case, StageName.RETURN_RECEIVED)
    assert (await entry(case, "goods_signed")).command_key == recorded.command_key


async def test_both_the_parcel_and_the_receipt_count(world: World) -> None:  # D3, T6
    case = await overdue_return(world)
    sent_with = (await entry(case, "tracking_entered")).facts
    parcel = Parcel(carrier=str(sent_with["carrier"]), tracking_no=str(sent_with["tracking_no"]))
    dispute = await intervened(world, case)
    await case.act(receipt(world))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await entry_of(world, case, "report_recorded")

    await dispute.act_and_wait(resolution(world))
    outcome = await case.outcome()

    told = [(each.command_key, each.event) for each in await case.log() if each.command_key]
    assert len(told) == len({*told}), "recorded under the lock, and then carried out: each is told once"
    assert {"receipt_recorded", "receipt_confirmed", "report_recorded"} <= {event for _, event in told}
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    assert await paid(world, (await case.view()).order_no) == 10_000


async def test_cash_on_delivery_is_paid_to_an_account_that_is_asked_for_after_the_ruling(world: World) -> None:
    """D3, D8, T4: what was recorded while the case was locked does not disturb the asking."""
    order_no = await world.shipped_order(tenders=[("t1", "cash", 10_000)])
    case = await received(world, order_no=order_no)
    dispute = await intervened(world, case)
    await case.act(receipt(world))

    await dispute.act_and_wait(ruling())
    await world.at(case, StageName.AWAITING_ACCOUNT)
    outcome = await case.act_and_wait(
        GiveRefundAccount(key="account", by=buyer(world.buyer), account="vault:accounts/1")
    )

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


async def test_an_account_may_be_given_while_the_case_is_locked(world: World) -> None:  # D3, T4
    order_no = await world.shipped_order(tenders=[("t1", "cash", 10_000)])
    case = await received(world, order_no=order_no)
    dispute = await intervened(world, case)

    await case.act(GiveRefundAccount(key="account", by=buyer(world.buyer), account="vault:accounts/1"))
    await dispute.act_and_wait(ruling())

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


# A dispute that breaks off -------------------------------------------------------------------------------


@pytest.mark.on_servers
@pytest.mark.parametrize("arrange", [rejected_refund, received])
async def test_a_locked_case_whose_dispute_breaks_off_goes_on_and_calls_staff(world: World, arrange: Arrange) -> None:
    """D1, D3: with the time that was left."""
    case = await arrange(world)
    stood = (await case.view()).stage
    before = await case.view()
    dispute = await intervened(world, case)

    await terminated(dispute)
    after = await world.at(case, stood)

    stopped = "dispute_opened" if stood is StageName.REJECTED else "locked"
    assert before.due is not None
    assert after.due is not None
    assert after.due - (await entry(case, "dispute_broken_off")).at == before.due - (await entry(case, stopped)).at
    assert (after.attention, after.dispute) == (Attention.DISPUTE_BROKEN_OFF, None)
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1


@pytest.mark.on_servers
async def test_a_case_that_went_on_meanwhile_calls_staff_as_well(world: World) -> None:  # D1
    case = await received(world)
    before = await case.view()
    dispute = await disputed(world, case)

    await terminated(dispute)
    await entry_of(world, case, "dispute_broken_off")
    after = await case.view()

    assert (after.stage, after.due) == (before.stage, before.due)
    assert after.attention is Attention.DISPUTE_BROKEN_OFF


@pytest.mark.on_servers
async def test_after_a_dispute_that_broke_off_the_buyer_may_open_another(world: World) -> None:  # D1
    case = await rejected_refund(world)
    await terminated(await intervened(world, case))
    await world.at(case, StageName.REJECTED)

    view = await case.act(opening(world, "another"))
    dispute = world.aftersales.case(str(view.dispute))
    await world.at(dispute, StageName.NEGOTIATION)
    await dispute.act_and_wait(resolution(world))
    after = await world.at(case, StageName.REJECTED)

    assert dispute.id == f"dispute/{case.id}/d2"
    assert after.due is not None


# What comes late -----------------------------------------------------------------------------------------


async def test_the_platforms_word_that_comes_after_the_dispute_has_ended_does_not_lock(world: World) -> None:
    """Section 11, D3: nobody would unlock the case."""
    case = await rejected_refund(world)
    dispute = await disputed(world, case)
    await dispute.act_and_wait(resolution(world))
    await world.at(case, StageName.REJECTED)

    view = await case.act(DisputeIntervened(key=intervention_key(dispute.id), by=CLOCK))

    assert view.stage is StageName.REJECTED
    assert (await world.events(case))[-1] == "dispute_intervened"


async def test_the_word_of_an_earlier_dispute_does_not_lock_for_the_next_one(world: World) -> None:  # section 11
    case = await rejected_refund(world)
    first = await disputed(world, case)
    await first.act_and_wait(resolution(world))
    await world.at(case, StageName.REJECTED)
    await case.act(opening(world, "another"))

    view = await case.act(DisputeIntervened(key=intervention_key(first.id), by=CLOCK))

    assert view.stage is StageName.DISPUTED


async def test_the_platforms_word_twice_is_one(world: World) -> None:  # section 11
    case = await overdue_return(world)
    dispute = await intervened(world, case)

    await case.act(DisputeIntervened(key=intervention_key(dispute.id), by=CLOCK))
    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))

    await world.at(case, StageName.RETURN_OVERDUE)  # T15: the goods may still arrive
    assert (await world.events(case)).count("locked") == 1
