"""What was paid back beyond what was paid in, by the gateway's own book (R8)."""

import asyncpg


async def paid_beyond(pool: asyncpg.Pool) -> list[str]:
    """A line for each fund that more has left than was paid into it."""
    rows = await pool.fetch(
        """
        SELECT fund, sum(amount) AS paid FROM gateway.refunds WHERE result = 'succeeded' GROUP BY fund
        HAVING sum(amount) > coalesce(
            (SELECT sum(paid) FROM ledger.fund_parts WHERE fund_parts.fund = refunds.fund AND part LIKE 'tender:%'),
            1000000000)
        """
    )
    return [f"{row['fund']}: {row['paid']} paid back, more than was paid in" for row in rows]
