"""The product as one side: its embedded servers, a worker process as production runs it, the typed client.

It stands on what ``tests.benchmarks.cases`` has had for long, so that the folder can be laid into an earlier build.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from starter.client import Case
from tests.benchmarks.cases import WAYS, Bench, Way, bench_on
from tests.benchmarks.paired.side import serve

_CACHED = 20_000


class Product:
    """See ``Side``: a refund before shipping, which the merchant approves."""

    def __init__(self, bench: Bench, *, sandbox: bool) -> None:
        self._bench = bench
        self._way: Way = WAYS[0]
        self._sandbox = sandbox
        self._world = bench.world(self._way)
        self._running = AsyncExitStack()
        self._worker: psutil.Process | None = None
        self._waiting = 0

    async def start(self) -> None:
        """Run a worker."""
        self._worker = await self._running.enter_async_context(self._bench.worker(sandbox=self._sandbox))

    async def stop(self) -> None:
        """End it."""
        await self._running.aclose()

    async def prepared(self, count: int) -> Sequence[str]:
        """See Side: orders of a merchant of their own."""
        self._world = self._bench.world(self._way)
        self._waiting = 0
        return await self._bench.prepared(self._way, self._world, count)

    async def open(self, subject: str) -> Case:
        """See Side."""
        return await self._way.open(self._world, subject)

    async def parked(self, cases: Sequence[Case]) -> None:
        """See Side: as the case book has them."""
        self._waiting += len(cases)
        query = (
            "SELECT count(*) FROM casebook.cases WHERE merchant_id = $1 AND closed_at IS NULL AND due_at IS NOT NULL"
        )
        while await self._bench.meters.connection.fetchval(query, self._world.merchant) < self._waiting:
            await asyncio.sleep(0.02)

    async def decide(self, case: Case) -> None:
        """See Side."""
        await self._way.decide(self._world, case)

    async def ended(self, case: Case) -> None:
        """See Side."""
        await case.outcome()

    async def decide_after_restart(self, case: Case) -> None:
        """See Side."""
        await self.stop()
        await self.start()
        await self.decide(case)

    def processes(self) -> Mapping[str, psutil.Process]:
        """See Side."""
        assert self._worker
        meters = self._bench.meters
        return {
            "worker": self._worker,
            "temporal": meters.temporal,
            "postgres": meters.postgres,
            "client": psutil.Process(os.getpid()),
        }

    def ready(self) -> dict[str, Any]:
        """Where its servers are, for other sides."""
        stack = self._bench.stack
        return {
            "temporal": stack.temporal_address,
            "temporal_pid": stack.temporal_pid,
            "postgres": stack.database_url,
            "postgres_pid": stack.postgres_pid,
            "state_dir": str(self._bench.state_dir),
        }


async def main() -> None:
    """Serve until there is nothing more to do."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sandbox", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="aft-", ignore_cleanup_errors=True) as folder:
        async with bench_on(Path(folder), in_flight=16, cached=_CACHED) as bench:
            product = Product(bench, sandbox=chosen.sandbox)
            await product.start()
            await serve(product, product.ready())
            await product.stop()


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)
