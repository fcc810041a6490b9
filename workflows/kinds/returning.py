"""Goods that come back: a return or an exchange, from the merchant's decision to its outcome (T1 to T11, T14, T15).

A refund whose goods have shipped meanwhile goes this way as well (R7).
"""

from dataclasses import replace
from datetime import datetime

from workflows.kinds import disputed, every_case, order_money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import ruling_of
from workflows.kinds.events import DeadlinePassed, Event
from workflows.kinds.evidence import keeping_evidence, take_evidence
from workflows.kinds.incoming import (
    WITH_MERCHANT,
    ask_for_return,
    carrier_tells,
    enter_tracking,
    extend_receipt,
    span_from,
    tracking_entered,
)
from workflows.kinds.order_money import refund
from workflows.kinds.outgoing import (
    BACK,
    EXCHANGE,
    exchanged,
    heard_of,
    once_the_buyer_has_them,
    reship,
    send_back,
    with_goods,
)
from workflows.kinds.owed import compensation_of
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import AddressChoice, LogEntry, NoticeTemplate, ParcelWatch, Refusal
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    Approve,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    RefundDirectly,
    Reject,
    ReportParcel,
    Reship,
    SendBack,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pieces import PieceUse
from workflows.messages.requests import CompensationCause, CompensationRequest
from workflows.messages.rulings import Award, FreightBearer, Ruling
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName
from workflows.messages.statements import EvidenceGiven
from workflows.rules.compensation import return_freight_owed
from workflows.rules.evidence import evidence_facts
from workflows.rules.parcels import DIRECTORY, came_back, signed_at
from workflows.rules.pieces import accepted_pieces, named, pieces_of
from workflows.rules.refusals import refused
from workflows.rules.returns import accepted, is_whole_order, received_parts, refused_receipt
from workflows.rules.shipping import QUALITY_FAULTS
from workflows.rules.stages import (
    ADDRESS_MISSING,
    AWAITING_RETURN,
    ESCALATED,
    GOODS_HELD,
    RECEIPT_REJECTED,
    RESHIP_OVERDUE,
    RESHIPMENT,
    RETURN_DELAYED,
    RETURN_RECEIVED,
    RETURN_REVIEW,
    Stage,
)


def returning(case: Case, event: Event) -> Decision:
    """What becomes of an event while goods are to come back, or others to be sent."""
    match event:
        case RefundDirectly():  # T1
            return _refund_directly(case, event)
        case AgreeReturn():  # T1, T2
            clauses = dict.fromkeys(event.clauses, 1)
            entry = case.obeyed(event, "return_agreed", **clauses)
            return _await_return(case, entry, event.address_id, " ".join(clauses))
        case Reject() if case.stage is RETURN_REVIEW:  # T1
            return disputed.reject(case, event)
        case Reject():  # T6: the goods are not as agreed
            return disputed.reject(case, event, RECEIPT_REJECTED)
        case Amend():  # R6
            return disputed.apply_again(case, event, RETURN_REVIEW)
        case Approve():  # D2: what the buyer disputes is granted
            pieces = pieces_of(case.application, _comes_to(case))
            return refund(case, case.obeyed(event, "approved"), by=event.by, rule="D2", pieces=pieces)
        case EnterTracking():  # T3
            return enter_tracking(case, event, once_tracked)
        case GiveRefundAccount():  # T4
            return order_money.take_account(case, event)
        case ConfirmReceipt():  # T5, T6, T8
            return keeping_evidence(
                case, event, "receipt_confirmed", lambda case, given: _confirm_receipt(case, event, given)
            )
        case ExtendReceipt():  # T7
            return extend_receipt(case, event)
        case Reship():  # T8
            return reship(case, event)
        case SendBack():  # T15
            return send_back(case, event)
        case ConfirmExchange():  # T8
            return exchanged(case, case.obeyed(event, "exchange_confirmed"))
        case ConvertToRefund():  # T9
            return _convert_to_refund(case, event)
        case SubmitEvidence():
            return take_evidence(case, event)
        case Withdraw():  # R6
            return every_case.withdrawn(case, event)
        case CloseCase():
            return every_case.closed_by_officer(case, event)
        case ReportParcel():  # T6, T14
            return carrier_tells(case, event, goods_signed)
        case DeadlinePassed():
            return _silence(case)
        case _ if ruling := ruling_of(event):  # D8
            return _dismiss(case, ruling) if _to_be_sent_back(case, ruling) else carry_out(case, ruling)
        case _:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")


def become_return(
    case: Case, entry: LogEntry, watch: ParcelWatch | None = None, given: EvidenceGiven | None = None
) -> Decision:
    """R7: the buyer has the goods, or will: they must come back first, and the merchant decides how (T1).

    Refused, and not done, where the goods are coming back in another case already (R13).
    """
    return case.but(kind=CaseKind.RETURN).enter(
        RETURN_REVIEW,
        entry,
        notices=case.notice_to_both(NoticeTemplate.GOODS_UNDERWAY),
        watch=watch,
        evidence=given,
        pieces=pieces_of(case.application, PieceUse.RETURN),
        claims=True,
    )


def _silence(case: Case) -> Decision:
    match case.state.stage:
        case StageName.RETURN_REVIEW:  # T1: who says nothing agrees to the return, not to a refund
            entry = case.silent("return_agreed_by_silence")
            return _await_return(case, entry, None, "").otherwise(_want_address(case, entry))
        case StageName.AWAITING_RETURN:  # T3
            return case.close(
                OutcomeKind.NOT_RETURNED,
                case.silent("not_returned"),
                rule="T3",
                by=CLOCK,
                notices=case.closed_notices(OutcomeKind.NOT_RETURNED),
            )
        case StageName.RETURN_IN_TRANSIT:  # T7
            offered = case.notice(NoticeTemplate.EXTENSION_OFFERED, case.merchant)
            notices = () if case.state.goods.extended else offered
            return case.enter(RETURN_DELAYED, case.silent("extension_offered"), notices=notices)
        case StageName.RETURN_DELAYED | StageName.RETURN_EXTENDED:
            return ask_for_return(case, goods_signed)
        case StageName.RETURN_RECEIVED:  # T6
            return _refund_received(case, case.silent("approved_by_silence"), rule="T6")
        case StageName.RESHIPMENT:  # T8: a right, and no decision
            notices = case.notice(NoticeTemplate.INTERVENTION_OPEN, case.buyer)
            entry = case.silent("reshipment_overdue")
            return case.enter(RESHIP_OVERDUE, entry, notices=notices, attention=Attention.RESHIP_OVERDUE)
        case StageName.EXCHANGE_UNDERWAY:  # T8, T14
            return once_the_buyer_has_them(
                case, EXCHANGE, lambda case: exchanged(case, case.silent("exchange_confirmed_by_silence"))
            )
        case StageName.RECEIPT_REJECTED:  # T15
            return case.enter(GOODS_HELD, case.silent("goods_held"), attention=Attention.GOODS_HELD)
        case StageName.SENT_BACK:  # T15
            return once_the_buyer_has_them(case, BACK, _rejected_for_good)
        case _:  # rejected before anything was sent
            return disputed.close_as_rejected(case)


def _rejected_for_good(case: Case) -> Decision:
    return disputed.close_as_rejected(case, OutcomeKind.DISMISSED if case.state.ruling else OutcomeKind.REJECTED)


# T1, T2: agreeing ---------------------------------------------------------------------------------------


def _await_return(case: Case, entry: LogEntry, address_id: str | None, clauses: str) -> Decision:
    days = case.policy.returns.send_days
    return with_goods(case, agreed_at=entry.at).enter(
        AWAITING_RETURN,
        entry,
        address=AddressChoice(address_id=address_id),
        notices=case.notice(NoticeTemplate.RETURN_AGREED, case.buyer, clauses=clauses, days=days),
    )


def _want_address(case: Case, entry: LogEntry) -> Decision:
    return case.enter(
        ADDRESS_MISSING,
        entry,
        attention=Attention.ADDRESS_MISSING,
        notices=case.notice(NoticeTemplate.ADDRESS_WANTED, case.merchant),
    )


# T5, T6, T8, T10, T11: received -------------------------------------------------------------------------


def once_tracked(case: Case, _: object) -> Decision:
    """T3, T6: the parcel that was entered may have arrived, or come back."""
    return tracking_entered(case, goods_signed)


def goods_signed(case: Case, entry: LogEntry, happened_at: datetime) -> Decision:
    """T6, T8, T10: by a sign-off."""
    case, owed = _insurance(with_goods(case, received=True, with_merchant=True))
    stage = RESHIPMENT if case.state.goods.exchange else RETURN_RECEIVED
    return _first(owed, _received(case, stage, entry, happened_at))


def _received(case: Case, stage: Stage, entry: LogEntry, received_at: datetime) -> Decision:
    """T6, T8: the stage's time counts from receiving the goods on."""
    return case.enter(
        stage,
        entry,
        span=span_from(case, stage, received_at),
        notices=case.notice(NoticeTemplate.RETURN_SIGNED, case.merchant),
    )


def _confirm_receipt(case: Case, command: ConfirmReceipt, given: EvidenceGiven | None) -> Decision:
    accepted_by_line = {f"accepted_{each.line}": each.quantity for each in command.accepted or ()}
    reason = {"reason": command.reason} if command.reason else {}
    facts = {**accepted_by_line, **reason, **evidence_facts(command.evidence)}
    entry = case.obeyed(command, "receipt_confirmed", **facts)
    stage = case.stage
    case = with_goods(case, received=True, with_merchant=True, confirmed=True)
    owed: tuple[CompensationRequest, ...] = ()
    if case.state.goods.parcel:  # T10: who confirms it has signed for it, whatever the carrier says
        case, owed = _insurance(case)
    if case.state.goods.exchange:  # T8
        return _first(owed, _with_evidence(_received(case, RESHIPMENT, entry, case.now), given))
    rule = "T6" if stage in (RETURN_RECEIVED, RECEIPT_REJECTED, GOODS_HELD) else "T5"
    return _first(owed, _with_evidence(_refund_received(case, entry, rule=rule, receipt=command), given))


def _refund_received(case: Case, decided: LogEntry, *, rule: str, receipt: ConfirmReceipt | None = None) -> Decision:
    wanted = received_parts(case.application, receipt)
    pieces = accepted_pieces(case.application, accepted(case.application, receipt), wanted)
    paid = refund(case, decided, by=decided.by, rule=rule, wanted=wanted, pieces=pieces)
    return _first(_freight_by_fault(case), paid)


def _refund_directly(case: Case, command: RefundDirectly) -> Decision:
    """T1: without the goods, be it that they were lost on their way back, which has cost the buyer freight."""
    pieces = pieces_of(case.application, PieceUse.REFUND)
    entry = case.obeyed(command, "refunded_directly")
    return _first(_freight_by_fault(case), refund(case, entry, by=command.by, rule="T1", pieces=pieces))


def _insurance(case: Case) -> tuple[Case, tuple[CompensationRequest, ...]]:
    """T10: owed once, when the return is signed for."""
    insured = case.order.freight_insured
    if not insured or case.state.goods.insurance_paid:
        return case, ()
    owed = compensation_of(case.order, case.case_id, CompensationCause.FREIGHT_INSURANCE, insured)
    return with_goods(case, insurance_paid=insured), (owed,)


def _freight_by_fault(case: Case) -> tuple[CompensationRequest, ...]:
    return _return_freight(case) if case.application.reason in QUALITY_FAULTS else ()


def _return_freight(case: Case) -> tuple[CompensationRequest, ...]:
    """T10: what the insurance has paid is not paid twice."""
    goods = case.state.goods
    owed = return_freight_owed(goods.freight_paid, case.policy.returns.most_return_freight, 0)
    insured = goods.insurance_paid
    # R16: another parcel of the order may be the insured one, unless all of the order is in this one.
    if owed > insured or (owed and not is_whole_order(case.application, case.order)):
        return (compensation_of(case.order, case.case_id, CompensationCause.RETURN_FREIGHT, owed, insured),)
    return ()


def _first(owed: tuple[CompensationRequest, ...], decision: Decision) -> Decision:
    return replace(decision, first=(*owed, *decision.first))


def _with_evidence(decision: Decision, given: EvidenceGiven | None) -> Decision:
    return replace(decision, step=replace(decision.step, evidence=given)) if decision.step and given else decision


# D8: ruled on -------------------------------------------------------------------------------------------


def carry_out(case: Case, ruling: Ruling) -> Decision:
    """D8: also who bears what sending the goods back has cost, and what a sign-off under the lock owes (T10)."""
    case, owed = _owed_by(disputed.ruled(case), ruling)
    pieces = named(ruling.lines, _comes_to(case)) if ruling.lines else None
    return _first(owed, disputed.carry_out(case, ruling, pieces))


def _to_be_sent_back(case: Case, ruling: Ruling) -> bool:
    """T15: the merchant has goods, be it since the case was locked, of which nothing is granted.

    All of a claim to goods that cost nothing is granted without a payment (R13).
    """
    if ruling.amount or ruling.award is Award.FULL:
        return False
    confirmed = any(isinstance(each, ConfirmReceipt) for each in case.state.dispute.kept)
    return confirmed or case.state.goods.with_merchant or _signed_under_the_lock(case)


def _dismiss(case: Case, ruling: Ruling) -> Decision:
    """D8, T15: the merchant sends back what it need not pay for; silence calls a person."""
    case, owed = _owed_by(disputed.ruled(case), ruling)
    case = with_goods(case, with_merchant=True).but(ruling=ruling, dispute=case.state.dispute.but(kept=()))
    return _first(owed, case.enter(RECEIPT_REJECTED, disputed.ruling_entry(case, ruling)))


def _owed_by(case: Case, ruling: Ruling) -> tuple[Case, tuple[CompensationRequest, ...]]:
    owed: tuple[CompensationRequest, ...] = ()
    if _signed_under_the_lock(case):
        case, owed = _insurance(case)
    if ruling.return_freight is FreightBearer.MERCHANT:
        owed = (*owed, *_return_freight(case))
    return case, owed


def _signed_under_the_lock(case: Case) -> bool:
    kept = [each for each in case.state.dispute.kept if isinstance(each, ReportParcel)]
    signed = signed_at([*case.state.goods.told, *kept], case.state.goods.parcel, None)
    return signed is not None and any(each.event is ParcelEvent.SIGNED for each in kept)


def _comes_to(case: Case) -> PieceUse:
    """What a refund that is granted makes of the pieces: they stay where they are (R13)."""
    return PieceUse.BACK if case.state.goods.received else PieceUse.REFUND


# T9: an exchange that becomes a refund ------------------------------------------------------------------


def _convert_to_refund(case: Case, command: ConvertToRefund) -> Decision:
    """T9: agreed on once both sides have said so; goods that the merchant has are paid back at once."""
    wants = case.state.goods.wants_money | {command.by.role}
    case = with_goods(case, wants_money=wants)
    if wants < {Role.BUYER, Role.MERCHANT}:
        return case.stay(case.obeyed(command, "refund_wanted"))
    entry = case.obeyed(command, "converted_to_refund")
    case = with_goods(case, exchange=False).but(kind=CaseKind.RETURN)
    if case.stage in WITH_MERCHANT:
        return _refund_received(case, entry, rule="T9")
    return case.stay(entry, pieces=pieces_of(case.application, PieceUse.RETURN))  # R13: refunded, and not exchanged


# R3, R7, R15: parcels on their way to the buyer ---------------------------------------------------------


def followed(case: Case, report: ReportParcel) -> Case:
    """R3, R7, R15: which parcels are on their way to the buyer; one that is back is not sent again."""
    case = heard_of(case, report)
    goods = case.state.goods
    match report.event:
        case ParcelEvent.RETURNED_TO_WAREHOUSE:
            out = tuple(each for each in goods.out if each != report.parcel)
            return with_goods(case, out=out, back=(*goods.back, report.parcel))
        case ParcelEvent.SHIPPED | ParcelEvent.ON_DELIVERY_RUN | ParcelEvent.REFUSED:
            return sent_in(case, report.parcel)
        case _:
            return case


def sent_in(case: Case, *parcels: Parcel) -> Case:
    """Goods of this case are on their way to the buyer in these parcels."""
    goods = case.state.goods
    known = (*goods.out, *goods.back)
    new = tuple(each for each in parcels if each not in known and each.carrier != DIRECTORY)
    return with_goods(case, out=(*goods.out, *new))


def all_back(case: Case) -> bool:
    """Whether no parcel with goods of this case is known to be on its way to the buyer (R3, R7, R15)."""
    return not case.state.goods.out


def contradicted(case: Case, report: ReportParcel) -> bool:
    """T14: whether a sign-off is told of a parcel that was refused, or went back to who sent it."""
    return report.event is ParcelEvent.SIGNED and came_back(case.state.goods.told, report.parcel, None)


def ask_who_has_the_goods(case: Case, report: ReportParcel) -> Decision:
    """T14: what the carrier says cannot all be true; silence decides nothing, and a person finds out."""
    line = every_case.parcel_line(case, report)
    return case.enter(ESCALATED, line, attention=Attention.GOODS_CONTRADICTED)


def refund_back(case: Case, report: ReportParcel, rule: str) -> Decision:
    """R3, R7: the goods are in the warehouse again."""
    pieces = pieces_of(case.application, PieceUse.BACK)
    return refund(case, every_case.parcel_line(case, report), by=report.by, rule=rule, pieces=pieces)


# What is refused ----------------------------------------------------------------------------------------


def refused_content(case: Case, command: Command) -> Refusal | None:
    """T4, T6, T7, T9, T11: what a receipt, an extension, a tracking number or a conversion must fit."""
    goods = case.state.goods
    match command:
        case ConfirmReceipt() if case.kind not in (CaseKind.RETURN, CaseKind.EXCHANGE):
            return refused("nothing_to_receive", "command", "T5", "no goods come back in this case")
        case ConfirmReceipt() if (
            refusal := refused_receipt(command, case.application, exchange=goods.exchange)
        ) is not None:
            return refusal
        case ExtendReceipt() if goods.extended:
            return refused("extended_before", "command", "T7", "the receipt has been extended, which is for once")
        case EnterTracking() if command.refund_account and not case.order.cash_on_delivery:
            return refused("not_cash_on_delivery", "refund_account", "T4", "the order was paid in advance")
        case ConvertToRefund() if not goods.exchange:
            return refused("no_exchange", "command", "T9", "the case is not an exchange (any more)")
        case ConvertToRefund() if command.by.role in goods.wants_money:
            return refused("said_before", "by.role", "T9", "the other side has not agreed yet")
        case _:
            return None
