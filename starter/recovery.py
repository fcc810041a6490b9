"""Open cases that no workflow carries any more, started anew: each goes on where its book stands (section 11)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.postgres import resuming
from starter.database import reading
from starter.priorities import of_merchant
from starter.running import Runs, stopped_by
from workflows import visibility
from workflows.messages.cases import OpenedBy
from workflows.messages.stages import Stopped
from workflows.rules.identity import workflow_name

_PAGE: Final = 100
_ASKED_AT_ONCE: Final = 10


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
    after, found = "", 0
    while True:
        async with reading(pool) as connection:
            page = await resuming.open_cases(connection, among, after, _PAGE)
        for start in range(0, len(page), _ASKED_AT_ONCE):
            some = page[start : start + _ASKED_AT_ONCE]
            statuses = await asyncio.gather(*(runs.status(case_id) for case_id, _ in some))
            for (case_id, opened_by), status in zip(some, statuses, strict=True):
                why = stopped_by(status)
                if why is None or why is Stopped.PAUSED:
                    continue
                yield Stranded(case_id, why, opened_by)
                found += 1
                if found == limit:
                    return
        if len(page) < _PAGE:
            return
        after = page[-1][0]


async def start_anew(temporal: Client, task_queue: str, case: Stranded) -> bool:
    """Start the case again; False where it cannot be, or runs already.

    Its commands that were carried out are answered by their keys; its deadline is the book's; what was being paid is
    asked about before anything is sent.

    Raises:
        RPCError: Temporal does not answer.
    """
    if case.opened_by is None:
        return False
    request = case.opened_by.request
    try:
        await temporal.start_workflow(
            workflow_name(request),
            request,
            id=case.case_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=visibility.foreseen(request, None),
            static_summary=visibility.summary(request, None),
            static_details=visibility.details(request),
            priority=of_merchant(request.merchant_id),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
