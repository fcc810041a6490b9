"""One request a line: reading lines without holding a file in memory, and what each of them asks for."""

import asyncio
import os
import re
import stat
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from pydantic import BaseModel
from pydantic_core import from_json

from starter.client import Aftersales
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.text_lines import BYTE_ORDER_MARK
from starter.errors import RefusedRequest
from workflows.messages.cases import Refusal
from workflows.messages.message import Identifier, Input
from workflows.messages.requests import (
    DisputeRequest,
    ExpiryRequest,
    MerchantRefundRequest,
    RefundRequest,
    Request,
    ReturnRequest,
    WithdrawalRequest,
)

LONGEST: Final = 1 << 20
"""Bytes of a line at most: far more than the largest request has."""


class OrderPaid(Input):
    """``late-shipment``: what a shop tells of an order that was paid (L1). All else the order says itself."""

    order_no: Identifier


KINDS: Final[Mapping[str, type[BaseModel]]] = {
    "refund": RefundRequest,
    "return": ReturnRequest,
    "exchange": ReturnRequest,
    "dispute": DisputeRequest,
    "late-shipment": OrderPaid,
    "merchant-refund": MerchantRefundRequest,
    "withdrawal": WithdrawalRequest,
    "expiry": ExpiryRequest,
}
"""What ``request`` in a line may be, and the fields that stand beside it."""


@dataclass(frozen=True)
class Line:
    """A line as it stands in its file; its number counts from 1."""

    number: int
    text: bytes
    too_long: bool = False


async def lines_of(source: IO[bytes]) -> AsyncGenerator[Line]:
    """The lines of a file or a pipe, one after the other; empty ones are passed over."""
    mode = os.fstat(source.fileno()).st_mode
    waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or source.isatty()
    reader = await _piped(source) if waits else None
    number = 0
    while True:
        text, too_long = await _awaited(reader) if reader else _read(source)
        if not text and not too_long:
            return
        number += 1
        if number == 1:
            text = text.removeprefix(BYTE_ORDER_MARK)
        if too_long or text.strip():
            yield Line(number, text, too_long)


def _read(source: IO[bytes]) -> tuple[bytes, bool]:
    text = source.readline(LONGEST)
    too_long = False
    while len(text) == LONGEST and not text.endswith(b"\n"):
        text, too_long = source.readline(LONGEST), True
    return text, too_long


async def _piped(source: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LONGEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    return reader


async def _awaited(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    too_long = False
    while True:
        try:
            return await reader.readuntil(b"\n"), too_long
        except asyncio.IncompleteReadError as error:
            return error.partial, too_long
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            too_long = True


async def request_in(line: Line, aftersales: Aftersales) -> Request:
    """What a line asks for.

    Raises:
        RefusedRequest: it is no such request; what is said of it does not repeat what it holds (P6).
        Unreachable: the database does not answer.
    """
    stated = _stated(line)
    if isinstance(stated, OrderPaid):
        return await aftersales.late_shipment_of(stated.order_no)
    return cast("Request", stated)


def _stated(line: Line) -> BaseModel:
    if line.too_long:
        raise _malformed("", f"a line has at most {LONGEST} bytes")
    try:
        document: Any = from_json(line.text)
    except ValueError:
        raise _malformed("", "is not one JSON document") from None
    if not isinstance(document, dict):
        raise _malformed("", "must be a JSON object")
    body = cast("dict[str, Any]", document)
    kind = body.pop("request", None)
    kind = kind.replace("_", "-") if isinstance(kind, str) else None
    if kind not in KINDS:
        raise _malformed("request", f"must be one of {', '.join(KINDS)}")
    if kind == "exchange" and body.setdefault("exchange", True) is not True:
        raise _malformed("exchange", "an exchange is one")
    try:
        return wording.built(KINDS[kind], body)
    except UsageError as error:
        raise _malformed(_known(error.field), error.message) from None


_FIELD: Final = re.compile(r"[a-z0-9_]{1,32}(\.[a-z0-9_]{1,32})*")
_RULE: Final = re.compile(r"\(([A-Z]\d+|section \d+)\)")
_ALSO: Final = re.compile(r" \(also wrong: .*\)$", re.DOTALL)


def _known(field: str) -> str:
    """A field's name; not that of an unknown one, which may be anything."""
    return field if _FIELD.fullmatch(field) else "(a field without a proper name)"


def _malformed(field: str, message: str) -> RefusedRequest:
    explanation = _ALSO.sub("", message)
    rule = _RULE.search(explanation)
    return RefusedRequest(
        Refusal(code="malformed", field=field, rule=rule[1] if rule else "section 11", explanation=explanation)
    )
