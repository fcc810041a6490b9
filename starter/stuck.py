"""Cases that do not move though they should: an activity or a workflow task that fails, a deadline that has passed."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import asyncpg
from temporalio.api.enums.v1.workflow_pb2 import (
    PENDING_ACTIVITY_STATE_SCHEDULED,
    PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
    WORKFLOW_EXECUTION_STATUS_COMPLETED,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Run

from activities.postgres import repeated_attempts, resuming
from activities.postgres.repeated_attempts import Suspect
from starter.database import reading
from starter.running import Runs, stopped_by
from workflows.messages.stages import Stopped

_AGAIN: Final = 2
"""An attempt beyond the first has followed a failed one."""
_ASKED_AT_ONCE: Final = 10


class Why(StrEnum):
    """What keeps a workflow from going on."""

    ACTIVITY_FAILS = "activity_fails"
    TASK_FAILS = "workflow_task_fails"
    NOBODY_WORKS = "no_worker_takes_it"
    STOPPED = "workflow_stopped"
    UNKNOWN = "nothing_pending"
    """Past its deadline, and Temporal has nothing to do for it: its timer is late, or its row was changed by hand."""


@dataclass(frozen=True)
class Stuck:
    """A workflow that does not move."""

    workflow_id: str
    """The case's id, where it is a case."""
    since: datetime
    overdue: bool
    why: Why
    activity: str | None = None
    """The one that fails, or that no worker takes."""
    attempt: int | None = None
    error: str | None = None
    """The type of the last error. Its text is on the workflow's page: it may quote what it was given (P6)."""
    stopped: Stopped | None = None


async def stuck(pool: asyncpg.Pool, runs: Runs, limit: int) -> tuple[Stuck, ...]:
    """The workflows that do not move, of the ``limit`` that have been suspect longest.

    Notes of what has gone on since are taken out.

    Raises:
        Unreachable: the database does not answer.
        RPCError: Temporal does not answer.
    """
    async with reading(pool) as connection:
        suspects = await repeated_attempts.suspects(connection, limit)
        found: list[Stuck] = []
        for start in range(0, len(suspects), _ASKED_AT_ONCE):
            some = suspects[start : start + _ASKED_AT_ONCE]
            described = await asyncio.gather(*(runs.described(each.workflow_id) for each in some))
            for suspect, answer in zip(some, described, strict=True):
                if seen := _seen(suspect, answer):
                    # A case ends in its book first: it may have, since the suspects were read.
                    if seen.stopped is not Stopped.ENDED or await resuming.is_open(connection, suspect.workflow_id):
                        found.append(seen)
                else:
                    await repeated_attempts.strike(connection, suspect.workflow_id)
    return tuple(found)


def _seen(suspect: Suspect, run: Run | None) -> Stuck | None:
    """What keeps the workflow from going on; None for what was noted and goes on, or has ended."""
    which = (suspect.workflow_id, suspect.since, suspect.overdue)
    status = run.workflow_execution_info.status if run else None
    ended = status == WORKFLOW_EXECUTION_STATUS_COMPLETED and suspect.overdue  # and its row is open
    if stopped := Stopped.ENDED if ended else stopped_by(status):
        return Stuck(*which, Why.STOPPED, stopped=stopped) if suspect.overdue else None
    assert run
    failing = [each for each in run.pending_activities if each.attempt >= _AGAIN]
    if failing:
        worst = max(failing, key=lambda each: each.attempt)
        error = _type_of(worst.last_failure)
        return Stuck(*which, Why.ACTIVITY_FAILS, worst.activity_type.name, worst.attempt, error)
    task = run.pending_workflow_task if run.HasField("pending_workflow_task") else None
    if task and task.attempt >= _AGAIN:
        return Stuck(*which, Why.TASK_FAILS, attempt=task.attempt)
    if not suspect.overdue:
        return None
    waiting = [each for each in run.pending_activities if each.state == PENDING_ACTIVITY_STATE_SCHEDULED]
    if waiting:
        return Stuck(*which, Why.NOBODY_WORKS, waiting[0].activity_type.name)
    if task and task.state == PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
        return Stuck(*which, Why.NOBODY_WORKS)
    return Stuck(*which, Why.UNKNOWN)


def _type_of(failure: Failure) -> str | None:
    if failure.HasField("application_failure_info"):
        return failure.application_failure_info.type
    kind = failure.WhichOneof("failure_info")
    return kind.removesuffix("_failure_info") if kind else None
