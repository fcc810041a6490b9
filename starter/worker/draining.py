"""The end of a worker process: asked for by SIGTERM or Ctrl-C, and over within a known time."""

import asyncio
import os
import signal
import sys
from typing import Final

AT_ONCE: Final = 1
"""The exit code where work was dropped: Temporal gives it to another worker once its time is up."""
TO_LEAVE: Final = 10
"""Seconds after the grace for what is left: telling the server, sending notices that were begun, closing pools."""


class Stop:
    """Set by the first signal. A second one ends the process at once, and so does time."""

    def __init__(self, grace_seconds: float) -> None:
        """``grace_seconds`` is what activities have to end in, ``TO_LEAVE`` what the process has after that."""
        self._limit = grace_seconds + TO_LEAVE
        self._asked = asyncio.Event()

    def listen(self) -> None:
        """Take the signals from now on; to be called inside the event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)

    async def asked(self) -> None:
        """Wait for the first signal."""
        await self._asked.wait()

    def _signalled(self) -> None:
        if self._asked.is_set():
            _leave("asked twice")
        self._asked.set()
        asyncio.get_running_loop().call_later(self._limit, _leave, f"not ended within {self._limit:g} s")


def _leave(why: str) -> None:
    print(f"worker: {why}, stopped at once; what was running is tried again elsewhere", file=sys.stderr, flush=True)
    os._exit(AT_ONCE)
