"""Noting activities that are tried again and again, so that somebody can ask which cases they hold up.

Temporal finds workflows whose tasks fail (``TemporalReportedProblems``), and has no view of those whose activities do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.postgres import repeated_attempts
from activities.postgres.connection import Connection
from activities.postgres.no_answer import NO_ANSWER

ENOUGH: Final = 6
"""The attempt from which on an activity is noted: the one after half a minute."""

_EVERY: Final = 10
"""Attempts between two notes, in case the database did not take the first one."""
_PATIENCE: Final = 2.0

_log = logging.getLogger(__name__)


class RepeatedAttempts(Interceptor):
    """Notes what is tried for the sixth time, when the attempt begins: one that hangs or kills its worker counts too.

    An activity that works at once costs nothing.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See ``Interceptor``."""
        return _Noting(next, self._pool)


class _Noting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, pool: asyncpg.Pool) -> None:
        super().__init__(next)
        self._pool = pool

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        tried, workflow_id = info.attempt - ENOUGH, info.workflow_id
        if tried < 0 or info.is_local or workflow_id is None:
            return await super().execute_activity(input)
        if tried % _EVERY == 0:
            began = datetime.now(UTC)
            await self._told(
                lambda to: repeated_attempts.note(to, workflow_id, info.activity_type, info.attempt, began)
            )
        answer = await super().execute_activity(input)
        await self._told(lambda to: repeated_attempts.strike(to, workflow_id, info.activity_type))
        return answer

    async def _told(self, statement: Callable[[Connection], Awaitable[None]]) -> None:
        """Best effort: the activity itself matters, and the database may be what it fails at."""
        try:
            async with asyncio.timeout(_PATIENCE), self._pool.acquire() as connection:
                await statement(connection)
        except (TimeoutError, *NO_ANSWER) as error:
            _log.warning("repeated attempts cannot be noted: %s", type(error).__name__)
