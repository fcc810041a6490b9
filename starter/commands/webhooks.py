"""``aftersales webhooks``: who is told of events, and what was not taken (X4)."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres import webhooks as books
from activities.postgres.connection import Connection
from activities.webhooks import endpoints
from activities.webhooks.endpoints import Endpoint, EndpointsError
from activities.webhooks.signing import new_secret
from starter.commands.failures import Exit
from starter.commands.printing import Json, answer, answer_unwrapped
from starter.commands.reaching import database
from starter.settings import Settings, SettingsError, load_settings, variable_name
from workflows.rules.local_time import local

Given = TypeVar("Given")
Name = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name in the file of AFTERSALES_WEBHOOKS.")]

webhooks = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Events by webhook: who is told, how it stands with each endpoint, and what was given up.",
)


@webhooks.command("list")
def list_(as_json: Json = False) -> int:
    """The endpoints, those of the file and those that were told before, and what waits for each.

    Example: [cyan]aftersales webhooks list[/]
    """
    settings = load_settings()
    named, standing = _named(settings), _asked(books.standing)
    table = Table("endpoint", "url", "events", "not told since", "waiting", "given up", "rests until")
    known = {each.name: each for each in standing}
    rows: list[dict[str, object]] = []
    for name in sorted({*named, *known}):
        endpoint, stands = named.get(name), known.get(name)
        oldest, rests = (stands.oldest, stands.rests_until) if stands else (None, None)
        waiting, dead = (stands.waiting, stands.dead) if stands else (0, 0)
        types = [str(each) for each in endpoint.types] if endpoint else []
        url = endpoint.url if endpoint else None
        rows.append(
            {
                "name": name,
                "url": url,
                "types": types,
                "oldest": oldest,
                "waiting": waiting,
                "dead": dead,
                "rests": rests,
            }
        )
        table.add_row(
            name,
            url or "(not in the file)",
            ", ".join(types) or "all",
            local(oldest) if oldest else "-",
            str(waiting),
            str(dead),
            local(rests) if rests else "-",
        )
    answer(as_json, {"endpoints": rows}, table)
    return Exit.OK


@webhooks.command("dead")
def dead(
    endpoint: Annotated[str | None, typer.Option(metavar="ENDPOINT", help="Only of this endpoint.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    as_json: Json = False,
) -> int:
    """Events that were given up, the oldest first, and how many wait behind each; exit code 1 where there are any.

    Example: [cyan]aftersales webhooks dead[/]
    """
    letters = _asked(lambda connection: books.dead(connection, endpoint, limit))
    table = Table("endpoint", "case", "event", "attempts", "why", "given up", "behind it")
    rows: list[dict[str, object]] = []
    for each in letters:
        event: Mapping[str, object] = json.loads(each.event)
        rows.append(
            {
                "endpoint": each.endpoint,
                "event": event,
                "attempts": each.attempts,
                "last_failure": each.last_failure,
                "dead_at": each.dead_at,
                "behind": each.behind,
            }
        )
        table.add_row(
            each.endpoint,
            each.case_id,
            f"{event['type']} {event['sequence']}",
            str(each.attempts),
            each.last_failure or "",
            local(each.dead_at),
            str(each.behind),
        )
    answer(as_json, {"dead": rows}, table)
    return Exit.NO if letters else Exit.OK


@webhooks.command("replay")
def replay(
    endpoint: Name,
    case: Annotated[str | None, typer.Option(metavar="CASE", help="Only what is of this case.")] = None,
    as_json: Json = False,
) -> int:
    """Try again what was given up, and an endpoint that rests at once; exit code 1 where nothing was given up.

    Example: [cyan]aftersales webhooks replay crm[/]
    """
    number = _asked(lambda connection: books.replay(connection, endpoint, case))
    answer(as_json, {"endpoint": endpoint, "replayed": number}, Text(f"{number} events are tried again"))
    return Exit.OK if number else Exit.NO


@webhooks.command("discard")
def discard(
    endpoint: Name,
    case: Annotated[str, typer.Option(metavar="CASE", help="Of this case.")],
    as_json: Json = False,
) -> int:
    """Drop what was given up of a case: the endpoint is never told of it, and the case's later events go on.

    Example: [cyan]aftersales webhooks discard crm --case refund/DY-1001/r-1[/]
    """
    number = _asked(lambda connection: books.discard(connection, endpoint, case))
    answer(as_json, {"endpoint": endpoint, "discarded": number}, Text(f"{number} events are dropped"))
    return Exit.OK if number else Exit.NO


@webhooks.command("forget")
def forget(endpoint: Name, as_json: Json = False) -> int:
    """Drop all that is known of an endpoint: how far it was told, and what waits. One in the file begins anew.

    Example: [cyan]aftersales webhooks forget crm[/]
    """
    found = _asked(lambda connection: books.forget(connection, endpoint))
    said = "forgotten" if found else "was never told anything"
    answer(as_json, {"endpoint": endpoint, "forgotten": found}, Text(f"{endpoint}: {said}"))
    return Exit.OK if found else Exit.NO


@webhooks.command("secret")
def secret(as_json: Json = False) -> int:
    """A new secret, for the file and for the receiver.

    To change one: put the new one first and the old one behind it, give the receiver the new one, take the old one out.

    Example: [cyan]aftersales webhooks secret[/]
    """
    made = new_secret()
    answer_unwrapped(as_json, {"secret": made}, made)
    return Exit.OK


def _named(settings: Settings) -> Mapping[str, Endpoint]:
    if settings.webhooks is None:
        return {}
    try:
        return endpoints.read(settings.webhooks, anywhere=settings.posts_anywhere)
    except EndpointsError as error:
        raise SettingsError(f"{variable_name('webhooks')}: {error}") from error


def _asked(question: Callable[[Connection], Awaitable[Given]]) -> Given:
    async def ask() -> Given:
        async with database() as pool, pool.acquire() as connection:
            return await question(connection)

    return asyncio.run(ask())
