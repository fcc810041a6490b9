"""How far a case has come by its book, for a run that goes on with it (section 11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from activities import case_events
from activities.postgres import ledger, pauses
from activities.postgres.connection import Connection
from workflows.kinds.dispute_end import LEFT_TO_CASE
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, Resumed, StepAnswer
from workflows.messages.openings import OpenedBy
from workflows.messages.reading import read_own
from workflows.messages.requests import DisputeRequest
from workflows.messages.rulings import Ruling
from workflows.messages.stages import Attention
from workflows.rules.identity import case_id as case_id_of

_TOLD_OF: Final = """
case_id, step, kind, stage, merchant_id, order_no, allowance_id, due_at, attention,
currency, asked, refunded, compensated
"""
"""What an event tells of, as columns of a case's row."""

_LINES = 8
"""Of the log, as a view shows them."""

MOST_COMMANDS: Final = 2_000
"""Keys of commands that a run is given at once: with their digests 300 kB at most, of the 2 MB that Temporal takes."""


async def take_over(connection: Connection, case_id: str, run_id: str) -> None:
    """From now on this run carries the case; what an older one still sends changes nothing any more."""
    await connection.execute("UPDATE casebook.cases SET run_id = $2 WHERE case_id = $1", case_id, run_id)


async def call_for_a_person(connection: Connection, case_id: str) -> None:
    """The book lacks steps that the case has taken: its row, its log and an event (X4) say so, until it goes on."""
    called = await connection.fetchrow(
        f"""
        WITH called AS (
            UPDATE casebook.cases SET attention = $2, log_length = log_length + 1
            WHERE case_id = $1 AND closed_at IS NULL AND attention IS DISTINCT FROM $2
            RETURNING log_length, {_TOLD_OF}
        ), logged AS (
            INSERT INTO casebook.log
                (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, command_digest, facts,
                 kind, stage)
            SELECT $1, log_length, step, $2, $3, $4, 'section 11', now(), '', '', '{{}}', kind, stage FROM called
        )
        SELECT *, now() AS at FROM called
        """,  # noqa: S608 -- of a constant
        case_id,
        Attention.BOOK_BEHIND,
        CLOCK.role,
        CLOCK.id,
    )
    if called:
        await _tell(connection, called)


async def a_person_has_looked(connection: Connection, case_id: str) -> None:
    """A run goes on from the book: the row calls for a person as before its steps were missed, if at all."""
    looked = await connection.fetchrow(
        f"""
        UPDATE casebook.cases SET attention = state ->> 'attention' WHERE case_id = $1 AND attention = $2
        RETURNING {_TOLD_OF}, now() AS at
        """,  # noqa: S608 -- of a constant
        case_id,
        Attention.BOOK_BEHIND,
    )
    if looked:
        await _tell(connection, looked)


async def _tell(connection: Connection, row: asyncpg.Record) -> None:
    # The row is locked: what is told now stands behind the case's other events.
    await connection.execute("INSERT INTO events.feed (event) VALUES ($1::json)", case_events.of_attention(row))


async def resumed(connection: Connection, case_id: str, asked: Sequence[str] = ()) -> Resumed | None:
    """How far a case has come; None before its first step, and where none has written its state.

    It has the keys of the last commands that were carried out, or of those that are ``asked`` about.
    """
    row = await connection.fetchrow(
        """
        SELECT state, step, stepped -> step::text AS last, closed_at, refunded, compensated, outcome,
               request ->> 'carried_out_by' AS carried_out_by
        FROM casebook.cases WHERE case_id = $1
        """,
        case_id,
    )
    if row is None or row["state"] is None or row["last"] is None:
        return None
    state: dict[str, Any] = row["state"]
    dispute = state.get("dispute", {}).get("current")
    dispute_over, ruling = await _end_of_dispute(connection, dispute)
    known = dispute is None or dispute_over or await is_open(connection, dispute)
    commands = await _commands(connection, case_id, asked)
    return Resumed(
        state=state,
        last=read_own(StepAnswer, row["last"]),
        steps=row["step"],
        commands=dict(commands[:MOST_COMMANDS]),
        more_commands=bool(asked) or len(commands) > MOST_COMMANDS,
        log=await _log(connection, case_id),
        legs=await ledger.last_legs(connection, case_id),
        closed_at=row["closed_at"],
        carried_out_by=row["carried_out_by"],
        dispute_over=dispute_over,
        dispute_unknown=not known,
        dispute_ruling=ruling,
        refunded=row["refunded"],
        compensated=row["compensated"],
        outcome=row["outcome"],
    )


async def _commands(connection: Connection, case_id: str, asked: Sequence[str]) -> list[tuple[str, str]]:
    """Keys and digests of commands, the last first, and one more than are given where there are more."""
    rows = await connection.fetch(
        """
        SELECT command_key, command_digest FROM casebook.log
        WHERE case_id = $1 AND command_key <> '' AND ($3::text[] = '{}' OR command_key = ANY ($3))
        ORDER BY position DESC LIMIT $2
        """,
        case_id,
        MOST_COMMANDS + 1,
        list(asked),
    )
    return [(row["command_key"], row["command_digest"]) for row in rows]


async def _log(connection: Connection, case_id: str) -> tuple[LogEntry, ...]:
    rows = await connection.fetch(
        """
        SELECT event, actor_role, actor_id, rule, at, command_key, command_digest, facts FROM casebook.log
        WHERE case_id = $1 ORDER BY position DESC LIMIT $2
        """,
        case_id,
        _LINES,
    )
    return tuple(entry_of(dict(row)) for row in reversed(rows))


def entry_of(row: dict[str, Any]) -> LogEntry:
    """A line of the log, from its row."""
    by = {"role": row.pop("actor_role"), "id": row.pop("actor_id")}
    return read_own(LogEntry, {**row, "by": by})


async def _end_of_dispute(connection: Connection, case_id: str | None) -> tuple[bool, Ruling | None]:
    """Whether a dispute has ended, and with what that it has left to its case (D8)."""
    if case_id is None:
        return False, None
    row = await connection.fetchrow(
        """
        SELECT outcome, state -> 'ruling' AS ruling FROM casebook.whole_case
        WHERE case_id = $1 AND closed_at IS NOT NULL
        """,
        case_id,
    )
    if row is None:
        return False, None
    left = row["outcome"] in LEFT_TO_CASE and row["ruling"] is not None
    return True, read_own(Ruling, row["ruling"]) if left else None


async def untold(connection: Connection, case_id: str, resumed: Resumed | None) -> dict[str, object]:
    """What nobody may have told an open case while no run carried it, as fields of ``Opened``."""
    return {
        "pauses": await pauses.untold(connection, case_id),
        "dispute_intervened": await _has_intervened(connection, resumed),
    }


async def _has_intervened(connection: Connection, resumed: Resumed | None) -> bool:
    """D3: whether the platform has, by the log of the dispute that is open, or that the last step was to open."""
    about: dict[str, Any] = resumed.state.get("dispute", {}) if resumed else {}
    opening, dispute = about.get("opening"), about.get("current")
    if opening:
        dispute = case_id_of(read_own(DisputeRequest, opening))
    if resumed is None or resumed.dispute_over or dispute is None:
        return False
    query = "SELECT EXISTS (SELECT FROM casebook.log WHERE case_id = $1 AND event = 'intervened')"
    return bool(await connection.fetchval(query, dispute))


async def is_open(connection: Connection, case_id: str) -> bool:
    """Whether the book has the case, and has not seen it end."""
    query = "SELECT EXISTS (SELECT FROM casebook.cases WHERE case_id = $1 AND closed_at IS NULL)"
    return bool(await connection.fetchval(query, case_id))


async def waiting_for_disputes(
    connection: Connection, among: Sequence[str], after: str, limit: int
) -> list[tuple[str, str]]:
    """A page of open cases whose dispute is open by their own state, and not by the book; each with that dispute.

    Of those that are named, or of all where none is.
    """
    rows = await connection.fetch(
        """
        SELECT case_id, state -> 'dispute' ->> 'current' AS dispute FROM casebook.cases AS waits
        WHERE closed_at IS NULL AND case_id > $1 AND ($3::text[] = '{}' OR case_id = ANY ($3))
          AND state -> 'dispute' ->> 'current' IS NOT NULL
          AND NOT EXISTS (
              SELECT FROM casebook.cases WHERE case_id = waits.state -> 'dispute' ->> 'current' AND closed_at IS NULL
          )
        ORDER BY case_id LIMIT $2
        """,
        after,
        limit,
        list(among),
    )
    return [(row["case_id"], row["dispute"]) for row in rows]


@dataclass(frozen=True)
class Reached:
    """How far the book has seen a case come."""

    steps: int
    closed: bool


async def reached(connection: Connection, case_ids: Sequence[str]) -> dict[str, Reached]:
    """How far these cases have come; without those that the book does not have."""
    rows = await connection.fetch(
        "SELECT case_id, step, closed_at IS NOT NULL AS closed FROM casebook.every_case WHERE case_id = ANY ($1)",
        list(case_ids),
    )
    return {row["case_id"]: Reached(row["step"], row["closed"]) for row in rows}


async def open_cases(
    connection: Connection, among: Sequence[str], after: str, limit: int
) -> list[tuple[str, OpenedBy | None]]:
    """A page of open cases by their ids, after the one named, each with what opened it, where the book has that.

    Of those that are named, or of all where none is.
    """
    rows = await connection.fetch(
        """
        SELECT case_id, request FROM casebook.cases
        WHERE closed_at IS NULL AND case_id > $1 AND ($3::text[] = '{}' OR case_id = ANY ($3))
        ORDER BY case_id LIMIT $2
        """,
        after,
        limit,
        list(among),
    )
    return [(row["case_id"], read_own(OpenedBy, row["request"]) if row["request"] else None) for row in rows]
