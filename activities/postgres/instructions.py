"""What the payment gateway is told of a leg, by our own books: whatever asks or pays says the same (section 10, X6)."""

from activities.gateways.payment import Charge, RefundInstruction
from activities.postgres import order_payments
from activities.postgres.connection import Connection
from activities.postgres.ledger import LedgerContradiction
from workflows.messages.payouts import Payer


async def instruction(connection: Connection, refund_no: str) -> RefundInstruction:
    """The instruction of a leg as it stands; its charge is noted with the leg, so that refunds of it can be counted.

    Raises:
        LedgerContradiction: there is no such leg.
    """
    row = await connection.fetchrow(
        """
        SELECT legs.*, cases.buyer_id
        FROM ledger.legs LEFT JOIN casebook.every_case AS cases USING (case_id) WHERE refund_no = $1
        """,
        refund_no,
    )
    if row is None:
        raise LedgerContradiction(f"no refund {refund_no}")
    transfer = row["route"] == "bank_transfer"
    return RefundInstruction(
        refund_no=refund_no,
        attempt=row["attempt"],
        merchant_id=row["merchant_id"],
        fund=row["fund"],
        tender=row["tender"],
        charge=await _charge(connection, refund_no, row["fund"], row["tender"]) if row["tender"] else None,
        # R17: the original route goes back to whoever paid.
        buyer_id=row["buyer_id"] if transfer else None,
        account=row["account_ref"],
        amount=row["amount"],
        currency=row["currency"],
        payer=Payer(row["payer"]),
    )


async def _charge(connection: Connection, refund_no: str, fund: str, tender: str) -> Charge | None:
    paid = await order_payments.payment_of(connection, fund, tender)
    if paid is None:
        return None
    await connection.execute(
        "UPDATE ledger.legs SET charge = $2 WHERE refund_no = $1 AND charge IS DISTINCT FROM $2",
        refund_no,
        paid.transaction,
    )
    others = await connection.fetchrow(
        """
        SELECT count(*) AS refunds, coalesce(sum(amount), 0)::bigint AS refunded FROM ledger.every_leg
        WHERE charge = $1 AND refund_no <> $2 AND state <> 'failed'
        """,
        paid.transaction,
        refund_no,
    )
    assert others is not None
    return Charge(
        transaction=paid.transaction,
        total=paid.total,
        currency=paid.currency,
        paid_at=paid.paid_at,
        account=paid.account,
        refunded=others["refunded"],
        refunds=others["refunds"],
    )
