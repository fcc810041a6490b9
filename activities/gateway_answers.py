"""What a gateway's answers say of a leg, and whether an officer may pay instead (section 10, R5)."""

from datetime import datetime
from typing import Final, Protocol

from activities.gateways.payment import GatewayAnswer, NotFound
from activities.working_time import add_working_days
from workflows.messages.commands import GatewayResult
from workflows.messages.message import EARLIEST
from workflows.messages.payouts import RETURNED, STRANDED, LegState, LegStatus, PaidBy, TenderKind
from workflows.messages.policy import Arrival, PaymentPolicy
from workflows.rules.legs import GATEWAY, US, LegEvent
from workflows.rules.moments import CLOCKS_DIFFER

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


def is_stranded(leg: LegStatus) -> bool:
    """Whether the gateway holds the money: by hand it might be paid twice."""
    return leg.state is LegState.ABNORMAL and leg.failure == STRANDED


def may_be_paid_by_hand(asked: LegStatus | None, leg: LegStatus, answer: object) -> bool:
    """Whether the gateway has said for certain that it will not pay by itself, and nobody has sent since."""
    if asked is None or asked.state is LegState.SUBMITTED or asked.submitted_at != leg.submitted_at:
        return False
    if leg.state not in {LegState.RESERVED, LegState.UNKNOWN, LegState.ABNORMAL, LegState.FAILED}:
        return False
    match answer:
        case NotFound():
            return True
        case GatewayAnswer(result=result):
            return _STATES[result] is LegState.FAILED or result is GatewayResult.ABNORMAL
        case _:
            return False


def sending(attempt: Entering) -> LegEvent:
    """We send it now."""
    return LegEvent(says=LegState.SUBMITTED, source=US, at=attempt.at, as_of=attempt.at)


def unanswered(attempt: Entering) -> LegEvent:
    """No answer has come, and nothing is guessed."""
    return LegEvent(says=LegState.UNKNOWN, source=US, at=attempt.at, as_of=attempt.at)


def answered(attempt: Entering, leg: LegStatus, answer: GatewayAnswer) -> LegEvent:
    """What a gateway that was asked has answered. A moment that cannot be is left out: the answer is true now (R18)."""
    as_of = answer.settled_at
    if as_of is None or not EARLIEST <= as_of <= attempt.at + CLOCKS_DIFFER:
        as_of = attempt.at
    return said(attempt, leg, answer, source=GATEWAY, as_of=as_of)


def said(attempt: Entering, leg: LegStatus, answer: GatewayAnswer, *, source: str, as_of: datetime) -> LegEvent:
    """What a gateway has said, with the days in which the money is to arrive (R5)."""
    arrives_from, arrives_until = None, None
    if attempt.arrival and _STATES[answer.result] in {LegState.PROCESSING, LegState.SUCCEEDED}:
        days = _arrival(attempt.arrival, leg.tender_kind)
        arrives_from, _ = add_working_days(as_of, days.earliest_working_days)
        arrives_until, _ = add_working_days(as_of, days.latest_working_days)
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
        case TenderKind.CASH | None:
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
