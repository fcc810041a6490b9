"""Limits on what a party writes, counted over what they protect, under a lock that the transaction holds (R16)."""

from activities.postgres import allowances, orders
from activities.postgres.connection import Connection
from workflows.messages.actors import Actor

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('limits/' || $1, 0))"


class LimitReached(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """A party has written as much about one matter as it may; nothing was written."""


async def marketplace_of(connection: Connection, subject: str) -> str | None:
    """Whose limits an order or allowance goes by; None for one that is not known (yet), and for a case."""
    ordered = await orders.marketplace_of(connection, subject)
    return ordered or await allowances.marketplace_of(connection, subject)


async def check_statements(connection: Connection, case_id: str, by: Actor, reference: str, most: int) -> None:
    """R16: one more statement, known by ``reference``, of this party about this case; the same again is no other one.

    Raises:
        LimitReached: the party has written ``most`` others.
    """
    await connection.execute(_LOCK, f"statements/{case_id}/{by.role}")
    others = await connection.fetchval(
        """
        SELECT count(*) FROM disputes.statements WHERE case_id = $1 AND actor_role = $2 AND reference <> $3
        """,
        case_id,
        by.role,
        reference,
    )
    if others >= most:
        raise LimitReached(f"a party can write {most} statements about a case (R16)")


async def check_remarks(connection: Connection, merchant_id: str, subject: str, by: Actor, key: str, most: int) -> None:
    """R16: one more remark, known by ``key``, of this party at a merchant's order or case. Errors as above."""
    await connection.execute(_LOCK, f"remarks/{merchant_id}/{subject}/{by.role}")
    others = await connection.fetchval(
        """
        SELECT count(*) FROM shop.remarks
        WHERE merchant_id = $1 AND subject = $2 AND actor_role = $3 AND key <> $4
        """,
        merchant_id,
        subject,
        by.role,
        key,
    )
    if others >= most:
        raise LimitReached(f"a party can note {most} remarks at an order, an allowance or a case (R16)")
