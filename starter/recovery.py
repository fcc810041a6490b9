"""Open cases that no workflow carries any more, started anew: each goes on where its book stands (section 11)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import asyncpg
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.postgres import resuming
from activities.postgres.connection import Connection
from starter.database import reading
from starter.priorities import of_merchant
from starter.running import Runs, stopped_by
from workflows import at_start
from workflows.messages.openings import OpenedBy
from workflows.messages.requests import Request
from workflows.messages.stages import Stopped
from workflows.rules.identity import case_id as id_of
from workflows.rules.identity import workflow_name

_PAGE: Final = 100
_ASKED_AT_ONCE: Final = 10
Found = TypeVar("Found")


@dataclass(frozen=True)
class Stranded:
    """An open case whose workflow does not run."""

    case_id: str
    why: Stopped
    opened_by: OpenedBy | None
    """What opened it; None where the book is from before requests were kept, so that it cannot be started anew."""


async def stranded(pool: asyncpg.Pool, runs: Runs, limit: int, among: Sequence[str] = ()) -> AsyncIterator[Stranded]:
    """Open cases whose workflow does not run, by their ids, ``limit`` at most. A paused one only waits, and is none.

    Of those ``among`` which are named, or of all.

    Temporal is asked for each by name, not by its lists, which are late.

    Raises:
        Unreachable: the database does not answer.
        RPCError: Temporal does not answer.
    """
    found = 0
    async for page in _pages(lambda connection, after: resuming.open_cases(connection, among, after, _PAGE), pool):
        for start in range(0, len(page), _ASKED_AT_ONCE):
            some = page[start : start + _ASKED_AT_ONCE]
            reasons = await asyncio.gather(*(_why(pool, runs, case_id) for case_id, _ in some))
            for (case_id, opened_by), why in zip(some, reasons, strict=True):
                if why is None:
                    continue
                yield Stranded(case_id, why, opened_by)
                found += 1
                if found == limit:
                    return


async def without_their_dispute(pool: asyncpg.Pool, runs: Runs, among: Sequence[str] = ()) -> AsyncIterator[str]:
    """Open cases that wait for the end of a dispute which nothing carries, and which is not open in the book (D8).

    The dispute has ended and could tell nobody, or was stopped before it was written down. One that is open in the book
    is among the ``stranded``: it is started anew, and tells its case itself. Errors as there.
    """
    async for page in _pages(
        lambda connection, after: resuming.waiting_for_disputes(connection, among, after, _PAGE), pool
    ):
        for case_id, dispute in page:
            if await runs.status(dispute) != Status.WORKFLOW_EXECUTION_STATUS_RUNNING:
                yield case_id


async def _pages(
    read: Callable[[Connection, str], Awaitable[Sequence[tuple[str, Found]]]], pool: asyncpg.Pool
) -> AsyncIterator[Sequence[tuple[str, Found]]]:
    """What ``read`` finds behind a case id, page by page; no connection is held meanwhile."""
    after = ""
    while True:
        async with reading(pool) as connection:
            page = await read(connection, after)
        yield page
        if len(page) < _PAGE:
            return
        after, _ = page[-1]


async def _why(pool: asyncpg.Pool, runs: Runs, case_id: str) -> Stopped | None:
    """Why nothing carries an open case; None where something does."""
    status = await runs.status(case_id)
    if status == Status.WORKFLOW_EXECUTION_STATUS_COMPLETED:
        async with reading(pool) as connection:  # a case ends in its book first: it may have, since the page was read
            return Stopped.ENDED if await resuming.is_open(connection, case_id) else None
    why = stopped_by(status)
    return None if why is Stopped.PAUSED else why


async def start_anew(temporal: Client, task_queue: str, case: Stranded) -> bool:
    """Start the case again; False where it cannot be, or runs already.

    Its commands that were carried out are answered by their keys; its deadline is the book's; what was being paid is
    asked about before anything is sent.

    Raises:
        RPCError: Temporal does not answer.
    """
    if case.opened_by is None:
        return False
    return await started(temporal, task_queue, case.opened_by.request, case.case_id)


async def started(
    temporal: Client, task_queue: str, request: Request, case_id: str | None = None, *, begins: datetime | None = None
) -> bool:
    """Start the workflow of a request, at once or when it ``begins``; False where it runs already.

    Raises:
        RPCError: Temporal does not answer.
    """
    delay = begins - datetime.now(UTC) if begins else timedelta(0)
    try:
        await temporal.start_workflow(
            workflow_name(request),
            request,
            id=case_id or id_of(request),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=at_start.foreseen(request, None),
            static_summary=at_start.summary(request, None),
            static_details=at_start.details(request),
            priority=of_merchant(request.merchant_id),
            start_delay=max(delay, timedelta(0)) or None,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
