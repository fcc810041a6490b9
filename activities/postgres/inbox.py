"""The inbox: what outside systems have told, kept before it is answered and handed on to cases afterwards (X3).

A message is kept once, by its sender's key. Whoever works on it takes it for a while; what cannot be handed on now is
tried again, less and less often, and ends as a dead one that a person sees to. Times are the database's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import asyncpg
from pydantic import ValidationError

from activities.postgres.connection import Connection
from workflows.messages.commands import GatewayCallback
from workflows.messages.message import Message
from workflows.messages.parcels import CarrierEvent
from workflows.messages.reading import read_own
from workflows.messages.virtual_numbers import OrderCompleted

Told: TypeAlias = GatewayCallback | CarrierEvent | OrderCompleted
_KINDS: Final[dict[str, type[Told]]] = {
    "gateway_callback": GatewayCallback,
    "carrier_event": CarrierEvent,
    "order_completed": OrderCompleted,
}

SOURCES: Final = ["payments", "carriers", "orders"]
"""Whose messages there are: the payment provider's, the carriers', and the order system's about its orders."""

TAKEN_FOR: Final = timedelta(minutes=2)
"""A message that is being worked on is nobody else's for so long; then whoever had it is taken for dead."""
KEPT_FOR: Final = timedelta(days=30)
"""Messages that were handed on are known for so long, should they come again."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=30)
_DOUBLINGS: Final = 16


@dataclass(frozen=True)
class Due:
    """A message to be handed on."""

    id: int
    source: str
    told: Told | None
    """None where this release cannot read it."""


class InboxMessage(Message):
    """A message as an operator sees it."""

    id: int
    source: str
    key: str
    kind: str
    received_at: datetime
    attempts: int
    next_at: datetime | None
    dead_at: datetime | None
    failure: str | None
    about: str
    """The refund's number, the parcel's, or the order's."""


async def keep(connection: Connection, source: str, key: str, told: Told) -> bool:
    """Keep a message; False where it was kept before."""
    kept = await connection.fetchval(
        """
        INSERT INTO inbox.messages (source, key, kind, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (source, key) DO NOTHING RETURNING true
        """,
        source,
        key,
        next(kind for kind, model in _KINDS.items() if isinstance(told, model)),
        told.model_dump(mode="json", exclude_none=True),
    )
    return bool(kept)


async def claim(connection: Connection, limit: int) -> tuple[Due, ...]:
    """Take messages that are due, those that wait longest first: they are nobody else's for ``TAKEN_FOR``."""
    rows = await connection.fetch(
        """
        UPDATE inbox.messages SET attempts = attempts + 1, next_at = now() + $2
        WHERE id IN (
            SELECT id FROM inbox.messages WHERE next_at <= now() ORDER BY next_at, id FOR UPDATE SKIP LOCKED LIMIT $1
        )
        RETURNING id, source, kind, body
        """,
        limit,
        TAKEN_FOR,
    )
    return tuple(Due(row["id"], row["source"], _read(row)) for row in sorted(rows, key=lambda row: row["id"]))


async def done(connection: Connection, message: int) -> None:
    """It was handed on."""
    await connection.execute(
        "UPDATE inbox.messages SET done_at = now(), next_at = NULL, failure = NULL WHERE id = $1 AND dead_at IS NULL",
        message,
    )


async def failed(connection: Connection, message: int, failure: str, give_up_after: timedelta) -> bool:
    """It could not be handed on: it is tried again after a pause, or no more; whether it is dead.

    Args:
        connection: To the database.
        message: Which one.
        failure: Why, in a word of ours.
        give_up_after: It is dead once it is older than this.
    """
    return bool(
        await connection.fetchval(
            """
            WITH ended AS (
                SELECT id, received_at <= now() - $3::interval AS is_over,
                       now() + least($4::interval * power(2, least(attempts - 1, $6)), $5::interval) AS again_at
                FROM inbox.messages WHERE id = $1 AND next_at IS NOT NULL
            )
            UPDATE inbox.messages AS messages SET failure = $2,
                next_at = CASE WHEN is_over THEN NULL ELSE again_at END,
                dead_at = CASE WHEN is_over THEN now() END
            FROM ended WHERE messages.id = ended.id RETURNING messages.dead_at IS NOT NULL
            """,
            message,
            failure,
            give_up_after,
            _FIRST_PAUSE,
            _LONGEST_PAUSE,
            _DOUBLINGS,
        )
    )


async def waiting(connection: Connection, *, dead: bool, limit: int = 100) -> tuple[InboxMessage, ...]:
    """Messages that were not handed on, the oldest first: the dead ones, or those that are tried again."""
    rows = await connection.fetch(
        f"""
        SELECT {_SHOWN} FROM inbox.messages
        WHERE done_at IS NULL AND (dead_at IS NOT NULL) = $1 ORDER BY id LIMIT $2
        """,  # noqa: S608 -- a constant
        dead,
        limit,
    )
    return tuple(_shown(row) for row in rows)


async def retry(connection: Connection, message: int | None) -> int:
    """Have a message tried again now, dead or not; without a number all dead ones. How many there were."""
    return await _changed(
        connection,
        """
        UPDATE inbox.messages SET next_at = now(), dead_at = NULL, attempts = 0, received_at =
            CASE WHEN dead_at IS NULL THEN received_at ELSE now() END
        WHERE done_at IS NULL AND (id = $1 OR ($1 IS NULL AND dead_at IS NOT NULL)) RETURNING id
        """,
        message,
    )


async def discard(connection: Connection, message: int) -> bool:
    """Put a dead message away: a person has seen to it. It is known should it come again; False without one."""
    return bool(
        await _changed(
            connection,
            """
            UPDATE inbox.messages SET done_at = now(), dead_at = NULL
            WHERE id = $1 AND dead_at IS NOT NULL RETURNING id
            """,
            message,
        )
    )


async def forget_old(connection: Connection, limit: int = 1000) -> int:
    """Delete messages that were handed on long ago; how many."""
    return await _changed(
        connection,
        """
        DELETE FROM inbox.messages WHERE id IN (
            SELECT id FROM inbox.messages WHERE done_at <= now() - $1::interval ORDER BY done_at LIMIT $2
            FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,
        KEPT_FOR,
        limit,
    )


_SHOWN: Final = """
id, source, key, kind, received_at, attempts, next_at, dead_at, failure,
coalesce(body ->> 'refund_no', body -> 'parcel' ->> 'tracking_no', body -> 'subject' ->> 'id', '') AS about
"""


def _read(row: asyncpg.Record) -> Told | None:
    try:
        return read_own(_KINDS[row["kind"]], row["body"])
    except (KeyError, ValidationError):
        return None


def _shown(row: asyncpg.Record) -> InboxMessage:
    return InboxMessage.model_validate(dict(row))


async def _changed(connection: Connection, statement: str, *arguments: object) -> int:
    return len(await connection.fetch(statement, *arguments))
