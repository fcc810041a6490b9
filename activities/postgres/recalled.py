"""Cases in the archive alone, read back for whoever asked: seen by one transaction, and by nobody else.

``whole_case`` and ``whole_log`` have them there like any other. So whoever reads one has compared it with the archive's
hashes itself, and can show nobody a false copy. A case of which the database has no more than its slim row is *away*.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.postgres.connection import Connection


@dataclass(frozen=True)
class Recalled:
    """A case as it is in the archive."""

    case_id: str
    closed_at: datetime
    row: Mapping[str, Any]
    """By the names of the columns, JSON decoded; so are the lines."""
    log: Sequence[Mapping[str, Any]]


async def away_since(connection: Connection, case_id: str) -> datetime | None:
    """When a case closed that is away; None for any other, and where there is none."""
    return await connection.fetchval(
        """
        SELECT closed_at FROM casebook.closed_keys
        WHERE case_id = $1 AND NOT EXISTS (SELECT FROM casebook.whole_case AS whole WHERE whole.case_id = $1)
        """,
        case_id,
    )


async def show(connection: Connection, cases: Collection[Recalled]) -> None:
    """Have these cases read as any other, until the transaction ends; those that were shown before are not any more."""
    await connection.execute(
        """
        SELECT set_config('casebook.read_back', (
            SELECT jsonb_agg(given || jsonb_build_object('during', now()))::text
            FROM jsonb_array_elements($1::text::jsonb) AS given
        ), true)
        """,
        json.dumps([vars(each) for each in cases], default=datetime.isoformat),
    )
