"""Records the history of every path anew, and what it came to: ``python -m tests.replay.record``.

Of all paths, or of those that are named. With ``ends`` before them only the latter, which leaves histories as they are.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from temporalio.client import WorkflowHistory

from tests.replay import ends, recorded
from tests.replay.ground import ground
from tests.replay.in_memory import told_in_memory
from tests.replay.paths import PATHS
from tests.replay.registry import merchant_of, now


async def record(names: Collection[str], *, only_ends: bool = False) -> None:
    """Walk these paths once on servers of their own and keep what they have written down."""
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        async with ground(Path(folder)) as here:
            histories: dict[str, WorkflowHistory] = {}
            came_to: dict[str, ends.Ends] = {}
            for name in names:
                path = PATHS[name]
                world, began = here.world(merchant_of(name)), now()
                handle = await path.walk(world)
                histories[name] = await handle.fetch_history()
                if told_in_memory(name):
                    came_to[name] = await ends.on_servers(world, handle, began)
                print(f"{name}: {len(histories[name].events)} events", flush=True)
    # Only now: an error above leaves the histories of before as they are.
    recorded.FOLDER.mkdir(exist_ok=True)
    for file in ends.FOLDER.glob("*.json"):
        if file.stem in names or file.stem not in PATHS:
            file.unlink()
    for name, each in came_to.items():
        ends.write(name, each)
    if only_ends:
        return
    for file in recorded.FOLDER.glob("*.json"):
        if file.stem in names or file.stem not in PATHS:
            file.unlink()
    for name, history in histories.items():
        recorded.write(name, history)


if __name__ == "__main__":
    only_ends = sys.argv[1:2] == ["ends"]
    named = sys.argv[2:] if only_ends else sys.argv[1:]
    asyncio.run(record(named or list(PATHS), only_ends=only_ends))
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
