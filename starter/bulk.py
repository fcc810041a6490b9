"""One command to many cases, as an operator sends it: found by a query, at a bounded rate, each with its answer.

Under the same name a case is acted on once, however often the whole is started (sections 11 and 12).
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.client import Aftersales
from starter.errors import RefusedCommand, UnknownCase, Unreachable
from workflows.kinds.admission import accepted
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import Command
from workflows.messages.stages import StageName

AT_A_TIME: Final = 20
"""Commands that wait for their answer at most: a slow server slows the whole down instead of being flooded."""

PAGE: Final = 500


class TooMany(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The query finds more cases than are to be acted on."""


class Came(StrEnum):
    """What came of a command."""

    DONE = "done"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """Perhaps obeyed: sent again under the same name, it is the same command."""


@dataclass(frozen=True)
class Answered:
    """What one case answered."""

    case_id: str
    stood: StageName
    """Where it stood when it was found."""
    came: Came
    stands: StageName | None = None
    refusal: Refusal | None = None


async def find(aftersales: Aftersales, query: WorkQuery, *, most: int) -> list[WorkItem]:
    """All open cases of ``query``, the most urgent first.

    Raises:
        TooMany: there are more than ``most``.
    """
    found: list[WorkItem] = []
    key: str | None = None
    while True:
        page = await aftersales.work_list(query.model_copy(update={"after": key, "limit": PAGE}))
        found += page.items
        if len(found) > most:
            raise TooMany(f"more than {most} cases are found")
        if (key := page.next) is None:
            return found


def takes(item: WorkItem, command: Command) -> bool:
    """Whether the stage in which the case was found takes this command from this role."""
    stage = STAGES.get(item.stage)  # None where a newer release has added it
    return stage is not None and command.by.role in accepted(stage, item.kind).get(type(command), frozenset[Role]())


def key_of(name: str, case_id: str) -> str:
    """The command's key for one case of the bulk operation ``name``."""
    return f"bulk-{hashlib.sha256(f'{name} {case_id}'.encode()).hexdigest()[:32]}"


async def act_on(
    aftersales: Aftersales,
    commands: Sequence[tuple[WorkItem, Command]],
    *,
    per_second: float,
    told: Callable[[Answered], None],
) -> Counter[Came]:
    """Send each case its command, so many a second at most.

    ``told`` hears each answer as it comes.
    """
    room = asyncio.Semaphore(AT_A_TIME)
    counted = Counter[Came]()

    async def one(item: WorkItem, command: Command) -> None:
        try:
            answered = await _act(aftersales, item, command)
        finally:
            room.release()
        counted[answered.came] += 1
        told(answered)

    async with asyncio.TaskGroup() as group:
        for item, command in commands:
            await room.acquire()
            group.create_task(one(item, command))
            await asyncio.sleep(1 / per_second)
    return counted


async def _act(aftersales: Aftersales, item: WorkItem, command: Command) -> Answered:
    try:
        view = await aftersales.case(item.case_id).act(command)
    except RefusedCommand as refused:
        return Answered(item.case_id, item.stage, Came.REFUSED, refusal=refused.refusal)
    except UnknownCase:
        gone = Refusal(code="unknown_case", field="case", rule="section 12", explanation="Temporal has no such case")
        return Answered(item.case_id, item.stage, Came.REFUSED, refusal=gone)
    except Unreachable:
        return Answered(item.case_id, item.stage, Came.UNANSWERED)
    return Answered(item.case_id, item.stage, Came.DONE, stands=view.stage)
