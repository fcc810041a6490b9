"""A request to cancel a workflow ends nothing of ours: whoever wants that sends a command (section 11)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def undisturbed(life: Coroutine[Any, Any, Result], cancellation_ignored: Callable[[], None]) -> Result:
    """What ``life`` comes to, however often its cancellation is asked for; each time ``cancellation_ignored`` is told.

    Raises:
        CancelledError: it has ended so by itself.
        Exception: whatever it raises.
    """
    task = asyncio.create_task(life)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
            cancellation_ignored()
