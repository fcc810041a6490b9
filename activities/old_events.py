"""Removing events that are older than they are to be kept (X4)."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from activities.postgres import feed

_EVERY_SECONDS: Final = 600
_BATCH: Final = 10_000

_log = logging.getLogger(__name__)


class OldEvents:
    """Removes events from the feed once they are ``kept_for`` old, by the clock, in small transactions.

    What a reader or a webhook has not been told by then is removed as well: a reader that comes later is refused, and
    told that events are gone.
    """

    def __init__(self, pool: asyncpg.Pool, kept_for: timedelta) -> None:
        self._pool = pool
        self._kept_for = kept_for

    async def remove(self) -> int:
        """Remove all that is too old; how many events that were.

        Raises:
            asyncpg.PostgresError, OSError: the database does not answer.
        """
        removed = 0
        while True:
            async with self._pool.acquire() as connection:
                batch = await feed.remove(connection, datetime.now(UTC) - self._kept_for, _BATCH)
            removed += batch
            if batch < _BATCH:
                return removed

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Remove every ten minutes for as long as the context lasts."""
        task = asyncio.create_task(self._run(), name="removal of old events")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            try:
                await self.remove()
            except Exception as error:
                _log.warning("old events stay: the feed cannot be used (%s)", type(error).__name__)
            await asyncio.sleep(_EVERY_SECONDS)
