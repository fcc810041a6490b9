"""Where our ledger and the payment gateway's book differ, each difference recorded once (section 10, X5).

An officer can accept a difference as it stands. It is closed then, and is not recorded anew as long as neither book
has it otherwise. What differs otherwise is a difference of its own, and is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from activities.postgres.connection import Connection
from workflows.messages.actors import Actor, Role
from workflows.messages.message import Code, Input, Instant, Message
from workflows.messages.reconciliation import AcceptedFor, DifferenceKind
from workflows.messages.words import shown_as_written

_MOST: Final = 100_000
_STANDS: Final = "accepted_at IS NOT NULL AND accepted_until IS NULL"
"""Of one that was accepted: both books still have it like that."""


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
    theirs_currency: str | None = None
    """In which the provider states it; None where it was recorded by a release that kept none."""
    found_at: Instant

    def as_found(self) -> "Found":
        """The same as a comparison would find it."""
        with shown_as_written():
            kind = DifferenceKind(self.kind)
        return Found(
            kind,
            self.subject,
            self.ours,
            self.ours_amount,
            self.theirs,
            self.theirs_amount,
            self.theirs_currency,
            attempt=self.attempt,
        )


class AcceptedDifference(Difference):
    """A difference that was accepted, and stands as it did then."""

    accepted_at: Instant
    accepted_by: str
    """Which officer: its id."""
    accepted_for: Code


def _of_the_platform(actor: Actor) -> Actor:
    if actor.role is not Role.PLATFORM:
        raise ValueError("only the platform accepts a difference (section 10)")
    return actor


class AcceptDifference(Input):
    """Take a difference as it stands: it is not open any more, until it changes."""

    difference: Annotated[int, Field(gt=0, lt=2**63)]
    """Its number."""
    reason: AcceptedFor
    by: Annotated[Actor, AfterValidator(_of_the_platform)]


@dataclass(frozen=True)
class Found:
    """A difference as a comparison found it. Amounts are in minor units."""

    kind: DifferenceKind
    subject: str
    ours: str | None = None
    ours_amount: int | None = None
    theirs: str | None = None
    theirs_amount: int | None = None
    theirs_currency: str | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Range:
    """What was compared: the refunds after one number up to another (None for all the rest), and their funds."""

    after: str
    upto: str | None
    funds: Sequence[str]

    def holds(self, difference: Difference) -> bool:
        """Whether a difference would have been found."""
        if difference.kind == DifferenceKind.FUND_OVERPAID:
            return difference.subject in self.funds
        return self.after < difference.subject and (self.upto is None or difference.subject <= self.upto)


@dataclass(frozen=True)
class Written:
    """What was written of a comparison."""

    open: Sequence[Found]
    """Of what was found: all but what was accepted."""
    new: int
    resolved: int
    """How many have vanished, accepted ones too."""


async def record(connection: Connection, found: Sequence[Found], at: datetime) -> int:
    """Record each difference once while it stands, but for those that were accepted like that; how many were new."""
    new = 0
    for each in found:
        new += bool(
            await connection.fetchval(
                f"""
                INSERT INTO ledger.differences (kind, subject, ours, ours_amount, theirs, theirs_amount, found_at,
                                                attempt, theirs_currency)
                SELECT $1::text, $2::text, $3::text, $4::bigint, $5::text, $6::bigint, $7::timestamptz, $8::integer,
                       $9::text
                WHERE NOT EXISTS (
                    SELECT FROM ledger.differences WHERE {_STANDS} AND subject = $2 AND kind = $1
                    AND (ours, ours_amount, theirs, theirs_amount, attempt, theirs_currency)
                        IS NOT DISTINCT FROM ($3, $4, $5, $6, $8, $9)
                )
                ON CONFLICT (subject, kind) WHERE resolved_at IS NULL DO NOTHING RETURNING true
                """,  # noqa: S608 -- of a constant
                each.kind,
                each.subject,
                each.ours,
                each.ours_amount,
                each.theirs,
                each.theirs_amount,
                at,
                each.attempt,
                each.theirs_currency,
            )
        )
    return new


async def resolve(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """These have vanished; one that was accepted at this moment stays so."""
    await connection.execute(
        "UPDATE ledger.differences SET resolved_at = $2 WHERE id = ANY ($1) AND resolved_at IS NULL", ids, at
    )


async def accept(connection: Connection, wish: AcceptDifference, at: datetime) -> bool:
    """Close a difference as it stands; False where there is none that is open."""
    return bool(
        await connection.fetchval(
            """
            UPDATE ledger.differences SET resolved_at = $2, accepted_at = $2, accepted_by = $3, accepted_for = $4
            WHERE id = $1 AND resolved_at IS NULL RETURNING true
            """,
            wish.difference,
            at,
            wish.by.id,
            wish.reason,
        )
    )


async def end(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """These were accepted, and are not like that any more: they have vanished, or become other ones."""
    await connection.execute("UPDATE ledger.differences SET accepted_until = $2 WHERE id = ANY ($1)", ids, at)


async def all_open(connection: Connection) -> tuple[Difference, ...]:
    """All that have not vanished, oldest first, up to a hundred thousand."""
    return await open_differences(connection, limit=_MOST)


async def all_accepted(connection: Connection) -> tuple[AcceptedDifference, ...]:
    """All that were accepted and stand like that, oldest first, up to a hundred thousand."""
    return await accepted_differences(connection, limit=_MOST)


async def write(connection: Connection, compared: Range, found: Sequence[Found], at: datetime) -> Written:
    """Record what was found in the range, and resolve what was not found again."""
    accepted = [each for each in await all_accepted(connection) if compared.holds(each)]
    known, shown = {each.as_found() for each in accepted}, set(found)
    ended = [each.id for each in accepted if each.as_found() not in shown]
    await end(connection, ended, at)
    standing = [each for each in found if each not in known]
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
        [each.kind for each in standing],
        [each.subject for each in standing],
    )
    return Written(standing, new, len(resolved) + len(ended))


async def open_differences(connection: Connection, *, limit: int = 100) -> tuple[Difference, ...]:
    """The differences that have neither vanished nor been accepted, oldest first."""
    rows = await connection.fetch(
        """
        SELECT id, kind, subject, attempt, ours, ours_amount, theirs, theirs_amount, theirs_currency, found_at
        FROM ledger.differences WHERE resolved_at IS NULL ORDER BY id LIMIT $1
        """,
        limit,
    )
    with shown_as_written():
        return tuple(Difference.model_validate(dict(row)) for row in rows)


async def accepted_differences(connection: Connection, *, limit: int = 100) -> tuple[AcceptedDifference, ...]:
    """The differences that were accepted and stand like that, oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT id, kind, subject, attempt, ours, ours_amount, theirs, theirs_amount, theirs_currency, found_at,
               accepted_at, accepted_by, accepted_for
        FROM ledger.differences WHERE {_STANDS} ORDER BY id LIMIT $1
        """,  # noqa: S608 -- of a constant
        limit,
    )
    with shown_as_written():
        return tuple(AcceptedDifference.model_validate(dict(row)) for row in rows)
