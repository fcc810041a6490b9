"""``aftersales askable`` and ``disputable``: what a buyer or a merchant can ask for, and what can be disputed."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from activities.askable import MOST, AskableQuery, DisputableQuery
from starter.commands import wording
from starter.commands.printing import CommandLine, Json, answer
from starter.commands.reaching import service
from workflows.messages.askable import AskableOrder, DisputableCase, DisputableOrder
from workflows.messages.cases import Refusal
from workflows.messages.money import in_print
from workflows.rules.local_time import local

Whose = Annotated[str, typer.Option("--of", help="Whose: buyer:b-1, or merchant:m-1.")]
Merchant = Annotated[str | None, typer.Option(help="Of a buyer: only with this merchant.")]
Buyer = Annotated[str | None, typer.Option(help="Of a merchant: only of this buyer.")]
After = Annotated[str | None, typer.Option(help="The page after the one that gave this key as its next.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")]


def askable(
    whose: Whose,
    merchant: Merchant = None,
    buyer: Buyer = None,
    received: Annotated[
        bool | None, typer.Option("--received/--not-received", help="Whether the buyer says that it has the goods.")
    ] = None,
    after: After = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> int:
    """Orders, the latest paid first, and what the buyer, or the merchant, may ask for on each now, until when (G5).

    Example: [cyan]aftersales askable --of buyer:b-1001[/]
    """
    query = wording.built(AskableQuery, {**_own(whose, merchant, buyer, after, limit), "goods_received": received})

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.askable(query)
        table = Table("order", "paid", "as", "reasons", "at most", "until", box=box.SIMPLE_HEAD)
        for order in found.orders:
            _order_rows(table, order)
        unknown = [Text(f"{each}: there is no profile for it", style="dim") for each in found.unknown]
        answer(as_json, found, table, *unknown, *_more("askable", whose, found.next))
        return 0

    return asyncio.run(look())


def disputable(
    whose: Whose,
    merchant: Merchant = None,
    buyer: Buyer = None,
    order: Annotated[str | None, typer.Option(help="Only this order, and its cases.")] = None,
    only: Annotated[Literal["cases", "orders"] | None, typer.Option(help="Only cases, or only orders.")] = None,
    after: After = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> int:
    """Cases, and orders without one, the latest first: which the buyer can dispute, until when, and why not (D1).

    Example: [cyan]aftersales disputable --of merchant:m-laurel[/]
    """
    own = _own(whose, merchant, buyer, after, limit)
    query = wording.built(DisputableQuery, {**own, "order_no": order, "only": only})

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.disputable(query)
        table = Table("case", "stage", "the buyer can", "until", "why not", box=box.SIMPLE_HEAD)
        for each in found.cases:
            table.add_row(*_case_row(each))
        answer(as_json, found, table, *_orders(found.orders), *_more("disputable", whose, found.next))
        return 0

    return asyncio.run(look())


def _own(whose: str, merchant: str | None, buyer: str | None, after: str | None, limit: int) -> dict[str, Any]:
    return {
        "whose": wording.actor(whose, "--of"),
        "merchant_id": merchant,
        "buyer_id": buyer,
        "after": after,
        "limit": limit,
    }


def _order_rows(table: Table, order: AskableOrder) -> None:
    first = (order.order_no, local(order.paid_at, order.time_zone))
    for way in order.ways:
        reasons = ", ".join(way.reasons)
        if way.refusal:
            table.add_row(*first, way.asked, reasons, Text(_said(way.refusal), style="dim"), "")
        else:
            pieces = [f"{each.line} × {each.pieces}" for each in way.lines if each.refusal is None]
            amount = f"{in_print(way.amount, order.currency)} {order.currency} ({', '.join(pieces) or 'freight'})"
            table.add_row(*first, way.asked, reasons, amount, local(way.until, order.time_zone) if way.until else "")
        first = ("", "")


def _case_row(case: DisputableCase) -> tuple[str, ...]:
    if case.refusal:
        return case.case_id, case.outcome or case.stage, "", "", _said(case.refusal)
    how = "send open_dispute" if case.how == "open_dispute" else "open a dispute about it"
    until = local(case.until, case.time_zone) if case.until else ""
    return case.case_id, case.outcome or case.stage, how, until, ""


def _orders(orders: Sequence[DisputableOrder]) -> list[RenderableType]:
    """The orders of a page that have no case."""
    if not orders:
        return []
    table = Table("order without a case", "the buyer can claim", "until", "why not", box=box.SIMPLE_HEAD)
    for each in orders:
        if each.refusal:
            table.add_row(each.order_no, "", "", _said(each.refusal))
            continue
        pieces = [f"{line.line} × {line.quantity}" for line in each.lines] + (["freight"] if each.freight else [])
        amount = sum(line.amount for line in each.lines) + each.freight
        until = local(each.until, each.time_zone) if each.until else ""
        claim = f"{in_print(amount, each.currency)} {each.currency} ({', '.join(pieces)})"
        table.add_row(each.order_no, claim, until, "")
    return [table]


def _more(word: str, whose: str, key: str | None) -> list[CommandLine]:
    return [CommandLine(f"more: aftersales {word} --of {whose} --after {key}", style="dim")] if key else []


def _said(refusal: Refusal) -> str:
    return f"{refusal.explanation} ({refusal.rule})"
