"""``aftersales keys`` and ``forget``: the key ring, and persons who are to be forgotten (section 8)."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.privacy.keys import KeyRingError, new_key, read_keys, unique_id
from starter.commands.failures import Exit, UsageError
from starter.commands.printing import Json, answer, answer_unwrapped
from starter.commands.reaching import service
from starter.settings import load_settings
from starter.vault import key_provider
from workflows.messages.actors import officer

keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="The key ring that everything is encrypted with."
)

_PERSON = re.compile(r"(buyer|merchant)/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


@keys.command("new")
def new(
    identifier: Annotated[
        str | None,
        typer.Option("--id", help="What the key's id begins with, no secret. By default today's date and time."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Make a key for the ring, on standard output, under an id that no other ring has. Keep it where secrets are kept.

    Example: [cyan]aftersales keys new --id 2026-11 >> keys[/]
    """
    line = new_key(unique_id(identifier or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")))
    try:
        read_keys(line)
    except KeyRingError:
        raise UsageError("must be up to 39 of A-Z a-z 0-9 _ . -", "--id") from None
    answer_unwrapped(as_json, {"key": line}, line)
    return Exit.OK


@keys.command("rotate")
def rotate(as_json: Json = False) -> int:
    """Put all persons' keys under the ring's current key. Afterwards older keys are needed for old payloads only.

    Example: [cyan]aftersales keys rotate[/]
    """

    async def work() -> int:
        current = await key_provider(load_settings()).current()
        async with service() as aftersales:
            moved = await aftersales.privacy.rewrap()
        document = {"current": current.id, "moved": moved}
        answer(as_json, document, Text(f"{moved} persons' keys put under key {current.id}"))
        return Exit.OK

    return asyncio.run(work())


def forget(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Who: buyer/<id> or merchant/<id>.")],
    by: Annotated[str, typer.Option(help="The officer who forgets, by id.")],
    reason: Annotated[str, typer.Option(help="Why, as a code: erasure_request, say.")],
    as_json: Json = False,
) -> int:
    """Forget a person for good: nothing of theirs can be read again, here or in a backup. There is no way back.

    Exit code 1 where something of theirs could still be opened afterwards.

    Example: [cyan]aftersales forget buyer/b-1 --by f-1 --reason erasure_request[/]
    """
    if not _PERSON.fullmatch(person):
        raise UsageError("must be buyer/<id> or merchant/<id>", "PERSON")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", reason):
        raise UsageError("must be a code of a-z, 0-9 and _", "--reason")

    async def work() -> int:
        async with service() as aftersales:
            done = await aftersales.privacy.forget(person, by=officer(by), reason=reason)
        facts = Table.grid(padding=(0, 2))
        facts.add_row("keys destroyed", str(done.keys_destroyed))
        facts.add_row("rows deleted", str(done.deleted))
        facts.add_row("texts that nobody can open any more", str(done.sealed_for_good))
        facts.add_row("texts that still open", Text(str(done.readable), style="bold red" if done.readable else "green"))
        found = Text(str(done.searchable), style="bold red" if done.searchable else "green")
        facts.add_row("hashes that still find the person", found)
        facts.add_row("virtual numbers released", str(done.numbers_released))
        for each in done.open_cases:
            facts.add_row("open case, goes on", each)
        for each in done.kept_elsewhere:
            facts.add_row("kept elsewhere, to be forgotten there", each)
        answer(as_json, done, facts)
        return Exit.OK if done.complete else Exit.NO

    return asyncio.run(work())
