"""Where our ledger and the payment gateway's book differ, each difference recorded once (section 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.postgres.connection import Connection
from workflows.messages.message import Code, Instant, Message
from workflows.messages.reconciliation import DifferenceKind
from workflows.messages.words import shown_as_written


class Difference(Message):
    """A difference that has not vanished."""

    id: int
    kind: Code
    subject: str
    """The refund number; the fund of an overpaid one."""
    attempt: int | None = None
    """Whose line was the first to differ; None for the refund as a whole."""
    ours: str | None
    """How it stands with us; for a fund, the part that is overpaid."""
    ours_amount: int | None
    theirs: str | None
    theirs_amount: int | None
    found_at: Instant


@dataclass(frozen=True)
class Found:
    """A difference as a comparison found it. Amounts are in minor units."""

    kind: DifferenceKind
    subject: str
    ours: str | None = None
    ours_amount: int | None = None
    theirs: str | None = None
    theirs_amount: int | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Range:
    """What was compared: the refunds after one number up to another (None for all the rest), and their funds."""

    after: str
    upto: str | None
    funds: Sequence[str]


async def record(connection: Connection, found: Sequence[Found], at: datetime) -> int:
    """Record each difference once while it stands; how many were new."""
    new = 0
    for each in found:
        new += bool(
            await connection.fetchval(
                """
                INSERT INTO ledger.differences (kind, subject, ours, ours_amount, theirs, theirs_amount, found_at,
                                                attempt)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (subject, kind) WHERE resolved_at IS NULL DO NOTHING RETURNING true
                """,
                each.kind,
                each.subject,
                each.ours,
                each.ours_amount,
                each.theirs,
                each.theirs_amount,
                at,
                each.attempt,
            )
        )
    return new


async def resolve(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """These have vanished."""
    await connection.execute("UPDATE ledger.differences SET resolved_at = $2 WHERE id = ANY ($1)", ids, at)


async def all_open(connection: Connection) -> tuple[Difference, ...]:
    """All that have not vanished, oldest first, up to a hundred thousand."""
    return await open_differences(connection, limit=100_000)


async def write(connection: Connection, compared: Range, found: Sequence[Found], at: datetime) -> tuple[int, int]:
    """Record what was found in the range, resolve what was not found again: how many were new, and vanished."""
    new = await record(connection, found, at)
    resolved = await connection.fetch(
        """
        UPDATE ledger.differences SET resolved_at = $1
        WHERE resolved_at IS NULL
          AND CASE kind WHEN 'fund_overpaid' THEN subject = ANY ($4)
              ELSE subject > $2 AND ($3::text IS NULL OR subject <= $3) END
          AND NOT EXISTS (
              SELECT FROM unnest($5::text[], $6::text[]) AS found (kind, subject)
              WHERE found.kind = differences.kind AND found.subject = differences.subject
          )
        RETURNING id
        """,
        at,
        compared.after,
        compared.upto,
        compared.funds,
        [each.kind for each in found],
        [each.subject for each in found],
    )
    return new, len(resolved)


async def open_differences(connection: Connection, *, limit: int = 100) -> tuple[Difference, ...]:
    """The differences that have not vanished, oldest first."""
    rows = await connection.fetch(
        """
        SELECT id, kind, subject, attempt, ours, ours_amount, theirs, theirs_amount, found_at
        FROM ledger.differences WHERE resolved_at IS NULL ORDER BY id LIMIT $1
        """,
        limit,
    )
    with shown_as_written():
        return tuple(Difference.model_validate(dict(row)) for row in rows)
