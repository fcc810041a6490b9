"""How far a case has come by its book, for a run that goes on with it (section 11)."""

from collections.abc import Sequence
from typing import Any

from activities.postgres import ledger
from activities.postgres.connection import Connection
from workflows.messages.cases import LogEntry, OpenedBy, Resumed, StepAnswer
from workflows.messages.reading import read_own

_LINES = 8
"""Of the log, as a view shows them."""


async def take_over(connection: Connection, case_id: str, run_id: str) -> None:
    """From now on this run carries the case; what an older one still sends changes nothing any more."""
    await connection.execute("UPDATE casebook.cases SET run_id = $2 WHERE case_id = $1", case_id, run_id)


async def resumed(connection: Connection, case_id: str) -> Resumed | None:
    """How far a case has come; None before its first step, and where none has written its state."""
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
    return Resumed(
        state=state,
        last=read_own(StepAnswer, row["last"]),
        steps=row["step"],
        commands=await _commands(connection, case_id),
        log=await _log(connection, case_id),
        legs=await ledger.last_legs(connection, case_id),
        closed_at=row["closed_at"],
        carried_out_by=row["carried_out_by"],
        dispute_over=await _has_ended(connection, state.get("dispute", {}).get("current")),
        refunded=row["refunded"],
        compensated=row["compensated"],
        outcome=row["outcome"],
    )


async def _commands(connection: Connection, case_id: str) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT command_key, command_digest FROM casebook.log WHERE case_id = $1 AND command_key <> ''", case_id
    )
    return {row["command_key"]: row["command_digest"] for row in rows}


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


async def _has_ended(connection: Connection, case_id: str | None) -> bool:
    if case_id is None:
        return False
    return bool(
        await connection.fetchval("SELECT closed_at IS NOT NULL FROM casebook.cases WHERE case_id = $1", case_id)
    )


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
