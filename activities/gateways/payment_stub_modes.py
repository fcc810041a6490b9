"""How the payment gateway's stub can be told to behave, and what becomes of a refund then."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from workflows.messages.commands import GatewayResult
from workflows.messages.message import Identifier, Input
from workflows.messages.money import PositiveMinor

DECLINED: Final = "declined"
ACCOUNT_SHORT: Final = "merchant_account_short"
CLOSED: Final = "closed"
CARD_DEAD: Final = "card_dead"


class Mode(StrEnum):
    """What the stub does with a refund."""

    SUCCEED = "succeed"
    """Pay at once. What it does when nothing else is said."""
    SETTLE_LATER = "settle_later"
    """Accept, pay after ``settle_after_seconds``, and call back then."""
    DECLINE = "decline"
    """Refuse: a confirmed failure."""
    DECLINE_LATER = "decline_later"
    """Accept, fail after ``settle_after_seconds``, and call back then."""
    ACCOUNT_SHORT = "account_short"
    """The merchant's account cannot pay: abnormal. What the platform pays does not match."""
    ANSWER_SLOWLY = "answer_slowly"
    """Pay, and answer only after ``answer_after_seconds`` of real time."""
    LOSE_ANSWER = "lose_answer"
    """Pay, and break the connection instead of answering."""
    LOSE_REQUEST = "lose_request"
    """Break the connection; the refund never arrives."""
    CALL_BACK_TWICE = "call_back_twice"
    """As ``settle_later``, with the same callback twice."""
    CALL_BACK_LATE = "call_back_late"
    """As ``settle_later``, with a callback ``callback_after_seconds`` after the payment."""
    CALL_BACK_NEVER = "call_back_never"
    """As ``settle_later``, without a callback."""
    SUCCESS_AFTER_FAILURE = "success_after_failure"
    """Refuse, then pay nevertheless after ``settle_after_seconds``, and call back."""
    NEVER_SETTLE = "never_settle"
    """Accept, and let it lie for ever."""
    GARBLE_ANSWER = "garble_answer"
    """Pay, and answer what cannot be read: the client library fails after it has sent."""
    TURN_AWAY = "turn_away"
    """Refuse to take it now, for ``settle_after_seconds``: surely nothing was sent."""
    REQUIRE_ACTION = "require_action"
    """Accept, wait for the buyer, pay after ``settle_after_seconds``, and call back then."""
    CLOSE = "close"
    """Close the number without paying: it is never paid under this number, only under the next attempt's."""
    CANCEL_LATER = "cancel_later"
    """Accept, take it back after ``settle_after_seconds``, and call back then."""
    STRAND = "strand"
    """Take the money, and keep it, because the buyer's card takes none; it can be redirected."""
    RETURN_LATER = "return_later"
    """Pay at once; the money comes back after ``settle_after_seconds``, with a callback."""


class Behaviour(Input):
    """How the stub treats the refunds that match; what is left None matches all.

    Where several match, the one that names more wins, then the one that names the order, then the latest.
    """

    mode: Mode
    merchant_id: Identifier | None = None
    order_no: Identifier | None = None
    """An order's number, or an allowance's id."""
    amount: PositiveMinor | None = None
    """Of one leg, in minor units."""
    settle_after_seconds: Annotated[int, Field(ge=0)] = 3600
    """Business time from the submission to the payment."""
    callback_after_seconds: Annotated[int, Field(ge=0)] = 172_800
    """Business time from the payment to a late callback."""
    answer_after_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Real time before a slow answer."""
    uses_left: Annotated[int, Field(ge=1)] | None = None
    """For how many submissions it holds; None for all."""


@dataclass(frozen=True)
class Course:
    """What becomes of a submitted refund: how it stands at once, how later, and how often that is told."""

    now: GatewayResult
    failure: str | None = None
    later: GatewayResult | None = None
    callbacks: int = 0
    """For the later result; -1 is one that comes late."""


LATE: Final = -1
COURSES: Final = {
    Mode.SUCCEED: Course(GatewayResult.SUCCEEDED),
    Mode.ANSWER_SLOWLY: Course(GatewayResult.SUCCEEDED),
    Mode.LOSE_ANSWER: Course(GatewayResult.SUCCEEDED),
    Mode.DECLINE: Course(GatewayResult.FAILED, DECLINED),
    Mode.ACCOUNT_SHORT: Course(GatewayResult.ABNORMAL, ACCOUNT_SHORT),
    Mode.SETTLE_LATER: Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=1),
    Mode.DECLINE_LATER: Course(GatewayResult.PROCESSING, later=GatewayResult.FAILED, callbacks=1),
    Mode.CALL_BACK_TWICE: Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=2),
    Mode.CALL_BACK_LATE: Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=LATE),
    Mode.CALL_BACK_NEVER: Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED),
    Mode.NEVER_SETTLE: Course(GatewayResult.PROCESSING),
    Mode.GARBLE_ANSWER: Course(GatewayResult.SUCCEEDED),
    Mode.REQUIRE_ACTION: Course(GatewayResult.ACTION_REQUIRED, later=GatewayResult.SUCCEEDED, callbacks=1),
    Mode.CLOSE: Course(GatewayResult.CLOSED, CLOSED),
    Mode.CANCEL_LATER: Course(GatewayResult.PROCESSING, later=GatewayResult.CANCELED, callbacks=1),
    Mode.STRAND: Course(GatewayResult.STRANDED, CARD_DEAD),
    Mode.RETURN_LATER: Course(GatewayResult.SUCCEEDED, later=GatewayResult.RETURNED, callbacks=1),
    Mode.SUCCESS_AFTER_FAILURE: Course(GatewayResult.FAILED, DECLINED, later=GatewayResult.SUCCEEDED, callbacks=1),
}
