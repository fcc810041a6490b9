"""The process of each kind of case: from which stage it goes where, and by what.

The workflows carry this out, stage by stage; tests hold every move that a case makes against this table, and
``docs/processes.md`` is drawn from it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workflows.messages.commands import OpenDispute
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.dispute import ANSWERED_BY_DISPUTE, DECIDED, DISPUTABLE
from workflows.rules.stages import STAGES

S = StageName
O = OutcomeKind  # noqa: E741 -- stands in every line of the table


@dataclass(frozen=True)
class Move:
    """One arrow: the log line that tells of it, and where it leads."""

    come_from: StageName
    event: str
    to: StageName
    end: OutcomeKind | None = None
    """How the case ends, where ``to`` is ``closed``."""


Arrows: TypeAlias = tuple[tuple[StageName, str, StageName | OutcomeKind], ...]
"""A move that ends the case names its outcome as where it leads."""


def _from(stage: StageName, **events: StageName | OutcomeKind | tuple[StageName | OutcomeKind, ...]) -> Arrows:
    return tuple(
        (stage, event, to)
        for event, leads in events.items()
        for to in (leads if isinstance(leads, tuple) else (leads,))
    )


MONEY: Arrows = (
    *_from(
        S.PAYING,
        refund_succeeded=O.REFUNDED,
        compensation_paid=O.COMPENSATED,
        refund_submitted=S.SETTLING,
        attention_raised=S.PAYMENT_ATTENTION,
        room_awaited=S.AWAITING_ROOM,
        nothing_left=O.NOTHING_LEFT,
        nothing_to_pay=O.NOTHING_TO_PAY,
        covered=O.COVERED,
    ),
    *_from(S.AWAITING_ROOM, room_overdue=S.ROOM_OVERDUE),
    *(
        each
        for stage in (S.AWAITING_ROOM, S.ROOM_OVERDUE)
        for each in _from(
            stage,
            room_found=S.PAYING,
            payment_retried=(S.PAYING, O.NOTHING_LEFT, O.COVERED),
            nothing_left=O.NOTHING_LEFT,
            covered=O.COVERED,
            closed_by_officer=O.CLOSED_BY_OFFICER,
        )
    ),
    *_from(
        S.SETTLING,
        refund_succeeded=O.REFUNDED,
        compensation_paid=O.COMPENSATED,
        attention_raised=S.PAYMENT_ATTENTION,
    ),
    *_from(
        S.PAYMENT_ATTENTION,
        payment_retried=S.PAYING,
        refund_submitted=S.SETTLING,
        refund_succeeded=O.REFUNDED,
        compensation_paid=O.COMPENSATED,
        paid_in_advance=O.PAID_BY_PLATFORM,
        paid_manually=O.PAID_MANUALLY,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
    *_from(S.AWAITING_ACCOUNT, refund_account_given=S.PAYING, closed_by_officer=O.CLOSED_BY_OFFICER),
)
"""The money leg, the same for every kind (section 10). A cash-on-delivery order first waits for an account (T4)."""

_NOT_THERE = ("goods_refused", "goods_returned_to_warehouse", "goods_came_back")
"""What is told of a parcel that its receiver has not taken (T14)."""

_SENT_BACK: Arrows = (
    *_from(
        S.RETURN_REVIEW,
        refunded_directly=S.PAYING,
        return_agreed=S.AWAITING_RETURN,
        return_agreed_by_silence=(S.AWAITING_RETURN, S.ADDRESS_MISSING),
        rejected=S.REJECTED,
        withdrawn=O.WITHDRAWN,
    ),
    *_from(S.REJECTED, amended=S.RETURN_REVIEW, closed_as_rejected=O.REJECTED),
    *_from(
        S.ADDRESS_MISSING,
        return_agreed=S.AWAITING_RETURN,
        refunded_directly=S.PAYING,
        withdrawn=O.WITHDRAWN,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
    *(
        each
        for stage in (S.RETURN_REVIEW, S.ADDRESS_MISSING, S.AWAITING_RETURN)
        for each in _from(stage, goods_refused=S.RETURN_REFUSED, goods_returned_to_warehouse=S.RETURN_REFUSED)
    ),
    *_from(S.AWAITING_RETURN, tracking_entered=S.RETURN_IN_TRANSIT, not_returned=O.NOT_RETURNED, withdrawn=O.WITHDRAWN),
    *_from(S.RETURN_IN_TRANSIT, extension_offered=S.RETURN_DELAYED),
    *_from(S.RETURN_DELAYED, receipt_extended=S.RETURN_EXTENDED, return_overdue=S.RETURN_OVERDUE),
    *_from(S.RETURN_EXTENDED, return_overdue=S.RETURN_OVERDUE),
    *_from(
        S.RETURN_OVERDUE,
        tracking_entered=S.RETURN_IN_TRANSIT,
        refunded_directly=S.PAYING,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
    *_from(
        S.RETURN_REFUSED,
        tracking_entered=S.RETURN_IN_TRANSIT,
        refunded_directly=S.PAYING,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
    *_from(S.RECEIPT_REJECTED, sent_back=S.SENT_BACK, goods_held=S.GOODS_HELD),
    *_from(
        S.SENT_BACK,
        closed_as_rejected=(O.REJECTED, O.DISMISSED),
        **dict.fromkeys(_NOT_THERE, S.GOODS_HELD),
        goods_not_signed=S.GOODS_HELD,
    ),
    *_from(
        S.GOODS_HELD,
        sent_back=S.SENT_BACK,
        goods_signed=S.SENT_BACK,
        refunded_directly=S.PAYING,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
)
"""What a return and an exchange share (T1 to T7, T14, T15)."""

_UNDERWAY = (S.RETURN_IN_TRANSIT, S.RETURN_DELAYED, S.RETURN_EXTENDED, S.RETURN_OVERDUE)
_ON_ITS_WAY = (*_UNDERWAY, S.RETURN_REFUSED)


def _refused(*stages: StageName) -> Arrows:
    """T14: what has not been received, also where a sign-off has been told."""
    return tuple(each for stage in stages for each in _from(stage, **dict.fromkeys(_NOT_THERE, S.RETURN_REFUSED)))


RETURN: Arrows = (
    *_from(S.OPENING, opened=S.RETURN_REVIEW),
    *_SENT_BACK,
    *(each for stage in _UNDERWAY for each in _from(stage, goods_signed=S.RETURN_RECEIVED)),
    *_refused(*_UNDERWAY, S.RETURN_RECEIVED),
    *(
        each
        for stage in (S.AWAITING_RETURN, *_ON_ITS_WAY, S.RETURN_RECEIVED, S.RECEIPT_REJECTED, S.GOODS_HELD)
        for each in _from(stage, receipt_confirmed=S.PAYING)
    ),
    *_from(S.RETURN_RECEIVED, approved_by_silence=S.PAYING, rejected=S.RECEIPT_REJECTED),
)

EXCHANGE: Arrows = (
    *_from(S.OPENING, opened=S.RETURN_REVIEW),
    *_SENT_BACK,
    *(each for stage in _UNDERWAY for each in _from(stage, goods_signed=S.RESHIPMENT)),
    *_refused(*_UNDERWAY, S.RESHIPMENT, S.RESHIP_OVERDUE),
    *(
        each
        for stage in (S.AWAITING_RETURN, *_ON_ITS_WAY, S.RECEIPT_REJECTED, S.GOODS_HELD)
        for each in _from(stage, receipt_confirmed=S.RESHIPMENT)
    ),
    *_from(
        S.RESHIPMENT,
        reshipped=S.EXCHANGE_UNDERWAY,
        reshipment_overdue=S.RESHIP_OVERDUE,
        converted_to_refund=S.PAYING,
        rejected=S.RECEIPT_REJECTED,
    ),
    *_from(
        S.RESHIP_OVERDUE,
        reshipped=S.EXCHANGE_UNDERWAY,
        converted_to_refund=S.PAYING,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
    *_from(
        S.EXCHANGE_UNDERWAY,
        exchange_confirmed=O.EXCHANGED,
        exchange_confirmed_by_silence=O.EXCHANGED,
        **dict.fromkeys(_NOT_THERE, S.RESHIP_FAILED),
        goods_not_signed=S.RESHIP_FAILED,
    ),
    *_from(
        S.RESHIP_FAILED,
        reshipped=S.EXCHANGE_UNDERWAY,
        goods_signed=S.EXCHANGE_UNDERWAY,
        exchange_confirmed=O.EXCHANGED,
        converted_to_refund=S.PAYING,
        closed_by_officer=O.CLOSED_BY_OFFICER,
    ),
)

_SHIPPED_MEANWHILE = (S.PARCEL_INTERCEPT, S.RETURN_REVIEW, S.SHIPPED_REVIEW)
"""By policy (R7)."""

UNSHIPPED_REFUND: Arrows = (
    *_from(S.OPENING, opened=S.MERCHANT_REVIEW),
    *_from(
        S.MERCHANT_REVIEW,
        approved=S.PAYING,
        approved_by_silence=S.PAYING,
        withdrawn=O.WITHDRAWN,
        rejected=_SHIPPED_MEANWHILE,
        goods_shipped=_SHIPPED_MEANWHILE,
        goods_on_delivery_run=_SHIPPED_MEANWHILE,
    ),
)

_OUT = {
    "approved": S.PAYING,
    "goods_returned_to_warehouse": S.PAYING,
}
_STOPPED = {**_OUT, "goods_signed": (S.RETURN_REVIEW, S.SHIPPED_REVIEW, S.ESCALATED)}
"""What may come of goods that are out and to be stopped (R7).

What another case brings back is not asked back (R13). What was refused as well is for a person to find (T14).
"""
_CANCELLED = {**_OUT, "goods_signed": (S.RETURN_REVIEW, S.ESCALATED)}
"""The same of a cancellation (R3)."""

SHIPPED_REFUND: Arrows = (
    *_from(S.OPENING, opened=S.SHIPPED_REVIEW),
    *_from(
        S.SHIPPED_REVIEW,
        approved=S.PAYING,
        approved_by_silence=S.PAYING,
        rejected=S.REJECTED,
        withdrawn=O.WITHDRAWN,
    ),
    *_from(S.REJECTED, amended=S.SHIPPED_REVIEW, closed_as_rejected=O.REJECTED),
    *_from(S.PARCEL_INTERCEPT, **_STOPPED, escalated=S.ESCALATED, withdrawn=O.WITHDRAWN),
    *_from(S.ESCALATED, **_STOPPED, withdrawn=O.WITHDRAWN, closed_by_officer=O.CLOSED_BY_OFFICER),
)

_TO_BE_STOPPED = {
    "goods_shipped": S.INTERCEPTING,
    "goods_on_delivery_run": S.INTERCEPTING,
    "goods_refused": S.INTERCEPTING,
    **_CANCELLED,
}

CANCELLATION: Arrows = (
    *_from(S.OPENING, opened=(S.WAREHOUSE_REVIEW, S.OUTBOUND_REVIEW, S.INTERCEPTING)),
    *_from(
        S.WAREHOUSE_REVIEW,
        **_TO_BE_STOPPED,
        approved_by_silence=S.PAYING,
        goods_outbound=S.OUTBOUND_REVIEW,
        withdrawn=O.WITHDRAWN,
    ),
    *_from(S.OUTBOUND_REVIEW, **_TO_BE_STOPPED, escalated=S.ESCALATED, withdrawn=O.WITHDRAWN),
    *_from(S.INTERCEPTING, **_CANCELLED, escalated=S.ESCALATED, withdrawn=O.WITHDRAWN),
    *_from(S.ESCALATED, **_CANCELLED, withdrawn=O.WITHDRAWN, closed_by_officer=O.CLOSED_BY_OFFICER),
)

MERCHANT_REFUND: Arrows = (
    *_from(S.OPENING, opened=(S.PAYING, S.OFFICER_REVIEW)),
    *_from(S.OFFICER_REVIEW, approved=S.PAYING, approved_by_silence=S.PAYING, rejected=O.REJECTED),
)

WITHDRAWAL: Arrows = (
    *_from(S.OPENING, opened=(S.PAYING, S.RETENTION)),
    *_from(
        S.RETENTION,
        paid_out=S.PAYING,
        paid_out_by_silence=S.PAYING,
        validity_ended=S.PAYING,
        balance_thawed=(O.WITHDRAWN, O.RETAINED),
    ),
)

EXPIRY: Arrows = (*_from(S.OPENING, opened=S.PAYING), *_from(S.PAYING, handed_over=O.HANDED_OVER))

_AGREED = {
    "dispute_resolved": O.RESOLVED,
    "dispute_settled": (O.SETTLED, S.PAYING),
}

_RULED = {"dispute_ruled": (O.RULED, O.DISMISSED, S.PAYING), **_AGREED}

DISPUTE: Arrows = (
    *_from(S.OPENING, opened=S.NEGOTIATION),
    *_from(S.NEGOTIATION, **_AGREED, intervened=(S.EVIDENCE, S.EVIDENCE_WORKING_HOURS, S.RULING)),
    *_from(
        S.EVIDENCE,
        **_RULED,
        dispute_upheld=(O.RULED, S.PAYING),
        evidence_submitted=S.RULING,
        evidence_closed=S.RULING,
    ),
    *_from(
        S.EVIDENCE_WORKING_HOURS,
        **_RULED,
        fault_proposed=S.RULING_PROPOSED,
        evidence_submitted=S.RULING,
        evidence_closed=S.RULING,
    ),
    *_from(S.RULING, **_RULED, ruling_overdue=S.RULING_OVERDUE),
    *_from(S.RULING_PROPOSED, **_RULED, dispute_upheld=(O.RULED, S.PAYING), ruling_overdue=S.RULING_OVERDUE),
    *_from(S.RULING_OVERDUE, **_RULED, dispute_upheld=(O.RULED, S.PAYING)),
)
"""One about an open case ends with its ruling, which that case carries out; any other pays by itself (D8)."""

LATE_SHIPMENT: Arrows = (
    *_from(S.OPENING, opened=S.CLAIMABLE),
    *_from(S.CLAIMABLE, compensation_claimed=S.CLAIM_REVIEW, unclaimed=O.UNCLAIMED),
    *_from(
        S.CLAIM_REVIEW,
        shipment_proved=O.EXEMPT,
        exemption_shown=O.EXEMPT,
        approved=S.PAYING,
        compensated_by_silence=S.PAYING,
        withdrawn=O.WITHDRAWN,
    ),
)

COMPENSATION: Arrows = _from(S.OPENING, opened=S.PAYING)

PROCESSES: Mapping[CaseKind, Arrows] = {
    CaseKind.UNSHIPPED_REFUND: UNSHIPPED_REFUND,
    CaseKind.SHIPPED_REFUND: SHIPPED_REFUND,
    CaseKind.CANCELLATION: CANCELLATION,
    CaseKind.MERCHANT_REFUND: MERCHANT_REFUND,
    CaseKind.RETURN: RETURN,
    CaseKind.EXCHANGE: EXCHANGE,
    CaseKind.DISPUTE: DISPUTE,
    CaseKind.LATE_SHIPMENT: LATE_SHIPMENT,
    CaseKind.FREIGHT_INSURANCE: COMPENSATION,
    CaseKind.RETURN_FREIGHT: COMPENSATION,
    CaseKind.WITHDRAWAL: WITHDRAWAL,
    CaseKind.EXPIRY: EXPIRY,
}


def stages_of(arrows: Arrows) -> tuple[StageName, ...]:
    """The stages that a process goes through, in the order of the table."""
    named = (each for come_from, _, to in arrows for each in (come_from, to))
    return tuple(dict.fromkeys(each for each in named if isinstance(each, StageName)))


def disputed(arrows: Arrows) -> Arrows:
    """What a dispute adds to a process: the case stands still, and goes on where it stood or with the ruling (D3, D8).

    Opened in one stage, it may find the case in another one when the platform steps in.
    """
    open_stages = [name for name in stages_of(arrows) if name not in DECIDED and name is not S.OPENING]
    return (
        *_from(S.DISPUTED, approved=S.PAYING, withdrawn=O.WITHDRAWN, locked=S.LOCKED),
        *(each for name in (S.DISPUTED, S.LOCKED, *open_stages) for each in _ruled_on(name)),
        *(each for name in open_stages for each in _stopped(name)),
        *(each for name in (S.DISPUTED, S.LOCKED, *open_stages) for each in _dismissed(name, open_stages)),
    )


def _dismissed(stage: StageName, open_stages: list[StageName]) -> Arrows:
    """T15: what is not to be paid for goes back to the buyer, where the merchant has the goods."""
    return _from(stage, ruling_carried_out=S.RECEIPT_REJECTED) if S.RECEIPT_REJECTED in open_stages else ()


def _ruled_on(stage: StageName) -> Arrows:
    return _from(stage, ruling_carried_out=(S.PAYING, O.DISMISSED))


def _stopped(name: StageName) -> Iterator[tuple[StageName, str, StageName | OutcomeKind]]:
    yield from _from(name, locked=S.LOCKED)
    yield from _from(S.LOCKED, dispute_resolved=name, dispute_broken_off=name, dispute_refused=name)
    if OpenDispute in STAGES[name].accepts and STAGES[name].silence in ANSWERED_BY_DISPUTE:
        yield from _from(name, dispute_opened=S.DISPUTED)
        yield from _from(S.DISPUTED, dispute_resolved=name, dispute_broken_off=name, dispute_refused=name)


def moves(kind: CaseKind) -> frozenset[Move]:
    """Every move that a case of this kind may make."""
    arrows: Iterable[tuple[StageName, str, StageName | OutcomeKind]] = (*PROCESSES[kind], *MONEY)
    if kind in DISPUTABLE:
        arrows = (*arrows, *disputed(PROCESSES[kind]))
    found = frozenset(_move(*arrow) for arrow in arrows)
    # A cash-on-delivery order waits for its account before it pays (T4).
    waits = {Move(each.come_from, each.event, S.AWAITING_ACCOUNT) for each in found if each.to is S.PAYING}
    return found | {each for each in waits if each.come_from not in DECIDED}


def _move(come_from: StageName, event: str, to: StageName | OutcomeKind) -> Move:
    return Move(come_from, event, S.CLOSED, to) if isinstance(to, OutcomeKind) else Move(come_from, event, to)
