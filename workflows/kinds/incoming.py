"""Goods on their way back to the merchant: which parcel, and whether it has arrived (T3, T6, T7, T14)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from workflows.kinds import every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import AskCarrier, Decision, Then
from workflows.kinds.outgoing import heard_of, told_of_outgoing, with_goods
from workflows.kinds.overdue import MERCHANT_OVERDUE
from workflows.kinds.repair_stages import REPAIR_FAILED, REPAIR_OVERDUE, REPAIR_REVIEW, REPAIRING
from workflows.kinds.return_stages import (
    ADDRESS_MISSING,
    AWAITING_RETURN,
    GOODS_HELD,
    RESHIP_FAILED,
    RESHIP_OVERDUE,
    RESHIPMENT,
    RETURN_DELAYED,
    RETURN_EXTENDED,
    RETURN_IN_TRANSIT,
    RETURN_OVERDUE,
    RETURN_RECEIVED,
    RETURN_REFUSED,
    RETURN_REVIEW,
)
from workflows.kinds.stage import Stage
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal, Span
from workflows.messages.commands import EnterTracking, ExtendReceipt, ReportParcel
from workflows.messages.parcels import ParcelHistory, ParcelPurpose
from workflows.messages.stages import Attention, OutcomeKind
from workflows.messages.step_parts import NamedAccount, ParcelWatch
from workflows.rules.parcels import came_back, signed_at
from workflows.rules.refusals import refused
from workflows.rules.returns import extended

UNDERWAY = (RETURN_IN_TRANSIT, RETURN_DELAYED, RETURN_EXTENDED)
"""The goods are with the carrier, and time is left (T6, T7)."""

INCOMING = (*UNDERWAY, RETURN_OVERDUE)
"""They have been sent, and the merchant has not signed for them (T6)."""

NOT_SENT = (RETURN_REVIEW, REPAIR_REVIEW, MERCHANT_OVERDUE, ADDRESS_MISSING, AWAITING_RETURN)
"""The buyer is to send goods back, and has not yet (T1, T3)."""

WITH_MERCHANT = (RESHIPMENT, RESHIP_OVERDUE, RESHIP_FAILED, REPAIRING, REPAIR_OVERDUE, REPAIR_FAILED)
"""The merchant has the goods of an exchange or repair, and owes others, or these (T8, M3)."""

TRACKING_ENTERED = "tracking_entered"

MAY_ENTER_TRACKING = frozenset({Role.BUYER, Role.MERCHANT, Role.CARRIER, Role.PLATFORM})
"""Who may tell in which parcel the goods come back (T13)."""

OnceSigned: TypeAlias = Callable[[Case, LogEntry, datetime], Decision]
"""What is done once the merchant has signed for the goods: the log line that says so, and when it was."""


def enter_tracking(case: Case, command: EnterTracking, then: Then) -> Decision:
    """T3, T4: which parcel it is; the carrier may have told of it before."""
    before = case.state.goods.parcel
    # T13: what sending it has cost is the buyer's to say.
    freight_paid = command.freight_paid if command.by.role in _BUYERS_WORD else case.state.goods.freight_paid
    entry = case.obeyed(
        command,
        "tracking_entered",
        carrier=command.parcel.carrier,
        tracking_no=command.parcel.tracking_no,
        freight_paid=freight_paid,
    )
    watch = ParcelWatch(
        parcel=command.parcel,
        purpose=ParcelPurpose.RETURN,
        instead_of=before if before != command.parcel else None,
        freight_paid=freight_paid,
    )

    with_parcel = with_goods(case, parcel=command.parcel, freight_paid=freight_paid, tracking_by=command.by.role)
    with_parcel = with_parcel.but(account=command.refund_account or case.state.account)
    account = _named(command)
    told = case.notice_to_others(command.by, NoticeTemplate.RETURN_SENT, **command.parcel.model_dump())
    if case.stage in UNDERWAY:
        entered = with_parcel.stay(entry, attention=None, watch=watch, account=account, notices=told)
    else:
        entered = with_parcel.enter(RETURN_IN_TRANSIT, entry, watch=watch, account=account, notices=told)
    return replace(entered, then=then, follow_up=TRACKING_ENTERED)


_BUYERS_WORD = frozenset({Role.BUYER, Role.PLATFORM})
"""Who may say what is the buyer's to say."""


def may_enter(case: Case, role: Role) -> bool:
    """T13: who has told of the parcel may correct it, and the buyer and an officer may always."""
    goods = case.state.goods
    return role in _BUYERS_WORD or goods.parcel is None or goods.tracking_by is role


def refused_tracking(case: Case, command: EnterTracking) -> Refusal | None:
    """T13: merchant and carrier help with a number that is missing; what the buyer has said is the buyer's."""
    goods, role = case.state.goods, command.by.role
    if role in _BUYERS_WORD:
        return None
    if not may_enter(case, role):
        explanation = f"the {goods.tracking_by or Role.BUYER} has entered another parcel, and the buyer may correct it"
        return refused("number_of_buyer", "parcel", "T13", explanation)
    if command.freight_paid:
        return refused("word_of_buyer", "freight_paid", "T13", "what sending it has cost is for the buyer to say")
    if command.refund_account:
        return refused("word_of_buyer", "refund_account", "T13", "the account is for the buyer to name (T4)")
    return None


def tracking_entered(case: Case, once_signed: OnceSigned) -> Decision:
    """T3, T14: what the carrier had told of the parcel before."""
    parcel = case.state.goods.parcel
    number = {"tracking_no": parcel.tracking_no} if parcel else {}
    if came_back_to_buyer(case):
        return _not_received(case, case.entry("goods_came_back", CLOCK, "T14", None, **number))
    if signed := _signed_at(case):
        return once_signed(case, case.entry("goods_signed", CLOCK, "T6", None, **number), signed)
    return Decision()


def carrier_tells(case: Case, report: ReportParcel, once_signed: OnceSigned) -> Decision:
    """T6, T14: what the carrier says may come late, repeated, out of order, or before the tracking number."""
    case = heard_of(case, report)
    line = every_case.parcel_line(case, report)
    if case.stage in NOT_SENT and came_back([report], report.parcel, None):
        # T14, T15: the buyer has not taken what it is to send back, and whoever has it must not keep the money too.
        return _not_received(with_goods(case, agreed_at=case.state.goods.agreed_at or case.now), line)
    if report.parcel == case.state.goods.parcel:
        awaited = case.stage in INCOMING
        if came_back_to_buyer(case):
            if awaited or _received_by_sign_off(case):
                return _not_received(case, line)
        elif awaited and (signed := _signed_at(case)):
            return once_signed(case, line, signed)
    moved = told_of_outgoing(case, report) or case.stay(line)
    stage = moved.step.stage if moved.step else case.stage
    return replace(moved, state=with_goods(case, with_merchant=True).state) if stage in _MERCHANT_HAS else moved


_MERCHANT_HAS = (RESHIP_FAILED, REPAIR_FAILED, GOODS_HELD)


def extend_receipt(case: Case, command: ExtendReceipt) -> Decision:
    """T7: the time that is left goes on, and more is added to it."""
    span = extended(case.running, case.policy.returns.extension_days) if case.running else None
    return with_goods(case, extended=True).enter(RETURN_EXTENDED, case.obeyed(command, "receipt_extended"), span=span)


def ask_for_return(case: Case, once_signed: OnceSigned) -> Decision:
    """Before a person is called: the carrier may have told nobody of a sign-off (T6)."""

    def known(case: Case, history: ParcelHistory) -> Decision:
        case = heard_of(case, *history.events)
        if came_back_to_buyer(case):
            return _not_received(case, case.silent("goods_came_back"))
        if signed := _signed_at(case):
            return once_signed(case, case.silent("goods_signed"), signed)
        return _overdue(case)

    parcel = case.state.goods.parcel
    return Decision(effect=AskCarrier(parcel), state=case.state, then=known) if parcel else _overdue(case)


def span_from(case: Case, stage: Stage, happened_at: datetime) -> Span | None:
    """The stage's time counts from what happened, however late it was told (T6, T8)."""
    span = stage.span(case.policy) if stage.span else None
    # A carrier's clock may be ahead of ours.
    return span.model_copy(update={"since": min(happened_at, case.now)}) if span else None


def _overdue(case: Case) -> Decision:
    return case.enter(RETURN_OVERDUE, case.silent("return_overdue"), attention=Attention.RETURN_OVERDUE)


def _signed_at(case: Case) -> datetime | None:
    """When the merchant has signed for the goods, once the return was agreed on (T6, T14)."""
    goods = case.state.goods
    return signed_at(goods.told, goods.parcel, goods.agreed_at) if goods.agreed_at else None


def came_back_to_buyer(case: Case) -> bool:
    """Whether the goods were refused, or are back with the buyer (T14)."""
    goods = case.state.goods
    return goods.agreed_at is not None and came_back(goods.told, goods.parcel, goods.agreed_at)


def _received_by_sign_off(case: Case) -> bool:
    """The merchant counts as having the goods by a sign-off alone, and not by its own word (T14)."""
    return not case.state.goods.confirmed and case.stage in (RETURN_RECEIVED, *WITH_MERCHANT)


def _not_received(case: Case, entry: LogEntry) -> Decision:
    """T14: refused, or back with the buyer: silence decides nothing, and a person finds out who has the goods."""
    without = with_goods(case, with_merchant=False, received=False, received_at=None)
    return without.enter(RETURN_REFUSED, entry, attention=Attention.RETURN_REFUSED)


def _named(command: EnterTracking) -> NamedAccount | None:
    """R17: what the buyer names with the tracking number must be its own."""
    return NamedAccount(account=command.refund_account, field="refund_account") if command.refund_account else None


def not_returned(case: Case) -> Decision:
    """T3: nothing was sent in time."""
    return case.close(
        OutcomeKind.NOT_RETURNED,
        case.silent("not_returned"),
        rule="T3",
        by=CLOCK,
        notices=case.closed_notices(OutcomeKind.NOT_RETURNED),
    )


def offer_extension(case: Case) -> Decision:
    """T7: the merchant may have more time to wait for the goods, once."""
    offered = case.notice(NoticeTemplate.EXTENSION_OFFERED, case.merchant)
    notices = () if case.state.goods.extended else offered
    return case.enter(RETURN_DELAYED, case.silent("extension_offered"), notices=notices)
