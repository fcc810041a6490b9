"""The score points that merchants lose over disputes (D9)."""

from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.scores import ChargedScore, ScoreCause, ScoreChange


async def charge(connection: Connection, case_id: str, change: ScoreChange, at: datetime) -> bool:
    """Take points off a merchant over a case (D9); False where this case has cost it for this cause before.

    The first charge stands, whatever the second one says. A cause for which the policy takes nothing is
    recorded with 0 points.
    """
    charged = await connection.fetchval(
        """
        INSERT INTO shop.score_changes (case_id, cause, merchant_id, points, at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (case_id, cause) DO NOTHING RETURNING true
        """,
        case_id,
        change.cause,
        change.merchant_id,
        change.points,
        at,
    )
    return charged is not None


async def score_of(connection: Connection, merchant_id: str) -> int:
    """How many points the merchant has lost in all; 0 for one that never lost any."""
    return await connection.fetchval(
        "SELECT coalesce(sum(points), 0)::bigint FROM shop.score_changes WHERE merchant_id = $1", merchant_id
    )


async def changes_of(
    connection: Connection, merchant_id: str, limit: int, before: int | None = None
) -> tuple[ChargedScore, ...]:
    """The merchant's last changes, the newest first; ``before`` is the position of the last one seen."""
    rows = await connection.fetch(
        """
        SELECT id, case_id, cause, merchant_id, points, at FROM shop.score_changes
        WHERE merchant_id = $1 AND ($3::bigint IS NULL OR id < $3)
        ORDER BY id DESC LIMIT $2
        """,
        merchant_id,
        limit,
        before,
    )
    return tuple(_charged(row) for row in rows)


def _charged(row: asyncpg.Record) -> ChargedScore:
    return ChargedScore(
        merchant_id=row["merchant_id"],
        cause=ScoreCause(row["cause"]),
        points=row["points"],
        position=row["id"],
        case_id=row["case_id"],
        at=row["at"],
    )
