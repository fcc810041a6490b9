"""The allowances that an order was paid with, as a refund of it finds them (A7)."""

from activities.postgres import allowances, order_payments
from activities.postgres.connection import Connection
from workflows.rules.allowance_refunds import Purse
from workflows.rules.balances import Account


async def purses_of(connection: Connection, order_no: str, *, for_update: bool = False) -> dict[str, Purse]:
    """By tender. With ``for_update`` the allowances stay as they are until the transaction ends."""
    found: dict[str, Purse] = {}
    for tender, allowance_id in await order_payments.paid_with_allowances(connection, order_no):
        account = await allowances.account(connection, allowance_id, for_update=for_update)
        assert account is not None, "an order names allowances that are known"
        found[tender] = await _purse(connection, account)
    return found


async def _purse(connection: Connection, account: Account) -> Purse:
    purse = Purse(account)
    if purse.way != "as_money":
        return purse
    paid_for = await order_payments.tenders_of_allowance(connection, account.facts.allowance_id)
    returned = await connection.fetchrow(
        """
        SELECT coalesce(sum(legs.amount), 0)::bigint AS amount, coalesce(sum(legs.principal), 0)::bigint AS principal
        FROM unnest($1::text[], $2::text[]) AS paid_for (fund, tender) JOIN ledger.legs USING (fund, tender)
        WHERE legs.state <> 'failed' AND legs.paid_by IS DISTINCT FROM 'allowance'
        """,
        [fund for fund, _ in paid_for],
        [tender for _, tender in paid_for],
    )
    assert returned is not None
    return Purse(account, returned=returned["amount"], principal_returned=returned["principal"])
