"""Funds of orders of which nothing is paid back any more, by the order system's word: out of the ledger's tables.

What reads legs of any age reads ``every_leg`` and ``every_leg_event``. Whoever writes to a fund that has left has it
brought back first, with all that was paid of it, so that nothing is ever paid twice (R8).
"""

from dataclasses import dataclass
from datetime import datetime

from activities.postgres import orders
from activities.postgres.connection import Connection
from workflows.rules.identity import order_fund


@dataclass(frozen=True)
class MovedFunds:
    """What one batch came to."""

    looked: int = 0
    """At so many funds; fewer than were asked for where the walk over all of them has ended."""
    funds: int = 0
    legs: int = 0


async def move(connection: Connection, before: datetime, again: datetime, at_most: int) -> MovedFunds:
    """Look at so many funds from where the last batch has stopped, and move those that are to leave, each as a whole.

    Args:
        connection: Where to write.
        before: Nothing of their orders was to be paid back after this moment.
        again: A walk over all funds that has ended since, by ``before``, is not begun anew.
        at_most: How many to look at.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        row = await connection.fetchrow("SELECT * FROM ledger.move_funds($1, $2, $3)", before, again, at_most)
    assert row is not None
    return MovedFunds(**dict(row))


async def refundable(connection: Connection, order_no: str, until: datetime | None) -> None:
    """Note what the order system says last of an order; what has left of it is in the ledger again."""
    await orders.keep_refundable(connection, order_no, until)
    await bring_back(connection, order_fund(order_no))


async def bring_back(connection: Connection, fund: str) -> bool:
    """Have a fund in the ledger's tables again; whether it has come back."""
    return await connection.fetchval("SELECT ledger.bring_back($1)", fund)


async def bring_back_leg(connection: Connection, refund_no: str) -> bool:
    """The same, for the fund of a leg."""
    return bool(
        await connection.fetchval(
            "SELECT ledger.bring_back(fund) FROM ledger.past_legs WHERE refund_no = $1", refund_no
        )
    )
