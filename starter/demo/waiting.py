"""Waiting for a case that is played: until it only waits itself, or has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from temporalio.client import WorkflowExecutionStatus

from starter.client import Case
from starter.errors import Unreachable
from workflows.kinds.stage import PASSING
from workflows.messages.cases import CaseView

PATIENCE: Final = 30
"""Real seconds that something may take."""
TOOK_TOO_LONG: Final = "took too long"
"""How a report begins to tell of cases that were not played to their end in time, which says nothing of their rules."""
_POLL: Final = 0.02

_Seen = TypeVar("_Seen")


class NothingHappened(Exception):  # noqa: N818 -- it says what is known
    """What was waited for did not come about in time."""


async def quiet(case: Case) -> CaseView | None:
    """A case once it only waits, for a command, the gateway or its clock; None once it has ended.

    One that has ended is not asked: its worker would have to go through all of its history for the answer.
    """

    async def look() -> tuple[bool, CaseView | None]:
        described = await case.handle.describe()
        raw = described.raw_description
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return True, None
        if raw.HasField("pending_workflow_task") or raw.pending_activities:
            return False, None
        try:
            view = await case.view()
        except Unreachable:  # it begins at this moment
            return False, None
        return view.stage not in PASSING and view.outcome is None, view

    _, view = await until(look, lambda seen: seen[0])
    return view


async def has_ended(case: Case) -> bool:
    """Whether it has come to an end, whatever it is."""
    return (await case.handle.describe()).status is not WorkflowExecutionStatus.RUNNING


async def until(look: Callable[[], Awaitable[_Seen]], good: Callable[[_Seen], bool]) -> _Seen:
    """Look until it is good.

    Raises:
        NothingHappened: it is not good in time.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not good(seen := await look()):
        if asyncio.get_running_loop().time() > deadline:
            raise NothingHappened(f"not within {PATIENCE} s; seen last: {seen}")
        await asyncio.sleep(_POLL)
    return seen
