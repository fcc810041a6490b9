"""N1 to N6: both sides talk before one of them decides; what they agree on is the next version, and carried out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from activities.postgres.work_lists import WorkQuery
from starter.errors import RefusedCommand, UnknownCase
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Actor, Role, buyer, merchant, officer
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, LogEntry, NoticeTemplate
from workflows.messages.commands import (
    AcceptProposal,
    AgreeReturn,
    Amend,
    Approve,
    ClaimCompensation,
    Command,
    ConfirmExchange,
    ConvertToRefund,
    DeclineProposal,
    EnterTracking,
    OpenDispute,
    PausesChanged,
    Propose,
    Reject,
    RejectReason,
    Reship,
    Say,
    WithdrawProposal,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.pieces import LineQuantity
from workflows.messages.policy import NegotiationPolicy
from workflows.messages.proposals import (
    AnotherAmount,
    AnotherCompensation,
    KeepGoods,
    MoreProof,
    RefundInstead,
    ReturnInstead,
    SendAgain,
    Terms,
)
from workflows.messages.requests import DisputeReason, LateShipmentRequest, LineAmount, RefundReason
from workflows.messages.seen import Seen
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.messages.statements import WriteStatement

pytestmark = pytest.mark.in_memory

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
AGAIN = Parcel(carrier="sf", tracking_no="SF-AGAIN-1")


def line(amount: int, quantity: int = 1) -> tuple[LineAmount, ...]:
    return (LineAmount(line="1", quantity=quantity, amount=amount),)


class Talk:
    """One case, and both sides of it."""

    def __init__(self, world: World, case: Any) -> None:
        self.world, self.case = world, case
        self.merchant, self.buyer = merchant(world.merchant), buyer(world.buyer)
        self._keys = 0

    async def act(self, kind: type[Command], by: Actor, **fields: Any) -> CaseView:
        self._keys += 1
        return await self.case.act(kind.model_validate({"key": f"t-{self._keys}", "by": by, **fields}))

    async def proposes(self, by: Actor, terms: Terms, **fields: Any) -> int:
        view = await self.act(Propose, by, terms=terms, **fields)
        return max(each.number for each in view.talk.proposals)

    async def accepts(self, by: Actor, number: int, **fields: Any) -> CaseView:
        return await self.act(AcceptProposal, by, number=number, **fields)

    async def refusal(self, kind: type[Command], by: Actor, **fields: Any) -> tuple[str, str]:
        with pytest.raises(RefusedCommand) as refused:
            await self.act(kind, by, **fields)
        return refused.value.refusal.code, refused.value.refusal.field

    async def rejects(self) -> CaseView:
        return await self.act(Reject, self.merchant, reason=RejectReason.OTHER, evidence=EVIDENCE)

    async def told(self, event: str) -> list[LogEntry]:
        return [each for each in await self.case.log() if each.event == event]

    async def paid(self) -> int:
        """What the case has paid back when it has ended, in minor units."""
        outcome = await self.case.outcome()
        return outcome.refunded.amount if outcome.refunded else 0

    async def asks(self) -> ApplicationVersion:
        """The current version of what is asked for."""
        application = (await self.case.view()).application
        assert application
        return application

    async def notices(self, template: NoticeTemplate) -> int:
        return await self.world.notices(self.case, template)


async def shipped_refund(world: World, amount: int = 10_000, pieces: int = 1) -> Talk:
    order_no = await world.order(shipped_at=YESTERDAY, pieces=pieces)
    asked = {"lines": line(amount, pieces), "reason": RefundReason.DAMAGED, "evidence": EVIDENCE}
    case = await world.refund(amount, order_no=order_no, **asked)
    await world.at(case, StageName.SHIPPED_REVIEW)
    return Talk(world, case)


async def returned(world: World, **how: Any) -> Talk:
    await world.address()
    case = await world.returned(order_no=await world.order(shipped_at=YESTERDAY), **how)
    await world.at(case, StageName.RETURN_REVIEW)
    return Talk(world, case)


def with_policy(world: World, **numbers: Any) -> None:
    """The world's profile with other numbers of the negotiation."""
    assert isinstance(world, WorldInMemory)
    profile = world.interpreter.policy(world.marketplace)
    assert profile
    world.interpreter.policies[profile.name] = profile.model_copy(update={"negotiation": NegotiationPolicy(**numbers)})


# N1, N3: what is agreed on is carried out ----------------------------------------------------------------


@pytest.mark.on_servers
async def test_an_amount_that_both_agree_on_is_paid_and_the_log_says_who(world: World) -> None:  # N1, N3, R10
    talk = await shipped_refund(world)

    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    shown = await talk.case.view()
    await talk.accepts(talk.buyer, number, expects=shown.seen)
    outcome = await talk.case.outcome()

    (proposal,) = shown.talk.proposals
    assert (proposal.amount, proposal.by.role, proposal.version) == (4_000, Role.MERCHANT, 1)
    assert (outcome.outcome, outcome.rule, outcome.decided_by) == (OutcomeKind.REFUNDED, "N3", Role.BUYER)
    assert outcome.refunded
    assert outcome.refunded.amount == 4_000
    view = await talk.case.view()
    assert view.application
    assert (view.application.version, view.application.proposal, view.application.amount) == (2, 1, 4_000)
    (accepted,) = await talk.told("proposal_accepted")
    assert (accepted.by.role, accepted.facts["proposed_by"], accepted.facts["number"]) == ("buyer", "merchant", 1)
    assert await world.refunded(str(view.order_no)) == 4_000


async def test_a_request_in_words_and_a_proposal_in_words_are_agreed_on(world: World) -> None:  # N1, N3, R10
    order_no = await world.order(shipped_at=YESTERDAY)
    asked = {"lines": line(10_000), "reason": RefundReason.DAMAGED, "evidence": EVIDENCE}
    talk = Talk(world, await world.refund(10_000, order_no=order_no, words="statement:asked", **asked))

    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)), words="statement:proposed")
    await talk.accepts(talk.buyer, number)

    (proposed,), (accepted,) = await talk.told("proposed"), await talk.told("proposal_accepted")
    assert (proposed.facts["words"], accepted.facts["words"]) == ("statement:proposed", "statement:asked")
    assert (await talk.asks()).words == "statement:asked"
    assert await talk.paid() == 4_000


async def test_an_unshipped_refund_can_be_agreed_on_for_less(world: World) -> None:  # N1
    talk = Talk(world, await world.refund(10_000, order_no=await world.order()))

    number = await talk.proposes(talk.buyer, AnotherAmount(lines=line(9_000)))
    await talk.accepts(talk.merchant, number)

    assert await talk.paid() == 9_000


async def test_a_higher_amount_can_be_agreed_on_within_what_was_paid(world: World) -> None:  # N1, R12, R13
    talk = await shipped_refund(world, 4_000)

    too_high = await talk.refusal(Propose, talk.merchant, terms=AnotherAmount(lines=line(10_001)))
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(6_000)))
    await talk.accepts(talk.buyer, number)

    assert too_high == ("amount_too_high", "terms.lines.0.amount")
    assert await talk.paid() == 6_000


async def test_a_refund_only_becomes_a_return_that_is_agreed_on(world: World) -> None:  # N1, N3
    await world.address()
    talk = await shipped_refund(world)

    number = await talk.proposes(talk.merchant, ReturnInstead())
    view = await talk.accepts(talk.buyer, number)

    assert (view.kind, view.stage) == (CaseKind.RETURN, StageName.AWAITING_RETURN)
    assert view.return_address
    assert await talk.notices(NoticeTemplate.RETURN_AGREED) == 1


async def test_without_an_address_it_waits_for_one(world: World) -> None:  # N1, T2
    talk = await shipped_refund(world)

    number = await talk.proposes(talk.buyer, ReturnInstead())
    view = await talk.accepts(talk.merchant, number)

    assert (view.kind, view.stage) == (CaseKind.RETURN, StageName.ADDRESS_MISSING)
    assert view.application
    assert view.application.proposal == number


async def test_goods_that_never_left_cannot_be_agreed_to_come_back(world: World) -> None:  # N1, T1
    talk = Talk(world, await world.refund(10_000, order_no=await world.order()))

    assert await talk.refusal(Propose, talk.merchant, terms=ReturnInstead()) == ("terms_not_open", "terms.kind")


async def test_the_buyer_keeps_the_goods_for_a_fifth(world: World) -> None:  # N1, N3, R13
    talk = await returned(world)

    number = await talk.proposes(talk.merchant, KeepGoods(lines=line(2_000)))
    await talk.accepts(talk.buyer, number)
    outcome = await talk.case.outcome()
    again = await world.returned(8_000, order_no=str((await talk.case.view()).order_no))

    assert (outcome.outcome, outcome.refunded.amount) == (OutcomeKind.REFUNDED, 2_000)
    # R13: the pieces were not sent back, and what is left of their price can be asked for with them.
    assert (await again.view()).stage is StageName.RETURN_REVIEW


async def test_a_return_becomes_a_refund_of_all_without_the_goods(world: World) -> None:  # N1
    talk = await returned(world)

    number = await talk.proposes(talk.buyer, RefundInstead())
    await talk.accepts(talk.merchant, number)

    assert await talk.paid() == 10_000


async def test_a_return_for_another_amount_is_agreed_on_and_goes_on(world: World) -> None:  # N1, N3
    talk = await returned(world)

    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(7_000)))
    view = await talk.accepts(talk.buyer, number)

    assert (view.stage, (await talk.asks()).amount) == (StageName.AWAITING_RETURN, 7_000)


async def test_goods_that_are_back_are_paid_as_agreed(world: World) -> None:  # N1, T15
    talk = await returned(world)
    await talk.act(AgreeReturn, talk.merchant)
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await talk.act(EnterTracking, talk.buyer, parcel=parcel)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(talk.case))
    await world.at(talk.case, StageName.RETURN_RECEIVED)

    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(8_500)))
    await talk.accepts(talk.buyer, number)

    assert await talk.paid() == 8_500


async def test_an_exchange_becomes_a_return_for_money(world: World) -> None:  # N1, T9
    talk = await returned(world, exchange=True)

    number = await talk.proposes(talk.merchant, ReturnInstead())
    view = await talk.accepts(talk.buyer, number)
    refused = await talk.refusal(ConvertToRefund, talk.buyer)

    assert (view.kind, view.stage) == (CaseKind.RETURN, StageName.AWAITING_RETURN)
    assert refused[0] == "no_exchange"


# N1: sent again ------------------------------------------------------------------------------------------


async def sent_again(world: World) -> Talk:
    talk = await shipped_refund(world, 10_000, pieces=2)
    pieces = (LineQuantity(line="1", quantity=1),)
    number = await talk.proposes(talk.merchant, SendAgain(pieces=pieces))
    view = await talk.accepts(talk.buyer, number)
    assert (view.stage, view.talk.proposals) == (StageName.RESEND, ())
    return talk


async def test_a_missing_part_is_sent_again_and_no_money_moves(world: World) -> None:  # N1, N3
    talk = await sent_again(world)

    await talk.act(Reship, talk.merchant, parcel=AGAIN)
    await talk.act(ConfirmExchange, talk.buyer)
    outcome = await talk.case.outcome()

    assert (outcome.outcome, outcome.refunded.amount) == (OutcomeKind.RESENT, 0)
    assert await world.refunded(str((await talk.case.view()).order_no)) == 0
    assert await talk.notices(NoticeTemplate.GOODS_SENT_AGAIN) == 1


async def test_silence_confirms_what_was_signed_for_and_calls_a_person_else(world: World) -> None:  # T14
    signed, lost = await sent_again(world), await sent_again(world)
    await signed.act(Reship, signed.merchant, parcel=AGAIN)
    await world.carrier_tells(AGAIN, ParcelEvent.SIGNED, await world.now(signed.case))
    await lost.act(Reship, lost.merchant, parcel=Parcel(carrier="sf", tracking_no="SF-LOST-1"))

    await world.forward(signed.case, days=11)
    await world.forward(lost.case, days=11)

    assert (await signed.case.outcome()).outcome is OutcomeKind.RESENT
    assert (await lost.case.view()).stage is StageName.RESEND_FAILED
    await lost.act(Reship, lost.merchant, parcel=Parcel(carrier="sf", tracking_no="SF-LOST-2"))
    assert (await lost.case.view()).stage is StageName.RESEND_UNDERWAY


async def test_what_is_not_sent_again_in_time_gives_the_right_to_intervention(world: World) -> None:  # N1, as T8
    talk = await sent_again(world)

    await world.forward(talk.case, hours=73)
    view = await talk.case.view()
    disputed = await talk.act(OpenDispute, talk.buyer, reason=DisputeReason.EXCHANGE_NOT_RESHIPPED)

    assert view.stage is StageName.RESEND_OVERDUE
    assert disputed.dispute
    assert await talk.notices(NoticeTemplate.RESEND_LATE) == 1


# N1: more proof ------------------------------------------------------------------------------------------


async def test_proof_that_is_shown_is_the_next_version_and_the_clock_runs_on(world: World) -> None:  # N1, N2, R10
    talk = await shipped_refund(world)
    due = (await talk.case.view()).due

    number = await talk.proposes(talk.merchant, MoreProof(wanted="photo_of_the_label"))
    nothing = await talk.refusal(AcceptProposal, talk.buyer, number=number)
    view = await talk.accepts(talk.buyer, number, evidence=EVIDENCE)
    by_buyer = await talk.refusal(Propose, talk.buyer, terms=MoreProof(wanted="photo_of_the_label"))

    assert nothing == ("proof_missing", "evidence")
    asks = await talk.asks()
    assert (view.stage, view.due, asks.version) == (StageName.SHIPPED_REVIEW, due, 2)
    assert asks.evidence == EVIDENCE
    assert by_buyer == ("terms_not_open", "terms.kind")


async def test_what_was_rejected_is_reviewed_again_with_the_proof(world: World) -> None:  # N1, R6, R12
    talk = await shipped_refund(world)
    await talk.rejects()

    number = await talk.proposes(talk.merchant, MoreProof(wanted="photo_of_the_label"))
    view = await talk.accepts(talk.buyer, number, evidence=EVIDENCE)

    assert view.stage is StageName.SHIPPED_REVIEW
    asks = await talk.asks()
    assert (asks.version, asks.applied_for) == (2, 1)


# N1: late shipment and disputes --------------------------------------------------------------------------


async def test_an_amount_for_late_shipment_is_agreed_on(world: World) -> None:  # N1, L3
    order_no = await world.order(paid_at=datetime.now(UTC) - timedelta(hours=49))
    request = LateShipmentRequest(
        order_no=order_no,
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        ships_until=datetime.now(UTC) - timedelta(hours=1),
    )
    case = await world.aftersales.open(request)
    talk = Talk(world, case)
    await talk.act(ClaimCompensation, talk.buyer)

    beyond = await talk.refusal(Propose, talk.buyer, terms=AnotherCompensation(amount=3_000))
    number = await talk.proposes(talk.merchant, AnotherCompensation(amount=1_800))
    await talk.accepts(talk.buyer, number)
    outcome = await case.outcome()

    assert beyond == ("beyond_claim", "terms.amount")
    assert outcome.compensated
    assert (outcome.outcome, outcome.compensated.amount, outcome.rule) == (OutcomeKind.COMPENSATED, 1_800, "N3")


async def test_what_is_disputed_can_still_be_agreed_on_and_ends_the_dispute(world: World) -> None:  # N1, D2
    await world.address()
    talk = await shipped_refund(world)
    await talk.rejects()
    view = await talk.act(OpenDispute, talk.buyer, reason=DisputeReason.REFUND_REJECTED)
    dispute = world.aftersales.case(str(view.dispute))

    number = await talk.proposes(talk.merchant, ReturnInstead())
    agreed = await talk.accepts(talk.buyer, number)

    assert view.stage is StageName.DISPUTED
    assert agreed.stage is StageName.AWAITING_RETURN
    assert (await dispute.outcome()).outcome is OutcomeKind.RESOLVED
    assert (await talk.case.view()).dispute is None
    assert (await talk.case.view()).stage is StageName.AWAITING_RETURN


async def test_a_dispute_is_settled_by_the_buyers_amount(world: World) -> None:  # N1, D2
    talk = await shipped_refund(world)
    await talk.rejects()
    view = await talk.act(OpenDispute, talk.buyer, reason=DisputeReason.REFUND_REJECTED)
    dispute = Talk(world, world.aftersales.case(str(view.dispute)))

    beyond = await dispute.refusal(Propose, dispute.buyer, terms=AnotherAmount(lines=line(10_001)))
    number = await dispute.proposes(dispute.buyer, AnotherAmount(lines=line(3_000)))
    await dispute.accepts(dispute.merchant, number)
    outcome = await talk.case.outcome()

    assert beyond == ("beyond_claim", "terms.lines.0.amount")
    assert (await dispute.case.outcome()).outcome is OutcomeKind.SETTLED
    assert outcome.refunded.amount == 3_000


async def test_an_intervention_closes_what_is_open_and_locks(world: World) -> None:  # D3, N1
    talk = await shipped_refund(world)
    await talk.rejects()
    view = await talk.act(OpenDispute, talk.buyer, reason=DisputeReason.REFUND_REJECTED)
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(3_000)))

    await world.forward(world.aftersales.case(str(view.dispute)), hours=24, minutes=1)
    locked = await world.at(talk.case, StageName.LOCKED)

    assert locked.talk.proposals == ()
    (closed,) = await talk.told("proposal_closed")
    assert (closed.facts["number"], closed.facts["because"]) == (number, "locked")
    assert (await talk.refusal(AcceptProposal, talk.buyer, number=number))[0] == "not_open"


# N2: its own clock ---------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_a_proposal_lapses_by_its_own_clock_and_the_stages_runs_on(world: World) -> None:  # N2, N6
    talk = await shipped_refund(world)
    due = (await talk.case.view()).due
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    shown = (await talk.case.view()).talk.proposals

    await world.forward(talk.case, hours=24, minutes=1)
    view = await talk.case.view()

    assert due
    assert shown[0].until < due
    assert (view.talk.proposals, view.stage, view.due) == ((), StageName.SHIPPED_REVIEW, due)
    (lapsed,) = await talk.told("proposal_lapsed")
    assert (lapsed.by.role, lapsed.facts["number"]) == (Role.CLOCK, number)
    assert await talk.notices(NoticeTemplate.PROPOSAL_ENDED) == 2
    assert (await talk.refusal(AcceptProposal, talk.buyer, number=number))[0] == "proposal_not_open"
    await world.forward(talk.case, hours=24)
    assert await talk.paid() == 10_000


async def test_a_proposal_ends_with_its_stage_at_the_latest(world: World) -> None:  # N2
    talk = await shipped_refund(world)
    await world.forward(talk.case, hours=40)
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    view = await talk.case.view()

    await world.forward(talk.case, hours=8, minutes=1)
    outcome = await talk.case.outcome()

    assert view.talk.proposals[0].until == view.due
    assert (outcome.decided_by, outcome.refunded.amount) == (Role.CLOCK, 10_000)
    (lapsed,) = await talk.told("proposal_lapsed")
    assert (lapsed.facts["number"], lapsed.rule) == (number, "N2")


async def test_a_profile_may_let_a_stage_last_as_long_as_the_first_proposal(world: World) -> None:  # N2
    with_policy(world, lengthens_stage=True)
    talk = await shipped_refund(world)
    await world.forward(talk.case, hours=40)
    before = await talk.case.view()
    await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    longer = await talk.case.view()
    await world.forward(talk.case, hours=20)
    await talk.proposes(talk.merchant, AnotherAmount(lines=line(3_000)))
    again = await talk.case.view()

    assert before.due
    assert longer.due == longer.talk.proposals[0].until > before.due
    assert again.due == longer.due, "once for each version of the application"


async def test_a_pause_moves_a_stage_that_lasts_as_long_as_a_proposal(world: World) -> None:  # N2, section 9
    with_policy(world, lengthens_stage=True)
    talk = await shipped_refund(world)
    await world.forward(talk.case, hours=40)
    await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    longer = await talk.case.view()
    assert isinstance(world, WorldInMemory)
    assert longer.due
    pause = DeclarePause(
        id="spring",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.SHIPPED_REFUND,),
        starts_at=longer.due - timedelta(hours=5),
        ends_at=longer.due + timedelta(hours=5),
        by=officer("f-1"),
    )
    world.interpreter.shop.declare_pause(pause, await world.now(talk.case))

    await talk.case.tell(PausesChanged(key="p1", by=officer("f-1"), window="spring"))
    paused = await talk.case.view()
    await world.forward(talk.case, hours=33)

    assert paused.due == longer.due + timedelta(hours=10)
    assert (await talk.case.view()).stage is StageName.SHIPPED_REVIEW


# N1, R11: another proposal, an amendment, a decision -------------------------------------------------------


async def test_a_proposal_that_was_replaced_cannot_be_accepted_unseen(world: World) -> None:  # N1, R11
    talk = await shipped_refund(world)
    first = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    second = await talk.proposes(talk.merchant, AnotherAmount(lines=line(3_000)))

    refused = await talk.refusal(AcceptProposal, talk.buyer, number=first)
    view = await talk.case.view()
    await talk.accepts(talk.buyer, second)

    assert refused == ("proposal_not_open", "number")
    assert [each.number for each in view.talk.proposals] == [second]
    assert (await talk.told("proposed"))[1].facts["replaces"] == first
    assert await talk.paid() == 3_000


async def test_each_side_has_one_and_accepting_one_ends_the_other(world: World) -> None:  # N1
    talk = await shipped_refund(world)
    own = await talk.proposes(talk.buyer, AnotherAmount(lines=line(8_000)))
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))

    both = await talk.case.view()
    of_own = await talk.refusal(AcceptProposal, talk.buyer, number=own)
    await talk.accepts(talk.buyer, number)

    assert [each.number for each in both.talk.proposals] == [own, number]
    assert of_own == ("proposal_not_open", "number")
    (closed,) = await talk.told("proposal_closed")
    assert (closed.facts["number"], closed.facts["because"]) == (own, "proposal_accepted")


async def test_an_amendment_ends_what_was_proposed_about_the_old_one(world: World) -> None:  # N1, R12
    talk = await shipped_refund(world)
    await talk.rejects()
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))

    view = await talk.act(Amend, talk.buyer, lines=line(6_000), reason=RefundReason.DAMAGED)
    refused = await talk.refusal(AcceptProposal, talk.buyer, number=number)

    assert view.talk.proposals == ()
    (closed,) = await talk.told("proposal_closed")
    assert closed.facts["because"] == "amended"
    assert refused[0] == "proposal_not_open"


async def test_a_proposal_made_about_an_earlier_version_is_refused(world: World) -> None:  # R11
    talk = await shipped_refund(world)
    await talk.rejects()
    await talk.act(Amend, talk.buyer, lines=line(6_000), reason=RefundReason.DAMAGED)

    stale = Seen(version=1, amount=10_000)
    refused = await talk.refusal(Propose, talk.merchant, terms=AnotherAmount(lines=line(4_000)), expects=stale)

    assert refused == ("application_changed", "expects.version")


async def test_a_decision_ends_what_is_open(world: World) -> None:  # N1
    talk = await shipped_refund(world)
    await talk.proposes(talk.buyer, AnotherAmount(lines=line(8_000)))

    await talk.act(Approve, talk.merchant)

    (closed,) = await talk.told("proposal_closed")
    assert closed.facts["because"] == "approved"
    assert await talk.paid() == 10_000


async def test_a_proposal_is_declined_or_taken_back_and_the_case_goes_on(world: World) -> None:  # N1, N6
    talk = await shipped_refund(world)
    declined = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    after = await talk.act(DeclineProposal, talk.buyer, number=declined)
    back = await talk.proposes(talk.buyer, AnotherAmount(lines=line(9_000)))
    strange = await talk.refusal(WithdrawProposal, talk.merchant, number=back)
    view = await talk.act(WithdrawProposal, talk.buyer, number=back)

    assert (after.stage, after.talk.proposals) == (StageName.SHIPPED_REVIEW, ())
    assert strange == ("proposal_not_open", "number")
    assert view.talk.proposals == ()
    assert await talk.notices(NoticeTemplate.PROPOSAL_ENDED) == 2


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (AnotherAmount(), "nothing_offered"),
        (AnotherAmount(lines=line(10_000)), "nothing_else"),
        (AnotherAmount(lines=(LineAmount(line="2", quantity=1, amount=5),)), "other_line"),
        (AnotherAmount(lines=line(4_000, 2)), "quantity_too_high"),
        (KeepGoods(lines=line(10_000)), "nothing_else"),
        (SendAgain(pieces=(LineQuantity(line="1", quantity=2),)), "quantity_too_high"),
        (RefundInstead(), "terms_not_open"),
        (AnotherCompensation(amount=5), "terms_not_open"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_reason(world: World, terms: Terms, code: str) -> None:  # N1, R13
    talk = await shipped_refund(world)

    refused = await talk.refusal(Propose, talk.merchant, terms=terms)

    assert refused[0] == code
    assert refused[1].startswith("terms")


async def test_a_side_proposes_so_often_and_no_more(world: World) -> None:  # R16
    with_policy(world, most_proposals=2)
    talk = await shipped_refund(world)
    for amount in (4_000, 3_000):
        await talk.proposes(talk.merchant, AnotherAmount(lines=line(amount)))

    assert (await talk.refusal(Propose, talk.merchant, terms=ReturnInstead()))[0] == "too_many_proposals"
    await talk.proposes(talk.buyer, AnotherAmount(lines=line(9_000)))


# N4: a rejection after talk ------------------------------------------------------------------------------


async def test_a_profile_can_demand_a_proposal_before_a_rejection(world: World) -> None:  # N4
    with_policy(world, rejection_needs_proposal=True)
    talk = await shipped_refund(world)

    before = await talk.refusal(Reject, talk.merchant, reason=RejectReason.OTHER, evidence=EVIDENCE)
    await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    while_open = await talk.refusal(Reject, talk.merchant, reason=RejectReason.OTHER, evidence=EVIDENCE)
    await world.forward(talk.case, hours=24, minutes=1)
    view = await talk.rejects()

    assert before == while_open == ("proposal_needed", "command")
    assert view.stage is StageName.REJECTED


async def test_a_refused_proposal_counts_and_one_about_an_earlier_version_does_not(world: World) -> None:  # N4
    with_policy(world, rejection_needs_proposal=True)
    talk = await shipped_refund(world)
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    await talk.act(DeclineProposal, talk.buyer, number=number)
    await talk.rejects()

    await talk.act(Amend, talk.buyer, lines=line(6_000), reason=RefundReason.DAMAGED)

    refused = await talk.refusal(Reject, talk.merchant, reason=RejectReason.OTHER, evidence=EVIDENCE)
    assert refused == ("proposal_needed", "command")


async def test_a_proposal_that_was_taken_back_or_made_by_the_buyer_is_not_enough(world: World) -> None:  # N4
    with_policy(world, rejection_needs_proposal=True)
    talk = await shipped_refund(world)
    own = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    await talk.act(WithdrawProposal, talk.merchant, number=own)
    number = await talk.proposes(talk.buyer, AnotherAmount(lines=line(9_000)))
    await talk.act(DeclineProposal, talk.merchant, number=number)

    refused = await talk.refusal(Reject, talk.merchant, reason=RejectReason.OTHER, evidence=EVIDENCE)
    assert refused == ("proposal_needed", "command")


async def test_proof_that_the_goods_have_left_needs_no_proposal(world: World) -> None:  # N4, R1
    with_policy(world, rejection_needs_proposal=True)
    talk = Talk(world, await world.refund(10_000, order_no=await world.order()))
    shipping = {"carrier": "sf", "tracking_no": "SF1", "shipped_at": datetime.now(UTC)}

    view = await talk.act(
        Reject, talk.merchant, reason=RejectReason.GOODS_SHIPPED, evidence=EVIDENCE, shipping=shipping
    )

    assert view.stage is not StageName.MERCHANT_REVIEW


# N5: the thread ------------------------------------------------------------------------------------------


async def test_words_and_pictures_stand_in_the_thread_and_change_nothing_else(world: World) -> None:  # N5, N6
    talk = await shipped_refund(world)
    before = await talk.case.view()

    await talk.act(Say, talk.buyer, words="statement:1", evidence=EVIDENCE)
    await talk.act(Say, talk.merchant, words="statement:2")
    view = await talk.act(Say, officer("f-1"), words="statement:3")

    assert (view.talk.messages, view.stage, view.due) == (3, before.stage, before.due)
    assert [each.facts["words"] for each in await talk.told("said")] == [f"statement:{each}" for each in (1, 2, 3)]
    assert await talk.notices(NoticeTemplate.MESSAGE_LEFT) == 4


@pytest.mark.on_servers
async def test_the_thread_is_read_by_both_sides_and_the_platform_and_by_nobody_else(world: World) -> None:  # N5, P2, P6
    talk = await shipped_refund(world)
    desk, officer_ = world.aftersales.desk, officer("f-1")
    text = SecretStr("盒子里少了一半，王小明")
    wish = WriteStatement(case_id=talk.case.id, by=talk.buyer, text=text, key="w-1")
    written = await desk.write_statement(wish)

    not_theirs = await talk.refusal(Say, talk.merchant, words=written.reference)
    await talk.act(Say, talk.buyer, words=written.reference, evidence=EVIDENCE)
    number = await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    await talk.act(DeclineProposal, talk.buyer, number=number)

    for reader in (talk.merchant, talk.buyer, officer_):
        said, proposed, declined = await desk.thread(talk.case.id, reader)
        assert (said.event, said.words, said.attachments) == ("said", written.reference, EVIDENCE)
        assert (proposed.event, proposed.by, proposed.facts["lines"]) == ("proposed", talk.merchant, "1:1:4000")
        assert (declined.event, declined.facts["number"]) == ("proposal_declined", number)
    read = await desk.read_statement(written.reference, talk.merchant)
    with pytest.raises(UnknownCase):
        await desk.thread(talk.case.id, merchant(world.fresh("m")))
    looks = await world.aftersales.disclosures.looks(officer_, subject=talk.case.id)
    page = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant))
    dossier = await desk.dossier(talk.case.id, officer_)

    assert not_theirs == ("unknown_statement", "words")
    assert read
    assert read.text == text
    assert any((each.by, each.subject) == (talk.merchant, written.reference) for each in looks)
    assert (page.items[0].talk.messages, page.items[0].talk.proposals) == (1, ())
    assert [each.event for each in dossier.thread] == ["said", "proposed", "proposal_declined"]
    assert [each.event for each in dossier.evidence] == ["opened"]


async def test_a_party_leaves_so_many_messages_and_no_more(world: World) -> None:  # N5, R16
    with_policy(world, most_messages=1)
    talk = await shipped_refund(world)
    await talk.act(Say, talk.buyer, words="statement:1")

    assert (await talk.refusal(Say, talk.buyer, words="statement:2"))[0] == "too_many_messages"
    await talk.act(Say, talk.merchant, words="statement:2")


async def test_a_case_without_proposals_has_nothing_to_answer(world: World) -> None:  # section 12
    talk = await shipped_refund(world)
    before = {each.name for each in (await talk.case.view()).commands}
    await talk.proposes(talk.merchant, AnotherAmount(lines=line(4_000)))
    after = {each.name: each.roles for each in (await talk.case.view()).commands}

    assert not before & {"accept_proposal", "decline_proposal", "withdraw_proposal"}
    assert after["accept_proposal"] == after["decline_proposal"] == (Role.BUYER,)
    assert after["withdraw_proposal"] == (Role.MERCHANT,)
