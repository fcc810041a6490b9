"""How a leg of a payout stands: a fold over what was said of it, in the order it was entered (section 10).

``reserved → submitted → processing | unknown → succeeded | failed | abnormal → manual → succeeded``
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from workflows.messages.payouts import LegState, PaidBy

US: Final = "us"
"""The source of what we did ourselves."""
GATEWAY: Final = "gateway"
"""The source of what the gateway answered when it was asked."""
_CALLBACK: Final = "callback:"


def callback_source(key: str) -> str:
    """The source of a gateway's callback; a repeated one has the same."""
    return f"{_CALLBACK}{key}"


def officer_source(officer_id: str) -> str:
    """The source of what an officer did."""
    return f"officer:{officer_id}"


class AlertKind(StrEnum):
    """What a person must look at, because no rule can put it right."""

    SUCCESS_AFTER_FAILURE = "success_after_failure"
    """The room was given back on a confirmed failure, and then the money moved after all."""
    FAILURE_AFTER_SUCCESS = "failure_after_success"
    """The gateway takes a success back. Ours stays succeeded until a person has looked."""
    REFUND_RETURNED = "refund_returned"
    """Money that was paid has come back: the buyer does not have it, and an officer must find a way."""
    PAID_TWICE = "paid_twice"
    """The gateway and an officer have both paid the same leg."""
    PAID_BEYOND_CAP = "paid_beyond_cap"
    """An officer has paid by hand what others had been refunded meanwhile (R8)."""
    NUMBER_CONFLICT = "number_conflict"
    """The gateway has another refund under this number."""
    BALANCE_NOT_HELD = "balance_not_held"
    """A principal was paid back by a case that did not hold the allowance's balance (A6)."""


@dataclass(frozen=True, kw_only=True)
class LegEvent:
    """Something said of a leg. Moments are business time in UTC."""

    says: LegState
    source: str
    at: datetime
    """When it was entered."""
    as_of: datetime
    """The moment that it speaks of: a late callback tells of an earlier one."""
    paid_by: PaidBy | None = None
    failure: str | None = None
    raw: str | None = None
    """The provider's own code behind ``failure``."""
    attempt: int | None = None
    """Which attempt it speaks of; None where the gateway does not tell them apart, or it is about none."""
    returned: bool = False
    """Of a failure: the money had arrived, and has come back."""
    gateway_ref: str | None = None
    reason: str | None = None
    proof: str | None = None
    arrives_from: datetime | None = None
    arrives_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LegRecord:
    """How a leg stands."""

    state: LegState
    reserved_at: datetime
    paid_by: PaidBy | None = None
    failure: str | None = None
    raw: str | None = None
    gateway_ref: str | None = None
    attempt: int = 1
    """Which one is being made, or was the last; that which has paid, once it has succeeded."""
    submitted_at: datetime | None = None
    """When it was last sent."""
    returned_at: datetime | None = None
    """When money that had been paid last came back."""
    settled_at: datetime | None = None
    arrives_from: datetime | None = None
    arrives_until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """What an event did: ``moved`` says whether the standing is another one now."""

    standing: LegRecord
    moved: bool
    alert: AlertKind | None = None


BY_NOBODY: Final = frozenset({PaidBy.ALLOWANCE, PaidBy.LOST_BONUS})
"""What is settled in our own books as soon as it is reserved (A7)."""


def counts(state: LegState) -> bool:
    """Whether a leg in this state uses up room: all but a confirmed failure (R8)."""
    return state is not LegState.FAILED


def in_flight(state: LegState) -> bool:
    """Whether a leg in this state holds room that it may yet give back."""
    return state not in {LegState.FAILED, LegState.SUCCEEDED}


OPEN_STATES: Final = frozenset({LegState.RESERVED, LegState.SUBMITTED, LegState.PROCESSING, LegState.UNKNOWN})
"""What the gateway may still tell us about."""
CLOSABLE: Final = frozenset({LegState.SUCCEEDED, LegState.FAILED})
"""States in which nothing more can move: legs of which each is in one of them can be closed as they are."""

_SENT: Final = {LegState.SUBMITTED, LegState.PROCESSING, LegState.UNKNOWN, LegState.ABNORMAL}
_MOVES: Final = {
    LegState.RESERVED: {LegState.FAILED},
    LegState.SUBMITTED: {LegState.RESERVED, LegState.SUBMITTED, LegState.UNKNOWN, LegState.ABNORMAL},
    LegState.PROCESSING: _SENT - {LegState.PROCESSING},
    LegState.UNKNOWN: {LegState.SUBMITTED},
    LegState.FAILED: {*_SENT, LegState.FAILED},
    LegState.ABNORMAL: _SENT,
    # Not from submitted: an attempt may be sending at this moment.
    LegState.MANUAL: {LegState.RESERVED, LegState.UNKNOWN, LegState.ABNORMAL},
}
"""From which states an event moves a leg; success has its own rules."""


def follow(standing: LegRecord | None, event: LegEvent) -> Change:
    """What ``event`` makes of a leg that stands like this; None for a leg that is only being made.

    Repeated, late and impossible events change nothing. Two contradictions raise an alert: success after a
    confirmed failure (the money has moved, so the leg has succeeded), and failure after success.

    Raises:
        ValueError: a leg begins with anything but its reservation.
    """
    if standing is None:
        if event.says is not LegState.RESERVED:
            raise ValueError("a leg begins with its reservation")
        return Change(LegRecord(state=LegState.RESERVED, reserved_at=event.at), moved=True)
    if _of_the_other(standing, event):
        return Change(standing, moved=False)
    match event.says:
        case LegState.SUCCEEDED:
            return _succeed(standing, event)
        case LegState.FAILED if event.returned and standing.state is LegState.SUCCEEDED:
            return _come_back(standing, event)
        case LegState.FAILED | LegState.ABNORMAL if standing.state is LegState.SUCCEEDED:
            return Change(standing, moved=False, alert=_contradiction(standing, event))
        case _ if standing.state not in _moved_by(event) or _outdated(standing, event):
            return Change(standing, moved=False)
        case _:
            next_standing = _move(standing, event)
            return Change(next_standing, moved=next_standing != standing)


def fold(events: Iterable[LegEvent]) -> LegRecord:
    """How a leg stands after all that was said of it.

    Raises:
        ValueError: nothing was said, or not the reservation first.
    """
    standing: LegRecord | None = None
    for event in events:
        standing = follow(standing, event).standing
    if standing is None:
        raise ValueError("a leg begins with its reservation")
    return standing


def _moved_by(event: LegEvent) -> set[LegState]:
    """From which states an event moves a leg. We ourselves know of a failure only where nothing was sent."""
    if event.says is LegState.FAILED and event.source == US:
        return {LegState.RESERVED, LegState.FAILED}
    return _MOVES[event.says]


def _outdated(standing: LegRecord, event: LegEvent) -> bool:
    """Whether the event tells of an earlier sending: its failure says nothing of the money now under way."""
    if event.attempt is not None and event.attempt != standing.attempt:
        return event.attempt < standing.attempt
    return standing.submitted_at is not None and _at_the_latest(event.as_of) < standing.submitted_at


def _of_the_other(standing: LegRecord, event: LegEvent) -> bool:
    """Whether a callback tells of the refund that has our number at the gateway; what was sent before was ours."""
    if standing.failure != AlertKind.NUMBER_CONFLICT or not event.source.startswith(_CALLBACK):
        return False
    return event.attempt is None or event.attempt >= standing.attempt


def _of_another_attempt(standing: LegRecord, event: LegEvent) -> bool:
    """Whether the event tells of another attempt than the one that has paid."""
    return event.attempt is not None and event.attempt != standing.attempt


def _at_the_latest(told: datetime) -> datetime:
    """The latest moment that ``told`` may stand for: most gateways date in whole seconds or milliseconds (R18)."""
    if told.microsecond == 0:
        return told + timedelta(microseconds=999_999)
    return told + timedelta(microseconds=999) if told.microsecond % 1000 == 0 else told


def _move(standing: LegRecord, event: LegEvent) -> LegRecord:
    match event.says:
        case LegState.RESERVED:
            return LegRecord(
                state=LegState.RESERVED,
                reserved_at=event.at,
                # Only what was sent, and has failed for certain, goes out under another number.
                attempt=standing.attempt + (standing.submitted_at is not None),
                returned_at=standing.returned_at,
            )
        case LegState.SUBMITTED:
            return LegRecord(
                state=LegState.SUBMITTED,
                reserved_at=standing.reserved_at,
                attempt=standing.attempt,
                submitted_at=event.as_of,
                returned_at=standing.returned_at,
            )
        case LegState.FAILED | LegState.ABNORMAL:
            return replace(
                standing,
                state=event.says,
                failure=event.failure,
                raw=event.raw,
                gateway_ref=event.gateway_ref or standing.gateway_ref,
                arrives_from=None,
                arrives_until=None,
            )
        case _:
            return replace(
                standing,
                state=event.says,
                failure=event.failure,
                raw=event.raw,
                gateway_ref=event.gateway_ref or standing.gateway_ref,
                arrives_from=standing.arrives_from or event.arrives_from,
                arrives_until=standing.arrives_until or event.arrives_until,
            )


def _succeed(standing: LegRecord, event: LegEvent) -> Change:
    by_gateway = event.paid_by is PaidBy.GATEWAY
    match standing.state:
        case LegState.SUCCEEDED:
            twice = by_gateway != (standing.paid_by is PaidBy.GATEWAY) or _of_another_attempt(standing, event)
            return Change(standing, moved=False, alert=AlertKind.PAID_TWICE if twice else None)
        case _ if by_gateway and _had_come_back(standing, event):
            return Change(standing, moved=False)
        case LegState.MANUAL:
            alert = None
        case LegState.RESERVED if event.paid_by in BY_NOBODY:  # A7: no provider is ever told of it
            alert = None
        case _ if not by_gateway:
            # By hand is paid only what was first taken out of the gateway's hands.
            return Change(standing, moved=False)
        case LegState.FAILED:
            alert = AlertKind.SUCCESS_AFTER_FAILURE
        case _ if event.attempt is not None and event.attempt < standing.attempt:
            alert = AlertKind.SUCCESS_AFTER_FAILURE  # and the attempt that is under way may pay once more
        case _:
            alert = None
    succeeded = replace(
        standing,
        state=LegState.SUCCEEDED,
        paid_by=event.paid_by,
        attempt=event.attempt or standing.attempt,
        failure=None,
        raw=None,
        gateway_ref=event.gateway_ref or standing.gateway_ref,
        settled_at=event.as_of,
        arrives_from=standing.arrives_from or event.arrives_from,
        arrives_until=standing.arrives_until or event.arrives_until,
    )
    return Change(succeeded, moved=True, alert=alert)


def _come_back(standing: LegRecord, event: LegEvent) -> Change:
    """Money that the gateway had paid is back where it came from: the leg has failed, and can be tried anew.

    What was paid by hand cannot come back through the gateway. What came back of another attempt, or before the
    payment, had been paid besides.
    """
    if standing.paid_by is not PaidBy.GATEWAY or _of_another_attempt(standing, event):
        return Change(standing, moved=False)
    if standing.settled_at is not None and _at_the_latest(event.as_of) < standing.settled_at:
        return Change(standing, moved=False)
    failed = replace(
        standing,
        state=LegState.FAILED,
        paid_by=None,
        failure=event.failure,
        raw=event.raw,
        settled_at=None,
        returned_at=event.as_of,
        arrives_from=None,
        arrives_until=None,
    )
    return Change(failed, moved=True, alert=AlertKind.REFUND_RETURNED)


def _had_come_back(standing: LegRecord, event: LegEvent) -> bool:
    """Whether a success is one that has been undone since: its callback has come after that of the return."""
    return standing.returned_at is not None and event.as_of <= standing.returned_at


def _contradiction(standing: LegRecord, event: LegEvent) -> AlertKind | None:
    """A failure contradicts a success of the gateway unless it tells of a moment before it, or of another attempt."""
    if _of_another_attempt(standing, event):
        return None
    later = standing.settled_at is not None and _at_the_latest(event.as_of) >= standing.settled_at
    return AlertKind.FAILURE_AFTER_SUCCESS if later and standing.paid_by is PaidBy.GATEWAY else None
