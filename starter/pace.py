"""So many a second, evenly: what was lost in waiting is not made up for in a burst."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_MADE_UP_FOR: Final = 1.0
"""Seconds: what the clock's own unevenness takes, and no more."""


class Pace:
    """Tells each when it may begin. ``clock`` counts seconds."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._apart = 1 / per_second
        self._clock = clock
        self._due = clock()

    def wait(self) -> float:
        """For how many seconds the next one has to wait; none where the last one was long ago."""
        now = self._clock()
        begins = max(self._due, now - _MADE_UP_FOR)
        self._due = begins + self._apart
        return max(begins - now, 0)

    async def turn(self) -> None:
        """Wait until the next one may begin."""
        await asyncio.sleep(self.wait())
