"""``aftersales allowances``: shop allowances and the campaigns that they come of (A1 to A7)."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.policies import Policies
from activities.postgres import loading
from activities.postgres.allowances import of_account, prolong
from activities.postgres.lookup import account_lookup
from starter.commands import wording
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database, service
from starter.commands.shop import File, load_lines
from starter.commands.text_lines import lines_in
from starter.settings import load_settings
from starter.vault import lookup_key
from workflows.kinds.steps import STAFF
from workflows.messages.allowances import AllowanceCampaign, HeldAllowance
from workflows.messages.money import in_print
from workflows.rules.local_time import local

allowances = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Shop allowances 膨胀金 and their campaigns: load them, read them.",
)

After = Annotated[str | None, typer.Option(help="The id of the last one of the page before.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]


@allowances.command("load")
def load_allowances(file: File, as_json: Json = False) -> int:
    """Load allowances from JSON Lines. Account names are stored as keyed hashes only (A4); bad lines: exit code 1.

    Example: [cyan]aftersales allowances load allowances.jsonl[/]
    """
    return asyncio.run(load_lines(lines_in(file, "FILE"), loading.load_allowances, as_json))


@allowances.command("find")
def find_allowances(
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    account: Annotated[str, typer.Option(help="The account's name; - reads it from standard input.")],
    as_json: Json = False,
) -> int:
    """The allowances of one account at one merchant (A4).

    Example: [cyan]aftersales allowances find --merchant m-1 --account -[/]
    """
    name = sys.stdin.read().strip() if account == "-" else account
    try:
        wanted = account_lookup(lookup_key(load_settings()), name)
    except ValueError as error:
        raise UsageError(str(error), "--account") from error

    async def look() -> list[str]:
        async with database() as pool, pool.acquire() as connection:
            return await of_account(connection, merchant, wanted)

    found = asyncio.run(look())
    answer(as_json, {"allowances": found}, Text("\n".join(found) or "none"))
    return Exit.OK


@allowances.command("prolong")
def prolong_allowance(
    allowance: Annotated[str, typer.Argument(metavar="ALLOWANCE", help="The allowance's id.")],
    until: Annotated[str, typer.Option(help="The new end of its validity: ISO 8601 with offset.")],
    as_json: Json = False,
) -> int:
    """Move the end of an allowance's validity to a later moment (A6); an earlier one changes nothing.

    Example: [cyan]aftersales allowances prolong A-1 --until 2027-01-31T16:00Z[/]
    """
    moment = wording.moment(until, "--until")

    async def move() -> bool:
        async with database() as pool, pool.acquire() as connection:
            return await prolong(connection, allowance, moment)

    moved = asyncio.run(move())
    said = "prolonged" if moved else "there is no such allowance, or its validity has ended"
    answer(as_json, {"allowance_id": allowance, "prolonged": moved}, Text(said))
    return Exit.OK if moved else Exit.NO


@allowances.command("list")
def list_allowances(
    buyer: Annotated[str, typer.Option(help="The buyer's id.")],
    merchant: Annotated[str | None, typer.Option(help="At this merchant only.")] = None,
    after: After = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> int:
    """A buyer's allowances: what is left of them, whether they are frozen (A5), until when they are valid (A6).

    Example: [cyan]aftersales allowances list --buyer b-1[/]
    """

    async def look() -> tuple[HeldAllowance, ...]:
        async with service() as aftersales:
            found = aftersales.allowances.of_buyer(STAFF, buyer, merchant_id=merchant, after=after or "", limit=limit)
            return await found

    found = asyncio.run(look())
    profiles = Policies(load_settings().policies_dir)
    table = Table("allowance", "merchant", "paid, got", "spent", "left", "of it principal", "standing", "valid until")
    for each in found:
        amounts = (each.spent, each.balance, each.withdrawable)
        table.add_row(
            each.allowance_id,
            each.merchant_id,
            _terms(each),
            *(f"{in_print(amount, each.currency)} {each.currency}" for amount in amounts),
            f"{each.standing} by {each.held_by}" if each.standing == "frozen" else each.standing,
            local(each.valid_until, _zone_of(each, profiles)),
        )
    answer(as_json, {"allowances": found}, table)
    return Exit.OK


@allowances.command("load-campaigns")
def load_campaigns(file: File, as_json: Json = False) -> int:
    """Load campaigns from JSON Lines, before the allowances that come of them; one that is known can get another end.

    Example: [cyan]aftersales allowances load-campaigns campaigns.jsonl[/]
    """
    return asyncio.run(load_lines(lines_in(file, "FILE"), loading.load_campaigns, as_json))


@allowances.command("campaigns")
def list_campaigns(
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    running: Annotated[bool | None, typer.Option("--running/--past", help="Only those. All by default.")] = None,
    after: After = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> int:
    """A merchant's allowance campaigns, the latest begun first: what is to be paid, what is got for it, and when.

    Example: [cyan]aftersales allowances campaigns --merchant m-1 --running[/]
    """

    async def look() -> tuple[AllowanceCampaign, ...]:
        async with service() as aftersales:
            found = aftersales.allowances.campaigns(STAFF, merchant, running=running, after=after, limit=limit)
            return await found

    found = asyncio.run(look())
    profiles = Policies(load_settings().policies_dir)
    table = Table("campaign", "paid, got", "from", "until")
    for each in found:
        zone = _zone_of(each, profiles)
        table.add_row(each.campaign_id, _terms(each), local(each.starts_at, zone), local(each.ends_at, zone))
    answer(as_json, {"campaigns": found}, table)
    return Exit.OK


def _zone_of(granted: HeldAllowance | AllowanceCampaign, profiles: Policies) -> str | None:
    """In which its profile has moments told (G6); None for Asia/Shanghai."""
    policy = profiles.get(granted.marketplace)
    return policy.time_zone if policy else None


def _terms(granted: HeldAllowance | AllowanceCampaign) -> str:
    """Pay 80, get 100 (A1)."""
    paid, got = granted.principal, granted.principal + granted.bonus
    return f"pay {in_print(paid, granted.currency)}, get {in_print(got, granted.currency)} {granted.currency}"
