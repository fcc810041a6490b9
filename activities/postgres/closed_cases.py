"""Closed cases that have left the tables that steps write: moved to the month of their end, and brought back.

Three tables have a case that has moved: ``closed_keys`` a slim row for ever, by which it is found and which the rules
count; ``closed_cases`` and ``closed_log``, by month, all the rest, until the month is in the archive alone. Whoever
reads cases of any age reads ``every_case`` (what the slim row has), or ``whole_case`` and ``whole_log`` by a case's id.
Steps, work lists of open cases and everything else that writes reads ``cases`` and ``log``.
"""

from dataclasses import dataclass
from datetime import datetime

from activities.postgres.connection import Connection


@dataclass(frozen=True)
class Moved:
    """What one batch came to."""

    cases: int = 0
    lines: int = 0
    """Of their logs."""
    notices: int = 0
    """That were sent, and are not kept."""


async def move(connection: Connection, before: datetime, at_most: int) -> Moved:
    """Move up to so many cases that closed before this moment, the oldest first: all of each, or nothing.

    Nothing while another process moves. What the server forgets of it in a crash is moved again: so no step waits for
    the disk to take all that was moved.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        row = await connection.fetchrow("SELECT * FROM casebook.move_closed($1, $2)", before, at_most)
    assert row is not None
    return Moved(**dict(row))


async def bring_back(connection: Connection, case_id: str) -> bool:
    """Have a case where steps are written again; whether it has come back.

    Not where it never left, and not where it is in the archive alone: then its month is to be restored first.
    """
    return await connection.fetchval("SELECT casebook.bring_back($1)", case_id)
