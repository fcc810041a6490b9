"""Trying rules on the cases of a book: page by page, in several processes, with a bounded amount in memory (G7)."""

import asyncio
import gc
import multiprocessing
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg

from activities.postgres import past_cases, pauses
from activities.postgres.connecting import connect
from activities.postgres.past_cases import PastCase, PastStory, Scope
from starter.whatif.comparing import ComparedStory, compared, why_not_the_same
from starter.whatif.report import Asked, Report, Totals
from starter.whatif.telling import (
    AS_THEY_WERE,
    IN_THE_ARCHIVE,
    CannotBeToldError,
    Declared,
    Rules,
    ToldAgain,
    told_again,
)
from workflows.messages.pauses import DeclareExemption

_PAGE: Final = 100
"""Orders that a process tells at a time."""
_AHEAD: Final = 3
"""Pages a process has waiting at most."""


class NotForTheseCasesError(Exception):
    """The profile cannot be tried on what was asked for; the text says why."""


@dataclass(frozen=True)
class Trial:
    """What is tried, on which cases."""

    scope: Scope
    rules: Rules
    told_until: datetime
    declared: Declared = field(default_factory=Declared)


@dataclass(frozen=True)
class Side:
    """One case told under the rules that it had, and under those that are tried."""

    case: PastCase
    was: ToldAgain | None
    """None where it cannot be told again."""
    would: ToldAgain | None
    compared: ComparedStory


async def tried(url: str, trial: Trial, *, processes: int, examples: int, progress: Callable[[int], None]) -> Report:
    """Try rules on the cases of a scope.

    Args:
        url: The database.
        trial: What is tried.
        processes: How many tell at the same time; 1 for this one alone.
        examples: How many cases that end otherwise are named.
        progress: Told after each page how many orders and allowances are done.

    Raises:
        NotForTheseCasesError: no case of the scope goes by the profile, or its version is taken.
    """
    async with _reading(url) as connection:
        others = await _fits(connection, trial)
        trial = Trial(trial.scope, trial.rules, trial.told_until, await declared(connection))
        totals, done = Totals(examples), 0
        async with _tellers(url, trial, processes) as tell:
            under_way: set[asyncio.Future[list[ComparedStory]]] = set()
            for column in ("order_no", "allowance_id"):
                after = ""
                while page := await past_cases.subjects(connection, trial.scope, column, after, _PAGE):
                    after = page[-1]
                    under_way.add(tell(column, page))
                    if len(under_way) >= processes * _AHEAD:
                        finished, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                        for each in finished:
                            totals.add(each.result())
                    done += len(page)
                    progress(done)
            for each in under_way:
                totals.add(await each)
    policy = trial.rules.policy
    asked = Asked(
        profile=f"{policy.name}/{policy.version}" if policy else None,
        pauses=tuple(f"{each.starts_at.isoformat()}/{each.ends_at.isoformat()}" for each in trial.rules.pauses),
        since=trial.scope.since,
        until=trial.scope.until,
        told_until=trial.told_until,
        other_profiles=others,
    )
    return totals.report(asked)


async def side_by_side(url: str, trial: Trial, case_id: str) -> Side | None:
    """One case under both rules; None where the book does not have it. Its scope is the case itself.

    Raises:
        NotForTheseCasesError: the case goes by another profile.
    """
    async with _reading(url) as connection:
        found = await past_cases.subject_of(connection, case_id)
        if found is None:
            return None
        column, subject = found
        (story,) = await past_cases.stories(connection, column, [subject])
        trial = Trial(trial.scope, trial.rules, trial.told_until, await declared(connection))
    case = next((each for each in story.cases if each.case_id == case_id), None)
    if case is None:
        raise NotForTheseCasesError(f"{case_id} is in the archive alone: restore its month first")
    if not _tries(trial, case):
        raise NotForTheseCasesError(f"{case_id} goes by {_policy_of(case)}")
    try:
        was = told_again(story, trial.declared, AS_THEY_WERE, trial.told_until)
        would = told_again(story, trial.declared, trial.rules, trial.told_until)
    except CannotBeToldError as error:
        return Side(case, None, None, ComparedStory(cannot=str(error), named=(case_id,)))
    cannot = why_not_the_same(story, was)
    named = (case_id,) if cannot else ()
    return Side(case, was, would, ComparedStory((compared(story, case, was, would),), cannot, named))


async def declared(connection: asyncpg.Connection) -> Declared:
    """All that the platform has declared."""
    windows = await pauses.list_pauses(connection, limit=10_000)
    exemptions = await pauses.all_exemptions(connection)
    return Declared(
        windows,
        {
            each.id: DeclareExemption.made_of(
                id=each.id,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                by=each.declared_by,
                reason=each.reason,
                merchants=each.merchants,
            )
            for each in exemptions
        },
    )


def told_under_both(trial: Trial, stories: Sequence[PastStory]) -> list[ComparedStory]:
    """What these stories come to."""
    return [found for story in stories if (found := _told_under_both(trial, story)) is not None]


def _told_under_both(trial: Trial, story: PastStory) -> ComparedStory | None:
    if not story.cases:
        return ComparedStory(cannot=IN_THE_ARCHIVE, named=story.away)
    asked = [case for case in story.cases if _in_scope(trial.scope, case) and _tries(trial, case)]
    if not asked:
        return None
    named = (*(case.case_id for case in asked), *story.away)
    try:
        was = told_again(story, trial.declared, AS_THEY_WERE, trial.told_until)
        if why := why_not_the_same(story, was):
            return ComparedStory(cannot=why, named=named)
        would = told_again(story, trial.declared, trial.rules, trial.told_until)
    except CannotBeToldError as error:
        return ComparedStory(cannot=str(error), named=named)
    except Exception as error:  # one story that fails says nothing of the others
        return ComparedStory(cannot=f"it fails: {type(error).__name__}", named=named)
    return ComparedStory(tuple(compared(story, case, was, would) for case in asked))


def _in_scope(scope: Scope, case: PastCase) -> bool:
    return (
        scope.since <= case.opened_at < scope.until
        and scope.merchant_id in (None, case.merchant_id)
        and scope.kind in (None, case.kind)
    )


def _tries(trial: Trial, case: PastCase) -> bool:
    tried_on, policy = trial.rules.policy, case.opened.policy
    return tried_on is None or (policy is not None and policy.name == tried_on.name)


def _policy_of(case: PastCase) -> str:
    policy = case.opened.policy
    return f"{policy.name}/{policy.version}" if policy else "no profile"


async def _fits(connection: asyncpg.Connection, trial: Trial) -> dict[str, int]:
    """The profiles of the scope on which nothing is tried, with the number of their cases."""
    found, policy = await past_cases.policies_in(connection, trial.scope), trial.rules.policy
    if policy is None:
        return {}
    others = {name: cases for name, cases in found.items() if name.partition("/")[0] != policy.name}
    if len(others) == len(found):
        there = ", ".join(found) if found else "there are no cases"
        raise NotForTheseCasesError(f"no case of that time goes by the profile {policy.name}: {there}")
    kept = await past_cases.profile_of(connection, policy.name, policy.version)
    if kept is not None and kept != policy:
        changed = ", ".join(_differing(kept.model_dump(), policy.model_dump()))
        raise NotForTheseCasesError(
            f"cases go by {policy.name}/{policy.version} with another {changed}: a version never changes, "
            "give the file the next one (section 2)"
        )
    return others


def _differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


# Processes ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _reading(url: str) -> AsyncGenerator[asyncpg.Connection]:
    """A connection that can only read."""
    connection = await connect(url)
    try:
        await connection.execute("SET default_transaction_read_only = on")
        yield connection
    finally:
        await connection.close()


async def _page(url: str, trial: Trial, column: str, ids: Sequence[str]) -> list[ComparedStory]:
    async with _reading(url) as connection:
        stories = await past_cases.stories(connection, column, ids)
    return told_under_both(trial, stories)


_Tell = Callable[[str, Sequence[str]], "asyncio.Future[list[ComparedStory]]"]


@asynccontextmanager
async def _tellers(url: str, trial: Trial, processes: int) -> AsyncGenerator[_Tell]:
    """Whoever tells a page: this process, or others."""
    if processes == 1:
        yield lambda column, ids: asyncio.ensure_future(_page(url, trial, column, ids))
        return
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(url, trial))
    try:
        yield lambda column, ids: asyncio.wrap_future(_submitted(executor, column, ids))
    finally:
        executor.shutdown(cancel_futures=True)


def _submitted(executor: ProcessPoolExecutor, column: str, ids: Sequence[str]) -> Future[list[ComparedStory]]:
    return executor.submit(_tell_page, column, ids)


_given: tuple[str, Trial] | None = None
"""What a process of the pool tells."""


def _begin(url: str, trial: Trial) -> None:
    global _given  # noqa: PLW0603 -- a process of the pool is told once
    _given = (url, trial)
    # What is made for a story is let go with it: to look for garbage all the time takes a fifth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _tell_page(column: str, ids: Sequence[str]) -> list[ComparedStory]:
    if _given is None:
        raise RuntimeError("the process was not begun")
    url, trial = _given
    return asyncio.run(_page(url, trial, column, ids))
