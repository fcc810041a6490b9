"""``aftersales bulk``: one command to many cases, a dry run first, a report after."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.bulk import Answered, Came, TooMany, act_on, find, key_of, takes
from starter.client import Aftersales
from starter.commands import wording
from starter.commands.acting import command_called, fields, made
from starter.commands.failures import Exit, UsageError
from starter.commands.listing import from_now
from starter.commands.printing import Json, answer, notes
from starter.commands.reaching import service
from starter.commands.typed_request import MOST_PLACES
from workflows.messages.commands import Command
from workflows.messages.flags import Colour
from workflows.messages.message import Identifier
from workflows.messages.seen import Deciding
from workflows.messages.stages import Attention, CaseKind, WorkList

Made = Callable[[WorkItem], Command]
"""The command for the case with this id."""

_SHOWN = 10


class Operation(BaseModel):
    """What an operation over many cases is called."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: Identifier


def bulk(
    context: typer.Context,
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="move_deadline, retry_payment, move_policy, ...")],
    by: Annotated[str, typer.Option("--as", help="Who acts: platform:o-1, merchant:m-1. Each log names it.")],
    name: Annotated[
        str,
        typer.Option(help="What this operation is called: under the same name no case is acted on a second time."),
    ],
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's cases.")] = None,
    work_list: Annotated[WorkList | None, typer.Option("--list", help="Only this list.")] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Only cases of this kind.")] = None,
    order: Annotated[str | None, typer.Option(help="Only cases of this order.")] = None,
    flag: Annotated[Colour | None, typer.Option(help="Only cases whose order or allowance has this flag 插旗.")] = None,
    attention: Annotated[Attention | None, typer.Option(help="Only cases that need attention for this reason.")] = None,
    due_within: Annotated[str | None, typer.Option(help="Only cases due within this time, or overdue: 12h.")] = None,
    go: Annotated[bool, typer.Option("--go", help="Do it. Without it: only show what would be done.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Commands a second at most.")] = 10,
    at_most: Annotated[int, typer.Option(min=1, max=100_000, help="Refuse if the query finds more cases.")] = 1000,
    report: Annotated[
        Path | None, typer.Option(help="Where each case's answer is kept, a line each. By default NAME.report.jsonl.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Send one command to all open cases that a query finds, at a bounded rate; each answer goes into a report.

    Fields of the command are given as --FIELD VALUE, as to [cyan]aftersales act[/]. At least one filter is needed.

    [cyan]aftersales bulk move_deadline --list unshipped_refunds --merchant m-1 --as platform:o-1 --name typhoon
    --until 2026-12-01T10:00:00+08:00 --reason typhoon[/]
    """
    model = command_called(command)
    filters: dict[str, Any] = {
        "merchant_id": merchant,
        "work_list": work_list,
        "kind": kind,
        "order_no": order,
        "flag": flag,
        "attention": attention,
        "due_before": from_now(due_within).isoformat() if due_within else None,
    }
    if not any(filters.values()):
        raise UsageError("name at least one filter: a merchant, a list, a kind, an order, a flag, a reason or a time")
    query = wording.built(WorkQuery, filters)
    operation = wording.built(Operation, {"name": name})
    body = fields(model, context.args) | {"by": wording.actor(by)}

    def command_for(item: WorkItem) -> Command:
        seen = {"expects": item.seen.model_dump()} if issubclass(model, Deciding) else {}  # R11: as it was found
        return made(model, seen | body | {"key": key_of(operation.name, item.case_id)}, item.currency)

    # What is wrong with the command in any currency is said before anything is looked for.
    made(model, body | {"key": key_of(operation.name, "refund/any/any")}, MOST_PLACES)
    kept = report or Path(f"{operation.name}.report.jsonl")
    return asyncio.run(_bulk(query, command_for, go=go, rate=rate, at_most=at_most, report=kept, as_json=as_json))


async def _bulk(
    query: WorkQuery, command_for: Made, *, go: bool, rate: float, at_most: int, report: Path, as_json: bool
) -> int:
    async with service() as aftersales:
        try:
            items = await find(aftersales, query, most=at_most)
        except TooMany as error:
            raise UsageError(f"{error}: narrow it down, or raise it", "--at-most") from error
        commands = [(item, command_for(item)) for item in items]
        if not go:
            return _dry_run(commands, as_json=as_json)
        return await _go(aftersales, commands, rate=rate, report=report, as_json=as_json)


def _dry_run(commands: list[tuple[WorkItem, Command]], *, as_json: bool) -> int:
    items = [item for item, _ in commands]
    taking = [item for item, command in commands if takes(item, command)]
    table = Table("stage", "cases", "take it", title="dry run: nothing was sent; --go does it")
    found, taken = Counter(item.stage for item in items), Counter(item.stage for item in taking)
    for stage, number in sorted(found.items()):
        table.add_row(stage, str(number), str(taken[stage]))
    shown = f": {', '.join(item.case_id for item in taking[:_SHOWN])}" if taking else ""
    more = f", and {len(taking) - _SHOWN} more" if len(taking) > _SHOWN else ""
    document = {"dry_run": True, "found": len(items), "would_take": [item.case_id for item in taking]}
    answer(as_json, document, table, Text(f"would be sent to {len(items)}, taken by {len(taking)}{shown}{more}"))
    return Exit.OK


async def _go(
    aftersales: Aftersales,
    commands: list[tuple[WorkItem, Command]],
    *,
    rate: float,
    report: Path,
    as_json: bool,
) -> int:
    refusals = Counter[str]()
    with report.open("a", encoding="utf-8") as lines, Progress(console=notes(), transient=True) as progress:
        bar = progress.add_task("cases", total=len(commands))

        def told(answered: Answered) -> None:
            lines.write(json.dumps(to_jsonable_python(answered), ensure_ascii=False) + "\n")
            lines.flush()
            if answered.refusal:
                refusals[answered.refusal.code] += 1
            progress.advance(bar)

        counted = await act_on(aftersales, commands, per_second=rate, told=told)
    table = Table("answer", "cases")
    for came in Came:
        table.add_row(came, str(counted[came]))
    why = ", ".join(f"{code}: {number}" for code, number in sorted(refusals.items()))
    document = {
        "dry_run": False,
        "found": len(commands),
        **{came.value: counted[came] for came in Came},
        "refusals": dict(refusals),
        "report": str(report),
    }
    answer(as_json, document, table, Text(f"refused for {why}" if why else ""), Text(f"report: {report}"))
    return Exit.OK if counted[Came.DONE] == len(commands) else Exit.NO
