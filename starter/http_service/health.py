"""What the HTTP service tells an orchestrator, on the port of its probes.

It is ready as long as the database takes what comes: callbacks are kept while Temporal is away, and handed on later. A
schema that is newer than this release's takes it too, for a migration removes nothing that the release before uses: so
nobody is turned away between ``aftersales setup`` and the new release, nor after a step back.
"""

import asyncio
import time

from activities.postgres import schema
from activities.postgres.schema_mismatch import SchemaMismatch
from starter.worker.health import State, look_at

_FRESH_SECONDS = 1.0


class ServiceHealth:
    """How one process of the HTTP service is."""

    def __init__(self, database_url: str) -> None:
        self.state = State.STARTING
        self._url = database_url
        self._looking = asyncio.Lock()
        self._last: tuple[float, list[str]] | None = None

    async def startup(self) -> list[str]:
        """Why it has not come up yet."""
        return ["starting: it does not listen yet"] if self.state is State.STARTING else []

    async def liveness(self) -> list[str]:
        """Nothing: that it answers is what can be asked."""
        return []

    async def readiness(self) -> list[str]:
        """Why it takes nothing."""
        match self.state:
            case State.STARTING:
                return await self.startup()
            case State.DRAINING:
                return ["draining: asked to stop, nothing new is taken"]
            case State.RUNNING:
                async with self._looking:
                    if self._last is None or time.monotonic() - self._last[0] > _FRESH_SECONDS:
                        found = await look_at("database", self._database)
                        self._last = time.monotonic(), [found] if found else []
                    return self._last[1]

    async def _database(self) -> str | None:
        try:
            await schema.check(self._url, newer_fits=True)
        except SchemaMismatch as mismatch:
            return str(mismatch)
        return None
