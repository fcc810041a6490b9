"""A query that reads a workflow ahead leaves no history behind that cannot be replayed."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, Worker, WorkflowRunner

from starter.worker.read_ahead import ReadAhead, WasReadAhead
from starter.worker.runner import runner_for
from tests.workflow.world import until

WORKFLOWS = 8
"""In which of them the query comes first is up to the server; in most it does."""


def activation(*jobs: str, at: int, replaying: bool = False, local: bool = False) -> Any:
    act: Any = WorkflowActivation(is_replaying=replaying)
    act.timestamp.seconds = at
    for variant in jobs:
        job = act.jobs.add()
        getattr(job, variant).SetInParent()
        if local:
            job.resolve_activity.is_local = True
    return act


REPLAYED = (activation("initialize_workflow", at=1, replaying=True), activation("fire_timer", at=2, replaying=True))


@pytest.mark.parametrize("told", ["resolve_activity", "signal_workflow", "fire_timer", "do_update"])
@pytest.mark.parametrize("next_one", ["resolve_activity", "signal_workflow", "do_update"])
def test_what_was_read_ahead_is_not_gone_on_with(told: str, next_one: str) -> None:
    seen = ReadAhead()
    for each in (*REPLAYED, activation(told, at=2), activation("query_workflow", at=2, replaying=True)):
        seen.look(each)
    with pytest.raises(WasReadAhead):
        seen.look(activation(next_one, at=3))
    seen.look(activation("remove_from_cache", at=0))


@pytest.mark.parametrize(
    "live",
    [
        (activation("resolve_activity", at=3), activation("query_workflow", at=3), activation("do_update", at=4)),
        (activation("resolve_activity", at=2, local=True), activation("do_update", at=3)),
        (activation("query_workflow", at=2, replaying=True), activation("do_update", at=3)),
        (activation("do_update", at=3), activation("resolve_activity", at=3), activation("do_update", at=4)),
    ],
    ids=["task and query", "of the worker itself", "query alone", "two activations of a task"],
)
def test_what_a_task_has_told_is_gone_on_with(live: tuple[Any, ...]) -> None:
    seen = ReadAhead()
    for each in (*REPLAYED, *live):
        seen.look(each)


@activity.defn
async def takes_its_time() -> None:
    """Until nobody carries the workflow any more."""
    while not GO_ON.is_set():
        await asyncio.sleep(0.02)


GO_ON = asyncio.Event()


@workflow.defn
class Asked:
    """Waits for an activity, says so, and waits for a command."""

    def __init__(self) -> None:
        self.told = 0

    @workflow.run
    async def run(self, activities: str) -> int:
        """To its end."""
        await workflow.execute_activity(
            takes_its_time, task_queue=activities, start_to_close_timeout=timedelta(minutes=5)
        )
        workflow.upsert_memo({"waits": True})
        await workflow.wait_condition(lambda: self.told > 0)
        return self.told

    @workflow.update
    async def tell(self) -> int:
        """A command."""
        self.told += 1
        return self.told

    @workflow.query
    def told_so_far(self) -> int:
        """A view."""
        return self.told


async def _told(handle: WorkflowHandle[Any, Any]) -> int:
    return await handle.execute_update("tell")  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.on_servers
@pytest.mark.parametrize("runner", [runner_for(sandboxed=False, versioned=False)], ids=["as in production"])
async def test_a_command_after_a_query_that_has_waited_for_a_worker_can_be_replayed(
    client: Client, runner: WorkflowRunner
) -> None:
    queue, activities = f"q-{uuid4().hex[:8]}", f"a-{uuid4().hex[:8]}"
    GO_ON.clear()
    async with Worker(client, task_queue=activities, activities=[takes_its_time]):
        async with Worker(client, task_queue=queue, workflows=[Asked], workflow_runner=runner):
            ids = [f"asked-{uuid4().hex[:8]}" for _ in range(WORKFLOWS)]
            handles = [await client.start_workflow(Asked.run, activities, id=each, task_queue=queue) for each in ids]
            for handle in handles:
                await until(handle.describe, lambda found: found.history_length >= 5)
        queries = [asyncio.create_task(handle.query(Asked.told_so_far)) for handle in handles]
        await asyncio.sleep(0)
        GO_ON.set()
        for handle in handles:
            await until(handle.describe, lambda found: found.history_length >= 8)
        commands = [asyncio.create_task(_told(handle)) for handle in handles]
        await asyncio.sleep(0)
        async with Worker(client, task_queue=queue, workflows=[Asked], workflow_runner=runner):
            await asyncio.gather(*queries, *commands)
            told = [await handle.result() for handle in handles]
    histories = [await handle.fetch_history() for handle in handles]
    replayer = Replayer(workflows=[Asked], workflow_runner=runner, data_converter=client.data_converter)
    failures = [
        (await replayer.replay_workflow(each, raise_on_replay_failure=False)).replay_failure for each in histories
    ]

    assert (told, failures) == ([1] * WORKFLOWS, [None] * WORKFLOWS)
