"""Allowances as their buyers and shops see them, and the campaigns that they come of (A1, A5, A6)."""

from datetime import UTC, datetime
from typing import Final

import asyncpg

from activities.postgres import allowances, campaigns
from starter.database import answering
from workflows.messages.actors import Actor, Role
from workflows.messages.allowances import AllowanceCampaign, HeldAllowance

MOST: Final = 200
"""The most that one page has."""


class AllowanceLists:
    """Reads only. Whoever asks is given nothing of others: a merchant its own shop's, a buyer its own, staff all."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def campaigns(
        self,
        reader: Actor,
        merchant_id: str,
        *,
        running: bool | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[AllowanceCampaign, ...]:
        """A merchant's campaigns, the latest begun first; for the merchant and the platform.

        Args:
            reader: Who asks.
            merchant_id: Whose they are.
            running: Only those that run now (True), or that are over (False); all where it is left out.
            after: The id of the last one of the page before.
            limit: How many at most; ``MOST`` at most.

        Raises:
            ValueError: the limit is not between 1 and ``MOST``.
            Unreachable: the database does not answer.
        """
        _check(limit)
        if reader.role is not Role.PLATFORM and (reader.role, reader.id) != (Role.MERCHANT, merchant_id):
            return ()
        with answering():
            async with self._pool.acquire() as connection:
                return await campaigns.of_merchant(
                    connection, merchant_id, datetime.now(UTC), running=running, after=after, limit=limit
                )

    async def of_buyer(
        self, reader: Actor, buyer_id: str, *, merchant_id: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[HeldAllowance, ...]:
        """A buyer's allowances by their ids: balance, whether frozen, spent, validity, and the campaign's terms.

        For the buyer and the platform at all shops or at one, for a merchant at its own.

        Args:
            reader: Who asks.
            buyer_id: Whose they are.
            merchant_id: At which shop; at all where it is left out.
            after: The id of the last one of the page before.
            limit: How many at most; ``MOST`` at most.

        Raises:
            ValueError: the limit is not between 1 and ``MOST``.
            Unreachable: the database does not answer.
        """
        _check(limit)
        match reader.role:
            case Role.PLATFORM:
                pass
            case Role.BUYER if reader.id == buyer_id:
                pass
            case Role.MERCHANT if merchant_id in (None, reader.id):
                merchant_id = reader.id
            case _:
                return ()
        with answering():
            async with self._pool.acquire() as connection:
                return await allowances.held(
                    connection, buyer_id, merchant_id, datetime.now(UTC), after=after, limit=limit
                )


def _check(limit: int) -> None:
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit: between 1 and {MOST}")
