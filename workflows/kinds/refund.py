"""Refunds that a buyer asks for while no goods come back: unshipped, and refund only (R1 to R8).

An order that the platform ships itself goes by ``cancellation`` (R3); goods that have shipped meanwhile make it a
return (R7).
"""

from dataclasses import replace
from datetime import datetime

from workflows.kinds import disputed, every_case, order_money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import ruling_of
from workflows.kinds.events import DeadlinePassed, Event
from workflows.kinds.evidence import keeping_evidence, take_evidence
from workflows.kinds.order_money import refund
from workflows.kinds.returning import (
    all_back,
    ask_who_has_the_goods,
    become_return,
    contradicted,
    followed,
    refund_back,
    sent_in,
)
from workflows.messages.actors import CLOCK, carrier
from workflows.messages.cases import LogEntry, NoticeTemplate, ParcelWatch, StepAnswer
from workflows.messages.commands import (
    Amend,
    Approve,
    CloseCase,
    GiveRefundAccount,
    Reject,
    ReportParcel,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.orders import OrderLine
from workflows.messages.parcels import Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.stages import Attention, CaseKind
from workflows.messages.statements import EvidenceGiven
from workflows.rules.parcels import DIRECTORY, handed_on, report_of
from workflows.rules.stages import ESCALATED, MERCHANT_REVIEW, PARCEL_INTERCEPT, REJECTED, SHIPPED_REVIEW

PROVED = "proved"

HAS_LEFT = frozenset({ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN})


def opened(case: Case) -> Decision:
    """What is known from the first moment on: parcels that are out already (R3), and goods that shipped since (R7)."""
    since = case.opened.shipped_since
    shipped = (_shipped(since),) if since else ()  # R7: as if the carrier had told it
    return Decision(state=sent_in(case, *case.opened.underway).state, hear=shipped)


def money_only(case: Case, event: Event) -> Decision:
    """What becomes of an event while no goods are to come back."""
    if isinstance(event, ReportParcel):
        case = followed(case, event)
    match event:
        case Approve():  # R1, R2
            return refund(case, case.obeyed(event, "approved"), by=event.by, rule=case.stage.rule)
        case DeadlinePassed() if case.stage is REJECTED:  # R6
            return disputed.close_as_rejected(case)
        case DeadlinePassed() if case.stage is PARCEL_INTERCEPT:  # R7: the goods are out, a person decides
            return case.enter(ESCALATED, case.silent("escalated"), attention=Attention.INTERCEPT_OVERDUE)
        case DeadlinePassed():  # R1, R2: who says nothing agrees
            return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule=case.stage.rule)
        case Withdraw():  # R6
            return every_case.withdrawn(case, event)
        case CloseCase():
            return every_case.closed_by_officer(case, event)
        case Reject() if case.stage is MERCHANT_REVIEW and event.shipping:  # R1: only what has shipped
            return keeping_evidence(case, event, "rejected", lambda case, given: _has_shipped(case, event, given))
        case Reject():  # R2
            return disputed.reject(case, event)
        case Amend():  # R6
            return disputed.apply_again(case, event, SHIPPED_REVIEW)
        case ReportParcel() if _has_left(case, event):  # R7
            return _convert(case, every_case.parcel_line(case, event), min(event.happened_at, case.now))  # R18
        case ReportParcel() if _stopped_parcel(case) and _is_back(case, event):
            return refund_back(case, event, "R7")
        case ReportParcel() if _stopped_parcel(case) and contradicted(case, event):  # T14
            return ask_who_has_the_goods(case, event)
        case ReportParcel() if _stopped_parcel(case) and event.event is ParcelEvent.SIGNED:
            return _come_back(case, every_case.parcel_line(case, event))  # R7: not stopped; the buyer has the goods
        case ReportParcel():
            return every_case.note_parcel(case, event)
        case SubmitEvidence():  # R2
            return take_evidence(case, event)
        case GiveRefundAccount():  # T4
            return order_money.take_account(case, event)
        case _ if ruling := ruling_of(event):  # D8
            return disputed.carry_out(disputed.ruled(case), ruling)
        case _:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")


def _has_shipped(case: Case, command: Reject, given: EvidenceGiven | None) -> Decision:
    """R1, R15, R18: what is known of the parcel must not stand against what the merchant says of it."""
    proof = command.shipping
    if proof is None:
        raise ValueError("an unshipped refund is rejected with a proof")
    case = sent_in(case, Parcel(carrier=proof.carrier, tracking_no=proof.tracking_no))
    rejection = disputed.rejection(case, command)
    return _convert(case, rejection, proof.shipped_at, disputed.proven(command), given)


def _convert(
    case: Case,
    entry: LogEntry,
    shipped_at: datetime,
    watch: ParcelWatch | None = None,
    given: EvidenceGiven | None = None,
) -> Decision:
    """R1, R7: the goods are on their way, so nothing is refunded blindly, and nothing asked for is lost."""
    asked = {each.line for each in case.application.lines}
    lines = tuple(_sent(line, shipped_at) if line.line in asked else line for line in case.order.lines)
    order = case.order.model_copy(update={"lines": lines})
    case = case.but(order=order, kind=CaseKind.SHIPPED_REFUND)
    match case.policy.refund.shipped_meanwhile:
        case "return" if asked:
            converted = _come_back(case, entry, watch, given)
        case "intercept" if asked:
            notices = case.notice_to_both(NoticeTemplate.GOODS_UNDERWAY)
            converted = case.enter(PARCEL_INTERCEPT, entry, notices=notices, watch=watch, evidence=given)
        case _:  # freight alone cannot be sent back or stopped
            converted = case.enter(SHIPPED_REVIEW, entry, watch=watch, evidence=given)
    return replace(converted, then=hear_of_proof, follow_up=PROVED)


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


def _has_left(case: Case, report: ReportParcel) -> bool:
    return case.stage is MERCHANT_REVIEW and report.event in HAS_LEFT and bool(case.application.lines)


def _is_back(case: Case, report: ReportParcel) -> bool:
    return report.event is ParcelEvent.RETURNED_TO_WAREHOUSE and all_back(case)


def _stopped_parcel(case: Case) -> bool:
    return case.stage in (PARCEL_INTERCEPT, ESCALATED)


def _sent(line: OrderLine, at: datetime) -> OrderLine:
    return line.model_copy(update={"pieces_sent": line.quantity, "sent_at": line.sent_at or at})


def _shipped(at: datetime) -> ReportParcel:
    directory = carrier(DIRECTORY)
    return ReportParcel(
        key="shipped-while-opening",
        by=directory,
        event=ParcelEvent.SHIPPED,
        carrier=directory.id,
        tracking_no="unknown",
        happened_at=at,
    )
