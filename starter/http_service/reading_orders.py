"""Reading a platform's own stream of orders, where an adapter stands for it (X1, X2): as if each were pushed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

from activities.gateways.orders import OrderSource
from starter.http_service.answers import NOT_KEPT, PushAnswer

_log: Final = logging.getLogger("http.orders")

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0


class ReadingOrders:
    """Takes one change after the other; waits out the stream's outages and the database's."""

    def __init__(
        self,
        source: OrderSource,
        take: Callable[[bytes], Awaitable[PushAnswer]],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``take`` is how a push is taken; ``pause`` waits for so many seconds."""
        self._source = source
        self._take = take
        self._pause = pause
        self._failed = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._read()
                reason = "it has ended"
            except Exception as error:  # an adapter may fail in any way; its text may quote what was sent
                reason = type(error).__name__
            _log.warning("the stream of orders is asked for again: %s", reason)
            await self._wait()

    async def _read(self) -> None:
        async with aclosing(self._source.changes()) as changes:
            async for change in changes:
                while (answer := await self._take(change))["outcome"] == NOT_KEPT:
                    await self._wait()
                await self._source.answered(change, answer)
                self._failed = 0

    async def _wait(self) -> None:
        await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failed, 10)))
        self._failed += 1
