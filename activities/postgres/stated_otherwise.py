"""Lines of the provider's statement that our ledger has otherwise: the last of each attempt, until both agree (X5).

A day of the statement is not read again. What it said is compared anew with our ledger as that goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from activities.gateways.payment import StatementLine
from activities.postgres.connection import Connection
from workflows.messages.commands import GatewayResult

_NONE: Final = 0
"""Kept as the attempt of a line that names none."""
_MOST: Final = 100_000


@dataclass(frozen=True)
class Kept:
    """A line, and the day of the statement on which it stands."""

    line: StatementLine
    day: date


async def keep(
    connection: Connection, otherwise: Sequence[StatementLine], alike: Sequence[StatementLine], day: date
) -> None:
    """Keep the lines of a day that our ledger has otherwise; what it has alike takes the place of an earlier line.

    Each attempt is among them once.
    """
    lines = [*otherwise, *alike]
    await connection.execute(
        """
        INSERT INTO ledger.stated_otherwise (subject, attempt, result, amount, currency, stated_on)
        SELECT subject, attempt, result, amount, currency, $7
        FROM unnest($1::text[], $2::integer[], $3::text[], $4::bigint[], $5::text[], $6::boolean[])
            AS line (subject, attempt, result, amount, currency, differs)
        WHERE differs OR EXISTS (
            SELECT FROM ledger.stated_otherwise AS earlier
            WHERE earlier.subject = line.subject AND earlier.attempt = line.attempt
        )
        ON CONFLICT (subject, attempt) DO UPDATE SET
            result = excluded.result, amount = excluded.amount, currency = excluded.currency,
            stated_on = excluded.stated_on
        """,
        [line.refund_no for line in lines],
        [line.attempt or _NONE for line in lines],
        [line.result for line in lines],
        [line.amount for line in lines],
        [line.currency for line in lines],
        [*(True for _ in otherwise), *(False for _ in alike)],
        day,
    )


async def every_one(connection: Connection) -> list[Kept]:
    """All lines that are kept, up to a hundred thousand."""
    rows = await connection.fetch("SELECT * FROM ledger.stated_otherwise ORDER BY subject, attempt LIMIT $1", _MOST)
    return [
        Kept(
            StatementLine(
                refund_no=row["subject"],
                attempt=row["attempt"] or None,
                amount=row["amount"],
                currency=row["currency"],
                result=GatewayResult(row["result"]),
            ),
            row["stated_on"],
        )
        for row in rows
    ]


async def drop(connection: Connection, line: StatementLine) -> None:
    """Our ledger has it alike by now."""
    await connection.execute(
        "DELETE FROM ledger.stated_otherwise WHERE subject = $1 AND attempt = $2",
        line.refund_no,
        line.attempt or _NONE,
    )
