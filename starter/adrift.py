"""Running workflows that do not agree with the case book: one of the two was restored to an earlier moment."""

import asyncio
from collections.abc import AsyncIterator, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import asyncpg
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from activities.postgres import resuming
from activities.postgres.resuming import Reached
from starter import waiting
from starter.database import reading
from starter.running import Runs
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.stages import StageName
from workflows.rules.identity import case_it_is_about

_ASKED_AT_ONCE: Final = 10
_PATIENCE: Final = timedelta(seconds=10)
"""Not as long as a command waits: many may be asked of whom nobody carries."""
_ENDED: Final = ("Completed", "Failed", "Terminated", "TimedOut", "Canceled")
"""However a run has ended, it may have paid before that."""
_SOON: Final = 1.0
"""Seconds within which a case that has ended in its book ends in Temporal."""


class Why(StrEnum):
    """How a workflow and the case book differ."""

    NOT_IN_BOOK = "not_in_book"
    """It has opened its case, and the book does not have it."""
    BOOK_BEHIND = "book_behind"
    """It has taken steps that the book does not have."""
    ENDED_IN_BOOK = "ended_in_book"
    """The book has seen it end, and it goes on."""
    BOOK_AHEAD = "book_ahead"
    """The book has steps that it has forgotten."""
    UNANSWERED = "unanswered"
    """No worker has answered for it in time: how far it is, is not known."""

    @property
    def book_lacks(self) -> bool:
        """Whether Temporal has what the book has not: the book is written anew from it."""
        return self in {Why.NOT_IN_BOOK, Why.BOOK_BEHIND}


@dataclass(frozen=True)
class Adrift:
    """A case of which Temporal and the book do not tell the same."""

    case_id: str
    why: Why
    after: str | None = None
    """The case that this one is about, where the book lacks something of that too: it has to be written first."""


async def adrift(
    pool: asyncpg.Pool,
    temporal: Client,
    runs: Runs,
    among: Sequence[str] = (),
    *,
    compare: bool,
    since: datetime | None = None,
) -> AsyncIterator[Adrift]:
    """Running workflows without an open row in the book; with ``compare`` also those that are not as far as it.

    Those that are about another case come last: as long as the book lacks that one, they would be refused.

    Each of the first is asked, and with ``compare`` every one: a worker must run, and who is not answered for is told
    as such. With ``since``, the moment to which
    the book was restored, workflows that have ended after it are looked at too. Of those ``among`` which are named, or
    of all.

    Raises:
        Unreachable: the database does not answer.
        RPCError: Temporal does not answer.
    """
    found: set[str] = set()
    about_others: list[Adrift] = []
    async for each in _one_by_one(pool, temporal, runs, among, compare=compare, since=since):
        found.add(each.case_id)
        if each.why is Why.NOT_IN_BOOK and case_it_is_about(each.case_id):
            about_others.append(each)
        else:
            yield each
    for each in about_others:
        yield replace(each, after=await _to_be_written_first(pool, runs, each.case_id, found))


async def _to_be_written_first(pool: asyncpg.Pool, runs: Runs, case_id: str, found: Container[str]) -> str | None:
    about = case_it_is_about(case_id)
    if about is None or about in found:
        return about
    async with reading(pool) as connection:
        known = (await resuming.reached(connection, [about])).get(about)
    if known is None:
        return about
    ended = await runs.status(about) == Status.WORKFLOW_EXECUTION_STATUS_COMPLETED
    return about if ended and not known.closed else None


async def _one_by_one(
    pool: asyncpg.Pool,
    temporal: Client,
    runs: Runs,
    among: Sequence[str],
    *,
    compare: bool,
    since: datetime | None,
) -> AsyncIterator[Adrift]:
    quoted = ", ".join(f'"{each}"' for each in among)
    cases = f"CaseStage IS NOT NULL AND WorkflowId IN ({quoted})" if among else "CaseStage IS NOT NULL"
    async for page in runs.pages(f'{cases} AND ExecutionStatus = "Running"'):
        async with reading(pool) as connection:
            known = await resuming.reached(connection, page)
        asked = page if compare else [each for each in page if each not in known or known[each].closed]
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[start : start + _ASKED_AT_ONCE]
            for found in await asyncio.gather(*(_running(pool, temporal, each, known.get(each)) for each in some)):
                if found:
                    yield found
    if since is None:
        return
    ended = ", ".join(f'"{each}"' for each in _ENDED)
    looked_at: set[str] = set()  # a case may have several runs
    async for page in runs.pages(f'{cases} AND ExecutionStatus IN ({ended}) AND CloseTime > "{since.isoformat()}"'):
        async with reading(pool) as connection:
            known = await resuming.reached(connection, page)
        for each in page:
            if each in known or each in looked_at:
                continue
            looked_at.add(each)
            if found := await _ended(pool, temporal, runs, each):
                yield found


async def _ended(pool: asyncpg.Pool, temporal: Client, runs: Runs, case_id: str) -> Adrift | None:
    """A case that the book does not have, and of which a run has ended; another may run by now."""
    if await runs.status(case_id) == Status.WORKFLOW_EXECUTION_STATUS_RUNNING:
        return await _running(pool, temporal, case_id, None)
    try:
        return Adrift(case_id, Why.NOT_IN_BOOK) if await _had_opened(temporal, case_id) else None
    except TimeoutError:
        return Adrift(case_id, Why.UNANSWERED)


async def _running(pool: asyncpg.Pool, temporal: Client, case_id: str, before: Reached | None) -> Adrift | None:
    try:
        return await _compared(pool, temporal, case_id, before)
    except TimeoutError:
        return Adrift(case_id, Why.UNANSWERED)


async def _compared(pool: asyncpg.Pool, temporal: Client, case_id: str, before: Reached | None) -> Adrift | None:
    view = await _view(temporal, case_id)
    if view is None or view.stage is StageName.OPENING:
        return None
    # The book was read before the workflow was asked: where they differ, it is read again.
    if (why := _differ(before, view)) is not None:
        await asyncio.sleep(_SOON)
        async with reading(pool) as connection:
            now = (await resuming.reached(connection, [case_id])).get(case_id)
        view = await _view(temporal, case_id)
        why = _differ(now, view) if view else None
    return Adrift(case_id, why) if why else None


def _differ(book: Reached | None, view: CaseView) -> Why | None:
    if book is None:
        return Why.NOT_IN_BOOK
    if book.closed:
        return Why.ENDED_IN_BOOK if view.stage is not StageName.CLOSED else None
    if view.steps == book.steps:
        return None
    return Why.BOOK_BEHIND if view.steps > book.steps else Why.BOOK_AHEAD


async def _view(temporal: Client, case_id: str) -> CaseView | None:
    """The case as its workflow has it; None where it has not begun, or has gone.

    Raises:
        TimeoutError: no worker answers.
    """
    handle = temporal.get_workflow_handle(case_id)
    try:
        return await waiting.look(handle, CaseView, patience=_PATIENCE)
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None
    except RPCError as error:
        if error.status in waiting.NO_ANSWER:
            raise TimeoutError from error
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
            return None
        raise


async def _had_opened(temporal: Client, case_id: str) -> bool:
    """Whether a workflow that has ended, however that came about, had opened its case.

    Raises:
        TimeoutError: no worker answers.
    """
    try:
        # Of one that has begun again meanwhile the SDK would wait for the end.
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            outcome = await temporal.get_workflow_handle(case_id, result_type=Outcome).result()
    except WorkflowFailureError:
        view = await _view(temporal, case_id)
        return view is not None and view.stage is not StageName.OPENING
    return outcome.kind is not None
