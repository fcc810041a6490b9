"""Parcels: what carriers have told of them, and who wants to know (R3, R7, T6), by numbers in one spelling (T13).

An event is kept whether or not anybody knows its parcel: the merchant may have signed for a return before the
buyer enters the tracking number (section 11). Whoever registers a parcel is given what was told before; whoever
records an event is given those who have registered. Both hold a lock on the parcel until their transaction
ends, so that of an event and a registration at the same instant, one always sees the other.

Every function belongs to its caller's transaction, which must be READ COMMITTED. A transaction that takes two
parcels may meet another that takes them the other way round: the database ends one of them, to be tried again.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.orders import carried, paid_at
from workflows.messages.message import EARLIEST, LATEST
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelHistory, ParcelPurpose
from workflows.messages.requests import LineAmount
from workflows.rules.parcels import is_out, standing


class EventKeyReused(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The carrier has told something else under this key before. Nothing was changed: the first word stands."""


@dataclass(frozen=True)
class Watch:
    """Who wants to know of a parcel: a case, or an order with whatever cases it has. One of both is None."""

    case_id: str | None
    order_no: str | None
    purpose: ParcelPurpose


@dataclass(frozen=True)
class Recorded:
    """What came of recording an event."""

    is_new: bool
    watchers: tuple[Watch, ...]
    """Who is to be told, first come first; the same for a repeated event, since its first telling may have failed."""


async def hold(connection: Connection, parcel: Parcel) -> None:
    """Let nobody tell or register anything of a parcel before this transaction ends."""
    # A statement of its own: the next one must see what was committed while this one waited.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"parcel/{parcel.carrier}/{parcel.tracking_no}"
    )


async def record_event(connection: Connection, event: CarrierEvent, at: datetime) -> Recorded:
    """Keep what a carrier tells, ``at`` this moment of business time. The same key again is the same event.

    Raises:
        EventKeyReused: the carrier has used the key for something else.
    """
    parcel = event.parcel
    await hold(connection, parcel)
    is_new = await connection.fetchval(
        """
        INSERT INTO logistics.events (carrier, event_key, tracking_no, event, happened_at, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (carrier, event_key) DO NOTHING RETURNING true
        """,
        parcel.carrier,
        event.key,
        parcel.tracking_no,
        event.event,
        event.happened_at,
        at,
    )
    if not is_new:
        first = await connection.fetchrow(
            "SELECT * FROM logistics.events WHERE carrier = $1 AND event_key = $2", parcel.carrier, event.key
        )
        assert first is not None
        if any(first[name] != told for name, told in _told(event).items()):
            raise EventKeyReused(f"event {event.key} of {parcel.carrier} is another one")
    return Recorded(bool(is_new), await watchers(connection, parcel))


async def watch(
    connection: Connection,
    parcel: Parcel,
    *,
    purpose: ParcelPurpose,
    at: datetime,
    case_id: str | None = None,
    order_no: str | None = None,
) -> tuple[CarrierEvent, ...]:
    """Register a parcel for a case or for an order, and learn what has been told of it already.

    Several cases and orders may share one parcel. Doing it again is the same watch, and gives what is known by
    then. The events come by the moments at which they happened, then by arrival.

    Raises:
        ValueError: neither a case nor an order is named, or both.
    """
    if (case_id is None) == (order_no is None):
        raise ValueError("a parcel is watched by a case or by an order")
    await hold(connection, parcel)
    await connection.execute(
        """
        INSERT INTO logistics.watches (carrier, tracking_no, purpose, case_id, order_no, since)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        parcel.carrier,
        parcel.tracking_no,
        purpose,
        case_id,
        order_no,
        at,
    )
    return (await history(connection, parcel)).events


async def unwatch(
    connection: Connection, parcel: Parcel, case_id: str, *, purpose: ParcelPurpose = ParcelPurpose.RETURN
) -> None:
    """Take a case's watch away, as when the buyer corrects a mistyped tracking number (T3). The events stay."""
    await connection.execute(
        """
        DELETE FROM logistics.watches
        WHERE carrier = $1 AND tracking_no = $2 AND case_id = $3 AND purpose = $4
        """,
        parcel.carrier,
        parcel.tracking_no,
        case_id,
        purpose,
    )


async def watchers(connection: Connection, parcel: Parcel) -> tuple[Watch, ...]:
    """Who has registered a parcel, and for what, first come first."""
    rows = await connection.fetch(
        """
        SELECT case_id, order_no, purpose FROM logistics.watches
        WHERE carrier = $1 AND tracking_no = $2 ORDER BY id
        """,
        parcel.carrier,
        parcel.tracking_no,
    )
    return tuple(Watch(row["case_id"], row["order_no"], ParcelPurpose(row["purpose"])) for row in rows)


async def history(connection: Connection, parcel: Parcel) -> ParcelHistory:
    """What our book knows of a parcel; nothing of one that nobody has spoken of.

    Events of a moment that cannot be, which were taken in former times, are left out (R18).
    """
    rows = await connection.fetch(
        """
        SELECT * FROM logistics.events
        WHERE carrier = $1 AND tracking_no = $2 AND happened_at BETWEEN $3 AND $4 ORDER BY happened_at, arrival
        """,
        parcel.carrier,
        parcel.tracking_no,
        EARLIEST,
        LATEST,
    )
    return ParcelHistory(parcel=parcel, events=tuple(_event(row) for row in rows))


async def parcel_of_order(connection: Connection, order_no: str) -> Parcel | None:
    """The parcel that carries an order's goods to the buyer: of several, the one registered last; None without."""
    row = await connection.fetchrow(
        """
        SELECT carrier, tracking_no FROM logistics.watches
        WHERE order_no = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1
        """,
        order_no,
        ParcelPurpose.ORDER,
    )
    return Parcel.model_validate(dict(row)) if row else None


async def underway(connection: Connection, order_no: str, lines: Iterable[LineAmount]) -> tuple[Parcel, ...]:
    """The parcels that are out with these lines of an order, or stand for all of it, in the order of their numbers.

    One that was signed for, or is back, is not out; neither is one that the carrier has not been given yet.
    """
    asked = {each.line for each in lines}
    if (paid := await paid_at(connection, order_no)) is None:
        return ()
    rows = await connection.fetch(
        """
        SELECT DISTINCT carrier, tracking_no FROM logistics.watches
        WHERE order_no = $1 AND purpose = $2 ORDER BY tracking_no, carrier
        """,
        order_no,
        ParcelPurpose.ORDER,
    )
    found: list[Parcel] = []
    for row in rows:
        parcel = Parcel(carrier=row["carrier"], tracking_no=row["tracking_no"])
        events = (await history(connection, parcel)).events
        # R18: what happened before the payment is another parcel's, under the same number.
        stands = standing(each for each in events if paid <= each.happened_at)
        named = await carried(connection, order_no, parcel)
        if stands and is_out(stands) and (not named or asked & named.keys()):
            found.append(parcel)
    return tuple(found)


def event_key(event: ParcelEvent, order_no: str, parcel: Parcel) -> str:
    """The key of what the order system tells of a parcel: the same however often it is told."""
    digest = hashlib.sha256(f"{order_no}/{parcel.tracking_no}".encode()).hexdigest()[:32]
    return f"{event.replace('_', '-')}-{digest}"


def _told(event: CarrierEvent) -> dict[str, object]:
    return {"tracking_no": event.parcel.tracking_no, "event": event.event, "happened_at": event.happened_at}


def _event(row: asyncpg.Record) -> CarrierEvent:
    return CarrierEvent(
        key=row["event_key"],
        parcel=Parcel(carrier=row["carrier"], tracking_no=row["tracking_no"]),
        event=ParcelEvent(row["event"]),
        happened_at=row["happened_at"],
    )
