"""``aftersales quote``: what may be asked for on an order, and why not (G5)."""

import asyncio
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from workflows.messages.cases import Refusal
from workflows.messages.money import in_print
from workflows.messages.quotes import Option, Quote
from workflows.rules.local_time import local
from workflows.rules.wording import SILENCE_MEANS

Received = Annotated[
    bool | None, typer.Option("--received/--not-received", help="Whether the buyer says that it has the goods.")
]


def quote(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's number.")],
    received: Received = None,
    as_json: Json = False,
) -> int:
    """What may be asked for on an order now, by reason and line: how much, until when, what silence does; and why not.

    Example: [cyan]aftersales quote DY-1001[/]
    """
    return asyncio.run(_quote(order, received, as_json))


async def _quote(order: str, received: bool | None, as_json: bool) -> int:
    async with service() as aftersales:
        found = await aftersales.quote(order, goods_received=received)
    answer(as_json, found, quote_page(found))
    return 0


def quote_page(found: Quote) -> RenderableType:
    """What ``quote`` shows."""
    table = Table("as", "reason", "lines", "at most", "needs", "until", "on silence", box=box.SIMPLE_HEAD)
    for option in found.options:
        if option.refusal is None:
            table.add_row(*_allowed(option, found.currency))
    refused = [option for option in found.options if option.refusal]
    title = Text(f"{found.order_no}, policy {found.policy}, {local(found.at)}", style="bold")
    return Group(title, table, *(_why(each) for each in refused))


def _allowed(option: Option, currency: str) -> tuple[str, ...]:
    lines = [
        f"{each.line}: {_said(each.refusal)}"
        if each.refusal
        else f"{each.line} × {each.pieces}: {in_print(each.amount, currency)}"
        for each in option.lines
    ]
    freight = [f"freight: {in_print(option.freight, currency)}"] if option.freight else []
    if option.freight_refusal:
        freight = [f"freight: {_said(option.freight_refusal)}"]
    silence = SILENCE_MEANS.get(option.on_silence, option.on_silence) if option.on_silence else ""
    return (
        option.asked,
        f"{option.reason.code}\n{option.reason.label.zh} · {option.reason.label.en}",
        "\n".join([*lines, *freight]),
        f"{in_print(option.amount, currency)} {currency}",
        "evidence" if option.reason.evidence else "",
        local(option.until) if option.until else "",
        silence,
    )


def _why(option: Option) -> Text:
    assert option.refusal is not None
    return Text(f"not as {option.asked}, {option.reason.code}: {_said(option.refusal)}", style="dim")


def _said(refusal: Refusal) -> str:
    return f"{refusal.explanation} ({refusal.rule})"
