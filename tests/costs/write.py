"""Writes ``docs/costs.md`` anew: ``python -m tests.costs.write``."""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.costs import page
from tests.costs.counting import Action, counted_by_server, ours, server_count
from tests.costs.walking import Walked, walk
from tests.replay.ground import ground
from tests.replay.paths import PATHS


async def write() -> None:
    """Walk every path alone, count it by both ways, and keep the page."""
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        async with ground(Path(folder)) as here:
            metrics = here.stack.metrics_address
            assert metrics is not None
            counted: list[tuple[Walked, Counter[Action]]] = []
            for path in (path for path in PATHS.values() if path.counted):
                before = await server_count(metrics)
                walked = await walk(here, path)
                server = ours(await counted_by_server(metrics, before, walked.in_metric))
                counted.append((walked, server))
                agree = "" if server == walked.in_metric else f"; the server counts {dict(server)}"
                print(f"{path.name}: {walked.cost.events} events, {walked.cost.actions} actions{agree}", flush=True)
    page.FILE.parent.mkdir(exist_ok=True)
    page.FILE.write_text(page.page(counted), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(write())
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
