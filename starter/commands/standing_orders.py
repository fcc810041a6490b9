"""``aftersales standing-orders``: what a merchant lets be decided as soon as it is asked for (G4)."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from activities.policies import Policies
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.typed_request import DEFAULT_CURRENCY
from starter.settings import load_settings
from workflows.messages.money import in_print
from workflows.messages.standing_orders import EndStandingOrder, SetStandingOrder, StandingOrderVersion
from workflows.rules.local_time import local

standing_orders = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Standing orders 自动处理: requests that are decided for the merchant as soon as they come (G4).",
)

Merchant = Annotated[str, typer.Option(help="The merchant's id.")]
Profile = Annotated[str, typer.Option(help="The marketplace whose orders it is for.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The number of the standing order.")]


@standing_orders.command("set")
def set_order(
    merchant: Merchant,
    profile: Profile,
    kind: Annotated[list[str], typer.Option(help="unshipped_refund, shipped_refund, return, ...; several times.")],
    up_to: Annotated[str, typer.Option(help="The most that a request may ask for: 50.00")],
    most_a_day: Annotated[str, typer.Option(help="The most that it decides on in one day: 1000.00")],
    reason: Annotated[list[str] | None, typer.Option(help="A reason's code; several times. All if none.")] = None,
    without_return: Annotated[
        bool, typer.Option("--without-return", help="Pay returns without the goods coming back.")
    ] = False,
    most_cases: Annotated[
        int | None, typer.Option(help="How many other cases the buyer may have had with the merchant.")
    ] = None,
    days: Annotated[int, typer.Option(help="In how many days.")] = 90,
    currency: Annotated[
        str | None, typer.Option(help="Of the amounts. The profile's by default; CNY where that takes any.")
    ] = None,
    number: Annotated[int | None, typer.Option(help="The one to change; a new one without.")] = None,
    as_json: Json = False,
) -> int:
    """Give a standing order, or change one. The same terms again are the same order.

    Example: [cyan]aftersales standing-orders set --merchant m-1 --profile cn-2026 --kind unshipped_refund
    --up-to 50.00 --most-a-day 1000.00[/]
    """
    currency = _currency(profile, currency)
    wish = wording.built(
        SetStandingOrder,
        {
            "merchant_id": merchant,
            "profile": profile,
            "by": {"role": "merchant", "id": merchant},
            "number": number,
            "terms": {
                "kinds": kind,
                "does": "refund_without_return" if without_return else "agree",
                "reasons": reason or [],
                "up_to": _minor(up_to, currency, "--up-to"),
                "most_a_day": _minor(most_a_day, currency, "--most-a-day"),
                "most_cases": most_cases,
                "days": days,
            },
        },
    )

    async def give() -> int:
        async with service() as aftersales:
            given = await aftersales.desk.set_standing_order(wish)
            answer(as_json, given, _page((given,), currency))
            return 0

    return asyncio.run(give())


@standing_orders.command("list")
def list_orders(
    merchant: Merchant,
    profile: Annotated[str | None, typer.Option(help="Of this marketplace only.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Every version of each.")] = False,
    as_json: Json = False,
) -> int:
    """The merchant's standing orders, ended ones too.

    Example: [cyan]aftersales standing-orders list --merchant m-1[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.desk.standing_orders(merchant, profile, history=history)
            answer(as_json, {"standing_orders": found}, _page(found))
            return 0

    return asyncio.run(look())


@standing_orders.command("end")
def end_order(number: Number, merchant: Merchant, profile: Profile, as_json: Json = False) -> int:
    """End a standing order: it decides nothing any more.

    Example: [cyan]aftersales standing-orders end 1 --merchant m-1 --profile cn-2026[/]
    """
    by = {"role": "merchant", "id": merchant}
    wish = wording.built(EndStandingOrder, {"merchant_id": merchant, "profile": profile, "by": by, "number": number})

    async def end() -> int:
        async with service() as aftersales:
            ended = await aftersales.desk.end_standing_order(wish)
            answer(as_json, ended, _page((ended,)))
            return 0

    return asyncio.run(end())


def _currency(profile: str, asked: str | None) -> str:
    """Of amounts of this profile's orders, in which the service counts them; a profile that is not known is told later.

    Raises:
        UsageError: another one was asked for.
    """
    policy = Policies(load_settings().policies_dir).get(profile)
    own = policy.place.currency if policy else None
    if own and asked and asked != own:
        raise UsageError(f"orders of {profile} are paid in {own}", "--currency")
    return own or asked or DEFAULT_CURRENCY


def _minor(text: str, currency: str, field: str) -> int:
    return wording.minor(wording.amount(text, field), currency, field)


def _page(orders: Sequence[StandingOrderVersion], currency: str | None = None) -> Table:
    """Amounts in ``currency``, or that of each order's profile; CNY where that takes any, as when one is given."""
    profiles = Policies(load_settings().policies_dir)
    table = Table("profile", "no.", "version", "for", "does", "up to", "a day", "buyer", "since")
    for each in orders:
        profile = profiles.get(each.profile)
        printed = currency or (profile and profile.place.currency) or DEFAULT_CURRENCY
        terms = each.terms
        table.add_row(
            each.profile,
            str(each.number),
            str(each.version),
            ", ".join((*terms.kinds, *terms.reasons)),
            "ended" if each.ended else terms.does.replace("_", " "),
            f"{in_print(terms.up_to, printed)} {printed}",
            f"{in_print(terms.most_a_day, printed)} {printed}",
            "any" if terms.most_cases is None else f"≤ {terms.most_cases} cases in {terms.days} d",
            local(each.at, profile and profile.time_zone),
        )
    return table
