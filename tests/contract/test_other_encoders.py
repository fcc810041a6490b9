"""What encoders of other languages make of our messages is read as what was meant.

The files in ``sent`` hold a message a line: its name, and the JSON that was sent.

- ``java.txt``: classes that quicktype made of the published schemas, written by Jackson 2.17 with the settings of
  Temporal's Java SDK (``JacksonJsonPayloadConverter``): all that was not set is ``null``.
- ``typescript.txt``: objects written by ``JSON.stringify`` of Node.js 20, some of their fields undefined, some null.
- ``go.txt``: quicktype's structs as ``encoding/json`` writes them: pointers and nil slices without ``omitempty`` are
  ``null``.
- ``csharp.txt``: classes whose amounts are ``decimal``, as System.Text.Json writes them: nulls, ``5900.0``, and a plus
  sign as ``\\u002B``.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload

from workflows.messages.actors import GATEWAY, buyer, merchant, officer
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    ConfirmReceipt,
    GatewayCallback,
    GatewayResult,
    Rule,
    SubmitEvidence,
)
from workflows.messages.converter import data_converter
from workflows.messages.requests import (
    DisputeReason,
    DisputeRequest,
    LateShipmentRequest,
    LineAmount,
    RefundReason,
    RefundRequest,
    ReturnRequest,
)
from workflows.messages.rulings import Award, Fault
from workflows.messages.virtual_numbers import NumberStart, NumberSubject, Scope

SENT = Path(__file__).parent / "sent"
LINES = (LineAmount(line="1", quantity=1, amount=5900),)
WHO = {"order_no": "O-1", "merchant_id": "m-1", "buyer_id": "b-1"}
ASKED = {**WHO, "lines": LINES, "reason": RefundReason.NO_LONGER_WANTED}
SHIPS_UNTIL = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MEANT: tuple[BaseModel, ...] = (
    RefundRequest.model_validate({**ASKED, "request_key": "r-1"}),
    ReturnRequest.model_validate({**ASKED, "request_key": "r-2"}),
    DisputeRequest.model_validate({**ASKED, "request_key": "r-3", "dispute_reason": DisputeReason.OTHER}),
    LateShipmentRequest.model_validate({**WHO, "ships_until": SHIPS_UNTIL}),
    AgreeReturn(key="k-1", by=merchant("m-1")),
    ConfirmReceipt(key="k-2", by=merchant("m-1")),
    SubmitEvidence(key="k-3", by=buyer("b-1"), amount=5900),
    Amend(key="k-4", by=buyer("b-1"), lines=LINES, reason=RefundReason.DAMAGED),
    GatewayCallback(
        key="k-5",
        by=GATEWAY.model_copy(update={"id": "g-1"}),
        refund_no="RF1",
        result=GatewayResult.SUCCEEDED,
        settled_at=SHIPS_UNTIL.replace(microsecond=250_000),
    ),
    NumberStart(subject=NumberSubject(scope=Scope.ORDER, id="O-1")),
    Rule(key="k-6", by=officer("f-1"), fault=Fault.MERCHANT, refund=Award.FULL, reason="goods_at_fault"),
)


@pytest.mark.parametrize("language", ["java", "typescript", "go", "csharp"])
@pytest.mark.parametrize("meant", MEANT, ids=lambda meant: type(meant).__name__)
async def test_what_a_language_sends_is_what_was_meant(language: str, meant: BaseModel) -> None:
    lines = (SENT / f"{language}.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    sent = dict(line.split(" ", 1) for line in lines)
    payload = Payload(metadata={"encoding": b"json/plain"}, data=sent[type(meant).__name__].encode())

    assert await data_converter.decode([payload], [type(meant)]) == [meant]
