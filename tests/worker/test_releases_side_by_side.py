"""Two releases serve one queue: what the older one does not know it leaves to the newer one, and guesses at nothing."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.contract.samples import full_sample
from tests.patience import PATIENCE
from workflows.messages.settlements import Settle, Settled


@workflow.defn(name="PaysForANewerRelease", sandboxed=False)
class PaysForANewerRelease:
    """Hands on what a newer release would write."""

    @workflow.run
    async def run(self, settling: dict[str, Any]) -> dict[str, Any]:
        """What the worker that has paid says of it."""
        retries = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1)
        result: dict[str, Any] = await workflow.execute_activity(
            "settle",
            settling,
            task_queue=f"{workflow.info().task_queue}-money",
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=retries,
        )
        return result


class OfThisRelease:
    """The money worker of this release."""

    def __init__(self) -> None:
        """Nothing was paid."""
        self.paid: list[Settle] = []

    @activity.defn
    async def settle(self, settling: Settle) -> Settled:
        """Pay."""
        self.paid.append(settling)
        return Settled(legs=())


@activity.defn(name="settle")
async def of_the_newer_release(settling: dict[str, Any]) -> dict[str, Any]:
    """The money worker of the newer release knows what this one does not."""
    return {"legs": [], "paid_by_cheque": settling["payout"]["method"]["route"] == "cheque"}


async def attempts_failed(handle: WorkflowHandle[Any, Any], number: int) -> None:
    """Wait until the activity that the workflow waits for has been tried, and was not carried out, so often."""
    while True:
        found = (await handle.describe()).raw_description.pending_activities
        if found and found[0].HasField("last_failure") and found[0].attempt > number:
            return
        await asyncio.sleep(0.05)


async def test_a_newer_number_of_a_policy_is_passed_over_and_a_newer_method_waits_for_who_knows_it(
    client: Client,
) -> None:
    queue = f"releases-{uuid.uuid4()}"
    settling = full_sample(Settle)
    told = settling.model_dump(mode="json")
    told["arrival"] |= {"instant_transfer_minutes": 5}
    by_cheque = {**told, "payout": {**told["payout"], "method": {"route": "cheque", "payable_to": "vault:person/1"}}}
    older = OfThisRelease()
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=queue, workflows=[PaysForANewerRelease], workflow_runner=runner):
        async with Worker(client, task_queue=f"{queue}-money", activities=[older.settle]):
            first = await client.execute_workflow(
                PaysForANewerRelease.run, told, id=f"{queue}/number", task_queue=queue
            )
            assert (first["legs"], older.paid) == ([], [settling])
            second = await client.start_workflow(
                PaysForANewerRelease.run, by_cheque, id=f"{queue}/method", task_queue=queue
            )
            async with asyncio.timeout(PATIENCE):
                await attempts_failed(second, 2)
        assert older.paid == [settling], "nothing is paid by another method"
        async with Worker(client, task_queue=f"{queue}-money", activities=[of_the_newer_release]):
            assert await second.result() == {"legs": [], "paid_by_cheque": True}
