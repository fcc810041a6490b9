"""``aftersales orders`` and ``aftersales allowances``: the shop's stand-in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import asyncpg
import typer
from rich.table import Table
from rich.text import Text

from activities.postgres import loading
from activities.postgres import orders as order_facts
from activities.postgres.connection import Connection
from activities.postgres.loading import LoadReport
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database, service
from starter.settings import load_settings
from workflows.messages.actors import carrier as carrier_actor
from workflows.messages.commands import ParcelEvent, ReportParcel

orders = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="The shop's orders: load them, ship them.")
allowances = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Shop allowances 膨胀金: load them.")

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines: one object a line, amounts in minor units.", dir_okay=False)
]
Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's number.")]
Tell = Annotated[str | None, typer.Option(help="Report it to this open case as well, as the carrier does (R3, R7).")]
Carrier = Annotated[str, typer.Option(help="The carrier's id.")]
Tracking = Annotated[str, typer.Option(help="The parcel's number.")]


class Movement(StrEnum):
    """What can happen to an order's goods here."""

    OUTBOUND = "outbound"
    SHIPPED = "shipped"
    ON_DELIVERY_RUN = "on_delivery_run"


_MARKS: Final[dict[Movement, Callable[[Connection, str, datetime], Awaitable[bool]]]] = {
    Movement.OUTBOUND: order_facts.mark_outbound,
    Movement.SHIPPED: order_facts.mark_shipped,
    Movement.ON_DELIVERY_RUN: order_facts.mark_on_delivery_run,
}


@orders.command("load")
def load_orders(file: File, as_json: Json = False) -> int:
    """Load orders from JSON Lines. Good lines are loaded, bad ones are named with line, field and reason; exit code 1.

    Example: [cyan]aftersales orders load orders.jsonl[/]
    """

    async def load(connection: Connection, lines: list[str]) -> LoadReport:
        return await loading.load_orders(connection, lines)

    return asyncio.run(_load(_lines(file), load, as_json))


@allowances.command("load")
def load_allowances(file: File, as_json: Json = False) -> int:
    """Load allowances from JSON Lines. Account names are stored as keyed hashes only (A4); bad lines: exit code 1.

    Example: [cyan]aftersales allowances load allowances.jsonl[/]
    """
    key = load_settings().lookup_key.get_secret_value().encode()

    async def load(connection: Connection, lines: list[str]) -> LoadReport:
        return await loading.load_allowances(connection, lines, lookup_key=key)

    return asyncio.run(_load(_lines(file), load, as_json))


@orders.command("outbound")
def outbound(
    order: Order, tell: Tell = None, carrier: Carrier = "sf", tracking_no: Tracking = "none", as_json: Json = False
) -> int:
    """The goods left the warehouse (R3).

    Example: [cyan]aftersales orders outbound O-1 --tell refund/O-1/k-1[/]
    """
    return asyncio.run(_moved(order, Movement.OUTBOUND, tell, carrier, tracking_no, as_json))


@orders.command("ship")
def ship(
    order: Order, tell: Tell = None, carrier: Carrier = "sf", tracking_no: Tracking = "none", as_json: Json = False
) -> int:
    """A carrier has the goods (R1, R7).

    Example: [cyan]aftersales orders ship O-1 --tell refund/O-1/k-1 --tracking-no SF123[/]
    """
    return asyncio.run(_moved(order, Movement.SHIPPED, tell, carrier, tracking_no, as_json))


@orders.command("deliver-run")
def deliver_run(
    order: Order, tell: Tell = None, carrier: Carrier = "sf", tracking_no: Tracking = "none", as_json: Json = False
) -> int:
    """The goods are out for delivery (R3).

    Example: [cyan]aftersales orders deliver-run O-1 --tell refund/O-1/k-1[/]
    """
    return asyncio.run(_moved(order, Movement.ON_DELIVERY_RUN, tell, carrier, tracking_no, as_json))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", "FILE") from error


async def _load(lines: list[str], load: Callable[[Connection, list[str]], Awaitable[LoadReport]], as_json: bool) -> int:
    async with database() as pool, pool.acquire() as connection:
        report = await load(connection, lines)
    summary = Text(f"loaded {report.loaded}, unchanged {report.unchanged}, problems {len(report.problems)}")
    problems = Table("line", "field", "reason")
    for each in report.problems:
        problems.add_row(str(each.line), each.field, each.reason)
    answer(as_json, report, summary, *([problems] if report.problems else []))
    return Exit.NO if report.problems else Exit.OK


async def _moved(
    order: str, movement: Movement, tell: str | None, carrier: str, tracking_no: str, as_json: bool
) -> int:
    now = datetime.now(UTC)
    report = wording.built(
        ReportParcel,
        {
            "key": f"cli-{uuid4().hex[:16]}",
            "by": carrier_actor(carrier).model_dump(mode="json"),
            "event": ParcelEvent(movement.value),
            "carrier": carrier,
            "tracking_no": tracking_no,
            "happened_at": now.isoformat(),
        },
    )
    if tell:
        async with service() as aftersales:
            await _mark(aftersales.pool, movement, order, now)
            view = await aftersales.case(tell).act(report)
        told = f"; {tell} stands in {view.stage}"
    else:
        async with database() as pool:
            await _mark(pool, movement, order, now)
        told = ""
    document = {"order_no": order, "event": movement, "at": now, "told": tell}
    answer(as_json, document, Text(f"{order}: {movement.replace('_', ' ')}{told}"))
    return 0


async def _mark(pool: asyncpg.Pool, movement: Movement, order: str, at: datetime) -> None:
    async with pool.acquire() as connection:
        if not await _MARKS[movement](connection, order, at):
            raise UsageError(f"there is no order {order}", "ORDER")
