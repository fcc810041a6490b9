"""Finding the open cases whose clocks a pause window can move (section 9)."""

import asyncpg
from temporalio import activity

from activities.postgres import case_rows
from workflows.messages.clocks import ClocksAsked, ClocksFound, find_clocks


class Clocks:
    """What the workflow that reaches open cases calls."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @activity.defn(name=find_clocks.__name__)
    async def find_clocks(self, asked: ClocksAsked) -> ClocksFound:
        """A page of them, as the case book has them now."""
        async with self._pool.acquire() as connection:
            cases = await case_rows.with_running_clock(connection, asked.kinds, asked.after, asked.limit)
        return ClocksFound(cases=tuple(cases))
