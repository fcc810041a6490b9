"""Requests that callers state as mappings: read as JSON is, or refused by field and rule (section 11, P6)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from starter.errors import RefusedRequest
from starter.stated_requests import KINDS, OrderPaid, as_request, as_stated
from workflows.messages.requests import (
    BankTransfer,
    ExpiryRequest,
    LineAmount,
    RefundReason,
    RefundRequest,
    ReturnRequest,
)

SECRET = "13812345678"
LINE = {"line": "1", "quantity": 1, "amount": 5900}
BODY: dict[str, object] = {
    "request_key": "r-1",
    "order_no": "o-1",
    "merchant_id": "m-1",
    "buyer_id": "b-1",
    "lines": [LINE],
    "reason": "damaged",
}
REQUEST = RefundRequest(
    request_key="r-1",
    order_no="o-1",
    merchant_id="m-1",
    buyer_id="b-1",
    lines=(LineAmount(line="1", quantity=1, amount=5900),),
    reason=RefundReason.DAMAGED,
)


def changed(**changes: object) -> dict[str, object]:
    return {**BODY, **changes}


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param(REQUEST, id="a model"),
        pytest.param(BODY, id="plain"),
        pytest.param(MappingProxyType(BODY), id="any mapping"),
        pytest.param(changed(lines=REQUEST.lines, reason=RefundReason.DAMAGED), id="models and enums inside"),
        pytest.param(changed(evidence=None, method=None, lines=[LINE | {"amount": 5900.0}]), id="as encoders write it"),
    ],
)
def test_a_mapping_is_the_request_that_it_states(stated: RefundRequest | Mapping[str, object]) -> None:  # section 11
    assert as_request(RefundRequest, stated) == REQUEST


def test_moments_and_accounts_are_taken() -> None:
    until = datetime(2026, 12, 31, 16, tzinfo=UTC)
    of_allowance = {"allowance_id": "a-1", "merchant_id": "m-1", "buyer_id": "b-1"}
    account = "vault:account/0123456789abcdef0123456789abcdef"
    method = {"route": "bank_transfer", "account": account}

    assert as_request(ExpiryRequest, {**of_allowance, "valid_until": until}).valid_until == until
    assert as_request(RefundRequest, changed(method=method)).method == BankTransfer(account=account)


@pytest.mark.parametrize(
    ("stated", "field", "rule"),
    [
        pytest.param(changed(request_key=7), "request_key", "section 11", id="wrong type"),
        pytest.param(changed(lines=[LINE | {"amount": SECRET}]), "lines.0.amount", "section 11", id="a text"),
        pytest.param(changed(lines=[LINE | {"amount": float("nan")}]), "lines.0.amount", "section 11", id="no number"),
        pytest.param(changed(freight=float("nan")), "freight", "section 11", id="no number, where none is needed"),
        pytest.param(changed(lines=[]), "lines", "R13", id="nothing asked for"),
        pytest.param({k: v for k, v in BODY.items() if k != "buyer_id"}, "buyer_id", "section 11", id="missing"),
        pytest.param({**BODY, SECRET: 1}, "(an unknown field)", "section 11", id="unknown"),
        pytest.param(changed(order_no=object()), "request", "section 11", id="not to be written as JSON"),
    ],
)
def test_what_is_wrong_is_refused_by_field_and_rule(stated: Mapping[str, object], field: str, rule: str) -> None:
    with pytest.raises(RefusedRequest) as refused:
        as_request(RefundRequest, stated)

    told = refused.value.refusal
    assert (told.code, told.field, told.rule) == ("malformed", field, rule)
    assert SECRET not in str(refused.value)


def test_a_mapping_says_of_which_kind_it_is() -> None:
    assert as_stated({"request": "refund", **BODY}) == REQUEST
    assert as_stated({"request": "late_shipment", "order_no": "o-1"}) == OrderPaid(order_no="o-1")
    assert as_stated(REQUEST) is REQUEST
    exchange = as_stated({"request": "exchange", **BODY})
    assert isinstance(exchange, ReturnRequest)
    assert exchange.exchange


@pytest.mark.parametrize("word", [None, "owl", 3, ["refund"]])
def test_of_no_kind_is_refused(word: Any) -> None:
    with pytest.raises(RefusedRequest) as refused:
        as_stated({"request": word, **BODY})

    assert refused.value.refusal.field == "request"
    assert all(kind in refused.value.refusal.explanation for kind in KINDS)
