"""Re-send 补寄: something is missing or damaged, and the buyer wants it sent again (C1 to C6).

Nothing comes back, and no money moves unless both sides agree on it, the merchant pays, or the platform rules so. What
follows once it is agreed to is the same as where both sides have agreed on it in another case: ``resending``.
"""

from dataclasses import replace

from workflows.kinds import disputed, every_case, negotiating, overdue, rejecting, resending
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.evidence import take_evidence
from workflows.kinds.order_money import PAID_BACK, refund
from workflows.kinds.outgoing import with_goods
from workflows.kinds.overdue import MERCHANT_OVERDUE
from workflows.kinds.process import Process, hears, silence, takes
from workflows.kinds.received import refund_directly
from workflows.kinds.rejecting import REJECTED, money_for
from workflows.kinds.resend_stages import RESEND, RESEND_REVIEW, RESEND_UNDERWAY
from workflows.kinds.stage import BUYER, MERCHANT, PARTIES
from workflows.messages.actors import Role
from workflows.messages.cases import LogEntry, NoticeTemplate
from workflows.messages.commands import (
    AcceptProposal,
    Amend,
    Approve,
    ConvertToRefund,
    OpenDispute,
    RefundDirectly,
    Reject,
    ReportParcel,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.proposals import MoreProof
from workflows.messages.rulings import Ruling
from workflows.messages.stages import OutcomeKind
from workflows.rules.pieces import named, pieces_of


def process() -> Process:
    """C2 to C5: the merchant decides, and who says nothing sends it. A rejection can be disputed (D1)."""
    directly = takes(RefundDirectly, MERCHANT, refund_directly, refunded_directly=PAID_BACK)
    withdraw = takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN)
    approve = takes(Approve, MERCHANT, _approve, approved=RESEND)
    talks = negotiating.talks(_carry_out_agreed, *PAID_BACK)  # N1
    convert = takes(ConvertToRefund, PARTIES, _convert, converted_to_refund=PAID_BACK)  # C5
    parcel = hears(ReportParcel, every_case.note_parcel)
    evidence = takes(SubmitEvidence, PARTIES, take_evidence)
    return Process(
        "Re-send 补寄 (C1 to C6)",
        opens=(RESEND_REVIEW,),
        table=disputed.disputable(
            {
                RESEND_REVIEW: (
                    approve,
                    directly,
                    takes(Reject, MERCHANT, rejecting.reject, rejected=REJECTED),
                    withdraw,
                    evidence,
                    *talks,
                    parcel,
                    overdue.unless_silent(_approve_by_silence, approved_by_silence=RESEND),
                ),
                MERCHANT_OVERDUE: overdue.table(approve, directly, evidence, *talks, parcel),
                REJECTED: (
                    takes(Amend, BUYER, _apply_again, amended=RESEND_REVIEW),  # R6
                    takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),
                    *negotiating.talks(_carry_out_agreed, *PAID_BACK, RESEND_REVIEW),
                    parcel,
                    silence(rejecting.close_as_rejected, closed_as_rejected=OutcomeKind.REJECTED),
                ),
                **resending.table((convert, *talks)),
            },
            approve=_approve,
            note_parcel=resending.carrier_tells,
            carry_out=_carry_out,
            other_goods=(RESEND_UNDERWAY,),
            talks=talks,
            granted=(RESEND,),
            settled=(RESEND,),
        ),
    )


# C2: deciding -------------------------------------------------------------------------------------------


def _approve(case: Case, command: Approve) -> Decision:
    """C2, D2: by the merchant's word, be it that it is disputed already."""
    return negotiating.settling(case, _agreed(case, case.obeyed(command, "approved")))


def _approve_by_silence(case: Case) -> Decision:
    """C2: who says nothing sends it."""
    return _agreed(case, case.silent("approved_by_silence"))


def _agreed(case: Case, entry: LogEntry) -> Decision:
    told = case.notice_to_others(entry.by, NoticeTemplate.RESEND_AGREED, hours=case.policy.resend.ship_hours)
    return resending.asked_since(case).enter(RESEND, entry, notices=told)


def _apply_again(case: Case, command: Amend) -> Decision:
    return rejecting.apply_again(case, command, RESEND_REVIEW)


def _carry_out_agreed(case: Case, command: AcceptProposal) -> Decision:
    """N3: money instead of goods, or the buyer shows more."""
    what = negotiating.agreed(case, command)
    if isinstance(what.proposal.terms, MoreProof):
        return negotiating.show_more(what, RESEND_REVIEW, rejecting.apply_again)
    money = replace(what, case=with_goods(what.case, exchange=False))
    return negotiating.pay_as_agreed(money, money_for(case))


# C5, D8: money instead ----------------------------------------------------------------------------------


def _convert(case: Case, command: ConvertToRefund) -> Decision:
    """C5: agreed on once both sides have said so."""
    wants = case.state.goods.wants_money | {command.by.role}
    case = with_goods(case, wants_money=wants)
    if wants < {Role.BUYER, Role.MERCHANT}:
        told = case.notice_to_others(command.by, NoticeTemplate.CONVERSION_WANTED)
        return case.stay(case.obeyed(command, "refund_wanted"), notices=told)
    entry = case.obeyed(command, "converted_to_refund")
    pieces = pieces_of(case.application, money_for(case))
    return refund(with_goods(case, exchange=False), entry, by=command.by, rule="C5", pieces=pieces)


def _carry_out(case: Case, ruling: Ruling) -> Decision:
    """D8, C4: money; or what is on its way goes on."""
    pieces = named(ruling.lines, money_for(case)) if ruling.lines else None
    return resending.going_on(case, ruling) or disputed.carry_out(disputed.ruled(case), ruling, pieces)
