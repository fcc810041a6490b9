"""What a workflow costs, counted in its history and by the server."""

import asyncio
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory


class Action(StrEnum):
    """A kind of billable action that a history tells of, under the name of Temporal Cloud's metric."""

    START = "start_workflow"
    TIMER = "start_timer"
    ACTIVITY = "schedule_activity"
    RETRY = "retry_activity"
    LOCAL_BATCH = "record_activity_markers"
    UPDATE = "accept_workflow_update"
    SIGNAL = "signal_workflow"
    UPSERT = "upsert_workflow_search_attributes"
    CHILD = "start_child_workflow"
    """What the starting of a child costs besides the child's own start."""


SERVER_NAMES = {
    "grpc_StartWorkflowExecution": Action.START,
    "command_StartTimer": Action.TIMER,
    "command_ScheduleActivityTask": Action.ACTIVITY,
    "activity_retry": Action.RETRY,
    "command_BatchMarkers": Action.LOCAL_BATCH,
    "message_UpdateWorkflowExecution_Acceptance": Action.UPDATE,
    "grpc_SignalWorkflowExecution": Action.SIGNAL,
    "command_UpsertWorkflowSearchAttributes": Action.UPSERT,
    "command_SignalExternalWorkflowExecution": Action.SIGNAL,
    "command_StartChildWorkflowExecution": Action.START,
    "command_StartChildWorkflowExecution_Extra": Action.CHILD,
}
"""Our kinds by the ``action_type`` of the server's own metric."""

CLOCK = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    }
)
"""Events of a clock that is moved: in production there are none."""

_BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: Action.START,
    EventType.EVENT_TYPE_TIMER_STARTED: Action.TIMER,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: Action.ACTIVITY,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: Action.UPDATE,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: Action.SIGNAL,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: Action.UPSERT,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: Action.CHILD,
}


@dataclass(frozen=True)
class Cost:
    """What one workflow has cost."""

    events: int
    bytes: int
    workflow_tasks: int
    billed: tuple[Action, ...]
    """The billable actions in their order."""

    @property
    def actions(self) -> int:
        """How many actions Temporal Cloud bills."""
        return len(self.billed)

    def of(self, *kinds: Action) -> int:
        """How many of the actions are of these kinds."""
        return sum(each in kinds for each in self.billed)


def cost(history: WorkflowHistory) -> Cost:
    """Count a whole history, without the events of a moved clock."""
    events = [event for event in history.events if event.event_type not in CLOCK]
    return Cost(
        events=len(events),
        bytes=sum(event.ByteSize() for event in events),
        workflow_tasks=sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in events),
        billed=tuple(_billed(events)),
    )


def _billed(events: list[HistoryEvent]) -> Iterator[Action]:
    batches: set[int] = set()
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                # All local activities of one workflow task are one action.
                task = event.marker_recorded_event_attributes.workflow_task_completed_event_id
                if task not in batches:
                    batches.add(task)
                    yield Action.LOCAL_BATCH
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                retries = event.activity_task_started_event_attributes.attempt - 1
                yield from [Action.RETRY] * retries
            case kind if kind in _BILLED:
                yield _BILLED[kind]
            case _:
                pass


async def server_count(metrics_address: str) -> Counter[str]:
    """The server's own count of actions since it started, by ``action_type``."""
    text = await asyncio.to_thread(_fetch, metrics_address)
    found = re.findall(r'^action\{action_type="(\w+)",namespace="default",.*\} (\d+)$', text, re.MULTILINE)
    counted: Counter[str] = Counter()
    for name, number in found:
        counted[name] += int(number)
    return counted


def _fetch(address: str) -> str:
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


async def counted_by_server(metrics_address: str, before: Counter[str], expected: Counter[Action]) -> Counter[str]:
    """What the server has counted since ``before``.

    Its metrics come out with a delay of about a second: they are read until they agree with ``expected``, and
    for five seconds if they do not.
    """
    deadline = asyncio.get_running_loop().time() + 5
    while True:
        counted = await server_count(metrics_address) - before
        if ours(counted) == expected or asyncio.get_running_loop().time() > deadline:
            return counted
        await asyncio.sleep(0.1)


def ours(counted: Counter[str]) -> Counter[Action]:
    """The server's count under our names; what a history tells nothing of is left out."""
    named: Counter[Action] = Counter()
    for name, number in counted.items():
        if name in SERVER_NAMES:
            named[SERVER_NAMES[name]] += number
    return named
