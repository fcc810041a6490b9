"""Goods of a return that the merchant has: paid for, exchanged, or ruled on (T5 to T11, T15, D8)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from workflows.kinds import disputed, rejecting
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.evidence import keeping_evidence
from workflows.kinds.incoming import INCOMING, WITH_MERCHANT, came_back_to_buyer, span_from, tracking_entered
from workflows.kinds.negotiating import Agreed, accepted_notice, as_version
from workflows.kinds.order_money import refund
from workflows.kinds.outgoing import (
    BACK,
    REPAIR,
    SENDINGS,
    buyer_signed,
    came_back_from_buyer,
    heard_of,
    instead_in,
    with_goods,
)
from workflows.kinds.owed import insurance, return_freight, with_owed
from workflows.kinds.return_stages import GOODS_HELD, RECEIPT_REJECTED, RETURN_RECEIVED
from workflows.kinds.stage import Stage
from workflows.messages.actors import Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Span
from workflows.messages.commands import ConfirmReceipt, ConvertToRefund, RefundDirectly, Reject, ReportParcel
from workflows.messages.parcels import ParcelEvent
from workflows.messages.pieces import PieceUse
from workflows.messages.requests import CompensationRequest
from workflows.messages.rulings import Award, FreightBearer, Ruling
from workflows.messages.stages import CaseKind
from workflows.messages.statements import EvidenceGiven
from workflows.rules.evidence import evidence_facts
from workflows.rules.parcels import signed_at
from workflows.rules.pieces import accepted_pieces, named, pieces_of
from workflows.rules.returns import accepted, received_parts

_WAITS_FOR_GOODS: Final = "goods-on-their-way-are-waited-for"
"""The mark of the release since which a ruling that gives nothing ends no case whose goods are yet to arrive (T15)."""

# T5, T6, T8, T10, T11: received -------------------------------------------------------------------------


def reject_receipt(case: Case, command: Reject) -> Decision:
    """T6: the goods are not as agreed."""
    return rejecting.reject(case, command, RECEIPT_REJECTED, NoticeTemplate.RECEIPT_REJECTED)


def refund_by_silence(case: Case) -> Decision:
    """T6: who says nothing accepts the goods."""
    return _refund_received(case, case.silent("approved_by_silence"), rule="T6")


def once_tracked(case: Case, _: object) -> Decision:
    """T3, T6: the parcel that was entered may have arrived, or come back."""
    return tracking_entered(case, goods_signed)


def goods_signed(case: Case, entry: LogEntry, happened_at: datetime) -> Decision:
    """T6, T8, T10: by a sign-off. T15: what was ruled not to be paid for goes back to the buyer."""
    case, owed = insurance(_has(case, min(happened_at, case.now)))
    if _ruled_out(case):
        return with_owed(owed, case.enter(RECEIPT_REJECTED, entry))
    stage = instead_in(case).owed if case.state.goods.exchange else RETURN_RECEIVED
    told = case.notice(NoticeTemplate.RETURN_SIGNED, case.merchant)
    return with_owed(owed, _received(case, stage, entry, happened_at, *told))


def _has(case: Case, at: datetime) -> Case:
    """The merchant has the goods; told again, the first moment stands."""
    return with_goods(case, received=True, with_merchant=True, received_at=case.state.goods.received_at or at)


def _received(case: Case, stage: Stage, entry: LogEntry, received_at: datetime, *told: Notice) -> Decision:
    """T6, T8: the stage's time counts from receiving the goods on."""
    return case.enter(
        stage,
        entry,
        span=_at_the_latest(case, stage, received_at) or span_from(case, stage, received_at),
        notices=told,
    )


def _at_the_latest(case: Case, stage: Stage, received_at: datetime) -> Span | None:
    """G6: where the profile counts the refund from the request on, and that is over before the time to inspect is.

    That time runs from the sign-off, however late it was told (T6).
    """
    within, own = case.policy.returns.refund_within_days, stage.span
    if stage is not RETURN_RECEIVED or within is None or own is None:
        return None
    asked = case.state.applied.at if case.state.applied else case.now
    latest = asked + timedelta(days=within)
    ends = min(received_at, case.now) + timedelta(minutes=own(case.policy).minutes)
    return Span(until=max(latest, case.now)) if latest < ends else None


def confirm_receipt(case: Case, command: ConfirmReceipt) -> Decision:
    """T5, T6, T8: by the merchant's word, with what it has found."""
    return keeping_evidence(case, command, "receipt_confirmed", lambda case, given: _receive(case, command, given))


def _receive(case: Case, command: ConfirmReceipt, given: EvidenceGiven | None) -> Decision:
    accepted_by_line = {f"accepted_{each.line}": each.quantity for each in command.accepted or ()}
    reason = {"reason": command.reason} if command.reason else {}
    facts = {**accepted_by_line, **reason, **evidence_facts(command.evidence)}
    entry = case.obeyed(command, "receipt_confirmed", **facts)
    stage = case.stage
    case = with_goods(_has(case, case.now), confirmed=True)
    owed: tuple[CompensationRequest, ...] = ()
    if case.state.goods.parcel:  # T10: who confirms it has signed for it, whatever the carrier says
        case, owed = insurance(case)
    if case.state.goods.exchange:  # T8, M3
        return with_owed(owed, _with_evidence(_received(case, instead_in(case).owed, entry, case.now), given))
    rule = "T6" if stage in (RETURN_RECEIVED, RECEIPT_REJECTED, GOODS_HELD) else "T5"
    return with_owed(owed, _with_evidence(_refund_received(case, entry, rule=rule, receipt=command), given))


def _refund_received(case: Case, decided: LogEntry, *, rule: str, receipt: ConfirmReceipt | None = None) -> Decision:
    wanted = received_parts(case.application, receipt)
    pieces = accepted_pieces(case.application, accepted(case.application, receipt), wanted)
    return refund(case, decided, by=decided.by, rule=rule, wanted=wanted, pieces=pieces, freight_before=True)


def pay_received_as_agreed(what: Agreed) -> Decision:
    """N3, T11: the goods are with the merchant, and what was agreed on is paid for them."""
    wanted = received_parts(what.amendment, None)
    pieces = accepted_pieces(what.amendment, accepted(what.amendment, None), wanted)
    paid = refund(
        what.case,
        what.entry,
        by=what.command.by,
        rule="N3",
        wanted=wanted,
        pieces=pieces,
        notices=accepted_notice(what),
        freight_before=True,
    )
    return as_version(what, paid)


def refund_directly(case: Case, command: RefundDirectly) -> Decision:
    """T1: without the goods, be it that they were lost on their way back, which has cost the buyer freight."""
    pieces = pieces_of(case.application, rejecting.money_for(case))
    entry = case.obeyed(command, "refunded_directly")
    return refund(case, entry, by=command.by, rule="T1", pieces=pieces, freight_before=True)


def pay_for_held(case: Case, command: RefundDirectly) -> Decision:
    """T8, M3: by an officer, who is called because nothing was sent for goods that the merchant has."""
    return _refund_received(case, case.obeyed(command, "refunded_directly"), rule=case.stage.rule)


def _with_evidence(decision: Decision, given: EvidenceGiven | None) -> Decision:
    return replace(decision, step=replace(decision.step, evidence=given)) if decision.step and given else decision


# T9: an exchange that becomes a refund ------------------------------------------------------------------


def convert_to_refund(case: Case, command: ConvertToRefund) -> Decision:
    """T9: agreed on once both sides have said so; goods that the merchant has are paid back at once."""
    wants = case.state.goods.wants_money | {command.by.role}
    case = with_goods(case, wants_money=wants)
    if wants < {Role.BUYER, Role.MERCHANT}:
        return case.stay(
            case.obeyed(command, "refund_wanted"),
            notices=case.notice_to_others(command.by, NoticeTemplate.CONVERSION_WANTED),
        )
    entry = case.obeyed(command, "converted_to_refund")
    case = with_goods(case, exchange=False).but(kind=CaseKind.RETURN)
    if case.stage in WITH_MERCHANT:
        return _refund_received(case, entry, rule="T9")
    # N6: it stays where it is, and is about something else.
    told = case.notice_to_both(NoticeTemplate.STAGE_CHANGED, stage=case.stage.name, on_silence=case.on_silence)
    return case.stay(entry, pieces=pieces_of(case.application, PieceUse.RETURN), notices=told)  # R13: and not exchanged


# D8: ruled on -------------------------------------------------------------------------------------------


def carry_out(case: Case, ruling: Ruling) -> Decision:
    """D8, T15: what is not to be paid for goes back to the buyer, the rest is paid.

    All of a claim to goods that cost nothing is granted without a payment (R13).
    """
    case = heard_of(case, *(each for each in case.state.dispute.kept if isinstance(each, ReportParcel)))
    if ruling.amount or ruling.award is Award.FULL:
        return _grant(case, ruling)
    stood = case.state.dispute.standstill.stage if case.state.dispute.standstill else case.stage.name
    sending = next((each for each in SENDINGS if each.underway.name is stood), None)
    if _with_merchant(case):
        return _dismiss(case, ruling, RECEIPT_REJECTED)
    if any(each.name is stood for each in INCOMING) and not came_back_to_buyer(case):
        return replace(_wait_for_goods(case, ruling), mark=_WAITS_FOR_GOODS, before=_grant(case, ruling))
    # R13, C6: who has other goods for a piece has them in this case, and asks for no money for it in the next one.
    if sending and not (sending in (BACK, REPAIR) and buyer_signed(case.state.goods)):
        return _dismiss(case, ruling, sending.underway)
    return _grant(case, ruling)


def _grant(case: Case, ruling: Ruling) -> Decision:
    """D8: also who bears what sending the goods back has cost, and what a sign-off under the lock owes (T10)."""
    pieces = named(ruling.lines, comes_to(case)) if ruling.lines else None
    case, owed = _owed_by(disputed.ruled(case), ruling)
    return with_owed(owed, disputed.carry_out(case, ruling, pieces))


def _with_merchant(case: Case) -> bool:
    """T15: the merchant has goods, be it since the case was locked, or because they have come back to it."""
    goods = case.state.goods
    confirmed = any(isinstance(each, ConfirmReceipt) for each in case.state.dispute.kept)
    return confirmed or goods.with_merchant or came_back_from_buyer(goods) or _signed_under_the_lock(case)


def _dismiss(case: Case, ruling: Ruling, stage: Stage) -> Decision:
    """D8, T15: the merchant sends back what it need not pay for, or has sent it; silence calls a person."""
    case, owed = _owed_by(disputed.ruled(case), ruling)
    case = with_goods(case, with_merchant=stage is RECEIPT_REJECTED)
    case = case.but(ruling=ruling, dispute=case.state.dispute.but(kept=()))
    return with_owed(owed, case.enter(stage, disputed.ruling_entry(case, ruling)))


def _wait_for_goods(case: Case, ruling: Ruling) -> Decision:
    """T15: nothing is to be paid for goods that are yet to arrive: the case goes on, and has them sent back then.

    Who wanted money for them before has to say so anew (T9).
    """
    case, owed = _owed_by(with_goods(case, wants_money=frozenset[Role]()), ruling)
    case = case.but(ruling=ruling, dispute=case.state.dispute.but(current=None, kept=()))
    return with_owed(owed, disputed.go_on(case, disputed.ruling_entry(case, ruling)))


def _ruled_out(case: Case) -> bool:
    """D8, T15: a ruling has given nothing for the goods, and both sides have not agreed on money since (T9)."""
    return case.state.ruling is not None and case.state.goods.wants_money < {Role.BUYER, Role.MERCHANT}


def _owed_by(case: Case, ruling: Ruling) -> tuple[Case, tuple[CompensationRequest, ...]]:
    owed: tuple[CompensationRequest, ...] = ()
    if _signed_under_the_lock(case):
        case, owed = insurance(case)
    if ruling.return_freight is FreightBearer.MERCHANT:
        owed = (*owed, *return_freight(case))
    return case, owed


def _signed_under_the_lock(case: Case) -> bool:
    back = case.state.goods.parcel
    kept = [each for each in case.state.dispute.kept if isinstance(each, ReportParcel) and each.parcel == back]
    signed = signed_at([*case.state.goods.told, *kept], back, case.state.goods.agreed_at)
    return signed is not None and any(each.event is ParcelEvent.SIGNED for each in kept)


def comes_to(case: Case) -> PieceUse:
    """What a refund that is granted makes of the pieces: they stay where they are (R13).

    Goods that the merchant has sent to the buyer as they are, or mended, are the buyer's again (T15, M4).
    """
    goods, stood = case.state.goods, case.state.dispute.standstill
    stage = stood.stage if stood else case.stage.name
    to_buyer = any(each.underway.name is stage for each in (BACK, REPAIR)) and not came_back_from_buyer(goods)
    return PieceUse.BACK if goods.received and not to_buyer else PieceUse.REFUND
