"""Where to look for work that does not move: activities that are tried again and again, and overdue cases."""

from dataclasses import dataclass
from datetime import datetime

from activities.postgres.connection import Connection
from activities.postgres.overdue import PAST_DEADLINE, PAYING_TOO_LONG


@dataclass(frozen=True)
class Suspect:
    """A workflow that may be stuck. Whether it is, Temporal knows."""

    workflow_id: str
    since: datetime
    """Since when it is tried, or since its deadline."""
    overdue: bool
    """Its case is open and past its deadline, or has been paying for too long."""


async def note(connection: Connection, workflow_id: str, activity: str, attempt: int, at: datetime) -> None:
    """An activity is being tried for the ``attempt``-th time."""
    await connection.execute(
        """
        INSERT INTO casebook.repeated_attempts (workflow_id, activity, attempt, since) VALUES ($1, $2, $3, $4)
        ON CONFLICT (workflow_id, activity) DO UPDATE SET attempt = excluded.attempt
        """,
        workflow_id,
        activity,
        attempt,
        at,
    )


async def strike(connection: Connection, workflow_id: str, activity: str | None = None) -> None:
    """An activity has worked after all, or none of the workflow's is being tried any more."""
    await connection.execute(
        "DELETE FROM casebook.repeated_attempts WHERE workflow_id = $1 AND ($2::text IS NULL OR activity = $2)",
        workflow_id,
        activity,
    )


async def suspects(connection: Connection, limit: int) -> list[Suspect]:
    """What was noted, and what is overdue: each workflow once, the longest first."""
    rows = await connection.fetch(
        f"""
        WITH overdue AS (
            ({PAST_DEADLINE} ORDER BY due_rank LIMIT $1) UNION ALL ({PAYING_TOO_LONG} ORDER BY since LIMIT $1)
        ), noted AS (
            SELECT workflow_id, min(since) AS since FROM casebook.repeated_attempts GROUP BY workflow_id
            ORDER BY since LIMIT $1
        )
        SELECT workflow_id, min(since) AS since, bool_or(overdue) AS overdue FROM (
            SELECT case_id AS workflow_id, since, true AS overdue FROM overdue
            UNION ALL SELECT workflow_id, since, false FROM noted
        ) AS suspected GROUP BY workflow_id ORDER BY since, workflow_id LIMIT $1
        """,  # noqa: S608 -- of constants
        limit,
    )
    return [Suspect(row["workflow_id"], row["since"], row["overdue"]) for row in rows]
