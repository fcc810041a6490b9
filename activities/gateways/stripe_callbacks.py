"""Stripe's webhooks: whether one is genuine, and what it says (X3).

Stripe signs ``<timestamp>.<body>`` with HMAC-SHA256 under the endpoint's secret (scheme ``v1``), and while a secret is
rotated with both.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, ReadCallback, Refused
from activities.gateways.stripe_answers import StripeRefund, answer_of, moment, number_of
from activities.gateways.stripe_units import our_amount
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Identifier
from workflows.messages.money import MOST

SIGNATURE: Final = "stripe-signature"
ABOUT_REFUNDS: Final = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
"""The types of events that an endpoint is to be subscribed to."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    object: Literal["event"]
    """Not ``v2.core.event``: such a thin one does not carry the refund."""
    id: Identifier
    type: str
    created: Annotated[int, Field(ge=0)]
    data: _Data


def read(request: CallbackRequest, secrets: Sequence[str], tolerance: timedelta) -> ReadCallback:
    """What a webhook says.

    Raises:
        CallbackRefused: it is forged, stale or cannot be read.
    """
    _verify(request, secrets, tolerance)
    try:
        event = _Event.model_validate_json(request.body)
        said_at = moment(event.created)
        if event.type not in ABOUT_REFUNDS:
            return ReadCallback(key=event.id, answer=None, said_at=said_at)
        refund = StripeRefund.model_validate(event.data.object)
    except ValidationError as error:
        raise CallbackRefused(Refused.UNREADABLE, _field(error)) from None
    except OverflowError:
        raise CallbackRefused(Refused.UNREADABLE, "created") from None
    ours = number_of(refund)
    if ours is None:
        return ReadCallback(key=event.id, answer=None, said_at=said_at)
    if refund.result is GatewayResult.UNKNOWN:
        raise CallbackRefused(Refused.UNREADABLE, "data.object.status")
    before = (event.data.previous_attributes or {}).get("status")
    answer = answer_of(refund, *ours, had_succeeded=before == "succeeded", at=said_at)
    return ReadCallback(key=event.id, answer=answer, said_at=said_at, amount=_amount(refund))


def _amount(refund: StripeRefund) -> int:
    try:
        amount = our_amount(refund.amount, refund.currency.upper())
    except ValueError:
        raise CallbackRefused(Refused.UNREADABLE, "data.object.currency") from None
    if amount > MOST:
        raise CallbackRefused(Refused.UNREADABLE, "data.object.amount")
    return amount


def _verify(request: CallbackRequest, secrets: Sequence[str], tolerance: timedelta) -> None:
    # The SDK is loaded where it is needed: who only opens cases has none.
    from stripe import WebhookSignature  # noqa: PLC0415

    header = request.headers.get(SIGNATURE, "")
    for secret in secrets:
        try:
            # The SDK's own tolerance is by the machine's clock and knows no future, so the moment is looked at below.
            WebhookSignature.verify_header(  # pyright: ignore[reportUnknownMemberType] -- its last argument has no type
                request.body, header, secret, None
            )
            break
        except Exception:  # noqa: S112 -- a header or body that is no text raises anything
            continue
    else:
        raise CallbackRefused(Refused.FORGED, SIGNATURE)
    stamps = [item[2:] for item in header.split(",") if item.startswith("t=")]
    try:
        signed_at = moment(int(stamps[0]))
    except (ValueError, IndexError, OverflowError):
        raise CallbackRefused(Refused.FORGED, SIGNATURE) from None
    if abs(request.received_at - signed_at) > tolerance:
        raise CallbackRefused(Refused.STALE, SIGNATURE)


def _field(error: ValidationError) -> str:
    places = (".".join(str(part) for part in each["loc"]) for each in error.errors(include_input=False))
    return next((place for place in places if place), "body")
