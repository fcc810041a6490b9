"""``aftersales alerts``: what the money's books cannot put right by themselves (section 10)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres.alerts import Alert, open_alerts, resolve_alert
from activities.postgres.differences import Difference, open_differences
from starter.commands.failures import Exit
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from workflows.messages.money import Minor
from workflows.rules.local_time import local

alerts = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Alerts of the ledger, and differences from the gateway's book: a person looks at each.",
)


@alerts.command("list")
def list_(as_json: Json = False) -> int:
    """What is open, oldest first; exit code 1 where anything is.

    Example: [cyan]aftersales alerts list[/]
    """

    async def look() -> tuple[tuple[Alert, ...], tuple[Difference, ...]]:
        async with database() as pool, pool.acquire() as connection:
            return await open_alerts(connection), await open_differences(connection)

    raised, found = asyncio.run(look())
    answer(as_json, {"alerts": raised, "differences": found}, _alerts(raised), _differences(found))
    return Exit.NO if raised or found else Exit.OK


@alerts.command("resolve")
def resolve(
    alert: Annotated[int, typer.Argument(metavar="ALERT", help="Its number, as `aftersales alerts list` tells it.")],
    as_json: Json = False,
) -> int:
    """Close an alert that a person has seen to. A difference closes itself once the books agree.

    Example: [cyan]aftersales alerts resolve 17[/]
    """

    async def close() -> bool:
        async with database() as pool, pool.acquire() as connection:
            return await resolve_alert(connection, alert, datetime.now(UTC))

    closed = asyncio.run(close())
    said = f"alert {alert} is closed" if closed else f"there is no open alert {alert}"
    answer(as_json, {"alert": alert, "closed": closed}, Text(said))
    return Exit.OK if closed else Exit.NO


def _alerts(raised: tuple[Alert, ...]) -> Table:
    table = Table("alert", "kind", "case", "refund no.", "evidence", "when", title="alerts")
    for each in raised:
        table.add_row(str(each.id), each.kind, each.case_id, each.refund_no, each.evidence, local(each.at))
    return table


def _differences(found: tuple[Difference, ...]) -> Table:
    table = Table("kind", "subject", "ours", "theirs", "when", title="differences from the gateway's book")
    for each in found:
        ours, theirs = _side(each.ours, each.ours_amount), _side(each.theirs, each.theirs_amount)
        subject = f"{each.subject} (attempt {each.attempt})" if each.attempt else each.subject
        table.add_row(each.kind, subject, ours, theirs, local(each.found_at))
    return table


def _side(state: str | None, amount: Minor | None) -> str:
    """How one book has it; the amount in minor units, for a difference can be one of currency."""
    return f"{state or 'nothing'}{'' if amount is None else f', {amount} minor units'}"
