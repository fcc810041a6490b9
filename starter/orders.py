"""Orders and their changes, as the platform's order system pushes them (X2)."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from activities.gateways.order_records import OrderChange
from activities.postgres import order_changes
from activities.postgres.connection import Connection
from activities.postgres.order_changes import Outcome, RefusedChange, Taken
from activities.postgres.vault import Vault
from starter.database import answering
from starter.errors import RefusedRequest, Unreachable
from starter.logistics import all_told
from starter.stated_requests import as_request
from starter.virtual_numbers import RefusedNumber
from workflows.rules.refusals import refused

if TYPE_CHECKING:
    from starter.client import Aftersales

_TRIES: Final = 3
"""Two who take the same parcels in another order wait for each other: the database ends one of them."""


class Orders:
    """Our copy of the orders, as their system keeps it up to date."""

    def __init__(self, aftersales: "Aftersales") -> None:
        self._aftersales = aftersales

    async def take(self, change: OrderChange | Mapping[str, object]) -> Outcome:
        """An order as it stands from a version on: once or often, late, out of order (X2).

        The order's open cases are told of its parcels (R7, R15), its virtual number that it is completed (P3); one that
        was told another moment before keeps to that. The same change again is harmless.

        Raises:
            RefusedRequest: a field is missing, unknown or wrong, or contradicts what is known; nothing was changed.
            Unreachable: the database does not answer, or not every case was told: Temporal does not answer, or an open
                case could not hear it (``NotCarried``); call again.
        """
        stated = as_request(OrderChange, change)
        taken = await write(self._aftersales.pool, self._aftersales.vault, stated)
        untold = await self._aftersales.logistics.hand_on(taken.events)
        if taken.completed:
            try:
                await self._aftersales.numbers.order_completed(taken.completed)
            except RefusedNumber as error:
                if error.refusal.code != "completed_otherwise":
                    raise Unreachable(str(error)) from error
        all_told(untold)
        return taken.outcome


async def write(
    pool: asyncpg.Pool,
    vault: Vault,
    change: OrderChange,
    also: Callable[[Connection, Taken], Awaitable[None]] | None = None,
) -> Taken:
    """Write a change into our copy; ``also`` writes what belongs to it in the same transaction.

    Raises:
        RefusedRequest: it contradicts what is known; nothing was written.
        Unreachable: the database does not answer.
    """
    for tried in range(1, _TRIES + 1):
        try:
            with answering():
                return await _write(pool, vault, change, also)
        except RefusedChange as error:
            raise RefusedRequest(refused("contradiction", error.field, error.rule, error.reason)) from None
        except Unreachable as error:
            if tried == _TRIES or not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                raise
    raise AssertionError


async def _write(
    pool: asyncpg.Pool,
    vault: Vault,
    change: OrderChange,
    also: Callable[[Connection, Taken], Awaitable[None]] | None,
) -> Taken:
    async with pool.acquire() as connection, connection.transaction():
        taken = await order_changes.take(connection, vault, change, datetime.now(UTC))
        if also:
            await also(connection, taken)
        return taken
