"""The yardstick: a workflow that takes the same steps and does nothing in them. Nothing is encrypted or written down.

A start, a local activity, a search attribute, a timer, an update, two activities: ``python -m … ADDRESS QUEUE`` is its
worker.
"""

import asyncio
import os
import sys
from datetime import timedelta
from typing import Final

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

STATE: Final = SearchAttributeKey.for_keyword("BareState")
WORKING: Final = "working"
_CACHED: Final = 20_000


class Request(BaseModel):
    """What a case is opened with."""

    order_no: str
    merchant_id: str
    amount: int
    reason: str = "no_longer_wanted"


class Approval(BaseModel):
    """What it waits for."""

    key: str
    by: str


class Step(BaseModel):
    """What an activity is given."""

    case_id: str
    number: int
    what: str


class Done(BaseModel):
    """What it answers, and the case, too."""

    written: bool = True
    note: str = ""


@activity.defn
async def opened(step: Step) -> Done:
    """Nothing."""
    return Done(note=step.what)


@activity.defn
async def recorded(step: Step) -> Done:
    """Nothing."""
    return Done(note=step.what)


@activity.defn
async def paid(step: Step) -> Done:
    """Nothing."""
    return Done(note=step.what)


@workflow.defn(sandboxed=False)
class Bare:
    """A case that only goes through the motions."""

    @workflow.init
    def __init__(self, request: Request) -> None:
        self._approval: Approval | None = None
        self._written = False

    @workflow.run
    async def run(self, request: Request) -> Done:
        """Open, wait for the approval for 48 hours at most, write, pay."""
        case_id = workflow.info().workflow_id
        await workflow.execute_local_activity(
            opened, Step(case_id=case_id, number=0, what="open"), schedule_to_close_timeout=timedelta(seconds=5)
        )
        workflow.upsert_search_attributes([STATE.value_set("waiting")])  # pyright: ignore[reportUnknownMemberType]
        await workflow.wait_condition(lambda: self._approval is not None, timeout=timedelta(hours=48))
        for number, (what, name) in enumerate(((recorded, "approve"), (paid, "pay")), start=1):
            await workflow.execute_activity(
                what, Step(case_id=case_id, number=number, what=name), start_to_close_timeout=timedelta(seconds=30)
            )
            self._written = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return Done()

    @workflow.update
    async def approve(self, approval: Approval) -> Done:
        """Answered once it is written."""
        self._approval = approval
        await workflow.wait_condition(lambda: self._written)
        return Done()

    @approve.validator
    def _undecided(self, approval: Approval) -> None:
        if self._approval:
            raise ValueError("it is decided")


async def work(address: str, queue: str) -> None:
    """Run its worker until the process is ended."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Bare],
        activities=[opened, recorded, paid],
        workflow_runner=runner,
        max_cached_workflows=_CACHED,
    ):
        print(WORKING, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:3]))
    os._exit(0)
