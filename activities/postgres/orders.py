"""The order directory's stand-in: orders in PostgreSQL, as the shop knows them."""

from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind


class PostgresOrders:
    """An `OrderDirectory` on the schema ``shop``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find(self, order_no: str) -> OrderFacts | None:
        """The order as it stands now, or None where there is none."""
        async with self._pool.acquire() as connection:
            return await find_order(connection, order_no)

    async def of_buyer(self, merchant_id: str, buyer_id: str) -> list[str]:
        """The numbers of a buyer's orders at one merchant, the latest paid first (R9)."""
        rows = await self._pool.fetch(
            """
            SELECT order_no FROM shop.orders
            WHERE merchant_id = $1 AND buyer_id = $2
            ORDER BY paid_at DESC, order_no
            """,
            merchant_id,
            buyer_id,
        )
        return [row["order_no"] for row in rows]


async def find_order(connection: Connection, order_no: str) -> OrderFacts | None:
    """The order as this connection's transaction sees it, or None where there is none.

    One statement reads all of it, so that lines, tenders and shipping facts belong to the same moment.
    """
    row = await connection.fetchrow(
        """
        SELECT o.order_no, o.marketplace, o.merchant_id, o.buyer_id, o.currency, o.freight, o.paid_at,
               o.outbound_at, o.shipped_at, o.on_delivery_run_at, o.freight_insured,
               ARRAY(SELECT (l.line, l.sku, l.quantity, l.paid) FROM shop.order_lines l
                     WHERE l.order_no = o.order_no ORDER BY l.position) AS lines,
               ARRAY(SELECT (t.tender, t.kind, t.paid) FROM shop.order_tenders t
                     WHERE t.order_no = o.order_no ORDER BY t.position) AS tenders
        FROM shop.orders o
        WHERE o.order_no = $1
        """,
        order_no,
    )
    if row is None:
        return None
    return OrderFacts(
        order_no=row["order_no"],
        marketplace=row["marketplace"],
        merchant_id=row["merchant_id"],
        buyer_id=row["buyer_id"],
        currency=row["currency"],
        lines=tuple(
            OrderLine(line=line, sku=sku, quantity=quantity, paid=paid) for line, sku, quantity, paid in row["lines"]
        ),
        freight=row["freight"],
        tenders=tuple(Tender(tender=tender, kind=TenderKind(kind), paid=paid) for tender, kind, paid in row["tenders"]),
        paid_at=row["paid_at"],
        outbound_at=row["outbound_at"],
        shipped_at=row["shipped_at"],
        on_delivery_run_at=row["on_delivery_run_at"],
        freight_insured=row["freight_insured"],
    )


async def mark_outbound(connection: Connection, order_no: str, at: datetime) -> bool:
    """The goods left the warehouse (R3). The first moment told stays; False where the order is not known."""
    return await _mark(connection, "outbound_at", order_no, at)


async def mark_shipped(connection: Connection, order_no: str, at: datetime) -> bool:
    """A carrier has the goods (R1, R7). The first moment told stays; False where the order is not known."""
    return await _mark(connection, "shipped_at", order_no, at)


async def mark_on_delivery_run(connection: Connection, order_no: str, at: datetime) -> bool:
    """The goods are out for delivery (R3). The first moment told stays; False if the order is not known."""
    return await _mark(connection, "on_delivery_run_at", order_no, at)


async def _mark(connection: Connection, column: str, order_no: str, at: datetime) -> bool:
    known = await connection.fetchval(
        f"UPDATE shop.orders SET {column} = coalesce({column}, $2) WHERE order_no = $1 RETURNING true",  # noqa: S608 -- one of three names above
        order_no,
        at,
    )
    return known is not None
