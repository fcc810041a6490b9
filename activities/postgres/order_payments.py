"""The payments behind the tenders of an order: as the payment provider knows them (X6), and allowances (A7)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from activities.postgres import allowances
from activities.postgres.connection import Connection
from workflows.rules.identity import order_fund


@dataclass(frozen=True)
class TenderPayment:
    """The payment behind a tender, as the payment provider knows it (X6). Minor units, UTC."""

    transaction: str
    total: int
    currency: str
    paid_at: datetime | None
    account: str | None


async def payment_of(connection: Connection, fund: str, tender: str) -> TenderPayment | None:
    """The provider's payment behind a tender of an order or an allowance; None where it is not known.

    Behind what was spent of an allowance is the payment that its principal was paid in with (A7).
    """
    kind, _, number = fund.partition("/")
    match kind:
        case "order":
            row = await connection.fetchrow(
                """
                SELECT transaction, coalesce(charged, paid) AS total, currency,
                       coalesce(charged_at, paid_at) AS paid_at, payment_account, allowance_id
                FROM shop.order_tenders JOIN shop.orders USING (order_no)
                WHERE order_no = $1 AND tender = $2 AND coalesce(transaction, allowance_id) IS NOT NULL
                """,
                number,
                tender,
            )
            if row and row["allowance_id"]:
                row = await allowances.payment_of(connection, row["allowance_id"])
        case "allowance":
            row = await allowances.payment_of(connection, number)
        case _:
            return None
    if row is None:
        return None
    return TenderPayment(row["transaction"], row["total"], row["currency"], row["paid_at"], row["payment_account"])


async def paid_with_allowances(connection: Connection, order_no: str) -> list[tuple[str, str]]:
    """The tenders of an order that are allowances, each with its allowance, in the order of these (A7)."""
    rows = await connection.fetch(
        """
        SELECT tender, allowance_id FROM shop.order_tenders
        WHERE order_no = $1 AND allowance_id IS NOT NULL ORDER BY allowance_id
        """,
        order_no,
    )
    return [(row["tender"], row["allowance_id"]) for row in rows]


async def tenders_of_allowance(connection: Connection, allowance_id: str) -> list[tuple[str, str]]:
    """All that an allowance has paid: the ledger's name of each order, and the tender (A7)."""
    rows = await connection.fetch(
        "SELECT order_no, tender FROM shop.order_tenders WHERE allowance_id = $1", allowance_id
    )
    return [(order_fund(row["order_no"]), row["tender"]) for row in rows]


async def payments_unknown(connection: Connection, order_nos: Collection[str]) -> frozenset[str]:
    """Those of these orders of which the provider's id of a payment is not known that can be paid back to."""
    if not order_nos:
        return frozenset()
    rows = await connection.fetch(
        """
        SELECT DISTINCT order_no FROM shop.order_tenders
        WHERE order_no = ANY ($1) AND kind NOT IN ('cash', 'allowance') AND transaction IS NULL
        """,
        list(order_nos),
    )
    return frozenset(row["order_no"] for row in rows)
