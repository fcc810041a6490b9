"""One request a line: reading lines without holding a file in memory, and what each of them asks for."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from pydantic_core import from_json

from starter.client import Aftersales
from starter.commands.text_lines import BYTE_ORDER_MARK
from starter.stated_requests import malformed
from workflows.messages.requests import Request

LONGEST: Final = 1 << 20
"""Bytes of a line at most: far more than the largest request has."""


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
    return await aftersales.request(_stated(line))


def _stated(line: Line) -> Mapping[str, object]:
    if line.too_long:
        raise malformed("", f"a line has at most {LONGEST} bytes")
    try:
        document: Any = from_json(line.text)
    except ValueError:
        raise malformed("", "is not one JSON document") from None
    if not isinstance(document, dict):
        raise malformed("", "must be a JSON object")
    return cast("dict[str, object]", document)
