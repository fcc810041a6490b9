"""What is to be done next with a leg of a payout, and what we say of it ourselves (section 10).

A leg has one refund number for life, and the gateway takes a number once. Whoever finds a leg sent that it has not sent
itself asks first, and sends again, under the same number, only what the gateway does not know.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto

from workflows.messages.payouts import LOST, STRANDED, Ask, LegState, LegStatus, PaidBy
from workflows.rules.legs import GATEWAY, US, LegEvent


class Move(Enum):
    """What to do with a leg."""

    ASK_BEFORE_SENDING = auto()
    """A ledger that was restored to an earlier moment may have forgotten that the leg was sent."""
    SEND = auto()
    FIND_OUT = auto()
    """Ask what became of it, and send it where the gateway does not know it."""
    SEND_ON = auto()
    """Tell the gateway where to send the money that it holds."""
    LEAVE = auto()


def next_move(leg: LegStatus, ask: Ask) -> Move:
    """What ``ask`` means for a leg that stands so."""
    match leg.state, ask:
        case LegState.RESERVED, Ask.INQUIRE:
            return Move.ASK_BEFORE_SENDING
        case LegState.RESERVED, _:
            return Move.SEND
        case ((LegState.SUBMITTED | LegState.UNKNOWN), _):
            return Move.FIND_OUT
        case LegState.ABNORMAL, Ask.RETRY if is_stranded(leg):
            return Move.SEND_ON
        case LegState.ABNORMAL, Ask.RETRY:
            return Move.SEND
        case ((LegState.PROCESSING | LegState.ABNORMAL), (Ask.INQUIRE | Ask.RETRY)):
            return Move.FIND_OUT
        case _:
            return Move.LEAVE


def is_ended(leg: LegStatus) -> bool:
    """Whether it is certain what became of the leg."""
    return leg.state in {LegState.SUCCEEDED, LegState.FAILED}


def is_paid(leg: LegStatus) -> bool:
    """Whether the leg has succeeded."""
    return leg.state is LegState.SUCCEEDED


def all_paid(legs: Iterable[LegStatus]) -> bool:
    """Whether there is a leg, and each has succeeded: then the payout is paid."""
    legs = tuple(legs)
    return bool(legs) and all(map(is_paid, legs))


def is_stranded(leg: LegStatus) -> bool:
    """Whether the gateway holds the money: by hand it might be paid twice."""
    return leg.state is LegState.ABNORMAL and leg.failure == STRANDED


def amount_of(legs: Iterable[LegStatus]) -> int:
    """What these legs are of together, in minor units."""
    return sum(leg.amount for leg in legs)


def paid_out(legs: Iterable[LegStatus]) -> int:
    """What of these legs the buyer gets, in minor units: all but bonus that is lost (A7)."""
    return sum(leg.amount for leg in legs if leg.paid_by is not PaidBy.LOST_BONUS)


def sending(at: datetime) -> LegEvent:
    """We send it now."""
    return LegEvent(says=LegState.SUBMITTED, source=US, at=at, as_of=at)


def unanswered(at: datetime) -> LegEvent:
    """No answer has come, and nothing is guessed."""
    return LegEvent(says=LegState.UNKNOWN, source=US, at=at, as_of=at)


def not_taken(code: str, at: datetime) -> LegEvent:
    """X6: the provider is known not to take it, so nothing was sent. It counts only while nobody has."""
    return LegEvent(says=LegState.FAILED, source=US, at=at, as_of=at, failure=code)


def lost(at: datetime) -> LegEvent:
    """The gateway had taken it, and does not know it any more: a person sends it again, or pays by hand."""
    return LegEvent(says=LegState.ABNORMAL, source=GATEWAY, at=at, as_of=at, failure=LOST)
