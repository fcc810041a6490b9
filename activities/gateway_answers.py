"""What a gateway's answers say of a leg, and whether an officer may pay instead (section 10, R5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from activities.calendar.countries import calendar_of
from activities.gateways.payment import GatewayAnswer, NotFound
from activities.working_time import add_working_days
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.message import EARLIEST
from workflows.messages.payouts import RETURNED, STRANDED, LegState, LegStatus, PaidBy, TenderKind
from workflows.messages.policy import Arrival, PaymentPolicy
from workflows.rules.legs import GATEWAY, LegEvent, callback_source
from workflows.rules.moments import CLOCKS_DIFFER
from workflows.rules.number_conflicts import OtherRefund

_STATES: Final = {
    GatewayResult.SUCCEEDED: LegState.SUCCEEDED,
    GatewayResult.PROCESSING: LegState.PROCESSING,
    GatewayResult.ACTION_REQUIRED: LegState.PROCESSING,
    GatewayResult.FAILED: LegState.FAILED,
    GatewayResult.CANCELED: LegState.FAILED,
    GatewayResult.CLOSED: LegState.FAILED,
    GatewayResult.RETURNED: LegState.FAILED,
    GatewayResult.ABNORMAL: LegState.ABNORMAL,
    GatewayResult.STRANDED: LegState.ABNORMAL,
    GatewayResult.UNKNOWN: LegState.UNKNOWN,
}


LONGEST_WAIT: Final = timedelta(hours=24)
"""A provider that names a later moment is asked again after this all the same."""


@dataclass(frozen=True)
class TurnedAway:
    """Surely not sent: the provider knows nothing of this call."""

    code: str
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class NumberTaken:
    """The provider has another refund under this number: ours is not paid under it, now or later."""

    other: OtherRefund | None = None
    """What it has; None where it does not tell that."""
    retry_after: None = None


@dataclass(frozen=True)
class Unknown:
    """Nothing is known. The refund may have been paid, be paid yet, or never have arrived."""

    retry_after: timedelta | None = None


def bounded(wait: timedelta | None) -> timedelta | None:
    """When to ask again, as a provider names it: neither in the past nor so late that a case is forgotten."""
    return None if wait is None else min(max(wait, timedelta(0)), LONGEST_WAIT)


class Entering(Protocol):
    """Under what an answer is entered."""

    @property
    def at(self) -> datetime:
        """The moment, in UTC."""
        ...

    @property
    def arrival(self) -> PaymentPolicy | None:
        """How long money takes to arrive (R5); None after the case has ended."""
        ...


def may_be_paid_by_hand(asked: LegStatus | None, leg: LegStatus, answer: object) -> bool:
    """Whether the gateway has said for certain that it will not pay by itself, and nobody has sent since.

    Of a number that is another refund's, what an officer may say decides ``number_conflicts``.
    """
    if asked is None or asked.state is LegState.SUBMITTED or asked.submitted_at != leg.submitted_at:
        return False
    if leg.state not in {LegState.RESERVED, LegState.UNKNOWN, LegState.ABNORMAL, LegState.FAILED}:
        return False
    match answer:
        case NotFound() | NumberTaken(other=OtherRefund()):
            return True
        case GatewayAnswer(result=result):
            return _STATES[result] is LegState.FAILED or result is GatewayResult.ABNORMAL
        case _:
            return False


def answered(attempt: Entering, leg: LegStatus, answer: GatewayAnswer) -> LegEvent:
    """What a gateway that was asked has answered. A moment that cannot be is left out: the answer is true now (R18)."""
    as_of = answer.settled_at
    if as_of is None or not EARLIEST <= as_of <= attempt.at + CLOCKS_DIFFER:
        as_of = attempt.at
    return said(attempt, leg, answer, source=GATEWAY, as_of=as_of)


def of_another_refund(callback: GatewayCallback, leg: LegStatus) -> bool:
    """Whether a callback tells of another refund that has our number: a number has one amount for life."""
    return callback.amount not in (None, leg.amount)


def called_back(attempt: Entering, leg: LegStatus, callback: GatewayCallback) -> LegEvent:
    """What a gateway tells of itself."""
    answer = GatewayAnswer(
        refund_no=callback.refund_no,
        result=callback.result,
        attempt=callback.attempt,
        gateway_ref=callback.gateway_ref,
        failure=callback.failure,
        raw=callback.raw,
    )
    return said(attempt, leg, answer, source=callback_source(callback.key), as_of=callback.settled_at)


def said(attempt: Entering, leg: LegStatus, answer: GatewayAnswer, *, source: str, as_of: datetime) -> LegEvent:
    """What a gateway has said, with the days in which the money is to arrive (R5)."""
    arrives_from, arrives_until = None, None
    if attempt.arrival and _STATES[answer.result] in {LegState.PROCESSING, LegState.SUCCEEDED}:
        days = _arrival(attempt.arrival, leg.tender_kind)
        calendar = calendar_of(attempt.arrival.place)
        arrives_from, _ = add_working_days(as_of, days.earliest_working_days, calendar)
        arrives_until, _ = add_working_days(as_of, days.latest_working_days, calendar)
    return LegEvent(
        says=_STATES[answer.result],
        source=source,
        at=attempt.at,
        as_of=as_of,
        paid_by=PaidBy.GATEWAY if answer.result is GatewayResult.SUCCEEDED else None,
        failure=_failure(answer),
        raw=answer.raw,
        attempt=answer.attempt,
        returned=answer.result is GatewayResult.RETURNED,
        gateway_ref=answer.gateway_ref,
        arrives_from=arrives_from,
        arrives_until=arrives_until,
    )


def _arrival(policy: PaymentPolicy, kind: TenderKind | None) -> Arrival:
    """How many working days it takes (R5)."""
    match kind:
        case TenderKind.WALLET:
            return policy.wallet
        case TenderKind.DEBIT_CARD:
            return policy.debit_card
        case TenderKind.CREDIT_CARD:
            return policy.credit_card
        case TenderKind.CASH | TenderKind.ALLOWANCE | None:
            return policy.bank_transfer


def _failure(answer: GatewayAnswer) -> str | None:
    """Why it is not paid, in one word; those that decide something are the same for every provider."""
    match answer.result:
        case GatewayResult.STRANDED:
            return STRANDED
        case GatewayResult.RETURNED:
            return RETURNED
        case GatewayResult.SUCCEEDED | GatewayResult.PROCESSING | GatewayResult.UNKNOWN:
            return None
        case GatewayResult.FAILED | GatewayResult.ABNORMAL:
            return answer.failure
        case result:
            return answer.failure or result
