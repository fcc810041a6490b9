"""``aftersales privacy export`` and ``export-orders``: a merchant's cases or orders in bulk (P5)."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias
from uuid import uuid4

import typer
from rich.progress import Progress
from rich.text import Text

from starter.client import Aftersales
from starter.commands import wording
from starter.commands.export_files import export_file, last_row
from starter.commands.printing import Json, answer, notes, secrets_shown
from starter.commands.reaching import service
from workflows.messages.disclosures import (
    Export,
    ExportedOrders,
    ExportKind,
    ExportRow,
    OrderExportRow,
    StartExport,
    StartOrderExport,
)
from workflows.messages.stages import StageName, WorkList

File = Annotated[Path, typer.Argument(metavar="FILE", help="Where to: JSON Lines.", dir_okay=False)]
By = Annotated[str, typer.Option("--as", help="Who asks: merchant:m-1, or platform:o-1.")]
Kind = Annotated[ExportKind, typer.Option(help=f"One of {', '.join(ExportKind)}.")]


def export(
    file: File,
    merchant: Annotated[str, typer.Option(help="Whose cases.")],
    by: By,
    kind: Kind = ExportKind.WITHOUT_CONTACT,
    stage: Annotated[StageName | None, typer.Option(help="Only cases in this stage.")] = None,
    work_list: Annotated[WorkList | None, typer.Option("--list", help="Only this list.")] = None,
    opened_from: Annotated[str | None, typer.Option("--from", help="Opened at this moment or later.")] = None,
    opened_until: Annotated[str | None, typer.Option("--until", help="Opened before this moment.")] = None,
    as_json: Json = False,
) -> int:
    """Export a merchant's cases, one JSON object a line, oldest first; virtual numbers debit the quota (P5).

    Interrupted, it goes on where the file ends when the same command is typed again: FILE.cursor, which is there
    until the export is whole, says which export it is. Nothing is debited twice.

    Example: [cyan]aftersales privacy export cases.jsonl --merchant m-1 --as merchant:m-1 --kind masked_contact[/]
    """
    fields = {
        "key": _new_key(),
        "merchant_id": merchant,
        "by": wording.actor(by),
        "kind": kind,
        "stage": stage,
        "work_list": work_list,
        "opened_from": opened_from and wording.moment(opened_from, "--from").isoformat(),
        "opened_until": opened_until and wording.moment(opened_until, "--until").isoformat(),
    }
    wish = wording.built(StartExport, fields)

    def begin(aftersales: Aftersales, key: str, after: int) -> Begun:
        named, desk = wish.model_copy(update={"key": key}), aftersales.disclosures
        return desk.start_export(named), desk.export(named, after=after)

    return _write(file, wish.key, begin, as_json)


def export_orders(
    file: File,
    merchant: Annotated[str, typer.Option(help="Whose orders.")],
    by: By,
    kind: Kind = ExportKind.WITHOUT_CONTACT,
    orders: Annotated[
        ExportedOrders, typer.Option("--orders", help=f"One of {', '.join(ExportedOrders)}.")
    ] = ExportedOrders.ALL,
    paid_from: Annotated[str | None, typer.Option("--from", help="Paid at this moment or later.")] = None,
    paid_until: Annotated[str | None, typer.Option("--until", help="Paid before this moment.")] = None,
    as_json: Json = False,
) -> int:
    """Export a merchant's orders, each once, with what its cases came to; the first paid first (P5).

    Contacts, quota and going on after an interruption are those of [cyan]export[/].

    Example: [cyan]aftersales privacy export-orders orders.jsonl --merchant m-1 --as merchant:m-1 --orders with_cases[/]
    """
    fields = {
        "key": _new_key(),
        "merchant_id": merchant,
        "by": wording.actor(by),
        "kind": kind,
        "orders": orders,
        "paid_from": paid_from and wording.moment(paid_from, "--from").isoformat(),
        "paid_until": paid_until and wording.moment(paid_until, "--until").isoformat(),
    }
    wish = wording.built(StartOrderExport, fields)

    def begin(aftersales: Aftersales, key: str, after: int) -> Begun:
        named, desk = wish.model_copy(update={"key": key}), aftersales.disclosures
        return desk.start_order_export(named), desk.export_orders(named, after=after)

    return _write(file, wish.key, begin, as_json)


Rows: TypeAlias = AsyncGenerator[ExportRow] | AsyncGenerator[OrderExportRow]
Begun: TypeAlias = tuple[Awaitable[Export], Rows]
"""How an export begins, and its rows."""


def _write(file: Path, new_key: str, begin: Callable[[Aftersales, str, int], Begun], as_json: bool) -> int:
    with export_file(file, new_key) as (lines, key):
        after = last_row(lines)
        rows = asyncio.run(_fetch(begin, lines, key, after, as_json))
    answer(as_json, {"file": str(file), "rows": rows, "resumed_after": after}, Text(f"{rows} rows in {file}"))
    return 0


async def _fetch(
    begin: Callable[[Aftersales, str, int], Begun], lines: BinaryIO, key: str, after: int, as_json: bool
) -> int:
    console = notes()
    async with service() as aftersales:
        start, rows = begin(aftersales, key, after)
        begun = await start
        with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
            task = progress.add_task("rows", total=begun.rows, completed=after)
            async for row in rows:
                lines.write(json.dumps(secrets_shown(row), ensure_ascii=False).encode() + b"\n")
                progress.update(task, completed=row.row)
    return begun.rows


def _new_key() -> str:
    return f"cli-{uuid4().hex[:16]}"
