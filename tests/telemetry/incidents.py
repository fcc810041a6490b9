"""What a sound system does not do, done on purpose, so that its metrics are there to be looked at."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from starter.telemetry import measures_of
from starter.telemetry.failures import CountedFailures

QUEUE = "incidents"
_SECONDS = timedelta(seconds=10)
_runs = Counter[str]()


@activity.defn
async def fail_once() -> None:
    if activity.info().attempt == 1:
        raise RuntimeError("on purpose")


@workflow.defn
class Turncoat:
    """Takes another way when it is replayed."""

    @workflow.run
    async def run(self) -> None:
        _runs["turncoat"] += 1
        if _runs["turncoat"] == 1:
            await workflow.sleep(0.01)
        await workflow.execute_activity(fail_once, start_to_close_timeout=_SECONDS)


@workflow.defn
class Stumbler:
    """Fails its first task, and an activity once."""

    @workflow.run
    async def run(self) -> None:
        _runs["stumbler"] += 1
        if _runs["stumbler"] == 1:
            raise RuntimeError("on purpose: fails the task")
        await workflow.execute_activity(
            fail_once,
            start_to_close_timeout=_SECONDS,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
        )


async def cause_incidents(client: Client) -> None:
    """A workflow that no longer fits its history, tasks and attempts that fail, a request for what is not there."""
    _runs.clear()
    with suppress(RPCError):
        await client.get_workflow_handle("nobody").describe()
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Turncoat, Stumbler],
        activities=[fail_once],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
        interceptors=[CountedFailures(measures_of(client))],
    ):
        turncoat = await client.start_workflow(Turncoat.run, id="turncoat", task_queue=QUEUE)
        while _runs["turncoat"] < 2:
            await asyncio.sleep(0.02)
        await turncoat.terminate()
        await client.execute_workflow(Stumbler.run, id="stumbler", task_queue=QUEUE)
