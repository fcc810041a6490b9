"""Our copy of the orders, as everything reads it (X2): ids, amounts, moments; nothing of a person."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.parcels import Parcel
from workflows.messages.pauses import LONGEST_PAUSE
from workflows.messages.payouts import TenderKind
from workflows.messages.pieces import LineQuantity


class UnknownOrderLine(LookupError):  # noqa: N818 -- it is a finding, not a fault
    """A parcel is said to carry a line that its order does not have."""

    def __init__(self, number: int, line: str) -> None:
        super().__init__(line)
        self.number = number
        """Which of the lines that were named, from 0."""


class PostgresOrders:
    """Orders by number and by buyer, each asked for on a connection of its own."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find(self, order_no: str) -> OrderFacts | None:
        """The order as it stands now, or None where there is none."""
        async with self._pool.acquire() as connection:
            return await find_order(connection, order_no)

    async def ping(self) -> str:
        """Whether the copy can be read, and has anything in it."""
        some = await self._pool.fetchval("SELECT EXISTS (SELECT FROM shop.orders)")
        return f"our copy of the orders{'' if some else ', which is empty'}"

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


async def page(
    connection: Connection,
    limit: int,
    *,
    merchant_id: str | None = None,
    buyer_id: str | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[tuple[datetime, str]]:
    """When they were paid, and the numbers of a merchant's or a buyer's orders, or of both, the latest paid first.

    Those behind ``after``, ``limit`` at most.
    """
    whose = {"merchant_id": merchant_id, "buyer_id": buyer_id}
    asked = {name: value for name, value in whose.items() if value is not None}
    if not asked:
        raise ValueError("say whose orders")
    where = [f"{name} = ${number}" for number, name in enumerate(asked, start=1)]
    arguments: list[object] = list(asked.values())
    if after:
        where.append(f"(paid_at, order_no) < (${len(arguments) + 1}, ${len(arguments) + 2})")
        arguments += after
    rows = await connection.fetch(
        f"SELECT paid_at, order_no FROM shop.orders WHERE {' AND '.join(where)} "  # noqa: S608 -- names of ours
        f"ORDER BY paid_at DESC, order_no DESC LIMIT ${len(arguments) + 1}",
        *arguments,
        limit,
    )
    return [(row["paid_at"], row["order_no"]) for row in rows]


async def find_order(connection: Connection, order_no: str) -> OrderFacts | None:
    """The order as this connection's transaction sees it, or None where there is none."""
    found = await find_orders(connection, [order_no])
    return found.get(order_no)


async def find_orders(connection: Connection, order_nos: Collection[str]) -> dict[str, OrderFacts]:
    """Those of these orders that are known, by their numbers.

    One statement reads all of it, so that lines, tenders and shipping facts belong to the same moment.
    """
    rows = await connection.fetch(
        """
        SELECT o.order_no, o.marketplace, o.merchant_id, o.buyer_id, o.currency, o.freight, o.paid_at,
               o.outbound_at, o.shipped_at, o.on_delivery_run_at, o.completed_at, o.freight_insured, o.language,
               o.refundable_until,
               (SELECT max(e.happened_at) FROM logistics.watches w JOIN logistics.events e USING (carrier, tracking_no)
                WHERE w.order_no = o.order_no AND w.purpose = 'order' AND e.event = 'signed') AS signed_at,
               ARRAY(SELECT (l.line, l.sku, l.quantity, l.paid) FROM shop.order_lines l
                     WHERE l.order_no = o.order_no ORDER BY l.position) AS lines,
               ARRAY(SELECT (t.tender, t.kind, t.paid, t.allowance_id) FROM shop.order_tenders t
                     WHERE t.order_no = o.order_no ORDER BY t.position) AS tenders,
               ARRAY(SELECT (p.line, p.quantity, p.outbound_at, p.shipped_at, p.on_delivery_run_at)
                     FROM shop.parcel_lines p WHERE p.order_no = o.order_no) AS parcel_lines
        FROM shop.orders o
        WHERE o.order_no = ANY ($1)
        """,
        list(order_nos),
    )
    return {row["order_no"]: _facts(row) for row in rows}


def _facts(row: asyncpg.Record) -> OrderFacts:
    return OrderFacts(
        order_no=row["order_no"],
        marketplace=row["marketplace"],
        merchant_id=row["merchant_id"],
        buyer_id=row["buyer_id"],
        currency=row["currency"],
        lines=tuple(
            OrderLine(line=line, sku=sku, quantity=quantity, paid=paid, **_gone(line, quantity, row["parcel_lines"]))
            for line, sku, quantity, paid in row["lines"]
        ),
        freight=row["freight"],
        tenders=tuple(
            Tender(tender=tender, kind=TenderKind(kind), paid=paid, allowance_id=allowance_id)
            for tender, kind, paid, allowance_id in row["tenders"]
        ),
        paid_at=row["paid_at"],
        outbound_at=row["outbound_at"],
        shipped_at=row["shipped_at"],
        on_delivery_run_at=row["on_delivery_run_at"],
        freight_insured=row["freight_insured"],
        language=row["language"],
        signed_at=row["signed_at"],
        completed_at=row["completed_at"],
        refundable_until=row["refundable_until"],
    )


def _gone(
    line: str, bought: int, parcel_lines: Iterable[tuple[str, int, datetime | None, datetime | None, datetime | None]]
) -> dict[str, Any]:
    """How many pieces of a line have left, by the parcels that name it (R15)."""
    outbound = sent = 0
    moments: list[datetime] = []
    for of_line, quantity, outbound_at, shipped_at, on_delivery_run_at in parcel_lines:
        if of_line != line:
            continue
        if gave_to_carrier := shipped_at or on_delivery_run_at:
            sent += quantity
            moments.append(gave_to_carrier)
        if outbound_at or gave_to_carrier:
            outbound += quantity
    return {
        "pieces_outbound": min(outbound, bought),
        "pieces_sent": min(sent, bought),
        "sent_at": max(moments, default=None),
    }


@dataclass(frozen=True)
class Unshipped:
    """An order that has not shipped, and about which no late shipment is open."""

    order_no: str
    marketplace: str
    merchant_id: str
    buyer_id: str
    paid_at: datetime


async def unshipped(connection: Connection, after: str, limit: int) -> list[Unshipped]:
    """A page of orders that have not shipped and have no case about that (L1)."""
    rows = await connection.fetch(
        """
        SELECT order_no, marketplace, merchant_id, buyer_id, paid_at FROM shop.orders
        WHERE shipped_at IS NULL AND order_no > $1
          AND NOT EXISTS (SELECT FROM casebook.every_case WHERE case_id = 'late-shipment/' || orders.order_no)
        ORDER BY order_no LIMIT $2
        """,
        after,
        limit,
    )
    return [Unshipped(**dict(row)) for row in rows]


async def ships_later(
    connection: Connection, ship_hours: Mapping[str, int], at: datetime, after: str, limit: int
) -> list[str]:
    """A page of orders that have not shipped in ``ship_hours``, by marketplace, and have no case for pauses (L1).

    In the order of payment; none from so long ago that two of the longest pauses cannot have moved it until now.
    """
    rows = await connection.fetch(
        """
        SELECT order_no FROM shop.orders JOIN unnest($1::text[], $2::int[]) AS known (marketplace, hours)
            USING (marketplace)
        WHERE shipped_at IS NULL AND paid_at > $3 AND paid_at + make_interval(hours => hours) <= $4
          AND ($5 = '' OR (paid_at, order_no) > (SELECT paid_at, order_no FROM shop.orders WHERE order_no = $5))
          AND NOT EXISTS (SELECT FROM casebook.every_case WHERE case_id = 'late-shipment/' || orders.order_no)
        ORDER BY paid_at, order_no LIMIT $6
        """,
        list(ship_hours),
        list(ship_hours.values()),
        at - 2 * LONGEST_PAUSE,
        at,
        after,
        limit,
    )
    return [row["order_no"] for row in rows]


async def parties(connection: Connection, order_nos: Collection[str]) -> dict[str, tuple[str, str]]:
    """The merchant and the buyer of each of these orders that is known."""
    if not order_nos:
        return {}
    rows = await connection.fetch(
        "SELECT order_no, merchant_id, buyer_id FROM shop.orders WHERE order_no = ANY ($1)", list(order_nos)
    )
    return {row["order_no"]: (row["merchant_id"], row["buyer_id"]) for row in rows}


async def buyer_of(connection: Connection, order_no: str) -> str | None:
    """Whose order it is; None where it is not known."""
    return await connection.fetchval("SELECT buyer_id FROM shop.orders WHERE order_no = $1", order_no)


async def marketplace_of(connection: Connection, order_no: str) -> str | None:
    """By which policy an order goes; None where it is not known."""
    return await connection.fetchval("SELECT marketplace FROM shop.orders WHERE order_no = $1", order_no)


async def all_of_buyer(connection: Connection, buyer_id: str) -> list[str]:
    """The numbers of all orders of a buyer."""
    rows = await connection.fetch("SELECT order_no FROM shop.orders WHERE buyer_id = $1", buyer_id)
    return [row["order_no"] for row in rows]


async def have_left(connection: Connection, order_no: str) -> bool:
    """Whether all goods of an order have left the warehouse."""
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM shop.orders
            WHERE order_no = $1 AND coalesce(outbound_at, shipped_at, on_delivery_run_at) IS NOT NULL
        )
        """,
        order_no,
    )


async def moments(connection: Connection, order_nos: Collection[str]) -> list[dict[str, Any]]:
    """When each of these orders was paid and shipped, as ``order_no``, ``paid_at`` and ``shipped_at``."""
    rows = await connection.fetch(
        "SELECT order_no, paid_at, shipped_at FROM shop.orders WHERE order_no = ANY ($1)", list(order_nos)
    )
    return [dict(row) for row in rows]


PAID_TO_MERCHANT: Final = """
(SELECT o.order_no, o.marketplace, o.buyer_id, o.currency, o.freight, o.paid_at, o.shipped_at,
        o.completed_at,
        o.freight + (SELECT coalesce(sum(l.paid), 0) FROM shop.order_lines l WHERE l.order_no = o.order_no) AS paid
 FROM shop.orders o
 WHERE o.merchant_id = $1 AND ($2::timestamptz IS NULL OR o.paid_at >= $2)
   AND ($3::timestamptz IS NULL OR o.paid_at < $3))"""
"""As SQL: the orders of the merchant $1 that were paid from the moment $2 on and before $3, with what was paid."""

WITHOUT_CASE: Final = """
(SELECT o.order_no, o.merchant_id, o.buyer_id, o.paid_at
 FROM shop.orders o
 WHERE NOT EXISTS (
     SELECT FROM casebook.every_case c WHERE c.order_no = o.order_no AND c.kind = ANY ($3)))"""
"""As SQL: the orders that have no case of the kinds $3, with when they were paid."""

PERSON_OF_SUBJECT: Final = "(SELECT 'buyer/' || buyer_id FROM shop.orders WHERE order_no = subject)"
"""As SQL, beside a column ``subject``: under whose key what tells of an order is put."""


async def paid_at(connection: Connection, order_no: str) -> datetime | None:
    """When the order was paid, before which nothing can have happened to it (R18); None where it is not known."""
    return await connection.fetchval("SELECT paid_at FROM shop.orders WHERE order_no = $1", order_no)


async def keep_refundable(connection: Connection, order_no: str, until: datetime | None) -> None:
    """Note until when anything of an order is paid back (G2)."""
    await connection.execute("UPDATE shop.orders SET refundable_until = $2 WHERE order_no = $1", order_no, until)


async def completed_at(connection: Connection, order_no: str) -> datetime | None:
    """When the order was completed (G2, P3); None before, and where it is not known."""
    return await connection.fetchval("SELECT completed_at FROM shop.orders WHERE order_no = $1", order_no)


async def pack(connection: Connection, order_no: str, parcel: Parcel, lines: Iterable[LineQuantity]) -> None:
    """Note what of an order a parcel carries (R15). What is said again, or of more lines, adds to what is known.

    More pieces than were bought are all of them.

    Raises:
        UnknownOrderLine: the order has no such line; nothing is noted.
    """
    bought = {
        row["line"]: row["quantity"]
        for row in await connection.fetch("SELECT line, quantity FROM shop.order_lines WHERE order_no = $1", order_no)
    }
    carried = list(lines)
    for number, each in enumerate(carried):
        if each.line not in bought:
            raise UnknownOrderLine(number, each.line)
    await connection.executemany(
        """
        INSERT INTO shop.parcel_lines AS known (order_no, carrier, tracking_no, line, quantity)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (order_no, carrier, tracking_no, line)
            DO UPDATE SET quantity = greatest(known.quantity, excluded.quantity)
        """,
        [
            (order_no, parcel.carrier, parcel.tracking_no, each.line, min(each.quantity, bought[each.line]))
            for each in carried
        ],
    )


async def carried(connection: Connection, order_no: str, parcel: Parcel) -> dict[str, int]:
    """How many pieces of which lines a parcel has; empty for one that names none and stands for all (R15)."""
    rows = await connection.fetch(
        "SELECT line, quantity FROM shop.parcel_lines WHERE order_no = $1 AND carrier = $2 AND tracking_no = $3",
        order_no,
        parcel.carrier,
        parcel.tracking_no,
    )
    return {row["line"]: row["quantity"] for row in rows}


async def mark_outbound(connection: Connection, order_no: str, at: datetime, parcel: Parcel | None = None) -> bool:
    """The goods in a parcel, or all, left the warehouse (R3). See `_mark`."""
    return await _mark(connection, "outbound_at", order_no, at, parcel)


async def mark_shipped(connection: Connection, order_no: str, at: datetime, parcel: Parcel | None = None) -> bool:
    """A carrier has the goods in a parcel, or all (R1, R7). See `_mark`."""
    return await _mark(connection, "shipped_at", order_no, at, parcel)


async def mark_on_delivery_run(
    connection: Connection, order_no: str, at: datetime, parcel: Parcel | None = None
) -> bool:
    """The goods in a parcel, or all, are out for delivery (R3), or further: by then they had left (R7). See `_mark`."""
    return await _mark(connection, "on_delivery_run_at", order_no, at, parcel)


async def _mark(connection: Connection, column: str, order_no: str, at: datetime, parcel: Parcel | None) -> bool:
    """Note a moment; the first one told stays. False where the order is not known.

    What happens to a parcel that names its lines has happened to those; to the order once it has to all pieces of all
    of its lines, at the last of these moments (R15).
    """
    known = await connection.fetchval("SELECT true FROM shop.orders WHERE order_no = $1 FOR UPDATE", order_no)
    if not known:
        return False
    if parcel and await carried(connection, order_no, parcel):
        await connection.execute(
            f"""
            UPDATE shop.parcel_lines SET {column} = coalesce({column}, $4)
            WHERE order_no = $1 AND carrier = $2 AND tracking_no = $3
            """,  # noqa: S608 -- one of three names above
            order_no,
            parcel.carrier,
            parcel.tracking_no,
            at,
        )
        last = await connection.fetchval(
            f"""
            SELECT CASE WHEN bool_and(pieces >= quantity) THEN max(last) END
            FROM (
                SELECT lines.quantity, max(parcels.{column}) AS last,
                       coalesce(sum(parcels.quantity) FILTER (WHERE parcels.{column} IS NOT NULL), 0) AS pieces
                FROM shop.order_lines AS lines LEFT JOIN shop.parcel_lines AS parcels USING (order_no, line)
                WHERE lines.order_no = $1 GROUP BY lines.line, lines.quantity
            ) AS each_line
            """,  # noqa: S608 -- one of three names above
            order_no,
        )
        if last is None:
            return True
        at = last
    await connection.execute(
        f"UPDATE shop.orders SET {column} = coalesce({column}, $2) WHERE order_no = $1",  # noqa: S608 -- as above
        order_no,
        at,
    )
    return True
