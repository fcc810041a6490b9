"""What our books promise without a case: allowances that end (A6), numbers that are bound (P3)."""

from activities.postgres.bindings import subject_of
from activities.postgres.connection import Connection
from workflows.messages.requests import ExpiryRequest
from workflows.messages.virtual_numbers import NumberSubject


async def valid_allowances(connection: Connection, after: str, limit: int) -> list[ExpiryRequest]:
    """A page of allowances whose principal is to go back when they end, and that have no such case (A6)."""
    rows = await connection.fetch(
        """
        SELECT allowance_id, merchant_id, buyer_id, valid_until FROM shop.allowances
        WHERE validity_ended_at IS NULL AND voided_at IS NULL AND allowance_id > $1
          AND NOT EXISTS (SELECT FROM casebook.cases WHERE case_id = 'expiry/' || allowances.allowance_id)
        ORDER BY allowance_id LIMIT $2
        """,
        after,
        limit,
    )
    return [ExpiryRequest(**dict(row)) for row in rows]


async def bound_subjects(connection: Connection) -> list[NumberSubject]:
    """What numbers are bound for, or may be: where the provider has been asked and has not let go (P3)."""
    rows = await connection.fetch("SELECT DISTINCT subject FROM vault.bindings WHERE unbound_at IS NULL ORDER BY 1")
    return [subject_of(row["subject"]) for row in rows]
