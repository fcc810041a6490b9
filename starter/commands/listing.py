"""``aftersales list``: the work lists 售后工作台 (SPEC section 12)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres.lookup import account_lookup, name_lookup, phone_lookup
from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.viewing import remaining
from starter.settings import load_settings
from workflows.messages.flags import Colour
from workflows.messages.money import Money
from workflows.messages.stages import WorkList

_LOOKUPS: Final = {"--account": account_lookup, "--name": name_lookup, "--phone": phone_lookup}


def list_cases(
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's cases.")] = None,
    work_list: Annotated[WorkList | None, typer.Option("--list", help="Only this list.")] = None,
    order: Annotated[str | None, typer.Option(help="Only cases of this order.")] = None,
    buyer: Annotated[str | None, typer.Option(help="Only cases of this buyer's id.")] = None,
    account: Annotated[
        str | None,
        typer.Option(help="Only cases of allowances of this account name (A4); only its keyed hash is searched for."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only cases of this customer's name, by its keyed hash.")] = None,
    phone: Annotated[str | None, typer.Option(help="Only cases of this customer's phone, by its keyed hash.")] = None,
    flag: Annotated[Colour | None, typer.Option(help="Only cases whose order or allowance has this flag 插旗.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed cases as well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> int:
    """The work lists: open cases by the time that is left, the most urgent first, with a count for each list.

    Example: [cyan]aftersales list --merchant m-1 --list unshipped_refunds[/]
    """
    fields = {
        "merchant_id": merchant,
        "work_list": work_list,
        "order_no": order,
        "buyer_id": buyer,
        "customer": _customer({"--account": account, "--name": name, "--phone": phone}),
        "flag": flag,
        "with_closed": closed,
        "limit": limit,
    }
    return asyncio.run(_list(wording.built(WorkQuery, fields), as_json))


def _customer(asked: dict[str, str | None]) -> str | None:
    given = {option: value for option, value in asked.items() if value is not None}
    if len(given) > 1:
        raise UsageError("a customer is searched for by one of account, name and phone", next(iter(given)))
    key = load_settings().lookup_key.get_secret_value().encode()
    for option, value in given.items():
        try:
            return _LOOKUPS[option](key, value)
        except ValueError as error:
            raise UsageError(str(error), option) from error
    return None


async def _list(query: WorkQuery, as_json: bool) -> int:
    async with service() as aftersales:
        items = await aftersales.work_list(query)
        counts = await aftersales.work_counts(query)
    shown = "  ".join(f"{name}: {number}" for name, number in sorted(counts.items())) or "no cases"
    answer(as_json, {"cases": items, "counts": counts}, _table(items), Text(shown, style="bold"))
    return 0


def _table(items: list[WorkItem]) -> Table:
    now = datetime.now(UTC)
    table = Table("case", "stage", "remaining", "asked", "merchant", "list", "flag", "attention")
    table.columns[0].no_wrap = True
    for item in items:
        asked = str(Money(amount=item.asked, currency=item.currency))
        left = Text(item.outcome, style="dim") if item.outcome else remaining(item.due_at, now)
        attention = Text(item.attention or "", style="bold red")
        lists = (item.work_list or "", item.flag or "")
        table.add_row(item.case_id, item.stage, left, asked, item.merchant_id, *lists, attention)
    return table
