"""The promises of an order directory (R8, R9, X2): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from activities.gateways.kits.promise import AT_ONCE, Kit
from activities.gateways.orders import OrderDirectory
from workflows.rules.moments import CLOCKS_DIFFER


@dataclass(frozen=True)
class BuyersOrders:
    """All orders of a buyer at one merchant."""

    merchant_id: str
    buyer_id: str
    order_nos: Sequence[str]
    """The latest paid first."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A directory and what is in it. Nobody changes it while a promise is tried."""

    directory: OrderDirectory
    order: Callable[[], Awaitable[str]]
    """The number of an order that is paid."""
    buyers_orders: Callable[[], Awaitable[BuyersOrders]] | None = None
    """A buyer with two orders at this merchant that were not paid at the same moment."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def an_unknown_order_is_none(ground: Ground) -> None:
    """No error, which would be asked again; not another order either, whose number is nearly the same."""
    order_no = await ground.order()
    for unknown in (f"kit-{secrets.token_hex(12)}", order_no[:-1] + ("0" if order_no[-1] != "0" else "1")):
        found = await ground.directory.find(unknown)
        assert found is None or found.order_no == unknown, f"{unknown} was asked for, and {found.order_no} came"
    assert await ground.directory.find(f"kit-{secrets.token_hex(12)}") is None


@_KIT.promise()
async def the_same_order_is_the_same_each_time(ground: Ground) -> None:
    """Lines and tenders in the same order too: what a case has read is compared with what stands there now."""
    order_no = await ground.order()
    first, *others = await asyncio.gather(*(ground.directory.find(order_no) for _ in range(AT_ONCE)))
    assert first is not None, f"{order_no} must be found"
    assert first.order_no == order_no
    assert all(each == first for each in others), "asked for again, the order was another"


@_KIT.promise()
async def an_orders_amounts_sum_up(ground: Ground) -> None:
    """In minor units: the tenders to the lines and the freight; each line and each tender stands once."""
    found = await ground.directory.find(await ground.order())
    assert found is not None
    tendered = sum(tender.paid for tender in found.tenders)
    assert tendered == found.paid, "the tenders must sum to the lines and the freight"
    assert found.lines, "an order has at least one line"
    assert len({line.line for line in found.lines}) == len(found.lines)
    assert len({tender.tender for tender in found.tenders}) == len(found.tenders)
    for line in found.lines:
        assert line.pieces_sent <= line.pieces_outbound <= line.quantity, "what carriers have has left the shelf before"


@_KIT.promise()
async def an_orders_moments_are_in_utc_and_have_passed(ground: Ground) -> None:
    """A deadline counts from them."""
    found = await ground.directory.find(await ground.order())
    assert found is not None
    known = (found.paid_at, found.outbound_at, found.shipped_at, found.on_delivery_run_at)
    for moment in (*known, *(line.sent_at for line in found.lines)):
        if moment is not None:
            assert moment.utcoffset() == timedelta(0), "moments are in UTC"
            assert found.paid_at <= moment <= datetime.now(UTC) + CLOCKS_DIFFER


@_KIT.promise("buyers_orders")
async def a_buyers_orders_come_latest_first(ground: Ground) -> None:
    """Each of them can be found, is this buyer's, and is this merchant's (R9)."""
    assert ground.buyers_orders
    told = await ground.buyers_orders()
    assert await ground.directory.of_buyer(told.merchant_id, told.buyer_id) == list(told.order_nos)
    facts = [await ground.directory.find(order_no) for order_no in told.order_nos]
    found = [each for each in facts if each is not None]
    assert len(found) == len(facts) > 1, "the buyer must have two orders, and each must be found"
    assert {(each.merchant_id, each.buyer_id) for each in found} == {(told.merchant_id, told.buyer_id)}
    paid = [each.paid_at for each in found]
    assert paid == sorted(paid, reverse=True)


@_KIT.promise()
async def who_has_no_orders_has_an_empty_list(ground: Ground) -> None:
    """An unknown buyer of a known merchant is no error, nor is an unknown merchant."""
    found = await ground.directory.find(await ground.order())
    assert found is not None
    nobody = f"kit-{secrets.token_hex(12)}"
    assert list(await ground.directory.of_buyer(found.merchant_id, nobody)) == []
    assert list(await ground.directory.of_buyer(nobody, found.buyer_id)) == []
