"""``aftersales whatif``: what would have happened under another version of a profile, or with a pause (G7)."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from activities.policies import PolicyError, profile_in
from activities.postgres.past_cases import Scope
from starter.commands import completion, wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, notes
from starter.commands.whatif_pages import report_page, side_document, side_page
from starter.connection import discover
from starter.database import answering
from starter.errors import UnknownCase
from starter.settings import load_settings
from starter.whatif.telling import Rules
from starter.whatif.trying import NotForTheseCasesError, Trial, side_by_side, tried
from workflows.messages.actors import officer
from workflows.messages.message import EARLIEST, LATEST
from workflows.messages.pauses import DeclarePause, PauseReason, PauseWindow
from workflows.messages.policy import Policy
from workflows.messages.stages import CaseKind

_TRIED_BY: Final = officer("whatif")


def whatif(
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The profile to try: a file as in AFTERSALES_POLICIES_DIR, with a version."),
    ] = None,
    pause: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM/UNTIL",
            help="A pause window to try (section 9): days or moments, Shanghai time without offset; several times.",
        ),
    ] = None,
    pause_kind: Annotated[
        list[CaseKind] | None, typer.Option(help="A kind of case that the windows are for; all where none is named.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Cases opened from this day or moment on. Needed without --story.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Cases opened before this day or moment. By default now.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Cases of this merchant only.")] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Cases of this kind only.")] = None,
    story: Annotated[
        str | None,
        typer.Option(
            metavar="CASE",
            help="Only this case: what happened, and what would have.",
            autocompletion=completion.case_ids,
        ),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=1000, help="Name so many cases that end otherwise.")] = 10,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="How many processes tell cases; by default one a processor."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Tell cases of the book again under another version of their profile: which end otherwise, whose money that is.

    Nothing is changed. Each case is first told under the rules that it had: one that does not come to what the book
    says is counted apart. The report says what it rests on; docs/what-if.md explains it.

    Examples: [cyan]aftersales whatif --policy douyin-2.toml --since 2026-01-01[/];
    [cyan]aftersales whatif --pause 2027-02-05/2027-02-12 --since 2026-01-01 --story refund/O-1/k-1[/]
    """
    if policy is None and not pause:
        raise UsageError("name what is to be tried: a profile by --policy, or a window by --pause", "--policy")
    if since is not None and story is not None:
        raise UsageError("is not for one case, which --story tells whenever it was opened", "--since")
    if since is None and story is None:
        raise UsageError("say from when on, or name one case by --story", "--since")
    now = datetime.now(UTC)
    scope = Scope(
        since=wording.moment_or_day(since, "--since") if since else EARLIEST,
        until=wording.moment_or_day(until, "--until") if until else (LATEST if story else now),
        merchant_id=merchant,
        kind=kind,
    )
    if scope.since >= scope.until:
        raise UsageError("must be before --until", "--since")
    rules = Rules(_profile(policy) if policy else None, _windows(pause or [], pause_kind or [*CaseKind], now))
    trial = Trial(scope, rules, told_until=now)
    url = discover(load_settings()).database_url
    try:
        with answering():
            if story:
                return asyncio.run(_story(url, trial, story, as_json))
            return asyncio.run(_report(url, trial, processes or os.cpu_count() or 1, examples, as_json))
    except NotForTheseCasesError as error:
        raise UsageError(str(error), "--policy") from None


async def _report(url: str, trial: Trial, processes: int, examples: int, as_json: bool) -> int:
    console = notes()
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} orders and allowances"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("told", total=None)
        report = await tried(
            url,
            trial,
            processes=processes,
            examples=examples,
            progress=lambda done: progress.update(task, completed=done),
        )
    answer(as_json, report, *report_page(report))
    return Exit.OK


async def _story(url: str, trial: Trial, case: str, as_json: bool) -> int:
    side = await side_by_side(url, trial, case)
    if side is None:
        raise UnknownCase(case)
    answer(as_json, side_document(side), *side_page(side))
    return Exit.OK


def _profile(file: Path) -> Policy:
    try:
        return profile_in(file)
    except PolicyError as error:
        raise UsageError(str(error), "--policy") from None


def _windows(stated: list[str], kinds: list[CaseKind], now: datetime) -> tuple[PauseWindow, ...]:
    return tuple(_window(number, text, kinds, now) for number, text in enumerate(stated, start=1))


def _window(number: int, text: str, kinds: list[CaseKind], now: datetime) -> PauseWindow:
    first, slash, last = text.partition("/")
    if not slash:
        raise UsageError("must be two moments or days with / between them, such as 2027-02-05/2027-02-12", "--pause")
    declaration = wording.built(
        DeclarePause,
        {
            "id": f"tried-{number}",
            "reason": PauseReason.OTHER,
            "kinds": kinds,
            "starts_at": wording.moment_or_day(first, "--pause").isoformat(),
            "ends_at": wording.moment_or_day(last, "--pause").isoformat(),
            "by": _TRIED_BY.model_dump(mode="json"),
        },
    )
    return PauseWindow(
        id=declaration.id,
        reason=declaration.reason,
        kinds=declaration.kinds,
        starts_at=declaration.starts_at,
        ends_at=declaration.ends_at,
        declared_by=declaration.by,
        declared_at=now,
    )
