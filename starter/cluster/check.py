"""What must be true after a roll, looked up in each book: the case book, ours, the gateway's, and Temporal's."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio.api.enums.v1 import EventType, VersioningBehavior, WorkflowTaskFailedCause

from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres.books import BookLine, side_by_side
from starter.cluster.load import Life
from starter.cluster.processes import LOOK_SECONDS, Ending, WorkerProcess
from starter.cluster.roll import BadRelease
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Message
from workflows.messages.money import Minor
from workflows.messages.payouts import PaidBy
from workflows.rules.allocation import refund_number

_AT_A_TIME: Final = 8
_LATER: Final = timedelta(days=30)
"""After the virtual end of each case that silence decided."""
_NOTICE_SECONDS: Final = 20
_OVERTAKEN: Final = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
"""Something came for the case while its task ended it: the server has the task done again. No code has failed."""


class Tasks(Message):
    """The workflow tasks of all cases together."""

    completed: int
    failed: int
    """With the release that was undone, or for a fault of ours."""
    overtaken: int
    """Done again because something came for the case meanwhile."""
    timed_out: int
    """Done again because the worker that had them was gone."""


class MoneyPaid(Message):
    """What was paid by each book, in minor units."""

    cases: Minor
    """By the cases' outcomes."""
    ledger: Minor
    gateway: Minor
    refunds: int
    """How many refund numbers the gateway has for these cases."""


@dataclass
class Told:
    """What Temporal's histories tell."""

    tasks: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    """Failed workflow tasks by case. The server writes the first of several in a row down, and no more."""
    builds: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By case: the versions that have carried it, in order."""
    again: int = 0
    """Activities that took more than one attempt."""

    def report(self) -> Tasks:
        """The numbers."""
        names = ("completed", "failed", "overtaken", "timed_out")
        return Tasks.model_validate({name: self.tasks[name] for name in names})


async def histories(lives: Sequence[Life]) -> Told:
    """Read the history of each case.

    Raises:
        RPCError: Temporal does not answer.
    """
    told = Told()
    places = asyncio.Semaphore(_AT_A_TIME)

    async def read(life: Life) -> None:
        if life.case is None:
            return
        async with places:
            history = await life.case.handle.fetch_history()
        builds: dict[str, None] = {}
        for event in history.events:
            match event.event_type:
                case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                    told.tasks["completed"] += 1
                    done = event.workflow_task_completed_event_attributes
                    # A task with nothing new for the workflow is completed without it, and says nothing of behaviour.
                    moves = done.versioning_behavior == VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE
                    builds[done.deployment_version.build_id + (" (not pinned)" if moves else "")] = None
                case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                    cause = event.workflow_task_failed_event_attributes.cause
                    told.tasks["overtaken" if cause == _OVERTAKEN else "failed"] += 1
                    told.failed[life.case.id] += cause != _OVERTAKEN
                case EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
                    told.tasks["timed_out"] += 1
                case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                    told.again += event.activity_task_started_event_attributes.attempt > 1
                case _:
                    pass
        told.builds[life.case.id] = tuple(builds)

    await asyncio.gather(*map(read, lives))
    return told


def on_versions(builds: Mapping[str, tuple[str, ...]], known: Sequence[str], moved: tuple[str, str]) -> tuple[str, ...]:
    """Cases that were not carried by exactly the version that they began on, and versions without a case.

    Cases that began on the first of ``moved``, which is not among the ``known``, may have been moved to the second.
    """
    known = (*known, moved[0])
    found = [
        f"{case}: carried by {' and '.join(each or '(no version)' for each in those) or 'nobody'}"
        for case, those in builds.items()
        if those != moved and (len(those) != 1 or those[0] not in known)
    ]
    begun = {those[0] for those in builds.values() if those}
    return (*found, *(f"no case began on {build}" for build in known if build not in begun))


def noticed(bad: BadRelease, within: float) -> tuple[str, ...]:
    """Whether it took more than so many seconds until a bad release was named."""
    if bad.seconds <= within:
        return ()
    return (f"{bad.named_by} named {bad.build} after {bad.seconds:.0f} s, more than {within:.0f}",)


async def case_book(pool: asyncpg.Pool, lives: Sequence[Life]) -> tuple[str, ...]:
    """Where the case book says something else than the outcome, or a log has a gap (section 12).

    Raises:
        OSError, asyncpg.PostgresError: the database does not answer.
    """
    ended = {life.case.id: life.outcome.outcome for life in lives if life.case and life.outcome}
    rows = await pool.fetch(
        """
        SELECT case_id, cases.outcome, cases.log_length, array_agg(position ORDER BY position) AS positions
        FROM casebook.cases JOIN casebook.log USING (case_id)
        WHERE case_id = ANY($1) GROUP BY case_id
        """,
        list(ended),
    )
    return written({row["case_id"]: (row["outcome"], row["log_length"], row["positions"]) for row in rows}, ended)


def written(rows: Mapping[str, tuple[str | None, int, list[int]]], ended: Mapping[str, str]) -> tuple[str, ...]:
    """The same, from each case's row (outcome, length of the log) with its log's positions."""
    found = [f"{case}: not in the case book" for case in ended if case not in rows]
    for case, (outcome, length, positions) in rows.items():
        if outcome != ended[case]:
            found.append(f"{case}: the case book says {outcome}")
        if positions != list(range(1, length + 1)):
            found.append(f"{case}: its log has the positions {positions} of 1 to {length}")
    return tuple(found)


async def money(pool: asyncpg.Pool, lives: Sequence[Life]) -> tuple[MoneyPaid, tuple[str, ...]]:
    """What was paid by each book, and each case that was not paid exactly once, or at all where it must not be.

    Raises:
        GatewayUnreachable: the gateway does not answer.
    """
    says = {
        life.case.id: life.outcome.refunded.amount if life.outcome and life.outcome.refunded else 0
        for life in lives
        if life.case
    }
    books = await side_by_side(pool, PaymentGatewayStub(pool), datetime.now(UTC) + _LATER)
    return paid_once(says, books.lines)


def paid_once(says: Mapping[str, Minor], lines: Iterable[BookLine]) -> tuple[MoneyPaid, tuple[str, ...]]:
    """The same, from the books' lines; ``says`` has what each case says it has paid back, in minor units."""
    # By number, not by case: what only the gateway's book has must not be overlooked.
    cases = {_stem(refund_number(case, 1, 1)): case for case in says}
    mine: dict[str, list[BookLine]] = {case: [] for case in says}
    for line in lines:
        if (case := cases.get(_stem(line.refund_no))) is not None:
            mine[case].append(line)
    found: list[str] = []
    for case, due in says.items():
        theirs = [line.theirs for line in mine[case] if line.their_result is GatewayResult.SUCCEEDED]
        ours = [line.ours for line in mine[case] if line.paid_by is PaidBy.GATEWAY]
        if not theirs == ours == ([due] if due else []):
            found.append(f"{case}: says it paid {due}; the gateway paid {theirs}, our ledger has {ours}")
    every = [line for those in mine.values() for line in those]
    paid = MoneyPaid(
        cases=sum(says.values()),
        ledger=sum(line.ours or 0 for line in every if line.paid_by is PaidBy.GATEWAY),
        gateway=sum(line.theirs or 0 for line in every if line.their_result is GatewayResult.SUCCEEDED),
        refunds=sum(line.theirs is not None for line in every),
    )
    return paid, tuple(found)


async def unsent_notices(pool: asyncpg.Pool, lives: Sequence[Life]) -> int:
    """How many notices of these cases are still unsent after the sender had time for them.

    Raises:
        OSError, asyncpg.PostgresError: the database does not answer.
    """
    cases = [life.case.id for life in lives if life.case]
    deadline = time.monotonic() + _NOTICE_SECONDS
    while True:
        unsent: int = await pool.fetchval(
            "SELECT count(*) FROM notices.outbox WHERE case_id = ANY($1) AND sent_at IS NULL", cases
        )
        if not unsent or time.monotonic() > deadline:
            return unsent
        await asyncio.sleep(LOOK_SECONDS)


def exits(workers: Iterable[WorkerProcess]) -> tuple[str, ...]:
    """Workers that have ended, but neither by being killed nor with exit code 0 after they were asked."""
    return tuple(
        f"the worker {each.name} ended with exit code {each.exit_code}"
        + ("" if each.ending else " though nobody had asked it to")
        for each in workers
        if each.exit_code is not None
        and each.ending is not Ending.KILLED
        and not (each.ending is Ending.DRAINED and each.exit_code == 0)
    )


def _stem(number: str) -> str:
    return number.split("-", maxsplit=1)[0]
