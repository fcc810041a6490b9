"""The record of who saw what of a person in clear, and how much of it is allowed within an hour (P2, P8).

A look is written down in the transaction that reads what is looked at: nothing is seen that is not recorded. Each is
found by order, case, person and actor, whoever looked: merchants, officers, buyers, auditors of the codec server.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from activities.postgres import orders
from activities.postgres.connection import Connection
from workflows.messages.actors import Actor, Role
from workflows.messages.message import Instant, Message
from workflows.messages.persons import buyer_person
from workflows.messages.surfaces import Field

REVEAL: Final = "reveal"
EXPORT: Final = "export"
"""What stands for a surface in the record where something was asked for outside any."""
WINDOW: Final = timedelta(hours=1)
COUNTED: Final = (Field.PHONE, Field.ADDRESS)
"""What counts against the limit on whatever surface it is shown (P8)."""


class Looker(Message):
    """Somebody who is no party of any case and looks: an auditor of the codec server, by the name in its token."""

    role: str
    id: str


class Look(Message):
    """One field of a person that somebody was given in clear, or a virtual number of it: who, which, when, why (P2).

    Its texts have no form to keep: whatever was written down can be read.
    """

    key: str | None
    by: Actor | Looker
    merchant_id: str | None
    """Whose case or order it is."""
    subject: str
    """The order's number, the case's id, or the reference of what the vault keeps."""
    order_no: str | None = None
    """The order that it was about, where it is known."""
    case_id: str | None = None
    person: str | None = None
    """Whose data it was: ``buyer/<id>`` or ``merchant/<id>``."""
    field: str
    surface: str
    """Where it was shown; ``reveal`` and ``export`` for what was asked for outside any surface."""
    reason: str
    at: Instant


async def record(
    connection: Connection,
    by: Actor | Looker,
    merchant_id: str | None,
    subjects: Sequence[str],
    fields: Iterable[str],
    surface: str,
    reason: str,
    at: datetime,
    *,
    key: str | None = None,
    person: str | None = None,
) -> None:
    """Write down a look at each of these fields of each subject (P2).

    Args:
        connection: In the transaction that reads what is looked at.
        by: Who looks.
        merchant_id: Whose order or case it is; the subject's own where that is None.
        subjects: Numbers of orders, ids of cases, or references of texts and items of the vault.
        fields: What is seen of each.
        surface: Where.
        reason: Why.
        at: When.
        key: The same key of an actor is one look. Without one, a subject counts once an hour.
        person: Whose data it is; where that is None, whose the subject is.
    """
    seen = [(subject, field) for field in fields for subject in subjects]
    told = await orders.parties(connection, [subject for subject in subjects if _may_be_order(subject)])
    await connection.execute(
        """
        INSERT INTO vault.looks
            (key, role, actor_id, merchant_id, subject, field, surface, reason, at, case_id, order_no, person)
        SELECT $1, $2, $3, coalesce($4, cases.merchant_id, orders.merchant_id), seen.subject, seen.field, $7, $8, $9,
               cases.case_id, coalesce(cases.order_no, orders.order_no),
               coalesce($10, statements.person, items.person, 'buyer/' || coalesce(cases.buyer_id, orders.buyer_id))
        FROM unnest($5::text[], $6::text[]) WITH ORDINALITY AS seen (subject, field, no)
        LEFT JOIN disputes.statements ON statements.reference = seen.subject
        LEFT JOIN vault.items ON items.reference = seen.subject
        LEFT JOIN casebook.every_case AS cases ON cases.case_id = coalesce(statements.case_id, seen.subject)
        LEFT JOIN unnest($11::text[], $12::text[], $13::text[]) AS orders (order_no, merchant_id, buyer_id)
            ON orders.order_no = seen.subject
        ORDER BY seen.no
        """,
        key,
        by.role,
        by.id,
        merchant_id,
        [subject for subject, _ in seen],
        [field for _, field in seen],
        surface,
        reason,
        at,
        person,
        list(told),
        [merchant for merchant, _ in told.values()],
        [buyer for _, buyer in told.values()],
    )


def _may_be_order(subject: str) -> bool:
    """Ids of cases and references into the vault have a slash, as no number of an order has."""
    return "/" not in subject and not subject.startswith("statement:")


async def looks(
    connection: Connection,
    merchant_id: str | None,
    *,
    subject: str | None = None,
    person: str | None = None,
    actor: Actor | Looker | None = None,
) -> tuple[Look, ...]:
    """Who looked, oldest first: at an order and all of its cases, at a case, at a person, or one actor (P2).

    Looks at a buyer's accounts and other items, which are of no single order, are among those of each of its orders
    and cases.

    Args:
        connection: To the database.
        merchant_id: Only at this merchant's orders and cases; None, for the platform, at all.
        subject: The order's number, or the case's id.
        person: ``buyer/<id>`` or ``merchant/<id>``.
        actor: Who looked.
    """
    buyer_id = await orders.buyer_of(connection, subject) if subject and _may_be_order(subject) else None
    rows = await connection.fetch(
        f"""
        SELECT {_LOOK} FROM vault.looks
        WHERE ($1::text IS NULL OR merchant_id = $1)
        AND ($2::text IS NULL OR order_no = $2 OR case_id = $2 OR (
            order_no IS NULL AND case_id IS NULL AND person IN (
                SELECT $6::text
                UNION ALL SELECT 'buyer/' || buyer_id FROM casebook.every_case WHERE case_id = $2
            )
        ))
        AND ($3::text IS NULL OR person = $3)
        AND ($4::text IS NULL OR (role = $4 AND actor_id = $5))
        ORDER BY id
        """,  # noqa: S608 -- a constant
        merchant_id,
        subject,
        person,
        actor and actor.role,
        actor and actor.id,
        buyer_id and buyer_person(buyer_id),
    )
    return tuple(look(row) for row in rows)


async def try_again_at(connection: Connection, by: Actor | Looker, per_hour: int, at: datetime) -> datetime | None:
    """When the actor may see another real phone or street, or reveal again; None where it may now (P2, P8).

    Fields that are seen together count once. It holds until the transaction ends.
    """
    await wait_for_turn(connection, by)
    nth = await connection.fetchval(
        """
        SELECT min(at) FROM vault.looks
        WHERE actor_id = $1 AND role = $2 AND at > $4 AND (surface = $3 OR field = ANY($6))
        GROUP BY coalesce(key, subject) ORDER BY 1 DESC OFFSET $5 LIMIT 1
        """,
        by.id,
        by.role,
        REVEAL,
        at - WINDOW,
        per_hour - 1,
        COUNTED,
    )
    return nth + WINDOW if nth else None


async def seen_lately(connection: Connection, by: Actor | Looker, at: datetime) -> frozenset[str]:
    """The keys, or subjects where there was none, of all that counts of the actor within the last hour (P8)."""
    await wait_for_turn(connection, by)
    rows = await connection.fetch(
        """
        SELECT DISTINCT coalesce(key, subject) AS seen FROM vault.looks
        WHERE actor_id = $1 AND role = $2 AND at > $4 AND (surface = $3 OR field = ANY($5))
        """,
        by.id,
        by.role,
        REVEAL,
        at - WINDOW,
        COUNTED,
    )
    return frozenset(row["seen"] for row in rows)


async def wait_for_turn(connection: Connection, by: Actor | Looker) -> None:
    """Let an actor's looks come one after the other: what is counted holds until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('vault.looks/' || $1, 0))", by.id)


async def under_key(connection: Connection, by: Actor, key: str) -> list[Look]:
    """What the actor has seen under this key before."""
    rows = await connection.fetch(
        f"SELECT {_LOOK} FROM vault.looks WHERE actor_id = $1 AND key = $2",  # noqa: S608 -- a constant
        by.id,
        key,
    )
    return [look(row) for row in rows]


_LOOK: Final = "key, role, actor_id, merchant_id, subject, field, surface, reason, at, case_id, order_no, person"


def _who(role: str, identifier: str) -> Actor | Looker:
    try:
        return Actor(role=Role(role), id=identifier)
    except ValueError:
        return Looker(role=role, id=identifier)


def look(row: asyncpg.Record) -> Look:
    """One look, as it was written down."""
    return Look(
        key=row["key"],
        by=_who(row["role"], row["actor_id"]),
        merchant_id=row["merchant_id"],
        subject=row["subject"],
        order_no=row["order_no"],
        case_id=row["case_id"],
        person=row["person"],
        field=row["field"],
        surface=row["surface"],
        reason=row["reason"],
        at=row["at"],
    )
