"""Which virtual numbers are bound for what, and what that hangs on: our own book, beside the provider's (P3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.virtual_numbers import (
    Binding,
    NumberFacts,
    NumberState,
    NumberSubject,
    Scope,
    VirtualNumber,
)


@dataclass(frozen=True)
class Bound:
    """A number that a merchant can call at present."""

    subject: NumberSubject
    number: VirtualNumber
    until: datetime | None
    """None: until the order completes."""


async def begin_subject(
    connection: Connection, subject: NumberSubject, order_no: str, merchant_id: str, at: datetime
) -> NumberState:
    """Write a subject down where it is new, and give what is known of it."""
    await connection.execute(
        """
        INSERT INTO vault.number_subjects (subject, order_no, merchant_id, begun_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject) DO NOTHING
        """,
        subject.name,
        order_no,
        merchant_id,
        at,
    )
    row = await connection.fetchrow("SELECT * FROM vault.number_subjects WHERE subject = $1", subject.name)
    assert row is not None
    bindings = await connection.fetch("SELECT * FROM vault.bindings WHERE subject = $1 ORDER BY no", subject.name)
    over = [each for each in bindings if each["unbound_at"] is not None]
    bound = next((each for each in bindings if each["unbound_at"] is None), None)
    return NumberState(
        merchant_id=row["merchant_id"],
        order_no=row["order_no"],
        facts=NumberFacts.model_validate({name: row[name] for name in NumberFacts.model_fields}),
        binding=Binding(no=bound["no"], number=_number(bound), until=bound["until"]) if bound else None,
        unbound=over[-1]["no"] if over else 0,
        lapsed=next((number for each in reversed(over) if (number := _number(each))), None),
    )


async def await_completion(connection: Connection, subject: NumberSubject) -> bool:
    """Whether the subject has had a number, which is not known to have been told that its order is completed (P3)."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM vault.number_subjects WHERE subject = $1 AND completed_at IS NULL)", subject.name
    )


async def keep_facts(connection: Connection, subject: NumberSubject, facts: NumberFacts, at: datetime) -> None:
    """Write down what has happened to a subject."""
    await connection.execute(
        """
        UPDATE vault.number_subjects
        SET completed_at = $2, closed_unclaimed = $3, became_subscription = $4, released = $5, changed_at = $6,
            released_because = $7
        WHERE subject = $1
        """,
        subject.name,
        facts.completed_at,
        facts.closed_unclaimed,
        facts.became_subscription,
        facts.released,
        at,
        facts.released_because,
    )


async def ask(connection: Connection, subject: NumberSubject, no: int, until: datetime | None, at: datetime) -> bool:
    """Write down that the provider is being asked: from now on a number may be bound. False where that is over.

    Raises:
        asyncpg.UniqueViolationError: another binding of the subject is not over.
    """
    asked = await connection.fetchval(
        """
        INSERT INTO vault.bindings (subject, no, merchant_id, asked_at, until)
        SELECT $1, $2, merchant_id, $4, $3 FROM vault.number_subjects WHERE subject = $1
        ON CONFLICT (subject, no) DO UPDATE SET until = excluded.until WHERE bindings.unbound_at IS NULL
        RETURNING true
        """,
        subject.name,
        no,
        until,
        at,
    )
    return asked is not None


async def bound(connection: Connection, subject: NumberSubject, no: int, number: VirtualNumber, at: datetime) -> None:
    """Write down which number the provider has bound. What is unbound meanwhile stays so."""
    await connection.execute(
        """
        UPDATE vault.bindings SET number = $3, extension = $4, bound_at = coalesce(bound_at, $5)
        WHERE subject = $1 AND no = $2 AND unbound_at IS NULL
        """,
        subject.name,
        no,
        number.number,
        number.extension,
        at,
    )


async def is_asked(connection: Connection, subject: NumberSubject, no: int) -> bool:
    """Whether the provider was asked for this binding, which is not over."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM vault.bindings WHERE subject = $1 AND no = $2 AND unbound_at IS NULL)",
        subject.name,
        no,
    )


async def extended(connection: Connection, subject: NumberSubject, no: int, until: datetime) -> None:
    """Write down until when a number is valid now."""
    await connection.execute(
        "UPDATE vault.bindings SET until = $3 WHERE subject = $1 AND no = $2 AND unbound_at IS NULL",
        subject.name,
        no,
        until,
    )


async def unbound(connection: Connection, subject: NumberSubject, no: int, at: datetime) -> None:
    """Write down that a binding is over; the first moment told stays, and whoever still asks for it comes too late."""
    await connection.execute(
        """
        INSERT INTO vault.bindings (subject, no, merchant_id, asked_at, unbound_at)
        SELECT $1, $2, merchant_id, $3, $3 FROM vault.number_subjects WHERE subject = $1
        ON CONFLICT (subject, no) DO UPDATE SET unbound_at = coalesce(bindings.unbound_at, excluded.unbound_at)
        """,
        subject.name,
        no,
        at,
    )


async def bound_for_merchant(connection: Connection, merchant_id: str) -> list[Bound]:
    """The numbers that a merchant can call at present, the latest first."""
    rows = await connection.fetch(
        """
        SELECT * FROM vault.bindings
        WHERE merchant_id = $1 AND unbound_at IS NULL AND number IS NOT NULL ORDER BY bound_at DESC, subject
        """,
        merchant_id,
    )
    return [
        Bound(subject=subject_of(row["subject"]), number=number, until=row["until"])
        for row in rows
        if (number := _number(row))
    ]


async def subjects_of_orders(connection: Connection, order_nos: Sequence[str]) -> list[NumberSubject]:
    """Whatever numbers lead to the recipients of these orders: to be released when a person is forgotten.

    Asked for once the person's key is destroyed, it misses none: a number that is being bound at that moment has its
    subject written down already, or finds the recipient forgotten.
    """
    rows = await connection.fetch(
        "SELECT subject FROM vault.number_subjects WHERE order_no = ANY($1) AND NOT released ORDER BY subject",
        list(order_nos),
    )
    return [subject_of(row["subject"]) for row in rows]


async def bound_subjects(connection: Connection) -> list[NumberSubject]:
    """What numbers are bound for, or may be: where the provider has been asked and has not let go (P3)."""
    rows = await connection.fetch("SELECT DISTINCT subject FROM vault.bindings WHERE unbound_at IS NULL ORDER BY 1")
    return [subject_of(row["subject"]) for row in rows]


def subject_of(name: str) -> NumberSubject:
    """The subject of this name."""
    scope, _, identifier = name.partition("/")
    return NumberSubject(scope=Scope(scope), id=identifier)


def _number(row: asyncpg.Record) -> VirtualNumber | None:
    return VirtualNumber(number=row["number"], extension=row["extension"]) if row["number"] else None
