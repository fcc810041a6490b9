"""Who has which claim to what is owed once (``rules.owed_beside``, R16, T10).

Claims are taken in the transaction that opens what is paid, so that of two that want the same one has it whatever runs
at the same time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from activities.postgres.connection import Connection
from workflows.messages.parcels import ParcelPurpose
from workflows.messages.requests import CompensationRequest


async def take(connection: Connection, claims: Mapping[str, str], at: datetime) -> None:
    """Take these claims, each for whom it names, unless another one was quicker."""
    for claim, claimant in claims.items():
        await connection.execute(
            "INSERT INTO ledger.owed_once (claim, claimant, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            claim,
            claimant,
            at,
        )


async def claimed(connection: Connection, claims: Sequence[str]) -> dict[str, str]:
    """Who has these claims, where anybody has."""
    rows = await connection.fetch("SELECT claim, claimant FROM ledger.owed_once WHERE claim = ANY ($1)", list(claims))
    return {row["claim"]: row["claimant"] for row in rows}


async def insurance_paid_elsewhere(connection: Connection, request: CompensationRequest) -> bool:
    """Whether another return of the order has a payment of the insurance of its own."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM casebook.every_case
            WHERE order_no = $1 AND kind = 'freight_insurance' AND about IS DISTINCT FROM $2 LIMIT 1
            """,
            request.order_no,
            request.about,
        )
    )


async def parcel_of(connection: Connection, case_id: str) -> str | None:
    """The parcel in which a return's goods come back, as ``<carrier>/<number>``; None where none was named."""
    return await connection.fetchval(
        """
        SELECT carrier || '/' || tracking_no FROM logistics.watches
        WHERE case_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1
        """,
        case_id,
        ParcelPurpose.RETURN,
    )
