"""``aftersales limits``: how many activities a second a task queue starts, for all workers at once."""

import asyncio
from typing import Annotated, Final

import typer
from rich.table import Table

from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.connection import connect
from starter.settings import load_settings
from starter.task_queue_limits import Limits, limits_of, set_limits
from workflows.rules.local_time import local
from workflows.rules.worker_roles import WorkerRole, queue_of

limits = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="How fast work goes outside: rate limits of task queues, kept by Temporal and in force at once.",
)

_ROLES: Final = ", ".join(WorkerRole)
Role = Annotated[WorkerRole, typer.Argument(metavar="ROLE", help=f"Whose queue: {_ROLES}.")]


@limits.command("show")
def show(as_json: Json = False) -> int:
    """What is set on each queue, why and by whom.

    Example: [cyan]aftersales limits show[/]
    """

    async def look() -> tuple[Limits, ...]:
        settings = load_settings()
        client = await connect(settings)
        return tuple([await limits_of(client, queue_of(role, settings.task_queue)) for role in WorkerRole])

    found = asyncio.run(look())
    answer(as_json, {"limits": found}, _table(found))
    return 0


@limits.command("set")
def set_(
    role: Role,
    by: Annotated[str, typer.Option("--by", help="Who sets it: an id, no personal name.")],
    reason: Annotated[str, typer.Option(help="Why, as the next person reads it.")],
    per_second: Annotated[
        float | None, typer.Option(min=0.001, max=100_000, help="Activities a second of the whole queue.")
    ] = None,
    per_merchant: Annotated[
        float | None, typer.Option(min=0.001, max=100_000, help="Activities a second of each merchant.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(metavar="MERCHANT=WEIGHT", help="A merchant's share; without WEIGHT: again 1.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Take both rates away.")] = False,
    as_json: Json = False,
) -> int:
    """Limit a queue from now on: what is already running goes on, and what waits is started at this rate.

    The money queue is what the payment gateway feels: a payout asks it at most twice for each of its legs.

    Example: [cyan]aftersales limits set money --per-second 50 --by sre-3 --reason "the provider's quota"[/]
    """
    weights = dict(_weight(each) for each in weight or [])
    if not (per_second or per_merchant or weights or lift):
        raise UsageError("what is to be set? --per-second, --per-merchant, --weight or --lift")
    if lift and (per_second or per_merchant):
        raise UsageError("either takes rates away or sets them", "--lift")

    async def change() -> Limits:
        settings = load_settings()
        return await set_limits(
            await connect(settings),
            queue_of(role, settings.task_queue),
            by=by,
            reason=reason,
            per_second=per_second,
            per_merchant=per_merchant,
            lift=lift,
            weights=weights,
        )

    found = asyncio.run(change())
    answer(as_json, found, _table((found,)))
    return 0


def _weight(text: str) -> tuple[str, float | None]:
    merchant, _, weight = text.partition("=")
    try:
        share = float(weight) if weight else None
    except ValueError:
        share = -1
    if not merchant or (share is not None and not 0 < share <= 1000):
        raise UsageError("must be MERCHANT=WEIGHT, the weight above 0 and up to 1000", "--weight")
    return merchant, share


def _table(found: tuple[Limits, ...]) -> Table:
    table = Table("queue", "a second", "a second and merchant", "weights", "why", "by", "since")
    for each in found:
        table.add_row(
            each.queue,
            f"{each.per_second:g}" if each.per_second else "no limit",
            f"{each.per_merchant:g}" if each.per_merchant else "no limit",
            ", ".join(f"{merchant} {weight:g}" for merchant, weight in sorted(each.weights.items())),
            each.reason,
            each.set_by,
            local(each.set_at) if each.set_at else "",
        )
    return table
