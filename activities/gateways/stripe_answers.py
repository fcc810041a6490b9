"""Stripe's refund object, and what it says in our words (section 10)."""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.gateways.payment import GatewayAnswer, RefundInstruction
from activities.gateways.refund_numbers import read_number
from activities.gateways.stripe_units import our_amount
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Identifier

NUMBER: Final = "aftersales_refund"
"""The key of a refund's metadata that carries our number."""

ACCOUNT_SHORT: Final = "merchant_account_short"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_RESULTS: Final = MappingProxyType(
    {
        "pending": GatewayResult.PROCESSING,
        "requires_action": GatewayResult.ACTION_REQUIRED,
        "succeeded": GatewayResult.SUCCEEDED,
        "failed": GatewayResult.FAILED,
        "canceled": GatewayResult.CANCELED,
    }
)
_FAILURES: Final = MappingProxyType(
    {
        "lost_or_stolen_card": "card_lost",
        "expired_or_canceled_card": "card_expired",
        "charge_for_pending_refund_disputed": "charge_disputed",
        "insufficient_funds": ACCOUNT_SHORT,
        "declined": "declined",
        "merchant_request": "canceled",
    }
)
"""From the ``failure_reason`` of a refund to our word."""


class StripeRefund(BaseModel):
    """What of Stripe's refund object says how it stands. Other fields differ from version to version of the API."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    object: Literal["refund"]
    id: Identifier
    amount: Annotated[int, Field(ge=1)]
    """In Stripe's units."""
    currency: Annotated[str, Field(pattern="^[a-z]{3}$")]
    created: Annotated[int, Field(ge=0)]
    status: str | None = None
    metadata: dict[str, str] | None = None
    failure_reason: str | None = None
    pending_reason: str | None = None

    @property
    def number(self) -> str | None:
        """The number that it was sent under; None of one that is not ours."""
        return (self.metadata or {}).get(NUMBER)

    @property
    def result(self) -> GatewayResult:
        """``unknown`` for a status that is newer than this code."""
        return _RESULTS.get(self.status or "", GatewayResult.UNKNOWN)

    @property
    def created_at(self) -> datetime:
        """When Stripe took it out of the account's balance."""
        return moment(self.created)

    def is_of(self, instruction: RefundInstruction) -> bool:
        """Whether it pays what the instruction says."""
        currency = self.currency.upper()
        return currency == instruction.currency and our_amount(self.amount, currency) == instruction.amount


def answer_of(
    refund: StripeRefund, refund_no: str, attempt: int, *, had_succeeded: bool = False, at: datetime | None = None
) -> GatewayAnswer:
    """How a refund stands.

    A card's refund is called ``succeeded`` at once, and may be called ``failed`` weeks later: then the money is back.
    Only an event says what a refund was before (``had_succeeded``). A pending refund that waits for the account to be
    filled is paid as soon as it is: paying it by hand would pay twice, so it is on its way like any other.
    """
    result = refund.result
    failure, raw = None, None
    match result:
        case GatewayResult.FAILED | GatewayResult.CANCELED:
            result = GatewayResult.RETURNED if had_succeeded else result
            raw = refund.failure_reason or refund.status
            failure = _FAILURES.get(
                refund.failure_reason or "", "canceled" if refund.status == "canceled" else "refused"
            )
        case GatewayResult.PROCESSING:
            raw = refund.pending_reason
        case GatewayResult.UNKNOWN:
            raw = refund.status
        case _:
            pass
    settled = result in {GatewayResult.SUCCEEDED, GatewayResult.RETURNED}
    return GatewayAnswer(
        refund_no=refund_no,
        result=result,
        attempt=attempt,
        gateway_ref=refund.id,
        failure=failure,
        raw=printable(raw),
        settled_at=(at or refund.created_at) if settled else None,
    )


def number_of(refund: StripeRefund) -> tuple[str, int] | None:
    """Our refund number and attempt; None of a refund that is not ours, one made in Stripe's dashboard say."""
    return read_number(refund.number) if refund.number else None


def moment(seconds: int) -> datetime:
    """A moment as Stripe writes it.

    Raises:
        OverflowError: no moment that can be.
    """
    return _EPOCH + timedelta(seconds=seconds)


def printable(code: str | None) -> str | None:
    """A provider's code as it can be kept: printable ASCII, and no more than fits."""
    kept = "".join(each for each in code or "" if " " <= each <= "~")[:120]
    return kept or None
