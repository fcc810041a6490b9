"""What is owed beside refunds once: freight insurance once an order, return freight once a parcel (R16, T10).

Whoever takes a claim first has it; claims are never given back. They are taken in the transaction that opens what is
paid, so that of two returns in one parcel, or of one order, one is paid whatever runs at the same time.
"""

from datetime import datetime

from activities.postgres.connection import Connection
from workflows.messages.parcels import ParcelPurpose
from workflows.messages.requests import CompensationCause, CompensationRequest


async def take(connection: Connection, request: CompensationRequest, at: datetime) -> None:
    """Claim what ``request`` is about for its return, unless another one was quicker.

    Freight from which insurance is taken off claims the insurance as well: for which parcel it is paid is known then.
    """
    parcel = await parcel_of(connection, request.about)
    if request.cause is CompensationCause.FREIGHT_INSURANCE or request.insured:
        await _insert(connection, f"freight-insurance/{request.order_no}", parcel or request.about, at)
    if request.cause is CompensationCause.RETURN_FREIGHT and parcel:
        await _insert(connection, f"return-freight/{parcel}", request.about, at)


async def insured_for(connection: Connection, request: CompensationRequest) -> bool | None:
    """Whether the order's insurance is paid for this return's parcel; None where it is not claimed yet."""
    claimant = await _claimant(connection, f"freight-insurance/{request.order_no}")
    parcel = await parcel_of(connection, request.about)
    return None if claimant is None else claimant == (parcel or request.about)


async def freight_paid_elsewhere(connection: Connection, request: CompensationRequest) -> bool:
    """Whether another return in the same parcel has claimed the freight."""
    parcel = await parcel_of(connection, request.about)
    claimant = await _claimant(connection, f"return-freight/{parcel}") if parcel else None
    return claimant not in (None, request.about)


async def insurance_paid_elsewhere(connection: Connection, request: CompensationRequest) -> bool:
    """Whether another return of the order has a payment of the insurance of its own."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM casebook.cases
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


async def _insert(connection: Connection, claim: str, claimant: str, at: datetime) -> None:
    await connection.execute(
        "INSERT INTO ledger.owed_once (claim, claimant, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        claim,
        claimant,
        at,
    )


async def _claimant(connection: Connection, claim: str) -> str | None:
    return await connection.fetchval("SELECT claimant FROM ledger.owed_once WHERE claim = $1", claim)
