"""``aftersales stuck``: cases that do not move though they should."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from starter.commands.failures import Exit
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.stuck import Stuck, stuck
from workflows.rules.local_time import local


def stuck_cases(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Look at so many suspects, the longest first.")] = 50,
    as_json: Json = False,
) -> int:
    """Cases whose activity or workflow task fails again and again, or whose deadline has passed; exit code 1 for one.

    Example: [cyan]aftersales stuck[/]
    """

    async def look() -> tuple[Stuck, ...]:
        async with service() as aftersales:
            return await stuck(aftersales.pool, aftersales.runs, limit)

    found = asyncio.run(look())
    page = _table(found) if found else Text("no case is stuck")
    answer(as_json, {"stuck": found}, page)
    return Exit.NO if found else Exit.OK


def _table(found: Sequence[Stuck]) -> Table:
    table = Table("case", "since", "overdue", "why", "activity", "attempt", "error")
    for each in found:
        why = f"{each.why} ({each.stopped})" if each.stopped else each.why
        attempt = "" if each.attempt is None else str(each.attempt)
        overdue = "yes" if each.overdue else ""
        table.add_row(each.workflow_id, local(each.since), overdue, why, each.activity or "", attempt, each.error or "")
    return table
