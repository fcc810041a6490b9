"""Quotes from our books: what may be asked for on an order now (G5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.calendar.countries import works_at
from activities.gateways.limits import Limits
from activities.postgres import ledger, matters, order_payments, pieces, standing_orders
from activities.postgres.connection import Connection
from activities.postgres.payable import goes_through_provider, not_taken
from activities.postgres.purses import purses_of
from workflows.kinds.quoting import BY_BUYER, Known, quote, refuse, request_of
from workflows.messages.applications import ApplicationVersion
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.quotes import Asked, Option, Quote
from workflows.messages.stages import CaseKind
from workflows.rules.applications import version_of
from workflows.rules.identity import order_fund


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is to be known of orders, and when."""

    at: datetime
    """In UTC."""
    limits: Limits
    """What the payment provider does not take (X6) cannot be asked for."""
    ways: Sequence[Asked] = BY_BUYER
    goods_received: bool | None = None


async def quotes_of(
    connection: Connection, asked: Sequence[tuple[OrderFacts, Policy]], asking: Asking
) -> tuple[Quote, ...]:
    """What may be asked for on each of these orders; reads as often for many as for one, and holds nothing."""
    numbers = [order.order_no for order, _ in asked]
    settled = await ledger.settled_of(connection, [order_fund(each) for each in numbers])
    holders = await pieces.holders_of(connection, numbers)
    others = await matters.of_orders(connection, numbers)
    unknown = (
        await order_payments.payments_unknown(connection, numbers) if asking.limits.needs_charge else frozenset[str]()
    )
    found: list[Quote] = []
    for order, policy in asked:
        known = Known(
            order=order,
            policy=policy,
            at=asking.at,
            settled=settled[order_fund(order.order_no)],
            holders=holders[order.order_no],
            others=others[order.order_no],
            works=works_at(policy.counted_at),
            goods_received=asking.goods_received,
            purses=await purses_of(connection, order.order_no) if order.allowances else {},
        )
        made = quote(known, asking.ways)
        options = [
            _payable(option, order, asking, charge_known=order.order_no not in unknown) for option in made.options
        ]
        found.append(made.model_copy(update={"options": tuple(options)}))
        await asyncio.sleep(0)  # an order takes milliseconds of reckoning: whoever else waits has a turn
    return tuple(found)


async def with_standing_orders(
    connection: Connection, quoted: Quote, order: OrderFacts, policy: Policy, asking: Asking
) -> Quote:
    """The quote with the merchant's standing order that would decide each option (G4): for whoever may know of them."""
    open_ways = [number for number, option in enumerate(quoted.options) if option.kind is not None]
    asked: list[tuple[CaseKind, ApplicationVersion]] = []
    for number in open_ways:
        option = quoted.options[number]
        assert option.kind is not None
        request = request_of(order, option, "quote", goods_received=asking.goods_received)
        asked.append((option.kind, version_of(request, asking.at)))
    found = await standing_orders.would_decide(connection, order.merchant_id, order.buyer_id, policy, asked, asking.at)
    options = list(quoted.options)
    for number, by in zip(open_ways, found, strict=True):
        options[number] = options[number].model_copy(update={"standing_order": by})
    return quoted.model_copy(update={"options": tuple(options)})


def _payable(option: Option, order: OrderFacts, asking: Asking, *, charge_known: bool) -> Option:
    if option.refusal is not None:
        return option
    request = request_of(order, option, "quote", goods_received=asking.goods_received)
    refusal = not_taken(asking.limits, request, order, asking.at, charge_known=charge_known)
    if refusal:
        return refuse(option, refusal)
    if asking.limits.longest is None or not request.amount or not goes_through_provider(order):
        return option
    ends = order.paid_at + asking.limits.longest
    return option.model_copy(update={"until": min(option.until, ends) if option.until else ends})
