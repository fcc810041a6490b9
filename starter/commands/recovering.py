"""``aftersales recover``: open cases whose workflow does not run, started anew."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.text import Text

from starter.commands.failures import Exit
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.recovery import stranded


@dataclass
class Report:
    """What was found, and what became of it."""

    found: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Each case, and why its workflow does not run."""
    started: int = 0
    left: list[str] = field(default_factory=list[str])
    """Cases that could not be started: the book does not have what opened them, or they run again by now."""


def recover(
    cases: Annotated[list[str] | None, typer.Argument(help="Only these cases.")] = None,
    start: Annotated[bool, typer.Option("--start", help="Start them anew; else they are only listed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    rate: Annotated[float, typer.Option(min=0.1, help="At most so many a second.")] = 20.0,
    as_json: Json = False,
) -> int:
    """Open cases that no workflow carries: terminated, failed, deleted, or lost with their server.

    Each goes on where the case book stands. It can be broken off and repeated: what runs is passed over.
    Exit code 1 where cases are left.

    Example: [cyan]aftersales recover --start --rate 50[/]
    """

    async def work() -> Report:
        report = Report()
        async with service() as aftersales:
            begun = asyncio.get_running_loop().time()
            async for case in stranded(aftersales.pool, aftersales.runs, limit, cases or ()):
                report.found.append({"case_id": case.case_id, "why": case.why})
                if start:
                    if await aftersales.take_up(case):
                        report.started += 1
                    else:
                        report.left.append(case.case_id)
                    ahead = report.started / rate - (asyncio.get_running_loop().time() - begun)
                    await asyncio.sleep(max(ahead, 0))
        return report

    report = asyncio.run(work())
    answer(as_json, report, _page(report, start=start))
    left = report.left if start else report.found
    return Exit.NO if left else Exit.OK


def _page(report: Report, *, start: bool) -> Text:
    if not report.found:
        return Text("every open case is carried by a workflow")
    lines = [f"{each['case_id']}  {each['why']}" for each in report.found]
    said = f"{report.started} started, {len(report.left)} left" if start else f"{len(report.found)} to be started"
    return Text("\n".join([*lines, said]))
