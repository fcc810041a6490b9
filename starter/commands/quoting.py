"""``aftersales quote``: what may be asked for on an order, and why not (G5)."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from starter.commands import wording
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.durations import in_words
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.money import in_print
from workflows.messages.quotes import Option, Quote, QuotedAllowance
from workflows.rules.local_time import local
from workflows.rules.wording import SILENCE_MEANS

Received = Annotated[
    bool | None, typer.Option("--received/--not-received", help="Whether the buyer says that it has the goods.")
]


def quote(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's number.")],
    received: Received = None,
    by_merchant: Annotated[
        bool, typer.Option("--by-merchant", help="What its merchant may pay back of its own accord (R9).")
    ] = False,
    by: Annotated[
        str | None,
        typer.Option("--as", help="Who reads it: its merchant:m-1 and platform:o-1 see its standing orders (G4)."),
    ] = None,
    as_json: Json = False,
) -> int:
    """What may be asked for on an order now, by reason and line: how much, until when, what silence does; and why not.

    Example: [cyan]aftersales quote DY-1001[/]
    """
    reader = None if by is None else wording.built(Actor, wording.actor(by))
    return asyncio.run(_quote(order, received, Role.MERCHANT if by_merchant else Role.BUYER, reader, as_json))


async def _quote(order: str, received: bool | None, by: Role, reader: Actor | None, as_json: bool) -> int:
    async with service() as aftersales:
        found = await aftersales.quote(order, goods_received=received, by=by, reader=reader)
    answer(as_json, found, quote_page(found))
    return 0


def quote_page(found: Quote) -> RenderableType:
    """What ``quote`` shows: reasons that come to the same, or are refused for the same, stand together."""
    allowed: dict[tuple[str, ...], list[Option]] = {}
    refused: dict[tuple[str, str], list[Option]] = {}
    for option in found.options:
        if option.refusal is None:
            allowed.setdefault(_allowed(option, found.currency, found.time_zone), []).append(option)
        else:
            refused.setdefault((option.asked, _said(option.refusal)), []).append(option)
    table = Table("as", "reasons", "lines", "at most", "needs", "until", "on silence", box=box.SIMPLE_HEAD)
    for (asked, *cells), options in allowed.items():
        table.add_row(asked, "\n".join(_reason(each) for each in options), *cells)
    title = Text(f"{found.order_no}, policy {found.policy}, {local(found.at, found.time_zone)}", style="bold")
    allowances = (_way(each, found.currency) for each in found.allowances)
    why_not = (_why(asked, why, options) for (asked, why), options in refused.items())
    return Group(title, table, *allowances, *why_not)


def _way(quoted: QuotedAllowance, currency: str) -> Text:
    """A7: where what was paid with an allowance goes."""
    left, principal, bonus = (in_print(each, currency) for each in (quoted.left, quoted.principal, quoted.bonus))
    where = {
        "allowance": f"goes back to it: {principal} of principal, {bonus} of bonus",
        "withdrawal_open": f"goes back once {quoted.held_by} has ended",
        "as_money": f"the allowance is no more: {principal} goes back as money, {bonus} of bonus is lost",
    }
    return Text(f"paid with allowance {quoted.allowance_id}, {left} {currency} left: {where[quoted.way]} (A7)")


def _allowed(option: Option, currency: str, zone: str | None) -> tuple[str, ...]:
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
    if silence and option.review_minutes:
        silence = f"after {in_words(timedelta(minutes=option.review_minutes))}: {silence}"
    if option.standing_order:
        silence = f"decided at once by standing order {option.standing_order.number}: {option.standing_order.does}"
    return (
        option.asked,
        "\n".join([*lines, *freight]),
        f"{in_print(option.amount, currency)} {currency}",
        "evidence" if option.reason.evidence else "",
        local(option.until, zone) if option.until else "",
        silence,
    )


def _reason(option: Option) -> str:
    return f"{option.reason.code} {option.reason.label.zh} · {option.reason.label.en}"


def _why(asked: str, why: str, options: list[Option]) -> Text:
    reasons = ", ".join(each.reason.code for each in options)
    return Text(f"not as {asked}: {why}: {reasons}", style="dim")


def _said(refusal: Refusal) -> str:
    return f"{refusal.explanation} ({refusal.rule})"
