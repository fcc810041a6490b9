"""``aftersales recover``: open cases that nothing carries, or that Temporal and the case book tell differently of."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from temporalio.service import RPCError

from activities.policies import Policies
from starter.adrift import Adrift, Why, adrift
from starter.client import Aftersales
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, notes
from starter.commands.reaching import service
from starter.errors import AftersalesError
from starter.pace import Pace
from starter.promises import announce, promised
from starter.recovery import stranded, without_their_dispute
from starter.resetting import begun_again, current_version, on_old_versions
from starter.settings import Settings, load_settings
from workflows.messages.actors import officer
from workflows.messages.commands import LookAtBook
from workflows.messages.stages import Stopped

_AT_A_TIME: Final = 10
_SHOWN: Final = 1000
_OLD_VERSION: Final = "old_version"
_DISPUTE_GONE: Final = "dispute_gone"

Remedy = Callable[[], Awaitable[bool]]
"""Carries the case on; False where it cannot."""


@dataclass(frozen=True)
class Found:
    """One workflow to be seen to."""

    workflow_id: str
    why: str
    remedy: str
    """What is done with ``--start``."""
    carry_out: Remedy | None
    """None where another option, or a person, is needed."""


@dataclass
class Report:
    """What was found, and what became of it."""

    found: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Each case, why it is in this list, and what its remedy is."""
    done: int = 0
    left: list[str] = field(default_factory=list[str])
    """Cases that could not be seen to: the book does not have what opened them, or they run again by now."""
    seconds: float = 0.0
    broken_off: bool = False
    """Somebody has stopped it: what is missing is found again by the same command."""

    @property
    def per_second(self) -> float:
        """How many a second."""
        return round(self.done / self.seconds, 1) if self.seconds else 0.0


@dataclass(frozen=True)
class Options:
    """What is looked for, and how fast it is seen to."""

    cases: tuple[str, ...]
    start: bool
    limit: int
    rate: float
    announce: bool
    compare: bool
    rebuild: bool
    since: datetime | None
    move: bool
    build: str | None
    deployment: str | None


def recover(
    cases: Annotated[list[str] | None, typer.Argument(help="Only these cases.")] = None,
    start: Annotated[bool, typer.Option("--start", help="See to them; else they are only listed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100_000,
    rate: Annotated[float, typer.Option(min=0.1, help="At most so many a second.")] = 20.0,
    promises: Annotated[
        bool, typer.Option("--announce", help="Also what has no case yet: expiries, late shipments, virtual numbers.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also ask each running case how far it is: one of the two was restored.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write into the case book what it lacks and Temporal has. Compares.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="To which moment the book was restored."),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Instead: open cases of older versions of the workers, to the current one.")
    ] = False,
    build: Annotated[str | None, typer.Option(help="Of --move: only those of this version.")] = None,
    deployment: Annotated[str | None, typer.Option(help="Of --move: whose versions. By default the settings'.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where each case is written down as it is seen to.")] = None,
    as_json: Json = False,
) -> int:
    """Open cases that no workflow carries: terminated, failed, ended without their book, deleted, or lost.

    And running workflows without an open row in the case book. Each case goes on where its book stands. It can be
    broken off and repeated: what runs is passed over. Exit code 1 where cases are left.

    Example: [cyan]aftersales recover --start --rate 50[/]
    """
    options = Options(
        cases=tuple(cases or ()),
        start=start,
        limit=limit,
        rate=rate,
        announce=promises,
        compare=compare or rebuild,
        rebuild=rebuild,
        since=since,
        move=move,
        build=build,
        deployment=deployment,
    )
    done = asyncio.run(_recover(options, report))
    answer(as_json, _document(done), _page(done, start=start))
    left = done.left if start else done.found
    return Exit.NO if left or done.broken_off else Exit.OK


async def _recover(options: Options, kept: Path | None) -> Report:
    report, settings = Report(), load_settings()
    lines = kept.open("a", encoding="utf-8") if kept else nullcontext()
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with lines as out, Progress(*columns, console=notes(), transient=True) as progress:
        bar = progress.add_task("carried on" if options.start else "found")
        begun, room = time.monotonic(), asyncio.Semaphore(_AT_A_TIME)
        pace = Pace(options.rate)  # to look at what runs takes long, and the rate counts for what is begun afterwards

        async def see_to(found: Found) -> None:
            try:
                done = bool(found.carry_out) and await _carried_out(found)
            finally:
                room.release()
            report.seconds = time.monotonic() - begun
            if done:
                report.done += 1
            else:
                report.left.append(found.workflow_id)
            if out:
                out.write(json.dumps({"case_id": found.workflow_id, "why": found.why, "done": done}) + "\n")
                out.flush()
            progress.advance(bar)

        tasks: set[asyncio.Task[None]] = set()
        try:
            async with service() as aftersales:
                async for found in _found(aftersales, settings, options):
                    line = {"case_id": found.workflow_id, "why": found.why, "remedy": found.remedy}
                    report.found.append(line)
                    if not options.start:
                        progress.advance(bar)
                        continue
                    await pace.turn()
                    await room.acquire()
                    task = asyncio.create_task(see_to(found))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            report.broken_off = True
        finally:
            for task in tasks:
                task.cancel()
    return report


async def _carried_out(found: Found) -> bool:
    try:
        return bool(found.carry_out) and await found.carry_out()
    except (AftersalesError, RPCError) as error:
        notes().print(f"{found.workflow_id}: {type(error).__name__}: {error}")
        return False


async def _found(aftersales: Aftersales, settings: Settings, options: Options) -> AsyncIterator[Found]:
    count = 0
    async for each in _moves(aftersales, settings, options) if options.move else _losses(aftersales, settings, options):
        if options.cases and each.workflow_id not in options.cases:
            continue
        yield each
        count += 1
        if count == options.limit:
            return


async def _losses(aftersales: Aftersales, settings: Settings, options: Options) -> AsyncIterator[Found]:
    """First what of the two tells less, so that nothing is started anew that is written anew."""
    seen: set[str] = set()
    temporal, runs = aftersales.temporal, aftersales.runs
    if options.compare or not options.cases:
        pool, among = aftersales.pool, options.cases
        async for differs in adrift(pool, temporal, runs, among, compare=options.compare, since=options.since):
            seen.add(differs.case_id)
            yield _adrift(aftersales, differs, rebuild=options.rebuild)
    async for case in stranded(aftersales.pool, runs, options.limit, options.cases):
        if case.case_id in seen:
            continue
        seen.add(case.case_id)
        if case.why is Stopped.ENDED and options.rebuild:
            yield Found(case.case_id, case.why, "rebuild", _again(aftersales, case.case_id))
        else:
            # Bound now: the name is another case's by the time at which it is called.
            yield Found(case.case_id, case.why, "start", lambda case=case: aftersales.take_up(case))
    async for case_id in without_their_dispute(aftersales.pool, runs, options.cases):
        if case_id not in seen:  # one that is started anew looks for its dispute itself
            yield Found(case_id, _DISPUTE_GONE, "look_at_book", _look(aftersales, case_id))
    if options.announce:
        policies = Policies(settings.policies_dir)
        async for promise in promised(aftersales.pool, policies, runs, options.limit):
            yield Found(
                promise.workflow_id,
                promise.why,
                "announce",
                lambda promise=promise: announce(temporal, settings.task_queue, promise),
            )


def _adrift(aftersales: Aftersales, found: Adrift, *, rebuild: bool) -> Found:
    if found.why is Why.UNANSWERED:
        return Found(found.case_id, found.why, "ask again, once a worker runs", None)
    if found.after:
        return Found(found.case_id, found.why, f"repeat, once {found.after} is written", None)
    if found.why.book_lacks:
        again = _again(aftersales, found.case_id) if rebuild else None
        return Found(found.case_id, found.why, "rebuild", again)

    return Found(found.case_id, found.why, "look_at_book", _look(aftersales, found.case_id))


def _look(aftersales: Aftersales, case_id: str) -> Remedy:
    async def look() -> bool:
        by = officer("recover")
        await aftersales.case(case_id).tell(LookAtBook(key=f"recover-{uuid4().hex}", by=by))
        return True

    return look


def _again(aftersales: Aftersales, case_id: str) -> Remedy:
    return lambda: begun_again(aftersales.temporal, aftersales.runs, case_id, "recover")


async def _moves(aftersales: Aftersales, settings: Settings, options: Options) -> AsyncIterator[Found]:
    name = options.deployment or settings.deployment_name
    if name is None:
        raise UsageError("whose versions? name the worker deployment", "--deployment")
    current = await current_version(aftersales.temporal, name)
    if current is None:
        raise UsageError(f"{name} has no current version to move cases to", "--deployment")
    if options.build == current.build_id:
        raise UsageError(f"{options.build} is the current version", "--build")
    temporal, runs = aftersales.temporal, aftersales.runs
    async for case_id in on_old_versions(runs, current, options.build, settings.task_queue):
        yield Found(
            case_id,
            _OLD_VERSION,
            f"move to {current.build_id}",
            lambda case_id=case_id: begun_again(temporal, runs, case_id, f"move to {current.build_id}", current),
        )


def _document(report: Report) -> dict[str, object]:
    return {
        "found": report.found,
        "by_reason": dict(Counter(each["why"] for each in report.found)),
        "started": report.done,
        "left": report.left,
        "seconds": round(report.seconds, 1),
        "per_second": report.per_second,
        "broken_off": report.broken_off,
    }


def _page(report: Report, *, start: bool) -> Text:
    if not report.found and not report.broken_off:
        return Text("every open case is carried by a workflow")
    lines = [f"{each['case_id']}  {each['why']}  {each['remedy']}" for each in report.found[:_SHOWN]]
    if (more := len(report.found) - _SHOWN) > 0:
        lines.append(f"and {more} more: --json has all")
    reasons = ", ".join(f"{why}: {number}" for why, number in Counter(each["why"] for each in report.found).items())
    said = f"{report.done} carried on, {report.per_second} a second, {len(report.left)} left" if start else reasons
    lines.append(f"{said}{'' if start else '; --start does it'}")
    if report.broken_off:
        lines.append("broken off: the same command goes on")
    return Text("\n".join(lines))
