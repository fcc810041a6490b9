"""``aftersales replay``: open workflows of a namespace against the code at hand, before a deploy."""

import asyncio
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, notes
from starter.connection import connect
from starter.live_replay import LiveReplay, names_of, replay_live
from starter.settings import load_settings
from starter.worker.runner import runner_for
from worker import WORKFLOWS


def replay(
    live: Annotated[
        bool, typer.Option("--live", help="Histories of what is open in the namespace; there is no other source yet.")
    ] = False,
    namespace: Annotated[str | None, typer.Option(help="Instead of that of Temporal's settings.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only workflows of this name, such as Refund; several times.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each kind, the latest ones.")] = 1000,
    rate: Annotated[float, typer.Option(min=0.1, help="Fetch at most so many histories a second.")] = 20.0,
    as_json: Json = False,
) -> int:
    """Replay open workflows against this code: exit code 1 where one would take another way than its history says.

    Run it with the code that is to be deployed, before it is: against the namespace and the key ring of production.
    Nothing is changed, and nothing of what cases are about is shown.

    Example: [cyan]aftersales replay --live --limit 500[/]
    """
    if not live:
        raise UsageError("say where the histories are to come from", "--live")
    if unknown := sorted({*(kind or ())} - {*names_of(WORKFLOWS)}):
        raise UsageError(f"no workflow is called {', '.join(unknown)}: {', '.join(names_of(WORKFLOWS))}", "--kind")
    report = asyncio.run(_replay(namespace, kind or [], limit, rate, as_json))
    answer(as_json, report, _page(report))
    return Exit.NO if report.differing else Exit.OK


async def _replay(namespace: str | None, kinds: list[str], limit: int, rate: float, as_json: bool) -> LiveReplay:
    settings, console = load_settings(), notes()
    client = await connect(settings, namespace=namespace)
    columns = (TextColumn("{task.completed:,} replayed"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("replayed", total=None)
        return await replay_live(
            client,
            WORKFLOWS,
            runner_for(sandboxed=settings.sandboxed, versioned=False),
            kinds=kinds,
            limit=limit,
            rate=rate,
            progress=lambda done: progress.update(task, completed=done),
        )


def _page(report: LiveReplay) -> RenderableType:
    counts = Table("workflow", "replayed", "take another way", "open besides")
    failed = [each.workflow_type for each in report.differing]
    for name in dict.fromkeys((*report.replayed, *report.not_looked_at)):
        replayed, more = report.replayed.get(name, 0), report.not_looked_at.get(name, 0)
        counts.add_row(name, f"{replayed:,}", f"{failed.count(name):,}", f"{more:,}" if more else "")
    parts: list[RenderableType] = [counts]
    if report.differing:
        found = Table("workflow id", "run", "events", "why")
        for each in report.differing:
            found.add_row(each.workflow_id, each.run_id, str(each.events), each.why)
        parts.append(found)
    if report.not_begun:
        parts.append(Text(f"{report.not_begun:,} have not begun: there is nothing to replay", style="dim"))
    replayed = sum(report.replayed.values())
    whose = f"{replayed:,} open workflows of {report.namespace}"
    if report.differing:
        parts.append(Text(f"{len(report.differing):,} of {whose} take another way: do not deploy", style="bold red"))
    else:
        parts.append(Text(f"{whose} go on under this code", style="bold green"))
    return Group(*parts)
