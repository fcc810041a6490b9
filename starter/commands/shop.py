"""``aftersales orders`` and ``parcels``: what the shop and its carriers know and tell."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from activities.postgres import loading
from activities.postgres import orders as order_facts
from activities.postgres.connection import Connection
from activities.postgres.loading import LoadReport
from activities.postgres.vault import Vault
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database, service
from starter.commands.text_lines import lines_in
from starter.connection import discover
from starter.settings import load_settings
from starter.vault import opened_vault
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelHistory
from workflows.messages.pieces import LineQuantity
from workflows.rules.local_time import local
from workflows.rules.parcels import standing

orders = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="The shop's orders: load them, ship them.")
parcels = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Parcels: what carriers tell of them, and what is known."
)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines: one object a line, amounts in minor units.", dir_okay=False)
]
Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's number.")]
Carrier = Annotated[str, typer.Option(help="The carrier's id.")]
Tracking = Annotated[str, typer.Option("--tracking-no", help="The parcel's number.")]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", help="LINE:QUANTITY in the parcel; once for each line. By default all of the order."),
]
At = Annotated[str | None, typer.Option("--at", help="When it happened, in ISO 8601 with its offset. By default now.")]


@orders.command("load")
def load_orders(file: File, as_json: Json = False) -> int:
    """Load orders from JSON Lines. Good lines are loaded, bad ones are named with line, field and reason; exit code 1.

    Example: [cyan]aftersales orders load orders.jsonl[/]
    """
    return asyncio.run(load_lines(lines_in(file, "FILE"), loading.load_orders, as_json))


@orders.command("outbound")
def outbound(order: Order, at: At = None, as_json: Json = False) -> int:
    """The goods left the warehouse (R3). Cases that are open hear of it by [cyan]act CASE report_parcel[/].

    Example: [cyan]aftersales orders outbound O-1[/]
    """
    return asyncio.run(_outbound(order, _moment(at), as_json))


@orders.command("shipped")
def shipped(
    order: Order,
    carrier: Carrier,
    tracking_no: Tracking,
    line: Lines = None,
    at: At = None,
    as_json: Json = False,
) -> int:
    """The shop has handed goods to a carrier: the order's open cases about them are told (R7, R15, L1).

    What the carrier tells of this parcel from now on is about the same goods.

    Example: [cyan]aftersales orders shipped O-1 --carrier sf --tracking-no SF123 --line L1:2[/]
    """
    lines = tuple(wording.built(LineQuantity, wording.quantity(each, "--line")) for each in line or ())
    return asyncio.run(_shipped(order, _parcel(carrier, tracking_no), lines, _moment(at), as_json))


@parcels.command("tell")
def tell(
    event: Annotated[ParcelEvent, typer.Argument(metavar="EVENT", help=f"One of {', '.join(ParcelEvent)}.")],
    carrier: Carrier,
    tracking_no: Tracking,
    at: At = None,
    key: Annotated[
        str | None, typer.Option(help="The carrier's number of the event: the same again is the same event.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Tell what happened to a parcel, as its carrier does; the cases that wait for it hear of it (R3, R7, T6).

    A case whose clock was moved has a time of its own: tell it the moment by [cyan]--at[/].

    Example: [cyan]aftersales parcels tell signed --carrier sf --tracking-no SF123[/]
    """
    told = wording.built(
        CarrierEvent,
        {
            "key": key or f"cli-{uuid4().hex[:16]}",
            "parcel": {"carrier": carrier, "tracking_no": tracking_no},
            "event": event,
            "happened_at": _moment(at).isoformat(),
        },
    )
    return asyncio.run(_tell(told, as_json))


@parcels.command("show")
def show(carrier: Carrier, tracking_no: Tracking, as_json: Json = False) -> int:
    """All that is known of a parcel, whoever it is for.

    Example: [cyan]aftersales parcels show --carrier sf --tracking-no SF123[/]
    """
    return asyncio.run(_show(_parcel(carrier, tracking_no), as_json))


async def load_lines(
    lines: list[str], load: Callable[[Connection, list[str], Vault], Awaitable[LoadReport]], as_json: bool
) -> int:
    """Load what a file says, line by line, and say what came of it."""
    settings = load_settings()
    url = discover(settings).database_url
    async with database(settings) as pool, opened_vault(settings, url) as vault, pool.acquire() as connection:
        report = await load(connection, lines, vault)
    summary = Text(f"loaded {report.loaded}, unchanged {report.unchanged}, problems {len(report.problems)}")
    problems = Table("line", "field", "reason")
    for each in report.problems:
        problems.add_row(str(each.line), each.field, each.reason)
    answer(as_json, report, summary, *([problems] if report.problems else []))
    return Exit.NO if report.problems else Exit.OK


async def _outbound(order: str, at: datetime, as_json: bool) -> int:
    async with database() as pool, pool.acquire() as connection:
        if (paid_at := await order_facts.paid_at(connection, order)) is None:
            raise UsageError(f"there is no order {order}", "ORDER")
        if at < paid_at:
            raise UsageError(f"the order was paid at {paid_at.isoformat()} (R18)", "--at")
        await order_facts.mark_outbound(connection, order, at)
    answer(as_json, {"order_no": order, "event": ParcelEvent.OUTBOUND, "at": at}, Text(f"{order}: outbound"))
    return 0


async def _shipped(order: str, parcel: Parcel, lines: tuple[LineQuantity, ...], at: datetime, as_json: bool) -> int:
    async with service() as aftersales:
        await aftersales.logistics.order_shipped(order, parcel, at, lines)
    document = {"order_no": order, "event": ParcelEvent.SHIPPED, "parcel": parcel, "lines": lines, "at": at}
    answer(as_json, document, Text(f"{order}: shipped; its open cases are told"))
    return 0


async def _tell(told: CarrierEvent, as_json: bool) -> int:
    async with service() as aftersales:
        await aftersales.logistics.carrier_event(told)
    answer(as_json, told, Text(f"{told.parcel.tracking_no}: {told.event.replace('_', ' ')}"))
    return 0


async def _show(parcel: Parcel, as_json: bool) -> int:
    async with service() as aftersales:
        known = await aftersales.logistics.history(parcel)
    now = standing(known.events)
    document = {"parcel": parcel, "stands": now.event if now else None, "events": known.events}
    answer(as_json, document, _history_table(known), Text(f"stands: {now.event if now else 'nothing is known'}"))
    return 0


def _history_table(known: ParcelHistory) -> RenderableType:
    table = Table("when", "event", "key", title=f"parcel {known.parcel.tracking_no} of {known.parcel.carrier}")
    for each in known.events:
        table.add_row(local(each.happened_at), each.event, each.key)
    return table


def _parcel(carrier: str, tracking_no: str) -> Parcel:
    return wording.built(Parcel, {"carrier": carrier, "tracking_no": tracking_no})


def _moment(at: str | None) -> datetime:
    return wording.moment(at, "--at") if at else datetime.now(UTC)
