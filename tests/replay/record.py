"""Records the history of every path anew: ``python -m tests.replay.record``."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from tests.replay import recorded
from tests.replay.ground import ground
from tests.replay.paths import PATHS
from tests.replay.registry import merchant_of


async def record() -> None:
    """Walk every path once on servers of its own and keep what they have written down."""
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        async with ground(Path(folder)) as here:
            histories: dict[str, WorkflowHistory] = {}
            for name, path in PATHS.items():
                handle = await path.walk(here.world(merchant_of(name)))
                histories[name] = await handle.fetch_history()
                print(f"{name}: {len(histories[name].events)} events", flush=True)
    # Only now: an error above leaves the histories of before as they are.
    recorded.FOLDER.mkdir(exist_ok=True)
    for file in recorded.FOLDER.glob("*.json"):
        file.unlink()
    for name, history in histories.items():
        recorded.write(name, history)


if __name__ == "__main__":
    asyncio.run(record())
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
