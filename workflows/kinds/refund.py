"""Refunds that a buyer asks for while no goods come back: unshipped, and refund only (R1 to R8).

An order that the platform ships itself goes by ``cancellation`` (R3); goods that have shipped meanwhile make it a
return (R7).
"""

from dataclasses import replace
from datetime import datetime

from workflows.kinds import disputed, every_case, negotiating, order_money, overdue, rejecting, resending
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.evidence import keeping_evidence, take_evidence
from workflows.kinds.order_money import PAID_BACK, refund
from workflows.kinds.overdue import MERCHANT_OVERDUE
from workflows.kinds.process import Process, Table, hears, silence, takes
from workflows.kinds.rejecting import REJECTED
from workflows.kinds.resend_stages import RESEND, RESEND_UNDERWAY
from workflows.kinds.return_stages import ADDRESS_MISSING, AWAITING_RETURN, RETURN_REVIEW
from workflows.kinds.returning import become_return, return_as_agreed
from workflows.kinds.shipped_goods import (
    ESCALATED,
    all_back,
    ask_who_has_the_goods,
    by_first_word,
    contradicted,
    followed,
    refund_back,
    sent_in,
)
from workflows.kinds.stage import BUYER, MERCHANT, PARTIES, PLATFORM, Stage, days, hours
from workflows.messages.actors import CLOCK, Role, carrier
from workflows.messages.cases import LogEntry, NoticeTemplate, StepAnswer
from workflows.messages.commands import (
    AcceptProposal,
    Amend,
    Approve,
    CloseCase,
    OpenDispute,
    Reject,
    ReportParcel,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.orders import OrderLine
from workflows.messages.parcels import Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.proposals import MoreProof, ReturnInstead, SendAgain
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import ParcelWatch
from workflows.rules.parcels import DIRECTORY, HAS_LEFT, ON_ITS_WAY, handed_on, report_of

PROVED = "proved"

MERCHANT_REVIEW = Stage(
    StageName.MERCHANT_REVIEW,
    "R1",
    "未发货退款待处理 · unshipped refund, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    span=lambda policy: hours(policy.refund.unshipped_review_hours, policy.refund.reminder_hours),
    work_list=WorkList.UNSHIPPED_REFUNDS,
)

SHIPPED_REVIEW = Stage(
    StageName.SHIPPED_REVIEW,
    "R2",
    "已发货仅退款待处理 · refund only, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    span=lambda policy: hours(policy.refund.shipped_review_hours, policy.refund.reminder_hours),
    work_list=WorkList.REFUND_ONLY,
)

PARCEL_INTERCEPT = Stage(
    StageName.PARCEL_INTERCEPT,
    "R7",
    "商品已发出，拦截中 · the goods have shipped: the merchant has them stopped; refund once they are back",
    waits_for=Role.CARRIER,
    silence=Silence.ESCALATE,
    span=lambda policy: days(policy.cancellation.intercept_days),
    work_list=WorkList.AWAITING_RECEIPT,
)


def unshipped() -> Process:
    """R1: the merchant decides, and who says nothing agrees. Goods that have shipped make it something else (R7)."""
    shipped = (PARCEL_INTERCEPT, RETURN_REVIEW, SHIPPED_REVIEW)  # by policy
    return Process(
        "Unshipped refund 未发货退款 (R1, R7)",
        opens=(MERCHANT_REVIEW,),
        table={
            MERCHANT_REVIEW: (
                takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
                takes(Reject, MERCHANT, _reject_as_shipped, rejected=shipped),
                takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),  # R6
                takes(SubmitEvidence, PARTIES, take_evidence),
                *negotiating.talks(_carry_out_agreed, *PAID_BACK),
                hears(
                    ReportParcel,
                    _goods_leave,
                    goods_shipped=shipped,
                    goods_in_transit=shipped,
                    goods_on_delivery_run=shipped,
                    goods_refused=(PARCEL_INTERCEPT, SHIPPED_REVIEW),
                    goods_returned_to_warehouse=(*PAID_BACK, SHIPPED_REVIEW),
                    goods_signed=(RETURN_REVIEW, SHIPPED_REVIEW),
                ),
                overdue.closing_unless(_approve_by_silence, approved_by_silence=PAID_BACK),
            ),
            **order_money.table(free=True),
        },
    )


def shipped() -> Process:
    """R2: refund only. R6: rejected, it may be applied for again. R7: goods that are out are stopped first."""
    withdraw = takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN)
    stopped = hears(
        ReportParcel,
        _stopped_parcel_moves,
        goods_returned_to_warehouse=PAID_BACK,
        goods_signed=(RETURN_REVIEW, SHIPPED_REVIEW, ESCALATED),
    )
    agreed = (*PAID_BACK, AWAITING_RETURN, ADDRESS_MISSING, RESEND)
    talks = negotiating.talks(_carry_out_agreed, *agreed)
    own: Table = {
        SHIPPED_REVIEW: (
            takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
            takes(Reject, MERCHANT, rejecting.reject, rejected=REJECTED),
            withdraw,
            takes(SubmitEvidence, PARTIES, take_evidence),
            *talks,
            hears(ReportParcel, _note_parcel),
            overdue.unless_silent(_approve_by_silence, approved_by_silence=PAID_BACK),
        ),
        MERCHANT_OVERDUE: overdue.table(
            *talks,
            takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
            takes(SubmitEvidence, PARTIES, take_evidence),
            hears(ReportParcel, _note_parcel),
        ),
        REJECTED: (
            takes(Amend, BUYER, _apply_again, amended=SHIPPED_REVIEW),
            takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),
            *negotiating.talks(_carry_out_agreed, *agreed, SHIPPED_REVIEW),
            hears(ReportParcel, _note_parcel),
            silence(rejecting.close_as_rejected, closed_as_rejected=OutcomeKind.REJECTED),
        ),
        PARCEL_INTERCEPT: (
            takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
            withdraw,
            stopped,
            silence(_escalate, escalated=ESCALATED),
        ),
        ESCALATED: (
            takes(Approve, PLATFORM, _approve, approved=PAID_BACK),
            withdraw,
            takes(OpenDispute, BUYER, disputed.open_dispute),
            takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
            stopped,
        ),
        **resending.table(),
    }
    return Process(
        "Refund only 已发货仅退款, and refunds whose goods have shipped meanwhile (R2, R6, R7)",
        opens=(SHIPPED_REVIEW,),
        table=disputed.disputable(
            own,
            approve=_approve,
            note_parcel=_note_parcel,
            carry_out=resending.carry_out,
            other_goods=(RESEND_UNDERWAY,),
            talks=talks,
        ),
    )


def opened(case: Case) -> Decision:
    """What is known from the first moment on: parcels that are out already (R3), and goods that shipped since (R7)."""
    return Decision(state=sent_in(case, *case.opened.underway).state, hear=gone_meanwhile(case))


def gone_meanwhile(case: Case) -> tuple[ReportParcel, ...]:
    """R3, R7: what happened to the goods while nobody could tell the case, as if the carrier had told it."""
    if since := case.opened.shipped_since:
        return (_told(ParcelEvent.SHIPPED, since),)
    return (_told(ParcelEvent.OUTBOUND, case.now),) if case.opened.left_shelf else ()


def _approve(case: Case, command: Approve) -> Decision:
    """R1, R2: under the rule of the stage."""
    return refund(case, case.obeyed(command, "approved"), by=command.by, rule=case.stage.rule)


def _approve_by_silence(case: Case) -> Decision:
    """R1, R2: who says nothing agrees."""
    return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule=case.stage.rule)


def _reject_as_shipped(case: Case, command: Reject) -> Decision:
    """R1: only what has shipped, and with what shows it."""
    return keeping_evidence(case, command, "rejected", lambda case, given: _has_shipped(case, command, given))


def _apply_again(case: Case, command: Amend) -> Decision:
    return rejecting.apply_again(case, command, SHIPPED_REVIEW)


def _carry_out_agreed(case: Case, command: AcceptProposal) -> Decision:
    """N3: the amount is paid, the goods come back first, or the buyer shows more."""
    what = negotiating.agreed(case, command)
    match what.proposal.terms:
        case ReturnInstead():
            return return_as_agreed(what)
        case SendAgain():
            return resending.resend_as_agreed(what)
        case MoreProof():
            return negotiating.show_more(what, SHIPPED_REVIEW, rejecting.apply_again)
        case _:
            return negotiating.pay_as_agreed(what)


def _escalate(case: Case) -> Decision:
    """R7: the goods are out, a person decides."""
    return case.enter(ESCALATED, case.silent("escalated"), attention=Attention.INTERCEPT_OVERDUE)


def _note_parcel(case: Case, report: ReportParcel) -> Decision:
    return every_case.note_parcel(followed(case, report), report)


def _goods_leave(case: Case, report: ReportParcel) -> Decision:
    """R7: goods that leave are not refunded blindly, whichever word of the carrier is the first to come."""
    case = followed(case, report)
    if report.event not in HAS_LEFT or not case.application.lines:
        return every_case.note_parcel(case, report)
    line, left_at = every_case.parcel_line(case, report), min(report.happened_at, case.now)  # R18
    if report.event in (ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN):
        return _convert(case, line, left_at)
    return by_first_word(case, report, _gone(case, report, line, left_at))


def _gone(case: Case, report: ReportParcel, line: LogEntry, left_at: datetime) -> Decision:
    if report.event in ON_ITS_WAY or case.policy.refund.shipped_meanwhile == "shipped_review":
        return _convert(case, line, left_at)
    sent = _as_shipped(case, left_at)
    if report.event is ParcelEvent.REFUSED:  # it comes back without having been stopped
        return _wait_for_the_parcel(sent, line)
    return _stopped_parcel_ends(sent, report)


def _stopped_parcel_moves(case: Case, report: ReportParcel) -> Decision:
    return _stopped_parcel_ends(followed(case, report), report)


def _stopped_parcel_ends(case: Case, report: ReportParcel) -> Decision:
    """R7, T14: refunded once it is all back; what was not stopped is with the buyer."""
    if report.event is ParcelEvent.RETURNED_TO_WAREHOUSE and all_back(case):
        return refund_back(case, report, "R7")
    if contradicted(case, report):
        return ask_who_has_the_goods(case, report)
    if report.event is ParcelEvent.SIGNED:
        return _come_back(case, every_case.parcel_line(case, report))
    return every_case.note_parcel(case, report)


def _has_shipped(case: Case, command: Reject, given: EvidenceGiven | None) -> Decision:
    """R1, R15, R18: what is known of the parcel must not stand against what the merchant says of it."""
    proof = command.shipping
    if proof is None:
        raise ValueError("an unshipped refund is rejected with a proof")
    case = sent_in(case, Parcel(carrier=proof.carrier, tracking_no=proof.tracking_no))
    rejection = rejecting.rejection(case, command)
    return _convert(case, rejection, proof.shipped_at, rejecting.proven(command), given)


def _convert(
    case: Case,
    entry: LogEntry,
    shipped_at: datetime,
    watch: ParcelWatch | None = None,
    given: EvidenceGiven | None = None,
) -> Decision:
    """R1, R7: the goods are on their way, so nothing is refunded blindly, and nothing asked for is lost."""
    case = _as_shipped(case, shipped_at)
    asked = bool(case.application.lines)
    match case.policy.refund.shipped_meanwhile:
        case "return" if asked:
            converted = _come_back(case, entry, watch, given)
        case "intercept" if asked:
            converted = _wait_for_the_parcel(case, entry, watch, given)
        case _:  # freight alone cannot be sent back or stopped
            converted = case.enter(SHIPPED_REVIEW, entry, watch=watch, evidence=given)
    return replace(converted, then=hear_of_proof, follow_up=PROVED)


def _as_shipped(case: Case, at: datetime) -> Case:
    asked = {each.line for each in case.application.lines}
    lines = tuple(_sent(line, at) if line.line in asked else line for line in case.order.lines)
    order = case.order.model_copy(update={"lines": lines})
    return case.but(order=order, kind=CaseKind.SHIPPED_REFUND)


def _wait_for_the_parcel(
    case: Case, entry: LogEntry, watch: ParcelWatch | None = None, given: EvidenceGiven | None = None
) -> Decision:
    notices = case.notice_to_both(NoticeTemplate.GOODS_UNDERWAY)
    return case.enter(PARCEL_INTERCEPT, entry, notices=notices, watch=watch, evidence=given)


def hear_of_proof(case: Case, stepped: StepAnswer) -> Decision:
    """Of the parcel that is proof: it may have gone further by now."""
    # R18: what happened before the payment is another parcel's, under the same number.
    told = [each for each in stepped.parcel_events if handed_on(ParcelPurpose.ORDER, each.event)]
    return Decision(hear=tuple(report_of(each) for each in told if each.happened_at >= case.order.paid_at))


def _come_back(
    case: Case, entry: LogEntry, watch: ParcelWatch | None = None, given: EvidenceGiven | None = None
) -> Decision:
    """R7; what comes back in another case already cannot come back here: the merchant decides on the money (R2)."""
    instead = case.enter(SHIPPED_REVIEW, entry, watch=watch, evidence=given, then=hear_of_proof, follow_up=PROVED)
    return become_return(case, entry, watch, given).otherwise(instead)


def _sent(line: OrderLine, at: datetime) -> OrderLine:
    return line.model_copy(update={"pieces_sent": line.quantity, "sent_at": line.sent_at or at})


def _told(event: ParcelEvent, at: datetime) -> ReportParcel:
    directory = carrier(DIRECTORY)
    return ReportParcel(
        key=f"{event}-while-opening",
        by=directory,
        event=event,
        carrier=directory.id,
        tracking_no="unknown",
        happened_at=at,
    )
