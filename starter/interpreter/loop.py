"""The event loop of one case in memory: it runs when it is told to, and never waits."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final

_NO_HANDLE: Final[Any] = None
"""Whoever asks for something here does not take it back: tasks and futures keep no handle."""


class CaseLoop(asyncio.AbstractEventLoop):
    """Runs the tasks of one case until none can go on; as Temporal's does, it looks at conditions when all is quiet."""

    def __init__(self) -> None:
        self._ready: deque[tuple[Context, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._error: BaseException | None = None

    def run_ready(self) -> None:
        """Go on as far as the case can.

        Raises:
            Exception: what a task has ended with: a fault of ours. What others have to do is done first.
        """
        ready = self._ready
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while ready:
                while ready:
                    context, callback, args = ready.popleft()
                    context.run(callback, *args)
                if self._conditions:
                    self._conditions = [each for each in self._conditions if not _settled(*each)]
        finally:
            asyncio._set_running_loop(before)
        if self._error:
            error, self._error = self._error, None
            raise error

    def when(self, condition: Callable[[], bool]) -> "asyncio.Future[None]":
        """Done once ``condition`` holds when all is quiet."""
        future: asyncio.Future[None] = self.create_future()
        self._conditions.append((condition, future))
        return future

    # What asyncio asks of a loop ------------------------------------------------------------------------

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """See base class."""
        self._ready.append((context or copy_context(), callback, args))
        return _NO_HANDLE

    def create_future(self) -> "asyncio.Future[Any]":
        """See base class."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        """See base class."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        task.add_done_callback(self._look)
        return task

    def get_debug(self) -> bool:
        """See base class."""
        return False

    def is_running(self) -> bool:
        """See base class."""
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        """See base class."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """See base class. A case that was left open when its interpreter was let go is no fault."""
        self._error = self._error or context.get("exception")

    def _look(self, ended: "asyncio.Task[Any]") -> None:
        if not ended.cancelled() and (error := ended.exception()):
            self._error = self._error or error


def _settled(condition: Callable[[], bool], future: "asyncio.Future[None]") -> bool:
    if future.done():
        return True
    if condition():
        future.set_result(None)
        return True
    return False
