"""What the virtual number of an order is to be told once that is completed (P3)."""

import hashlib
from typing import Final

from activities.postgres import bindings, orders
from activities.postgres.connection import Connection
from workflows.messages.actors import officer
from workflows.messages.virtual_numbers import NumberSubject, OrderCompleted, Scope

_ORDER_SYSTEM: Final = officer("order-system")
"""The platform's own system, which tells of orders (X2)."""


async def to_tell(connection: Connection, order_no: str) -> OrderCompleted | None:
    """That the order is completed, where it has a number that has not been told; the same however often it is asked.

    Under the order's lock (``pieces.lock``), for which whoever begins a number waits: one of the two sees the other.
    """
    at = await orders.completed_at(connection, order_no)
    subject = NumberSubject(scope=Scope.ORDER, id=order_no)
    if at is None or not await bindings.await_completion(connection, subject):
        return None
    digest = hashlib.sha256(order_no.encode()).hexdigest()[:32]
    return OrderCompleted(key=f"completed-{digest}", by=_ORDER_SYSTEM, subject=subject, completed_at=at)
