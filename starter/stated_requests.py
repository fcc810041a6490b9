"""Requests as a caller states them: a model of ours, or a mapping with the same fields."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from starter.errors import RefusedRequest
from workflows.messages.cases import Refusal
from workflows.messages.message import Identifier, Input
from workflows.messages.problems import problems
from workflows.messages.reading import read_json
from workflows.messages.requests import (
    DisputeRequest,
    ExpiryRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)

RequestT = TypeVar("RequestT", bound=BaseModel)


class OrderPaid(Input):
    """``late-shipment``: what a shop tells of an order that was paid (L1). All else the order says itself."""

    order_no: Identifier


Stated = (
    RefundRequest
    | ReturnRequest
    | DisputeRequest
    | OrderPaid
    | MerchantRefundRequest
    | PriceProtectionRequest
    | ResendRequest
    | RepairRequest
    | WithdrawalRequest
    | ExpiryRequest
)
"""What a caller may ask for."""

KINDS: Final[Mapping[str, type[Stated]]] = {
    "refund": RefundRequest,
    "return": ReturnRequest,
    "exchange": ReturnRequest,
    "dispute": DisputeRequest,
    "late-shipment": OrderPaid,
    "merchant-refund": MerchantRefundRequest,
    "price-protection": PriceProtectionRequest,
    "resend": ResendRequest,
    "repair": RepairRequest,
    "withdrawal": WithdrawalRequest,
    "expiry": ExpiryRequest,
}
"""What ``request`` in a mapping may be, and the fields that stand beside it."""


def as_request(kind: type[RequestT], stated: RequestT | Mapping[str, object]) -> RequestT:
    """``stated`` as a request of this kind, read as JSON from any language is (``workflows.messages.reading``).

    Raises:
        RefusedRequest: a field is missing, unknown or wrong; the first one is named, and nothing is repeated (P6).
    """
    if isinstance(stated, BaseModel):
        return stated
    try:
        return read_json(kind, to_json(dict(stated), inf_nan_mode="strings"))
    except ValidationError as error:
        first = problems(error)[0]
        raise malformed(_known(first.field), first.reason) from None
    except (PydanticSerializationError, TypeError, ValueError):
        raise malformed("request", "holds what cannot be written as JSON") from None


def as_stated(stated: Request | Mapping[str, object]) -> Request | OrderPaid:
    """As ``as_request``, where a mapping says itself of which kind it is: one of ``KINDS``, as its ``request``."""
    if isinstance(stated, BaseModel):
        return stated
    body = dict(stated)
    word = body.pop("request", None)
    word = word.replace("_", "-") if isinstance(word, str) else None
    if word not in KINDS:
        raise malformed("request", f"must be one of {', '.join(KINDS)}")
    if word == "exchange" and body.setdefault("exchange", True) is not True:
        raise malformed("exchange", "an exchange is one")
    return as_request(KINDS[word], body)


_FIELD: Final = re.compile(r"[a-z0-9_]{1,32}(\.[a-z0-9_]{1,32})*")
_RULE: Final = re.compile(r"\(([A-Z]\d+|section \d+)\)")


def malformed(field: str, explanation: str) -> RefusedRequest:
    """The refusal of what is no such request, under the rule that the explanation names, if any."""
    rule = _RULE.search(explanation)
    return RefusedRequest(
        Refusal(code="malformed", field=field, rule=rule[1] if rule else "section 11", explanation=explanation)
    )


def _known(field: str) -> str:
    """A field's name; not that of an unknown one, which may be anything."""
    return field if _FIELD.fullmatch(field) else "(an unknown field)"
