"""The outbox: notices wait here from the transaction of their step until a channel has taken them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.notices.channels import ChannelName
from activities.postgres.connection import Connection
from workflows.messages.actors import Role
from workflows.messages.cases import Notice

ROUTES: Final[Mapping[Role, tuple[ChannelName, ...]]] = {
    Role.BUYER: (ChannelName.SMS, ChannelName.IN_STATION),
    Role.MERCHANT: (ChannelName.IN_STATION, ChannelName.E_MAIL),
    Role.PLATFORM: (ChannelName.IN_STATION,),
}
"""By which channels each role is told; the others are told nothing."""


@dataclass(frozen=True)
class Queued:
    """One notice for one channel, taken up to be sent."""

    id: int
    dedup_key: str
    """The same for the same case, step, template, recipient and channel."""
    template: str
    recipient_role: str
    recipient_id: str
    channel: str
    fields: Mapping[str, str | int]
    attempts: int
    """This one included."""


@dataclass(frozen=True)
class Sent:
    """The channel has taken the notice."""

    id: int


@dataclass(frozen=True)
class Failed:
    """The channel has not taken the notice, or did not say so; it is sent again at ``again_at``."""

    id: int
    code: str
    again_at: datetime


@dataclass(frozen=True)
class Undeliverable:
    """It cannot be put into words, the channel will never take it, or it was tried for long: it is not tried again."""

    id: int
    code: str


Delivery = Sent | Failed | Undeliverable


def insertion(first: int, *, case_id: str, step: str, at: str) -> str:
    """SQL that queues the notices that are given from the argument of number ``first`` on (``arguments``).

    It is part of a step's transaction: they exist if, and only if, the step does. One for each case, step, template,
    recipient and channel; the same step again adds none. ``at`` is the workflow's time. Nothing is checked that could
    stop the step: what cannot be sent is found when it is sent.
    """
    given = ", ".join(f"${first + index}::text[]" for index in range(5))
    return f"""
        INSERT INTO notices.outbox (case_id, step, template, recipient_role, recipient_id, channel, fields, queued_at)
        SELECT {case_id}, {step}, template, recipient_role, recipient_id, channel, fields::json, {at}
        FROM unnest({given}) AS notice (template, recipient_role, recipient_id, channel, fields)
        ON CONFLICT DO NOTHING
    """  # noqa: S608 -- numbers of arguments


def arguments(
    notices: Iterable[Notice], routes: Mapping[Role, tuple[ChannelName, ...]] = ROUTES
) -> tuple[list[str], ...]:
    """The notices as arguments of ``insertion``: one for each channel of each recipient."""
    rows = [(notice, channel) for notice in notices for channel in routes.get(notice.to.role, ())]
    return (
        [notice.template for notice, _ in rows],
        [notice.to.role for notice, _ in rows],
        [notice.to.id for notice, _ in rows],
        [channel for _, channel in rows],
        [json.dumps(notice.fields) for notice, _ in rows],
    )


async def take(connection: Connection, now: datetime, lease_until: datetime, limit: int) -> list[Queued]:
    """Take up what is due at ``now``, new ones first. Nobody else takes it until ``lease_until``.

    Whoever takes it and dies leaves it to be taken again after that.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT id FROM notices.outbox
            WHERE sent_at IS NULL AND undeliverable_at IS NULL
              AND (next_attempt_at IS NULL OR next_attempt_at <= $1)
            ORDER BY next_attempt_at NULLS FIRST, id
            LIMIT $3
            FOR UPDATE SKIP LOCKED
        )
        UPDATE notices.outbox o SET attempts = attempts + 1, next_attempt_at = $2
        FROM due WHERE o.id = due.id
        RETURNING o.id, case_id, step, template, recipient_role, recipient_id, channel, fields, attempts
        """,
        now,
        lease_until,
        limit,
    )
    return [
        Queued(
            id=row["id"],
            dedup_key=_dedup_key(
                row["case_id"],
                row["step"],
                row["template"],
                row["recipient_role"],
                row["recipient_id"],
                row["channel"],
            ),
            template=row["template"],
            recipient_role=row["recipient_role"],
            recipient_id=row["recipient_id"],
            channel=row["channel"],
            fields=json.loads(row["fields"]),
            attempts=row["attempts"],
        )
        for row in rows
    ]


async def mark(connection: Connection, deliveries: Iterable[Delivery], at: datetime) -> None:
    """Note what came of sending. What has been sent stays sent, whatever a slower sender says of it."""
    sent: list[int] = []
    for delivery in deliveries:
        match delivery:
            case Sent(id=number):
                sent.append(number)
            case Failed(id=number, code=code, again_at=again_at):
                await connection.execute(
                    """
                    UPDATE notices.outbox SET next_attempt_at = $2, last_failure = $3
                    WHERE id = $1 AND sent_at IS NULL
                    """,
                    number,
                    again_at,
                    code,
                )
            case Undeliverable(id=number, code=code):
                await connection.execute(
                    """
                    UPDATE notices.outbox SET undeliverable_at = $2, last_failure = $3
                    WHERE id = $1 AND sent_at IS NULL
                    """,
                    number,
                    at,
                    code,
                )
    if sent:
        await connection.execute(
            """
            UPDATE notices.outbox SET sent_at = coalesce(sent_at, $2), last_failure = NULL
            WHERE id = ANY ($1) AND undeliverable_at IS NULL
            """,
            sent,
            at,
        )


@dataclass(frozen=True)
class GivenUp:
    """A notice that is not tried any more."""

    case_id: str
    template: str
    channel: str
    recipient_role: str
    recipient_id: str
    attempts: int
    last_failure: str | None
    undeliverable_at: datetime


async def given_up(connection: Connection, channel: str | None, limit: int) -> list[GivenUp]:
    """Notices that are not tried any more, the latest first; of one channel, or of all."""
    rows = await connection.fetch(
        """
        SELECT case_id, template, channel, recipient_role, recipient_id, attempts, last_failure, undeliverable_at
        FROM notices.outbox WHERE undeliverable_at IS NOT NULL AND ($1::text IS NULL OR channel = $1)
        ORDER BY undeliverable_at DESC, id DESC LIMIT $2
        """,
        channel,
        limit,
    )
    return [GivenUp(**dict(row)) for row in rows]


async def try_again(connection: Connection, channel: str | None, case_id: str | None) -> int:
    """Have notices tried anew that were given up, of a channel, a case, or all; how many they are."""
    rows = await connection.fetch(
        """
        UPDATE notices.outbox SET undeliverable_at = NULL, next_attempt_at = NULL, attempts = 0
        WHERE undeliverable_at IS NOT NULL AND ($1::text IS NULL OR channel = $1) AND ($2::text IS NULL OR case_id = $2)
        RETURNING id
        """,
        channel,
        case_id,
    )
    return len(rows)


def _dedup_key(*parts: str | int) -> str:
    # A hash, because providers limit such keys in length.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
