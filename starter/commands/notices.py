"""``aftersales notices``: what nobody could be told (section 10)."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.notices import outbox
from activities.notices.channels import ChannelName
from activities.notices.outbox import GivenUp
from starter.commands.failures import Exit
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from workflows.rules.local_time import local

Channel = Annotated[ChannelName | None, typer.Option(help="Only by this channel.")]

notices = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Notices to buyers, merchants and staff: those that no channel has taken.",
)


@notices.command("undeliverable")
def undeliverable(
    channel: Channel = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    as_json: Json = False,
) -> int:
    """Notices that are not tried any more, the latest first, and why; exit code 1 where there are any.

    Example: [cyan]aftersales notices undeliverable --channel e_mail[/]
    """

    async def look() -> list[GivenUp]:
        async with database() as pool, pool.acquire() as connection:
            return await outbox.given_up(connection, channel, limit)

    found = asyncio.run(look())
    table = Table("case", "notice", "channel", "to", "attempts", "why", "since")
    for each in found:
        to = f"{each.recipient_role}:{each.recipient_id}"
        since = local(each.undeliverable_at)
        table.add_row(each.case_id, each.template, each.channel, to, str(each.attempts), each.last_failure, since)
    answer(as_json, {"undeliverable": found}, table)
    return Exit.NO if found else Exit.OK


@notices.command("retry")
def retry(
    channel: Channel = None,
    case: Annotated[str | None, typer.Option(metavar="CASE", help="Only of this case.")] = None,
    as_json: Json = False,
) -> int:
    """Have notices tried anew that were given up; exit code 1 where there are none.

    Example: [cyan]aftersales notices retry --channel e_mail[/]
    """

    async def again() -> int:
        async with database() as pool, pool.acquire() as connection:
            return await outbox.try_again(connection, channel, case)

    number = asyncio.run(again())
    answer(as_json, {"retried": number}, Text(f"{number} notices are tried again"))
    return Exit.OK if number else Exit.NO
