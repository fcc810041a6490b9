"""``aftersales inbox``: what outside systems have told and cases were not told yet (X3)."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres import inbox as messages
from activities.postgres.inbox import InboxMessage
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from workflows.rules.local_time import local

inbox = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Callbacks and events of parcels that cases were not told of yet: a person looks at the dead ones.",
)

Message = Annotated[int, typer.Argument(metavar="MESSAGE", help="Its number, as `aftersales inbox list` tells it.")]


@inbox.command("list")
def list_(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that are still tried instead.")] = False,
    as_json: Json = False,
) -> int:
    """Messages that are not tried any more, oldest first; exit code 1 where there are any.

    Example: [cyan]aftersales inbox list[/]
    """

    async def look() -> tuple[InboxMessage, ...]:
        async with database() as pool, pool.acquire() as connection:
            return await messages.waiting(connection, dead=not waiting)

    found = asyncio.run(look())
    table = Table("message", "source", "kind", "about", "came", "tried", "why not", "tried again")
    for each in found:
        again = local(each.next_at) if each.next_at else "no more"
        words = (each.source, each.kind.replace("_", " "), each.about, local(each.received_at), str(each.attempts))
        table.add_row(str(each.id), *words, each.failure or "", again)
    answer(as_json, {"messages": found}, table if found else Text("none"))
    return Exit.NO if found else Exit.OK


@inbox.command("retry")
def retry(
    message: Annotated[int | None, typer.Argument(metavar="MESSAGE", help="Its number.")] = None,
    all_dead: Annotated[bool, typer.Option("--all", help="All dead ones instead.")] = False,
    as_json: Json = False,
) -> int:
    """Have messages tried again from now on, as if they had just come.

    Example: [cyan]aftersales inbox retry --all[/]
    """
    if (message is None) != all_dead:
        raise UsageError("one message, or all", "MESSAGE")

    async def again() -> int:
        async with database() as pool, pool.acquire() as connection:
            return await messages.retry(connection, message)

    count = asyncio.run(again())
    answer(as_json, {"tried_again": count}, Text(f"tried again: {count}"))
    return Exit.OK if count or all_dead else Exit.NO


@inbox.command("discard")
def discard(message: Message, as_json: Json = False) -> int:
    """Put a dead message away that a person has seen to. Should it come again, it is known.

    Example: [cyan]aftersales inbox discard 17[/]
    """

    async def put_away() -> bool:
        async with database() as pool, pool.acquire() as connection:
            return await messages.discard(connection, message)

    gone = asyncio.run(put_away())
    said = f"message {message} is put away" if gone else f"there is no dead message {message}"
    answer(as_json, {"message": message, "discarded": gone}, Text(said))
    return Exit.OK if gone else Exit.NO
