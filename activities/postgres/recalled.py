"""Cases in the archive alone that were read back for whoever asked: for some days, and for reading only.

``whole_case`` and ``whole_log`` have them like any other. A case of which the database has no more than its slim row
is *away*.
"""

from datetime import datetime

from activities.postgres.connection import Connection


async def away_since(connection: Connection, case_id: str) -> datetime | None:
    """When a case closed that is away; None for any other, and where there is none."""
    return await connection.fetchval(
        """
        SELECT closed_at FROM casebook.closed_keys
        WHERE case_id = $1 AND NOT EXISTS (SELECT FROM casebook.whole_case AS whole WHERE whole.case_id = $1)
        """,
        case_id,
    )


async def keep(connection: Connection, case_id: str, closed_at: datetime, case: str, log: str) -> None:
    """Have a case's row and its log, both as JSON by the names of the columns, for whoever reads them next."""
    await connection.execute(
        """
        INSERT INTO casebook.recalled (case_id, closed_at, row, log) VALUES ($1, $2, $3::text::jsonb, $4::text::jsonb)
        ON CONFLICT DO NOTHING
        """,
        case_id,
        closed_at,
        case,
        log,
    )


async def drop_before(connection: Connection, moment: datetime) -> None:
    """Whatever was read back before this moment is in the archive alone again."""
    await connection.execute("DELETE FROM casebook.recalled WHERE recalled_at < $1", moment)
