"""Figures that one process works out and all read, with their age: `casebook.standing`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from activities.postgres.connection import Connection
from workflows.messages.message import Message


class Figure(Message):
    """One number of one gauge, or of one count."""

    name: str
    value: Annotated[float, Field(allow_inf_nan=False)]
    labels: dict[str, str] = Field(default_factory=dict)


_FIGURES: Final = TypeAdapter(tuple[Figure, ...])


@dataclass(frozen=True)
class Kept:
    """What was measured last."""

    figures: tuple[Figure, ...]
    age: float
    """Seconds, by the database's clock."""


async def kept(connection: Connection, subject: str) -> Kept | None:
    """What was measured last of a subject; None where the database has no such subject."""
    row = await connection.fetchrow(
        """
        SELECT figures, extract(epoch FROM clock_timestamp() - measured_at)::float8 AS age
        FROM casebook.standing WHERE subject = $1
        """,
        subject,
    )
    return Kept(_FIGURES.validate_python(row["figures"], extra="ignore"), row["age"]) if row else None


async def renewed(
    connection: Connection, subject: str, every: timedelta, measure: Callable[[], Awaitable[tuple[Figure, ...]]]
) -> Kept | None:
    """What is kept of a subject, measured anew if it is older than ``every``.

    While one process measures, the others are given what was measured before.
    """
    found = await kept(connection, subject)
    if found is not None and found.age < every.total_seconds():
        return found
    async with connection.transaction():
        mine = await connection.fetchval(
            """
            SELECT true FROM casebook.standing
            WHERE subject = $1 AND measured_at <= clock_timestamp() - $2::interval FOR UPDATE SKIP LOCKED
            """,
            subject,
            every,
        )
        if mine:
            # As old as its first statement: what is committed while it runs may be missing.
            began = await connection.fetchval("SELECT clock_timestamp()")
            await connection.execute(
                "UPDATE casebook.standing SET measured_at = $3, figures = $2 WHERE subject = $1",
                subject,
                _FIGURES.dump_python(await measure(), mode="json"),
                began,
            )
    return await kept(connection, subject)
