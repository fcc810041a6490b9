"""Finding the open cases whose clocks a pause window can move (section 9)."""

from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
from temporalio import activity

from activities.policies import Policies, PolicyError
from activities.postgres import case_rows, orders
from activities.postgres.connection import Connection
from workflows.messages.clocks import ClocksAsked, ClocksFound, find_clocks
from workflows.rules.identity import LATE_SHIPMENTS


class Clocks:
    """What the workflow that reaches open cases calls."""

    def __init__(self, pool: asyncpg.Pool, policies: Policies) -> None:
        self._pool = pool
        self._policies = policies

    @activity.defn(name=find_clocks.__name__)
    async def find_clocks(self, asked: ClocksAsked) -> ClocksFound:
        """A page of them, as the case book has them now; or of those that are in no book yet."""
        async with self._pool.acquire() as connection:
            if asked.asleep:
                cases = await self._asleep(connection, asked)
            else:
                cases = await case_rows.with_running_clock(connection, asked.kinds, asked.after, asked.limit)
        return ClocksFound(cases=tuple(cases))

    async def _asleep(self, connection: Connection, asked: ClocksAsked) -> list[str]:
        """L1: the late shipments whose orders would have had to ship by now, were it not for pauses."""
        found = await orders.ships_later(
            connection, self._ship_hours(), datetime.now(UTC), asked.after.removeprefix(LATE_SHIPMENTS), asked.limit
        )
        return [f"{LATE_SHIPMENTS}{order_no}" for order_no in found]

    def _ship_hours(self) -> dict[str, int]:
        """Of each profile; one whose file is wrong is passed over."""
        hours: dict[str, int] = {}
        for name in self._policies.names():
            with suppress(PolicyError):
                if policy := self._policies.get(name):
                    hours[name] = policy.late_shipment.ship_hours
        return hours
