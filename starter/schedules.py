"""The workflows that a schedule starts: sending notices again, comparing the books (section 10), moving cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode

from starter.priorities import BEHIND_CASES
from workflows.messages.closed_cases import ClosedCasesRun
from workflows.messages.converter import UnopenedPayload
from workflows.messages.message import Message
from workflows.messages.notices import NoticeResendRequest
from workflows.messages.reconciliation import ReconciliationRun

OVERLAP: Final = ScheduleOverlapPolicy.SKIP
"""A round that takes longer than the interval is not started a second time."""


@dataclass(frozen=True)
class Wanted:
    """One schedule as it should be."""

    id: str
    workflow: str
    argument: Message | NoticeResendRequest
    every: timedelta
    task_queue: str


def wanted(task_queue: str) -> tuple[Wanted, ...]:
    """The schedules of the service that works on this task queue."""
    return (
        Wanted(f"{task_queue}-notice-resend", "NoticeResend", NoticeResendRequest(), timedelta(minutes=5), task_queue),
        Wanted(f"{task_queue}-reconciliation", "Reconciliation", ReconciliationRun(), timedelta(hours=1), task_queue),
        Wanted(f"{task_queue}-closed-cases", "ClosedCases", ClosedCasesRun(), timedelta(hours=1), task_queue),
    )


async def differing(client: Client, schedules: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """Those of ``schedules`` that are missing or set up otherwise.

    Raises:
        RPCError: Temporal does not answer.
    """
    return tuple([schedule for schedule in schedules if not await _stands(client, schedule)])


async def put(client: Client, schedules: Sequence[Wanted]) -> None:
    """Create or correct these schedules; whether one is paused stays as it is.

    Raises:
        RPCError: Temporal does not answer.
    """
    for schedule in schedules:
        try:
            await client.create_schedule(schedule.id, _schedule(schedule))
        except ScheduleAlreadyRunningError:
            handle = client.get_schedule_handle(schedule.id)
            state = (await handle.describe()).schedule.state
            updated = _schedule(schedule)
            updated.state = state
            await handle.update(lambda _, schedule=updated: ScheduleUpdate(schedule=schedule))


async def _stands(client: Client, schedule: Wanted) -> bool:
    try:
        present = (await client.get_schedule_handle(schedule.id).describe()).schedule
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    action = present.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return False
    arguments = [each for each in action.args if isinstance(each, Payload)]
    try:
        kept = await client.data_converter.decode(arguments, [type(schedule.argument)])
    except UnopenedPayload:  # sealed under a key that the ring no longer has: no worker can open it either
        return False
    return (
        action.workflow == schedule.workflow
        and action.task_queue == schedule.task_queue
        and kept == [schedule.argument]
        and action.priority == BEHIND_CASES
        and [each.every for each in present.spec.intervals] == [schedule.every]
        and present.policy.overlap is OVERLAP
    )


def _schedule(schedule: Wanted) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            schedule.workflow,
            schedule.argument,
            id=schedule.id,
            task_queue=schedule.task_queue,
            priority=BEHIND_CASES,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=schedule.every)]),
        policy=SchedulePolicy(overlap=OVERLAP),
    )
