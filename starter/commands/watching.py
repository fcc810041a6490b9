"""``aftersales watch``: a live work list (section 12)."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import asyncpg
import typer
from rich.text import Text

from activities.postgres.timelines import Stay
from activities.postgres.work_lists import WorkCounts, WorkPage, WorkQuery
from starter.client import Aftersales
from starter.commands import viewing, wording
from starter.commands.failures import describe
from starter.commands.printing import Json, answer, page_width
from starter.commands.reaching import service
from starter.commands.viewing import Known
from starter.commands.work_rows import age_of, in_print, printed
from workflows.messages.cases import LogEntry
from workflows.messages.stages import Attention, CaseKind, WorkList

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Written:
    """What the case book alone tells of a case: enough to read, when no worker answers for it."""

    log: tuple[LogEntry, ...]
    timeline: tuple[Stay, ...]
    zone: str | None = None
    """In whose time it is told (G6); None for Asia/Shanghai."""
    currency: str | None = None
    """Of its amounts."""


class Away(Exception):  # noqa: N818 -- named after what happened
    """A server does not answer, or answers otherwise than this release expects: it is worth asking again."""


class Desk:
    """What a board asks of the service: pages, counts, cases. Each may fail as ``Away``."""

    def __init__(self, aftersales: Aftersales) -> None:
        self._aftersales = aftersales

    async def page(self, query: WorkQuery) -> WorkPage:
        """The page of ``query`` behind its key, or the first one."""
        return await _asked(lambda: self._aftersales.work_list(query))

    async def counts(self, query: WorkQuery) -> WorkCounts:
        """How many cases of ``query`` are in each list, whichever of them it is about."""
        every_list = query.model_copy(update={"work_list": None})
        return await _asked(lambda: self._aftersales.work_counts(every_list))

    async def look(self, case_id: str) -> Known:
        """One case, as its workflow and the case book tell it."""
        return await _asked(lambda: viewing.look(self._aftersales, self._aftersales.case(case_id)))

    async def written(self, case_id: str) -> Written:
        """One case, as the case book alone tells it."""
        return await _asked(lambda: _written(self._aftersales, case_id))


async def _written(aftersales: Aftersales, case_id: str) -> Written:
    case = aftersales.case(case_id)
    log, timeline = tuple(await case.log()), tuple(await case.timeline())
    return Written(log, timeline, await aftersales.time_zone_of(case_id), await aftersales.currency_of(case_id))


_PATIENCE = 10
"""Seconds after which a board says that a server does not answer."""


async def _asked(question: Callable[[], Awaitable[ResultT]]) -> ResultT:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await question()
    except (asyncpg.InterfaceError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
        failure = describe(error)
        raise Away(failure.message if failure else "the database does not answer") from error
    except TimeoutError as error:
        raise Away(f"no answer within {_PATIENCE} s") from error
    except Exception as error:
        if failure := describe(error):
            raise Away(failure.message) from error
        raise


def watch(
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's cases.")] = None,
    work_list: Annotated[WorkList | None, typer.Option("--list", help="Begin with this list.")] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Only cases of this kind.")] = None,
    attention: Annotated[Attention | None, typer.Option(help="Only cases that need attention for this reason.")] = None,
    needs_attention: Annotated[
        bool, typer.Option("--needs-attention", help="Only cases that need attention, for whatever reason.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between two looks at the database.")] = 3,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Cases on a page.")] = 100,
    once: Annotated[bool, typer.Option("--once", help="Print the first page and end; so it is in a pipe.")] = False,
    as_json: Json = False,
) -> int:
    """A live work list: due times count down, colours by urgency, counts for each list; a case is one key away.

    Keys: up and down, j and k move; Enter opens a case, Esc closes it; left and right, or the digits, change the
    list; n and p turn the page; r looks again at once; q ends. Nothing can be changed here: act by
    [cyan]aftersales act[/].

    Example: [cyan]aftersales watch --merchant m-1[/]
    """
    fields = {
        "merchant_id": merchant,
        "work_list": work_list,
        "kind": kind,
        "attention": attention,
        "needs_attention": needs_attention,
        "limit": limit,
    }
    query = wording.built(WorkQuery, fields)
    plain = once or as_json or not (sys.stdout.isatty() and sys.stdin.isatty()) or os.environ.get("TERM") == "dumb"
    return asyncio.run(_print(query, as_json) if plain else _watch(query, every))


async def _print(query: WorkQuery, as_json: bool) -> int:
    async with service() as aftersales:
        desk = Desk(aftersales)
        page, counts = await desk.page(query), await desk.counts(query)
    shown = "  ".join(f"{in_print(name)} {number}" for name, number in sorted(counts.lists.items())) or "no cases"
    shown += age_of(counts, datetime.now(UTC))
    document = {"cases": page.items, "counts": counts.lists, "counted_at": counts.counted_at, "next": page.next}
    answer(as_json, document, printed(page.items, page_width(), datetime.now(UTC)), Text(shown, style="bold"))
    return 0


async def _watch(query: WorkQuery, every: float) -> int:
    # It loads a toolkit for terminals, which nothing else needs.
    from starter.commands.board import Board  # noqa: PLC0415

    async with service() as aftersales:
        return await Board(Desk(aftersales), query, every).ended()
