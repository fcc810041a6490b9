"""Quotes from our books: what may be asked for on an order now (G5)."""

from datetime import datetime

from activities.calendar.countries import works_at
from activities.gateways.limits import Limits
from activities.postgres import ledger, matters, pieces
from activities.postgres.connection import Connection
from activities.postgres.payable import refused_by_provider
from workflows.kinds.quoting import Known, quote, refuse, request_of
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.quotes import Quote
from workflows.rules.identity import order_fund


async def quote_of(
    connection: Connection,
    order: OrderFacts,
    policy: Policy,
    limits: Limits,
    at: datetime,
    *,
    goods_received: bool | None = None,
) -> Quote:
    """What may be asked for on ``order`` at ``at`` (UTC); reads, and holds nothing.

    What the payment provider would not take (X6) cannot be asked for either.
    """
    parts = await ledger.parts_of(connection, order_fund(order.order_no))
    found = quote(
        Known(
            order=order,
            policy=policy,
            at=at,
            settled={part.name: part.settled for part in parts},
            holders=await pieces.holders(connection, order.order_no),
            others=await matters.of_order(connection, order.order_no, besides=[]),
            works=works_at(policy.counted_at),
            goods_received=goods_received,
        )
    )
    options = list(found.options)
    for number, option in enumerate(options):
        if option.refusal is None:
            request = request_of(order, option, "quote", goods_received=goods_received)
            if refusal := await refused_by_provider(connection, limits, request, order, at):
                options[number] = refuse(option, refusal)
    return found.model_copy(update={"options": tuple(options)})
