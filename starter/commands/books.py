"""``aftersales books``: our ledger and the gateway's book, side by side (section 10)."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from activities.gateways.payment import NotPublished
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres.books import BookLine, Books, TooManyLines, of_days, one_day, side_by_side
from starter.adapters import payment_gateway, refuse_stubs
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from starter.settings import load_settings
from workflows.messages.money import Money

_USUAL: Final = 31
_LONGEST: Final = 92
"""Providers keep their bills for about so many days."""


def books(
    at: Annotated[
        str | None, typer.Option(help="The stand-in's book as of this moment of business time. By default now.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=_LONGEST, help=f"The last days of a provider's statement (X5). By default {_USUAL}."),
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only this day of the provider's statement, in its own calendar (X5)."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Both books by refund number, with totals; exit code 1 where they differ.

    The stand-in's book is read as a whole, a provider's by the days of its statement. A refund that was paid too late
    to stand on a day that is published is awaited, and no difference.

    Examples: [cyan]aftersales books[/]; [cyan]aftersales books --days 7[/]
    """
    if day and days:
        raise UsageError("asks for one day, and --days for several", "--day")
    as_of = wording.moment(at, "--at") if at else datetime.now(UTC)
    return asyncio.run(_books(as_of, days, day.date() if day else None, as_json))


async def _books(as_of: datetime, days: int | None, day: date | None, as_json: bool) -> int:
    settings = load_settings()
    refuse_stubs(settings, "payments")
    async with database(settings) as pool, AsyncExitStack() as stack:
        gateway = await payment_gateway(settings, stack, pool)
        try:
            if day:
                found = await one_day(pool, gateway, day)
            elif isinstance(gateway, PaymentGatewayStub):
                found = await side_by_side(pool, gateway, as_of)
            else:
                last = as_of.date()
                found = await of_days(pool, gateway, last - timedelta(days=days or _USUAL), last)
        except NotPublished:
            raise UsageError(f"the provider has not published {day} yet", "--day") from None
        except TooManyLines as error:
            raise UsageError(f"{error}: ask for fewer days, or for one by --day", "--days") from None
    answer(as_json, found, books_page(found))
    return Exit.OK if found.equal else Exit.NO


def books_page(found: Books) -> RenderableType:
    """Both books as a table, line against line, with their totals and the word on whether they are equal."""
    columns = ("refund no.", "case", "ours", "our state", "paid by", "gateway's", "its result", "")
    table = Table(*columns, title="the two books", box=box.SIMPLE)
    for column in (table.columns[2], table.columns[5]):
        column.justify = "right"
    for line in found.lines:
        table.add_row(
            f"{line.refund_no} (attempt {line.attempt})" if line.attempt else line.refund_no,
            line.case_id or "",
            _money(line.ours, line.currency),
            line.our_state or "",
            line.paid_by or "",
            _money(line.theirs, line.currency),
            line.their_result or "",
            _mark(line),
        )
    for total in found.totals:
        table.add_section()
        table.add_row(
            "paid by the gateway",
            "",
            _money(total.ours, total.currency),
            "",
            "",
            _money(total.theirs, total.currency),
            "",
            Text("=", style="bold green") if total.ours - total.awaited == total.theirs else Text("≠", "bold red"),
        )
        if total.awaited:
            table.add_row("of which no statement is published", "", _money(total.awaited, total.currency), *[""] * 5)
        table.add_row("paid by hand or in advance", "", _money(total.by_hand, total.currency), "", "", "", "", "")
        if total.to_allowances or total.lost_bonus:  # A7
            table.add_row("back in allowances", "", _money(total.to_allowances, total.currency), *[""] * 5)
            table.add_row("bonus lost with allowances", "", _money(total.lost_bonus, total.currency), *[""] * 5)
        table.add_row("compensation among these", "", _money(total.compensation, total.currency), "", "", "", "", "")
    word = Text("the books are equal", style="bold green") if found.equal else Text("the books differ", "bold red")
    return Group(table, word)


def _mark(line: BookLine) -> Text:
    if line.awaited:
        return Text("…", style="dim")
    return Text("=", style="green") if line.equal else Text("≠", style="bold red")


def _money(amount: int | None, currency: str) -> str:
    return "" if amount is None else str(Money(amount=amount, currency=currency))
