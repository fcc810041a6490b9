"""``aftersales gateway``: telling the payment gateway's stub how to behave (development only)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.gateways.payment_stub import Behaviour, Mode, PaymentGatewayStub
from activities.postgres.orders import PostgresOrders
from starter.client import connected
from starter.commands import reaching, wording
from starter.commands.printing import Json, answer
from starter.commands.typed_request import DEFAULT_CURRENCY
from starter.gateway_callbacks import CallbackPump

application = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Tell the payment gateway's stub how to behave, and deliver its callbacks. Development only.",
)


@application.command("behave")
def behave(
    mode: Annotated[Mode, typer.Argument(metavar="MODE", help="What it does with a refund that matches.")],
    merchant: Annotated[str | None, typer.Option(help="Only with refunds of this merchant.")] = None,
    order: Annotated[str | None, typer.Option(help="Only of this order or allowance.")] = None,
    amount: Annotated[
        str | None,
        typer.Option(help="Only of this amount, in decimals of the order's currency; without --order, in yuan."),
    ] = None,
    settle_after: Annotated[str, typer.Option(help="From the submission to the payment.")] = "1h",
    callback_after: Annotated[str, typer.Option(help="From the payment to a late callback.")] = "48h",
    answer_after: Annotated[str, typer.Option(help="Real time before a slow answer.")] = "10s",
    uses: Annotated[
        int | None, typer.Option(min=1, help="For how many submissions it holds; without, for all.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Have the gateway treat the refunds that match like this from now on.

    Example: [cyan]aftersales gateway behave lose_answer --order O-1 --uses 1[/]
    """
    body = {
        "mode": mode,
        "merchant_id": merchant,
        "order_no": order,
        "amount": wording.amount(amount, "--amount") if amount else None,
        "settle_after_seconds": int(wording.duration(settle_after).total_seconds()),
        "callback_after_seconds": int(wording.duration(callback_after).total_seconds()),
        "answer_after_seconds": wording.duration(answer_after).total_seconds(),
        "uses_left": uses,
    }

    async def tell() -> int:
        async with reaching.gateway() as gateway, reaching.database() as pool:
            paid = await PostgresOrders(pool).find(order) if order else None
            currency = paid.currency if paid else DEFAULT_CURRENCY
            behaviour = wording.built(Behaviour, wording.in_minor_units(body, currency))
            await gateway.set_behaviour(behaviour)
        answer(as_json, behaviour, Text(f"the gateway will {mode.replace('_', ' ')}"))
        return 0

    return asyncio.run(tell())


@application.command("behaviours")
def behaviours(as_json: Json = False) -> int:
    """What the gateway was told and still holds; of several that match, the most specific one counts.

    Example: [cyan]aftersales gateway behaviours[/]
    """

    async def look() -> int:
        async with reaching.gateway() as gateway:
            told = await gateway.behaviours()
        table = Table("mode", "merchant", "order", "amount (fen)", "uses left")
        for each in told:
            scope = (each.merchant_id or "all", each.order_no or "all", str(each.amount or "all"))
            table.add_row(each.mode, *scope, str(each.uses_left or "no limit"))
        answer(as_json, {"behaviours": told}, table)
        return 0

    return asyncio.run(look())


@application.command("clear")
def clear(as_json: Json = False) -> int:
    """Have the gateway forget everything: what comes is paid at once again.

    Example: [cyan]aftersales gateway clear[/]
    """

    async def forget() -> int:
        async with reaching.gateway() as gateway:
            await gateway.clear_behaviours()
        answer(as_json, {"cleared": True}, Text("the gateway pays at once"))
        return 0

    return asyncio.run(forget())


@application.command("deliver")
def deliver(
    at: Annotated[
        str | None, typer.Option(help="As of this moment of business time: ISO 8601 with offset. By default now.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Deliver the callbacks that are due, as [cyan]aftersales up[/] does by itself.

    Example: [cyan]aftersales gateway deliver --at 2026-12-01T00:00Z[/]
    """
    settings = reaching.for_development("delivering the stub's callbacks")
    moment = wording.moment(at, "--at") if at else datetime.now(UTC)

    async def hand_on() -> int:
        async with connected(settings) as aftersales:
            delivered = await CallbackPump(PaymentGatewayStub(aftersales.pool), aftersales).deliver(moment)
        document = {
            "delivered": [each.refund_no for each in delivered.taken],
            "unknown": [each.refund_no for each in delivered.unknown],
        }
        answer(as_json, document, Text(f"delivered {len(delivered.taken)}, unknown {len(delivered.unknown)}"))
        return 0

    return asyncio.run(hand_on())
