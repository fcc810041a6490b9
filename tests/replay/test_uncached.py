"""Whole cases on a worker that keeps none in its cache: every workflow task replays its case from the start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType, TaskQueueKind

from tests.replay.ground import Ground, ground
from tests.replay.paths import PATHS
from tests.replay.registry import merchant_of
from workflows.messages.cases import Outcome

# Between them: updates, signals, reminders, amended requests, polls and officers. One case at a time each: without a
# cache the SDK lets a second one wait for its workflow task's timeout.
WALKED = (
    "unshipped_by_silence",
    "unshipped_became_return",
    "return_by_silence",
    "exchange_overdue",
    "late_shipment_by_silence",
    "refused_signal",
    "shipped_amended_approved",
    "cancellation_escalated",
    "withdrawal_retained",
    "expiry_postponed",
    "settled_by_callback",
    "settled_by_polling",
    "attention_paid_in_advance",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def uncached(state_dirs: Path) -> AsyncIterator[Ground]:
    async with ground(state_dirs / "uncached", cached=0) as here:
        yield here


@pytest.mark.parametrize("name", WALKED)
async def test_a_case_can_be_picked_up_anywhere(name: str, uncached: Ground) -> None:
    path = PATHS[name]

    handle = await path.walk(uncached.world(merchant_of(name)))

    history = await handle.fetch_history()
    outcome = await uncached.skipper.client.get_workflow_handle(handle.id, result_type=Outcome).result()
    assert outcome.outcome is path.ends
    assert not [
        event
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
        and event.workflow_task_scheduled_event_attributes.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
    ]
