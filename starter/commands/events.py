"""``aftersales events``: the feed of what happens to cases (X4)."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer, json_line
from starter.commands.reaching import database
from starter.commands.stopping import told_to_stop
from starter.events import Events
from workflows.messages.events import EventType, FeedEvent
from workflows.rules.local_time import local


def events(
    after: Annotated[
        str | None,
        typer.Option(
            metavar="CURSOR", help="Behind this place; the oldest event that is kept without it, `end` for what comes."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    reader: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Keep the place under this name, and go on from there next time; its lag is measured."
        ),
    ] = None,
    forget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget this reader and its place, and show nothing.")
    ] = None,
    readers: Annotated[bool, typer.Option("--readers", help="Show who reads under a name, and how far.")] = False,
    type_: Annotated[
        list[EventType] | None, typer.Option("--type", help="Only events of this type; several times for several.")
    ] = None,
    merchant: Annotated[str | None, typer.Option(help="Only events of this merchant's cases.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many are looked at, at most.")] = 100,
    as_json: Json = False,
) -> int:
    """What happens to cases, oldest first: one event for each step, with a cursor to read on from.

    With --json a page as one document, with --follow one event a line.

    Example: [cyan]aftersales events --follow --reader crm --json[/]
    """
    if reader and after:
        raise UsageError("a reader goes on from its own place: leave out --after", "--reader")
    query: dict[str, object] = {"limit": limit, "types": tuple(type_ or ()), "merchant_id": merchant}
    return asyncio.run(_events(query, after, follow, reader, forget, readers, as_json))


async def _events(
    query: dict[str, object],
    after: str | None,
    follow: bool,
    reader: str | None,
    forget: str | None,
    readers: bool,
    as_json: bool,
) -> int:
    async with database() as pool:
        feed = Events(pool)
        if forget:
            found = await feed.forget(forget)
            said = "forgotten" if found else "there is no such reader"
            answer(as_json, {"reader": forget, "forgotten": found}, Text(f"{forget}: {said}"))
            return 0 if found else 1
        if readers:
            await _readers(feed, as_json)
            return 0
        query["after"] = await feed.end() if after == "end" else after
        if follow:
            await _follow(feed, query, reader, as_json)
            return 0
        if reader:
            query["after"] = await feed.place_of(reader)
        page = await feed.page(query)
        answer(as_json, page, _table(page.events), Text(f"read on with --after {page.next}", style="dim"))
        if reader:
            await feed.confirm(reader, page.next)
    return 0


async def _follow(feed: Events, query: dict[str, object], reader: str | None, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)

    async def show() -> None:
        async with aclosing(feed.follow(query, reader=reader)) as told:
            async for each in told:
                if as_json:
                    json_line(each)
                else:
                    console.print("  ".join(_cells(each)))

    showing = asyncio.create_task(show())
    stopping = asyncio.create_task(told_to_stop().wait())
    await asyncio.wait({showing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not showing.done():
        showing.cancel()
    with suppress(asyncio.CancelledError):
        await showing


async def _readers(feed: Events, as_json: bool) -> None:
    found = await feed.readers()
    table = Table("reader", "place", "confirmed", "waits since")
    for each in found:
        table.add_row(each.name, str(each.place), local(each.moved_at), local(each.oldest) if each.oldest else "-")
    document = [
        {"name": each.name, "place": str(each.place), "moved_at": each.moved_at, "oldest": each.oldest}
        for each in found
    ]
    answer(as_json, {"readers": document}, table)


def _table(told: Sequence[FeedEvent]) -> Table:
    table = Table("when", "case", "type", "stage", "what")
    for each in told:
        table.add_row(*_cells(each))
    return table


def _cells(told: FeedEvent) -> tuple[str, ...]:
    event = told.event
    what = ", ".join(f"{line.event} ({line.by})" for line in event.lines)
    stage = f"{event.stage}: {event.outcome}" if event.outcome else event.stage
    return local(event.at), event.case_id, event.type, stage, what
