"""The days of the provider's statement that were compared, and the legs that stood on one (X5).

Whatever is asked here reads the day that is compared and what is still open: nothing grows with the ledger's age.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from activities.postgres.connection import Connection
from activities.postgres.whole_ledger import NUMBER_SEEN, BookedLeg, booked
from workflows.rules.moments import CLOCKS_DIFFER

LOOKS_BACK: Final = timedelta(days=60)
"""The first comparison begins so long ago at most: providers keep bills for about three months."""
STATED_WITHIN: Final = timedelta(days=2)
"""So long after a leg was paid, by our clock, its line may stand on a later day of the provider's calendar."""
MOST_UNSTATED: Final = 500
_ACCEPTED: Final = """
    SELECT subject FROM ledger.differences
    WHERE kind = 'ours_paid_gateway_not' AND accepted_at IS NOT NULL AND accepted_until IS NULL
"""
"""The refunds of which an officer has accepted that the gateway does not say that it has paid them."""


async def next_day(connection: Connection, at: datetime) -> date | None:
    """The first day before today that is still to be compared; None where all are, or nothing was ever paid."""
    last: date | None = await connection.fetchval("SELECT max(day) FROM ledger.statement_days")
    if last is None:
        first: datetime | None = await connection.fetchval("SELECT min(reserved_at) FROM ledger.legs")
        if first is None:
            return None
        # A day early, because the provider's calendar may be behind ours.
        last = max(first - timedelta(days=1), at - LOOKS_BACK).date() - timedelta(days=1)
    day = last + timedelta(days=1)
    return day if day < (at + CLOCKS_DIFFER).date() else None


async def legs_of(connection: Connection, numbers: Sequence[str]) -> dict[str, BookedLeg]:
    """The legs with these refund numbers."""
    rows = await connection.fetch(
        f"SELECT *, {NUMBER_SEEN} FROM ledger.every_leg AS leg WHERE refund_no = ANY ($1)",  # noqa: S608 -- a constant
        numbers,
    )
    return {row["refund_no"]: booked(row) for row in rows}


async def stated(connection: Connection, legs: Sequence[BookedLeg], day: date) -> None:
    """Note that legs stand on the statement of a day; not one that is at another attempt by now.

    One that was let leave the ledger's tables, though no statement had shown it, is there again.
    """
    if unseen := [leg.refund_no for leg in legs if leg.stated_on is None]:
        await connection.execute(
            f"""
            SELECT ledger.bring_back(fund) FROM (
                SELECT DISTINCT fund FROM ledger.past_legs
                WHERE refund_no = ANY ($1) AND refund_no = ANY (ARRAY({_ACCEPTED}))
            ) AS past
            """,  # noqa: S608 -- of a constant
            unseen,
        )
    for attempt in {leg.attempt for leg in legs}:
        await connection.execute(
            "UPDATE ledger.legs SET stated_on = $3 WHERE refund_no = ANY ($1) AND attempt = $2",
            [leg.refund_no for leg in legs if leg.attempt == attempt],
            attempt,
            day,
        )


async def keep(connection: Connection, day: date, lines: int, at: datetime) -> None:
    """Note that a day has been compared: it is not compared again."""
    await connection.execute(
        "INSERT INTO ledger.statement_days (day, compared_at, lines) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        day,
        at,
        lines,
    )


async def unstated(connection: Connection) -> list[BookedLeg]:
    """Legs that the gateway has paid, by our ledger, and that stood on no statement though theirs was compared.

    Without those of which an officer has accepted that, and which stand as they did then.
    """
    span = await connection.fetchrow("SELECT min(day) AS first, max(day) AS last FROM ledger.statement_days")
    if span is None or span["first"] is None:
        return []
    rows = await connection.fetch(
        f"""
        SELECT * FROM ledger.legs
        WHERE paid_by = 'gateway' AND stated_on IS NULL AND settled_at >= $1 AND settled_at < $2
        AND refund_no <> ALL (ARRAY({_ACCEPTED}))
        ORDER BY settled_at LIMIT $3
        """,  # noqa: S608 -- of a constant
        _begins(span["first"] + timedelta(days=1)),
        _begins(span["last"] + timedelta(days=1)) - STATED_WITHIN,
        MOST_UNSTATED,
    )
    return [booked(row) for row in rows]


async def reserved_on(connection: Connection, first: date, last: date, limit: int) -> dict[str, BookedLeg]:
    """Up to ``limit`` legs that were reserved on these days of UTC, whatever came of them."""
    rows = await connection.fetch(
        "SELECT * FROM ledger.legs WHERE reserved_at >= $1 AND reserved_at < $2 LIMIT $3",
        _begins(first),
        _begins(last + timedelta(days=1)),
        limit,
    )
    return {row["refund_no"]: booked(row) for row in rows}


@dataclass(frozen=True)
class Due:
    """Between which moments a leg must have been paid to stand on one of the days of a statement that were read."""

    since: datetime
    until: datetime

    def holds(self, leg: BookedLeg) -> bool:
        """Whether it must stand there."""
        return self.since <= (leg.settled_at or leg.reserved_at) < self.until


def due_between(first: date, published: date | None, stated_within: timedelta = STATED_WITHIN) -> Due:
    """What must stand on the days from ``first`` on, of which ``published`` is the last that there is."""
    since = _begins(first + timedelta(days=1))
    return Due(since, _begins(published + timedelta(days=1)) - stated_within if published else since)


async def open_too_long(connection: Connection, since: datetime) -> list[BookedLeg]:
    """Legs that were reserved before a moment and are neither paid nor failed."""
    rows = await connection.fetch(
        "SELECT * FROM ledger.legs WHERE state NOT IN ('succeeded', 'failed') AND reserved_at <= $1", since
    )
    return [booked(row) for row in rows]


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
