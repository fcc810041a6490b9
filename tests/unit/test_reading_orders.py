"""Orders read from a stream: each answered once it is taken, outages of both sides waited out (X2)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from starter.adapters import order_source, refuse_stubs
from starter.http_service.answers import Came, PushAnswer
from starter.http_service.reading_orders import LONGEST_PAUSE, ReadingOrders
from starter.settings import Settings, SettingsError


class Stream:
    """Breaks where it is told to; ends the test once nothing is left."""

    def __init__(self, *told: bytes | Exception) -> None:
        self.left = list(told)
        self.answers: list[tuple[bytes, str]] = []

    async def changes(self) -> AsyncGenerator[bytes]:
        while self.left:
            if isinstance(first := self.left[0], Exception):
                del self.left[0]
                raise first
            yield first
        raise asyncio.CancelledError

    async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
        self.answers.append((change, answer["outcome"]))
        del self.left[0]


async def read(stream: Stream, *outcomes: str) -> tuple[list[bytes], list[float]]:
    """What was tried to be taken, and how long was waited each time."""
    tried: list[bytes] = []
    pauses: list[float] = []
    coming = iter(outcomes)

    async def take(change: bytes) -> PushAnswer:
        tried.append(change)
        return {"outcome": cast("Came", next(coming))}

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    reading = asyncio.create_task(ReadingOrders(stream, take, pause).run())
    await asyncio.wait([reading])
    assert reading.cancelled()
    return tried, pauses


async def test_a_setting_names_the_stream() -> None:  # X1
    async with AsyncExitStack() as stack:
        assert await order_source(Settings(), stack) is None
        assert isinstance(await order_source(Settings(orders=f"{__name__}:Stream"), stack), Stream)


def test_production_reads_no_stub() -> None:
    production = Settings().model_copy(update={"environment": "production", "orders": "stub"})
    with pytest.raises(SettingsError, match="^AFTERSALES_ORDERS must name an adapter"):
        refuse_stubs(production, "orders")


async def test_each_change_is_answered_with_what_came_of_it() -> None:
    stream = Stream(b"1", b"2")
    assert await read(stream, "new", "refused") == ([b"1", b"2"], [])
    assert stream.answers == [(b"1", "new"), (b"2", "refused")]


async def test_a_change_that_could_not_be_kept_is_tried_again_before_the_next() -> None:
    stream = Stream(b"1", b"2")
    tried, pauses = await read(stream, "not_kept", "not_kept", "new", "not_kept", "new")
    assert tried == [b"1", b"1", b"1", b"2", b"2"]
    assert pauses == [1, 2, 1]
    assert stream.answers == [(b"1", "new"), (b"2", "new")]


async def test_a_stream_that_breaks_is_asked_for_again_less_and_less_often() -> None:
    stream = Stream(*[OSError("secret") for _ in range(9)], b"1", OSError())
    tried, pauses = await read(stream, "new")
    assert tried == [b"1"]
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, 1]


async def test_what_could_not_be_answered_is_taken_again() -> None:
    class Failing(Stream):
        failed = False

        async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
            if not self.failed:
                self.failed = True
                raise ConnectionError
            await super().answered(change, answer)

    stream = Failing(b"1")
    assert await read(stream, "new", "unchanged") == ([b"1", b"1"], [1])
    assert stream.answers == [(b"1", "unchanged")]
