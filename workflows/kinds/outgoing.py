"""Goods that the merchant sends to the buyer: those of an exchange (T8), or back what it has rejected (T15).

Whether the buyer has them is the carrier's word. A parcel that was refused, went back or was never signed for has not
been received, whatever silence would come to: a person is called (T14).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from workflows.kinds import every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import AskCarrier, Decision
from workflows.kinds.repair_stages import REPAIR_FAILED, REPAIR_OVERDUE, REPAIR_REVIEW, REPAIR_UNDERWAY, REPAIRING
from workflows.kinds.resend_stages import RESEND_FAILED, RESEND_UNDERWAY
from workflows.kinds.return_stages import (
    EXCHANGE_UNDERWAY,
    GOODS_HELD,
    RESHIP_FAILED,
    RESHIP_OVERDUE,
    RESHIPMENT,
    RETURN_REVIEW,
    SENT_BACK,
)
from workflows.kinds.stage import Stage
from workflows.kinds.state import GoodsState
from workflows.messages.actors import Role
from workflows.messages.cases import LogEntry, NoticeTemplate
from workflows.messages.commands import ReportParcel, Reship, SendBack
from workflows.messages.parcels import Parcel, ParcelEvent, ParcelHistory, ParcelPurpose
from workflows.messages.stages import Attention, CaseKind, OutcomeKind
from workflows.messages.step_parts import ParcelWatch
from workflows.rules.parcels import Told, came_back, signed_at


@dataclass(frozen=True)
class Sending:
    """How goods go to the buyer, and where the case stands once they have not arrived."""

    underway: Stage
    failed: Stage
    attention: Attention


EXCHANGE = Sending(EXCHANGE_UNDERWAY, RESHIP_FAILED, Attention.RESHIP_FAILED)
BACK = Sending(SENT_BACK, GOODS_HELD, Attention.GOODS_HELD)
AGAIN = Sending(RESEND_UNDERWAY, RESEND_FAILED, Attention.RESEND_FAILED)
REPAIR = Sending(REPAIR_UNDERWAY, REPAIR_FAILED, Attention.REPAIR_FAILED)
SENDINGS = (EXCHANGE, BACK, AGAIN, REPAIR)


@dataclass(frozen=True)
class Instead:
    """What the buyer gets for goods that it has sent in, where that is not money."""

    review: Stage
    """Where the merchant decides."""
    owed: Stage
    """Where it has the goods, and owes what is to be sent."""
    overdue: Stage
    attention: Attention
    """Why a person is called then."""
    sending: Sending
    outcome: OutcomeKind
    rule: str
    told_sent: NoticeTemplate
    told_late: NoticeTemplate
    sent: str
    """The log lines: it has been sent, it is late, the buyer has it (or by silence)."""
    late: str
    confirmed: str
    confirmed_by_silence: str


OTHERS = Instead(
    RETURN_REVIEW,
    RESHIPMENT,
    RESHIP_OVERDUE,
    Attention.RESHIP_OVERDUE,
    EXCHANGE,
    OutcomeKind.EXCHANGED,
    "T8",
    NoticeTemplate.EXCHANGE_SHIPPED,
    NoticeTemplate.INTERVENTION_OPEN,
    "reshipped",
    "reshipment_overdue",
    "exchange_confirmed",
    "exchange_confirmed_by_silence",
)
"""Other goods (T8)."""
MENDED = Instead(
    REPAIR_REVIEW,
    REPAIRING,
    REPAIR_OVERDUE,
    Attention.REPAIR_OVERDUE,
    REPAIR,
    OutcomeKind.REPAIRED,
    "M4",
    NoticeTemplate.REPAIR_SHIPPED,
    NoticeTemplate.REPAIR_LATE,
    "repair_sent",
    "repair_overdue",
    "repair_confirmed",
    "repair_confirmed_by_silence",
)
"""The same goods, mended (M3)."""


def instead_in(case: Case) -> Instead:
    """What is sent in this case for goods that have come back."""
    return MENDED if case.kind is CaseKind.REPAIR else OTHERS


def heard_of(case: Case, *told: Told) -> Case:
    """Keep what tells whether a parcel has arrived."""
    return case.but(goods=case.state.goods.heard(*told))


def with_goods(case: Case, **changed: object) -> Case:
    """The case with this changed of where its goods are."""
    return case.but(goods=case.state.goods.but(**changed))


def reship(case: Case, command: Reship) -> Decision:
    """T8, M3: other goods, or the same mended, which the buyer is to confirm."""
    instead = instead_in(case)
    entry = _sent(case, command, instead.sent)
    sent = with_goods(case, outgoing=command.parcel, with_merchant=False, confirmed=True)
    return _send(sent, command.parcel, entry, instead.sending.underway, instead.told_sent)


def send_back(case: Case, command: SendBack) -> Decision:
    """T15: the goods that the merchant does not take."""
    entry = _sent(case, command, "sent_back")
    sent = with_goods(case, outgoing=command.parcel, with_merchant=False)
    return _send(sent, command.parcel, entry, SENT_BACK, NoticeTemplate.GOODS_SENT_BACK)


def send_again(case: Case, command: Reship) -> Decision:
    """C3, N3: what was agreed to, which the buyer is to confirm."""
    entry = _sent(case, command, "sent_again")
    sent = with_goods(case, outgoing=command.parcel, with_merchant=False)
    return _send(sent, command.parcel, entry, RESEND_UNDERWAY, NoticeTemplate.GOODS_SENT_AGAIN)


def exchanged(case: Case, entry: LogEntry) -> Decision:
    """T8, M4: the buyer has the other goods, or has its own back."""
    instead = instead_in(case)
    notices = case.closed_notices(instead.outcome)
    return case.close(instead.outcome, entry, rule=instead.rule, by=entry.by, notices=notices)


def told_of_outgoing(case: Case, report: ReportParcel) -> Decision | None:
    """T14: where the case goes on what the carrier says of goods on their way to the buyer; None for nowhere."""
    sending = next((each for each in SENDINGS if case.stage in (each.underway, each.failed)), None)
    goods = case.state.goods
    if sending is None or report.parcel != goods.outgoing:
        return None
    if case.stage is sending.underway and came_back_from_buyer(goods) and came_back([report], report.parcel, None):
        return case.enter(sending.failed, every_case.parcel_line(case, report), attention=sending.attention)
    if case.stage is sending.failed and report.event is ParcelEvent.SIGNED and buyer_signed(goods):
        return with_goods(case, with_merchant=False).enter(sending.underway, every_case.parcel_line(case, report))
    return None


def once_the_buyer_has_them(case: Case, sending: Sending, do: Callable[[Case], Decision]) -> Decision:
    """T14: by all that the carrier knows, asked where it has told nothing; where not, a person is called."""

    def known(case: Case) -> Decision:
        goods = case.state.goods
        if buyer_signed(goods):
            return do(case)
        entry = case.silent("goods_came_back" if came_back_from_buyer(goods) else "goods_not_signed")
        failed = with_goods(case, with_merchant=True)
        return failed.enter(sending.failed, entry, attention=sending.attention)

    goods = case.state.goods
    if goods.outgoing and not buyer_signed(goods) and not came_back_from_buyer(goods):
        return Decision(
            effect=AskCarrier(goods.outgoing),
            state=case.state,
            then=lambda case, history: known(_all_heard(case, history)),
        )
    return known(case)


def _all_heard(case: Case, history: ParcelHistory) -> Case:
    return heard_of(case, *history.events)


def _send(case: Case, parcel: Parcel, entry: LogEntry, stage: Stage, template: NoticeTemplate) -> Decision:
    """Goods go to the buyer: who wanted money instead before has to say so anew (T9)."""
    return with_goods(case, wants_money=frozenset[Role]()).enter(
        stage,
        entry,
        watch=ParcelWatch(parcel=parcel, purpose=ParcelPurpose.RESHIPMENT),
        notices=case.notice(template, case.buyer),
    )


def _sent(case: Case, command: Reship | SendBack, event: str) -> LogEntry:
    parcel = command.parcel
    return case.obeyed(command, event, carrier=parcel.carrier, tracking_no=parcel.tracking_no)


def buyer_signed(goods: GoodsState) -> bool:
    """Whether the buyer has what the merchant has sent (T14)."""
    return signed_at(goods.told, goods.outgoing, _sent_since(goods)) is not None


def merchant_has(goods: GoodsState) -> bool:
    """Whether the merchant has goods that are the buyer's, be it that what it had sent has come back (T14, T15)."""
    return goods.with_merchant or (goods.received and came_back_from_buyer(goods))


def came_back_from_buyer(goods: GoodsState) -> bool:
    """Whether what the merchant has sent was refused, or is back with it (T14)."""
    return came_back(goods.told, goods.outgoing, _sent_since(goods))


def _sent_since(goods: GoodsState) -> datetime | None:
    """T14: what was told of before the merchant had the goods, or was asked, is of another parcel under the number."""
    return goods.received_at or goods.agreed_at
