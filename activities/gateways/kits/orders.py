"""The promises of a stream of orders (X1, X2): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from activities.gateways.kits.promise import AT_ONCE, Kit
from activities.gateways.order_records import OrderChange
from activities.gateways.orders import OrderSource
from workflows.messages.reading import read_json

TAKEN: Final = {"outcome": "new"}
REFUSED: Final = {
    "outcome": "refused",
    "problems": [{"code": "malformed", "field": "freight", "rule": "X2", "reason": "of the kit: taken for wrong"}],
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A stream, and somebody at its far end. Others may change orders meanwhile."""

    source: OrderSource
    change: Callable[[], Awaitable[str]]
    """Makes a new order at the far end, which is told by the stream: its number."""
    change_again: Callable[[str], Awaitable[None]] | None = None
    """Changes an order that was made so: the stream tells it with a higher version."""
    seconds: float = 30.0
    """What has changed is told within."""
    quiet_seconds: float = 0.2
    """How long is waited to see that a stream with nothing to tell goes on."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def each_change_is_an_order_as_it_can_be_taken(ground: Ground) -> None:
    """With all of its fields in minor units and ISO 8601: a field that is missing or wrong is an error that says so."""
    for _ in range(AT_ONCE):
        order_no = await ground.change()
        assert (await _answered(ground, order_no)).order_no == order_no


@_KIT.promise()
async def what_was_not_answered_comes_again(ground: Ground) -> None:
    """A process that has read a change may die before it is written."""
    order_no = await ground.change()
    async with asyncio.timeout(ground.seconds), aclosing(ground.source.changes()) as changes:
        await _read_until(ground, changes, order_no)
    assert (await _answered(ground, order_no)).order_no == order_no


@_KIT.promise()
async def what_was_refused_stops_nobody(ground: Ground) -> None:
    """The next change comes all the same."""
    first, second = await ground.change(), await ground.change()
    async with asyncio.timeout(ground.seconds), aclosing(ground.source.changes()) as changes:
        await ground.source.answered(await _read_until(ground, changes, first), REFUSED)
        await ground.source.answered(await _read_until(ground, changes, second), TAKEN)


@_KIT.promise()
async def where_nothing_changes_it_waits(ground: Ground) -> None:
    """A stream that ends is asked for again after a pause, in which nothing is read."""
    await _answered(ground, await ground.change())
    async with aclosing(ground.source.changes()) as changes:
        try:
            async with asyncio.timeout(ground.quiet_seconds):
                while True:
                    await ground.source.answered(await anext(changes), TAKEN)
        except TimeoutError:
            return
        except StopAsyncIteration:
            raise AssertionError("the stream has ended") from None


@_KIT.promise("change_again")
async def a_change_has_a_higher_version(ground: Ground) -> None:
    """Else it would be taken for what is known already."""
    assert ground.change_again
    order_no = await ground.change()
    first = await _answered(ground, order_no)
    await ground.change_again(order_no)
    async with asyncio.timeout(ground.seconds):
        while (later := await _answered(ground, order_no)) == first:
            pass
    assert later.version > first.version, "a later content needs a higher version"


async def _answered(ground: Ground, order_no: str) -> OrderChange:
    async with asyncio.timeout(ground.seconds), aclosing(ground.source.changes()) as changes:
        change = await _read_until(ground, changes, order_no)
        await ground.source.answered(change, TAKEN)
        return read_json(OrderChange, change.decode())


async def _read_until(ground: Ground, changes: AsyncGenerator[bytes], order_no: str) -> bytes:
    """The first change of this order; those of others before it are answered."""
    async for change in changes:
        if read_json(OrderChange, change.decode()).order_no == order_no:
            return change
        await ground.source.answered(change, TAKEN)
    raise AssertionError(f"the stream has ended without {order_no}")
