"""Open histories of a server, replayed against the code at hand (docs/running.md, docs/alerts.md)."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from starter.connection import connect
from starter.interpreter.example import refund_of
from starter.live_replay import LiveReplay, names_of, replay_live, told_of
from starter.settings import Settings
from starter.stack import Stack
from starter.worker.runner import runner_for
from tests.patience import PATIENCE
from tests.workflow.world import until
from worker import WORKFLOWS

_ASKED_FOR = (EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED)
_RUNNER = runner_for(sandboxed=False, versioned=False)


_RAISED = (
    r'Failure { message: "of 13800000000", failure_info: Some(ApplicationFailureInfo { r#type: "ValueError" }), '
    r'stack_trace: "File \"/a/b/kinds/refund.py\", line 12, in decide" }'
)


@workflow.defn(name="Refund")
class AnotherRelease:
    """A refund as another release carries it: it begins with a timer."""

    @workflow.run
    async def run(self, request: Any) -> None:
        """Wait."""
        del request
        await workflow.sleep(timedelta(days=1))


@activity.defn
async def open_case(_: Any) -> None:
    """The book is away."""
    raise ApplicationError("the book is away")


@pytest_asyncio.fixture(loop_scope="session")
async def own_namespace(stack: Stack, settings: Settings, client: Client) -> AsyncIterator[Client]:
    """A namespace with nothing in it, reached with the keys of the tests."""
    name = f"replay-{uuid4().hex[:8]}"
    kept = Duration(seconds=86_400)
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=kept)
    await client.workflow_service.register_namespace(request)
    connected = await connect(settings, target=stack.temporal_address, namespace=name)

    async def known() -> bool:
        try:
            return (await connected.count_workflows("")).count == 0
        except RPCError:
            return False

    await until(known, bool)
    yield connected


async def _started(client: Client, workflows: list[type[Any]], *orders: str) -> None:
    """Refunds that a worker with this code has begun, and that nobody goes on with."""
    queue = f"replay-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=workflows, activities=[open_case], workflow_runner=_RUNNER):
        handles: list[WorkflowHandle[Any, Any]] = [
            await client.start_workflow("Refund", refund_of(order), id=f"refund/{order}/k-{order}", task_queue=queue)
            for order in orders
        ]
        for handle in handles:
            await until(lambda handle=handle: _begun(handle), bool)
    await until(lambda: _listed(client, orders), bool)


async def _begun(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether its first task was completed, and something asked for with it."""
    events = (await handle.fetch_history()).events
    return any(each.event_type in _ASKED_FOR for each in events)


async def _listed(client: Client, orders: tuple[str, ...]) -> bool:
    """Whether the server's list, which is late, has all of them."""
    found = [each.id async for each in client.list_workflows('WorkflowType = "Refund"')]
    return {f"refund/{order}/k-{order}" for order in orders} <= set(found)


async def _replayed(client: Client, **how: Any) -> LiveReplay:
    async with asyncio.timeout(PATIENCE):
        asked: dict[str, Any] = {"limit": 100, "rate": 1000.0, **how}
        return await replay_live(client, WORKFLOWS, _RUNNER, **asked)


async def test_what_goes_on_and_what_would_not(own_namespace: Client) -> None:
    await _started(own_namespace, [*WORKFLOWS], "O-good-1", "O-good-2")
    good = await _replayed(own_namespace)
    assert (good.replayed, good.differing, good.gone, good.not_looked_at) == ({"Refund": 2}, [], 0, {})

    await _started(own_namespace, [AnotherRelease], "O-other")
    report = await _replayed(own_namespace)

    assert report.replayed == {"Refund": 3}
    (differing,) = report.differing
    assert (differing.workflow_id, differing.workflow_type) == ("refund/O-other/k-O-other", "Refund")
    assert differing.events > 4
    assert "Timer" in differing.why or "timer" in differing.why
    assert "boots-42" not in differing.why
    assert (await _replayed(own_namespace, kinds=["Dispute"])).replayed == {}


async def test_histories_are_encrypted_and_are_read_by_the_keys(
    own_namespace: Client, stack: Stack, settings: Settings
) -> None:  # P6
    await _started(own_namespace, [*WORKFLOWS], "O-sealed")
    plain = await own_namespace.get_workflow_handle("refund/O-sealed/k-O-sealed").fetch_history()
    (sent,) = plain.events[0].workflow_execution_started_event_attributes.input.payloads
    assert b"O-sealed" not in sent.data

    report = await _replayed(own_namespace)
    without_keys = await Client.connect(stack.temporal_address, namespace=own_namespace.namespace)
    refused = await _replayed(without_keys)

    assert (report.replayed, report.differing) == ({"Refund": 1}, [])
    (unread,) = refused.differing
    assert "O-sealed" not in unread.why
    assert settings.development


async def test_what_is_to_start_later_is_counted_and_keeps_nobody_waiting(own_namespace: Client) -> None:  # A6, L1
    await _started(own_namespace, [*WORKFLOWS], "O-begun")
    for order, delay in (("O-later", timedelta(days=1)), ("O-new", None)):
        await own_namespace.start_workflow(
            "Refund", refund_of(order), id=f"refund/{order}/k-{order}", task_queue="nobody", start_delay=delay
        )
    await until(lambda: _listed(own_namespace, ("O-later", "O-new")), bool)

    report = await _replayed(own_namespace)

    assert (report.replayed, report.differing, report.not_begun) == ({"Refund": 1}, [], 2)


async def test_a_limit_and_a_rate(own_namespace: Client) -> None:
    await _started(own_namespace, [*WORKFLOWS], *(f"O-{number}" for number in range(4)))
    began = time.monotonic()

    report = await _replayed(own_namespace, limit=3, rate=10.0)

    assert (report.replayed, report.not_looked_at) == ({"Refund": 3}, {"Refund": 1})
    assert time.monotonic() - began > 0.15  # three within 0.2 seconds would be more than ten a second


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            _RAISED,
            "ValueError at b/kinds/refund.py:12",
        ),
        ("something of a person", "RuntimeError"),
    ],
)
def test_what_is_told_of_another_failure_holds_nothing_of_a_person(text: str, told: str) -> None:
    assert told_of(RuntimeError(text)) == told


def test_every_workflow_has_a_name() -> None:
    assert len({*names_of(WORKFLOWS)} - {""}) == len(WORKFLOWS)
    assert {"Refund", "VirtualNumber"} <= {*names_of(WORKFLOWS)}
