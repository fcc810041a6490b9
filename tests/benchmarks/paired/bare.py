"""The yardstick as one side, on the Temporal server of another: ``python -m … ADDRESS PID``."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import psutil
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.connection import ensure_search_attributes
from tests.benchmarks.paired.bare_workflow import STATE, WORKING, Approval, Bare, Done, Request
from tests.benchmarks.paired.side import serve

_PARKED_EVENTS = 7
"""A case that waits has a start, a task, a marker and a search attribute behind it, and its timer."""


class BareSide:
    """See ``Side``."""

    def __init__(self, client: Client, address: str, temporal: psutil.Process) -> None:
        self._client = client
        self._address = address
        self._temporal = temporal
        self._queue = f"bare-{uuid4().hex[:8]}"
        self._worker: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        """Run a worker."""
        command = (sys.executable, "-m", "tests.benchmarks.paired.bare_workflow", self._address, self._queue)
        self._worker = await asyncio.to_thread(_working, command)

    async def stop(self) -> None:
        """End it."""
        if self._worker:
            self._worker.kill()
            await asyncio.to_thread(self._worker.wait)

    async def prepared(self, count: int) -> Sequence[Request]:
        """See Side."""
        return [Request(order_no=uuid4().hex[:12], merchant_id="m", amount=10_000) for _ in range(count)]

    async def open(self, subject: Request) -> WorkflowHandle[Bare, Done]:
        """See Side."""
        return await self._client.start_workflow(
            Bare.run, subject, id=f"bare/{subject.order_no}", task_queue=self._queue
        )

    async def parked(self, cases: Sequence[WorkflowHandle[Bare, Done]]) -> None:
        """See Side."""
        for case in cases[-1:]:
            while (await case.describe()).history_length < _PARKED_EVENTS:
                await asyncio.sleep(0.02)

    async def decide(self, case: WorkflowHandle[Bare, Done]) -> None:
        """See Side."""
        approval = Approval(key="c1", by="m")
        await case.execute_update(Bare.approve, approval)  # pyright: ignore[reportUnknownMemberType]

    async def ended(self, case: WorkflowHandle[Bare, Done]) -> None:
        """See Side."""
        await case.result()

    async def decide_after_restart(self, case: WorkflowHandle[Bare, Done]) -> None:
        """See Side."""
        await self.stop()
        await self.start()
        await self.decide(case)

    def processes(self) -> Mapping[str, psutil.Process]:
        """See Side: it has no database."""
        assert self._worker
        return {
            "worker": psutil.Process(self._worker.pid),
            "temporal": self._temporal,
            "client": psutil.Process(os.getpid()),
        }


def _working(command: Sequence[str]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    if worker.stdout.readline().strip() != WORKING:
        raise RuntimeError("the bare worker did not start")
    return worker


async def main(address: str, pid: str) -> None:
    """Serve until there is nothing more to do."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    await ensure_search_attributes(client, {STATE.name: "Keyword"})
    side = BareSide(client, address, psutil.Process(int(pid)))
    await side.start()
    ready: dict[str, Any] = {}
    await serve(side, ready)
    await side.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
    sys.stdout.flush()
    os._exit(0)
