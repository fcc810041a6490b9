"""``aftersales cluster``."""

import asyncio
from typing import Annotated

import typer

from starter.cluster.report import line, page
from starter.cluster.roll import Event
from starter.cluster.run import Scale, run_cluster
from starter.commands.failures import Exit
from starter.commands.printing import Json, answer, notes
from starter.commands.reaching import for_development
from starter.settings import Settings

_USUAL = Scale()


def cluster(
    versions: Annotated[
        int, typer.Option(min=2, max=10, help="Versions of the workers, each of which replaces the one before.")
    ] = _USUAL.versions,
    cases: Annotated[int, typer.Option(min=50, max=10_000, help="How many cases are opened at most.")] = _USUAL.cases,
    at_a_time: Annotated[
        int, typer.Option(min=2, max=200, help="How many cases are open side by side.")
    ] = _USUAL.at_a_time,
    seconds: Annotated[
        int, typer.Option(min=30, max=3600, help="Give up after so many seconds; what is not done then counts as lost.")
    ] = _USUAL.seconds,
    as_json: Json = False,
) -> int:
    """Roll workers from version to version under load, kill two, undo a bad release; show that every case ends right.

    Runs servers of its own unless the environment names some; development only, for it makes up orders and money and
    moves clocks. Exit code 1 if a case is lost, paid twice or carried by a wrong version, or a worker ends badly.

    Example: [cyan]aftersales cluster --versions 2[/]
    """
    settings = for_development("rolling a cluster under made-up load")
    scale = Scale(versions=versions, cases=cases, at_a_time=at_a_time, seconds=seconds)
    try:
        return asyncio.run(_cluster(settings, scale, as_json))
    except asyncio.CancelledError:  # SIGTERM: by now all that was started has ended
        notes().print("stopped before the end", style="bold red")
        return Exit.NO


async def _cluster(settings: Settings, scale: Scale, as_json: bool) -> int:
    console = notes()
    console.print("starting the cluster", style="dim")

    def say(event: Event) -> None:
        console.print(line(event), soft_wrap=True)

    report = await run_cluster(settings, scale, say)
    answer(as_json, report, page(report))
    return Exit.OK if report.ok else Exit.NO
