"""The feed of events (X4): read in the order of commits, so that a cursor never passes what is committed later.

A number from a sequence would not do: a transaction that drew a lower one may commit after a reader has gone by. An
event's position is made of transaction numbers instead (``events.place()``), and only positions are read below which
every transaction has ended (``events.horizon()``). So the feed ends before the oldest transaction that writes anything
on the server; a long one there holds it back, which is measured.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.postgres.connection import Connection

_REMOVED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, order=True)
class Place:
    """A place in the feed: behind the event of this position and number."""

    position: int = 0
    id: int = 0

    @classmethod
    def of(cls, cursor: str) -> "Place":
        """The place of a cursor.

        Raises:
            ValueError: it is none.
        """
        position, _, number = cursor.partition("-")
        return cls(int(position), int(number))

    def __str__(self) -> str:
        return f"{self.position}-{self.id}"


BEGINNING: Final = Place()


@dataclass(frozen=True)
class Row:
    """An event as it lies in the feed."""

    place: Place
    event: str
    """JSON, as it was written with its step."""
    recorded_at: datetime


class NotInFeed(ValueError):  # noqa: N818 -- it is a finding about the reader's cursor
    """Reading on from a place would leave events out. ``field`` and ``rule`` are for the refusal."""

    field: Final = "after"
    rule: Final = "X4"


async def read(connection: Connection, after: Place, limit: int) -> list[Row]:
    """Up to ``limit`` events behind ``after``, in order.

    Raises:
        NotInFeed: events behind that place have been removed, or it lies ahead of the feed.
    """
    rows = await connection.fetch(
        """
        WITH origin AS (SELECT removed_position, removed_id, events.horizon() AS horizon FROM events.origin)
        SELECT position, feed.id, event, recorded_at, removed_position, removed_id, horizon
        FROM origin LEFT JOIN LATERAL (
            SELECT position, id, event, recorded_at FROM events.feed
            WHERE (position, id) > ($1, $2) AND position < horizon ORDER BY position, id LIMIT $3
        ) AS feed ON true
        ORDER BY position, feed.id
        """,
        after.position,
        after.id,
        limit,
    )
    removed, horizon = Place(rows[0]["removed_position"], rows[0]["removed_id"]), rows[0]["horizon"]
    if after != BEGINNING and after < removed:
        raise NotInFeed("events behind this cursor have been removed: read on from the oldest that is kept")
    if after.position >= horizon:
        raise NotInFeed("this cursor lies ahead of the feed: the database was restored, or moved, see docs/events.md")
    return [
        Row(Place(row["position"], row["id"]), row["event"], row["recorded_at"])
        for row in rows
        if row["event"] is not None
    ]


async def end(connection: Connection) -> Place:
    """The place behind everything that can be read now."""
    horizon = await connection.fetchval("SELECT events.horizon()")
    return Place(horizon - 1, 2**63 - 1)


async def place_of(connection: Connection, reader: str) -> Place | None:
    """How far a named reader has confirmed; None for one that is new."""
    row = await connection.fetchrow("SELECT position, id FROM events.readers WHERE name = $1", reader)
    return Place(row["position"], row["id"]) if row else None


async def confirm(connection: Connection, reader: str, place: Place) -> None:
    """Keep how far a named reader has come."""
    await connection.execute(
        """
        INSERT INTO events.readers (name, position, id) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, id = $3, moved_at = now()
        """,
        reader,
        place.position,
        place.id,
    )


async def forget(connection: Connection, reader: str) -> bool:
    """Keep a reader's place no longer, nor its lag; whether there was such a reader."""
    found = await connection.fetchval("DELETE FROM events.readers WHERE name = $1 RETURNING true", reader)
    return found is not None


@dataclass(frozen=True)
class Reader:
    """How far a named reader is behind."""

    name: str
    place: Place
    moved_at: datetime
    oldest: datetime | None
    """When the first event that it has not confirmed was recorded; None where there is none."""


async def readers(connection: Connection) -> list[Reader]:
    """All named readers."""
    rows = await connection.fetch(f"{LAGS} ORDER BY name")
    return [Reader(row["name"], Place(row["position"], row["id"]), row["moved_at"], row["oldest"]) for row in rows]


LAGS: Final = """
    SELECT name, position, id, moved_at, (
        SELECT recorded_at FROM events.feed
        WHERE (feed.position, feed.id) > (readers.position, readers.id) ORDER BY feed.position, feed.id LIMIT 1
    ) AS oldest
    FROM events.readers
"""


async def remove(connection: Connection, before: datetime, limit: int = _REMOVED_AT_ONCE) -> int:
    """Remove up to ``limit`` events that were recorded before this moment; how many they were.

    Nothing while another process does.
    """
    async with connection.transaction():
        mine = await connection.fetchval("SELECT true FROM events.origin FOR UPDATE SKIP LOCKED")
        if not mine:
            return 0
        # The oldest stand at the beginning of the order, so no index by time is needed.
        rows = await connection.fetch(
            """
            DELETE FROM events.feed USING (
                SELECT position, id, recorded_at FROM events.feed ORDER BY position, id LIMIT $2
            ) AS oldest
            WHERE feed.position = oldest.position AND feed.id = oldest.id AND oldest.recorded_at < $1
            RETURNING feed.position, feed.id
            """,
            before,
            limit,
        )
        if rows:
            last = max(Place(row["position"], row["id"]) for row in rows)
            await connection.execute(
                "UPDATE events.origin SET removed_position = $1, removed_id = $2", last.position, last.id
            )
        return len(rows)


async def begin_ahead(connection: Connection) -> bool:
    """Let places go on growing on a server whose transaction numbers began anew; whether they would not have.

    So it is where the database was restored from a dump, or copied to another server.
    """
    moved = await connection.fetchval(
        """
        UPDATE events.origin SET added = added + ahead.by + 1
        FROM (
            SELECT greatest(
                (SELECT max(position) FROM events.feed), (SELECT max(position) FROM events.readers), removed_position
            ) - events.horizon() AS by FROM events.origin
        ) AS ahead
        WHERE ahead.by >= 0 RETURNING true
        """
    )
    return moved is not None
