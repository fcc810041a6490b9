"""``aftersales alerts``: what the money's books cannot put right by themselves (section 10)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.postgres.alerts import Alert, open_alerts, resolve_alert
from activities.postgres.differences import (
    AcceptDifference,
    AcceptedDifference,
    Difference,
    accept,
    accepted_differences,
    open_differences,
)
from starter.commands import wording
from starter.commands.failures import Exit
from starter.commands.printing import Json, answer
from starter.commands.reaching import database
from workflows.messages.money import Minor
from workflows.messages.reconciliation import AcceptedFor
from workflows.rules.local_time import local

alerts = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Alerts of the ledger, and differences from the gateway's book: a person looks at each.",
)


@alerts.command("list")
def list_(
    accepted: Annotated[
        bool, typer.Option("--accepted", help="Differences that were accepted and stand like that instead.")
    ] = False,
    as_json: Json = False,
) -> int:
    """What is open, oldest first; exit code 1 where anything is.

    Example: [cyan]aftersales alerts list[/]
    """
    if accepted:
        return _list_accepted(as_json)

    async def look() -> tuple[tuple[Alert, ...], tuple[Difference, ...]]:
        async with database() as pool, pool.acquire() as connection:
            return await open_alerts(connection), await open_differences(connection)

    raised, found = asyncio.run(look())
    answer(as_json, {"alerts": raised, "differences": found}, _alerts(raised), _differences(found))
    return Exit.NO if raised or found else Exit.OK


def _list_accepted(as_json: bool) -> int:
    async def look() -> tuple[AcceptedDifference, ...]:
        async with database() as pool, pool.acquire() as connection:
            return await accepted_differences(connection)

    found = asyncio.run(look())
    answer(as_json, {"accepted": found}, _accepted(found) if found else Text("none"))
    return Exit.OK


@alerts.command("resolve")
def resolve(
    alert: Annotated[int, typer.Argument(metavar="ALERT", help="Its number, as `aftersales alerts list` tells it.")],
    as_json: Json = False,
) -> int:
    """Close an alert that a person has seen to. A difference closes itself once the books agree, or is accepted.

    Example: [cyan]aftersales alerts resolve 17[/]
    """

    async def close() -> bool:
        async with database() as pool, pool.acquire() as connection:
            return await resolve_alert(connection, alert, datetime.now(UTC))

    closed = asyncio.run(close())
    said = f"alert {alert} is closed" if closed else f"there is no open alert {alert}"
    answer(as_json, {"alert": alert, "closed": closed}, Text(said))
    return Exit.OK if closed else Exit.NO


@alerts.command("accept")
def accept_difference(
    difference: Annotated[
        int, typer.Argument(metavar="DIFFERENCE", help="Its number, as `aftersales alerts list` tells it.")
    ],
    by: Annotated[str, typer.Option("--as", help="Which officer: platform:o-1.")],
    reason: Annotated[AcceptedFor, typer.Option(help="Why it may stand.")],
    as_json: Json = False,
) -> int:
    """Take a difference as it stands, where the books will never agree. It is open again once either side changes.

    Example: [cyan]aftersales alerts accept 17 --as platform:o-1 --reason written_off[/]
    """
    wish = wording.built(AcceptDifference, {"difference": difference, "by": wording.actor(by), "reason": reason.value})

    async def close() -> bool:
        async with database() as pool, pool.acquire() as connection:
            return await accept(connection, wish, datetime.now(UTC))

    accepted = asyncio.run(close())
    said = f"difference {difference} is accepted" if accepted else f"there is no open difference {difference}"
    answer(as_json, {"difference": difference, "accepted": accepted}, Text(said))
    return Exit.OK if accepted else Exit.NO


def _alerts(raised: tuple[Alert, ...]) -> Table:
    table = Table("alert", "kind", "case", "refund no.", "evidence", "when", title="alerts")
    for each in raised:
        table.add_row(str(each.id), each.kind, each.case_id, each.refund_no, each.evidence, local(each.at))
    return table


def _differences(found: tuple[Difference, ...]) -> Table:
    table = Table(
        "difference", "kind", "subject", "ours", "theirs", "when", title="differences from the gateway's book"
    )
    for each in found:
        table.add_row(*_cells(each), local(each.found_at))
    return table


def _accepted(found: tuple[AcceptedDifference, ...]) -> Table:
    table = Table("difference", "kind", "subject", "ours", "theirs", "by", "for", "when", title="accepted differences")
    for each in found:
        table.add_row(*_cells(each), each.accepted_by, each.accepted_for, local(each.accepted_at))
    return table


def _cells(each: Difference) -> tuple[str, ...]:
    subject = f"{each.subject} (attempt {each.attempt})" if each.attempt else each.subject
    ours, theirs = _side(each.ours, each.ours_amount), _side(each.theirs, each.theirs_amount, each.theirs_currency)
    return (str(each.id), each.kind, subject, ours, theirs)


def _side(state: str | None, amount: Minor | None, currency: str | None = None) -> str:
    """How one book has it; the amount in minor units, for a difference can be one of currency."""
    of = f" of {currency}" if currency else ""
    return f"{state or 'nothing'}{'' if amount is None else f', {amount} minor units{of}'}"
