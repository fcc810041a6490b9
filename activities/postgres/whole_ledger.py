"""The ledger as a whole, page by page: for whoever compares it with other books, or looks for what cannot be (R8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.payouts import LegState, PaidBy
from workflows.rules import number_conflicts
from workflows.rules.legs import AlertKind
from workflows.rules.number_conflicts import OtherRefund


@dataclass(frozen=True)
class SeenUnderNumber:
    """What the provider was found to have under the number of a leg of ours (section 10)."""

    other: OtherRefund | None
    """None where the provider did not say."""
    since_sent: bool
    """Whether ours was not sent again afterwards: then the number was not free."""


@dataclass(frozen=True)
class BookedLeg:
    """One leg as the whole book shows it. The amount is in minor units."""

    refund_no: str
    case_id: str
    fund: str
    amount: int
    currency: str
    state: LegState
    paid_by: PaidBy | None
    reserved_at: datetime
    attempt: int = 1
    """The one that has paid, or else the last one."""
    stated_on: date | None = None
    """On which day of the provider's statement this attempt stood last, paid or on its way (X5)."""
    settled_at: datetime | None = None
    seen: tuple[SeenUnderNumber, ...] = ()
    """What an officer had seen that the provider has under its number, and then paid it by hand.

    Looked up where there is a line of the provider's to compare it with.
    """


NUMBER_SEEN: Final = f"""
    CASE WHEN leg.paid_by = '{PaidBy.OFFICER}' THEN (
        SELECT jsonb_agg(jsonb_build_object('raw', said.raw_code, 'since_sent', NOT EXISTS (
            SELECT FROM ledger.every_leg_event AS sent
            WHERE sent.refund_no = leg.refund_no AND sent.says = '{LegState.SUBMITTED}' AND sent.seq > said.seq
        )) ORDER BY said.seq)
        FROM ledger.every_leg_event AS said
        WHERE said.refund_no = leg.refund_no AND said.failure = '{AlertKind.NUMBER_CONFLICT}'
    ) END AS seen
"""  # noqa: S608 -- words of our own
"""A column beside those of legs, which the query calls ``leg``."""


async def page(connection: Connection, after: str, limit: int) -> tuple[BookedLeg, ...]:
    """Up to ``limit`` legs in the order of their numbers (by code point), from the first after ``after`` on."""
    rows = await connection.fetch(
        f"""
        SELECT refund_no, case_id, fund, amount, currency, state, paid_by, reserved_at, attempt, stated_on,
               settled_at, {NUMBER_SEEN}
        FROM ledger.every_leg AS leg WHERE refund_no > $1 ORDER BY refund_no LIMIT $2
        """,  # noqa: S608 -- a constant
        after,
        limit,
    )
    return tuple(map(booked, rows))


def booked(row: asyncpg.Record) -> BookedLeg:
    """A row of the legs as the whole book shows it."""
    return BookedLeg(
        refund_no=row["refund_no"],
        case_id=row["case_id"],
        fund=row["fund"],
        amount=row["amount"],
        currency=row["currency"],
        state=LegState(row["state"]),
        paid_by=PaidBy(row["paid_by"]) if row["paid_by"] else None,
        reserved_at=row["reserved_at"],
        attempt=row["attempt"],
        stated_on=row["stated_on"],
        settled_at=row["settled_at"],
        seen=tuple(
            SeenUnderNumber(number_conflicts.read(each["raw"]), each["since_sent"]) for each in row.get("seen") or ()
        ),
    )


async def overpaid(connection: Connection, funds: Sequence[str]) -> list[tuple[str, str, int, int]]:
    """Of each of these funds the part most overpaid, if any: fund, part, what was paid, what is used (R8)."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (fund) fund, part, paid, used
        FROM (
            SELECT legs.fund, leg_parts.part, sum(leg_parts.amount)::bigint AS used
            FROM ledger.legs JOIN ledger.leg_parts USING (refund_no)
            WHERE legs.fund = ANY ($1) AND legs.state <> 'failed'
            GROUP BY legs.fund, leg_parts.part
        ) AS usage JOIN ledger.fund_parts USING (fund, part)
        WHERE used > paid
        ORDER BY fund, used - paid DESC, part
        """,
        funds,
    )
    return [(row["fund"], row["part"], row["paid"], row["used"]) for row in rows]
