"""``aftersales pauses``, ``exemptions`` and ``ladder``: what the platform declares, and whom buyers can turn to."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.calendar.working_days import Calendar
from activities.escalation import ladder_at
from activities.policies import Policies
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.settings import load_settings
from workflows.messages.pauses import (
    DeclareExemption,
    DeclarePause,
    ExemptionReason,
    LiftPause,
    PauseReason,
    PauseWindow,
)
from workflows.messages.stages import CaseKind
from workflows.rules.local_time import local

pauses = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Pause windows: times in which the clocks of some kinds of case stand still (section 9).",
)
exemptions = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Exemptions from shipping in time (L2).")

Id = Annotated[str, typer.Argument(metavar="ID", help="The declaration's id: the same again is the same declaration.")]
StartsAt = Annotated[str, typer.Option(help="From when it holds: ISO 8601 with offset.")]
EndsAt = Annotated[str, typer.Option(help="Until when: ISO 8601 with offset.")]
By = Annotated[str, typer.Option("--as", help="Which officer: platform:o-1.")]


@pauses.command("declare")
def declare(
    identifier: Id,
    kind: Annotated[list[CaseKind], typer.Option(help="A kind of case whose clocks stand still; several times.")],
    reason: Annotated[PauseReason, typer.Option(help="Why.")],
    starts_at: StartsAt,
    ends_at: EndsAt,
    by: By,
    as_json: Json = False,
) -> int:
    """Let the clocks of these kinds of case stand still for a while; deadlines that run already move accordingly.

    Example: [cyan]aftersales pauses declare spring-2027 --kind unshipped_refund --kind return --reason spring_festival
    --starts-at 2027-02-05T00:00+08:00 --ends-at 2027-02-12T00:00+08:00 --as platform:o-1[/]
    """
    kinds = {"kinds": kind}
    declaration = wording.built(DeclarePause, _declaration(identifier, reason, starts_at, ends_at, by) | kinds)

    async def tell() -> int:
        async with service() as aftersales:
            window = await aftersales.declarations.declare_pause(declaration)
        answer(as_json, window, _windows((window,)))
        return 0

    return asyncio.run(tell())


@pauses.command("lift")
def lift(identifier: Id, by: By, as_json: Json = False) -> int:
    """End a pause before its time, or call it off.

    Example: [cyan]aftersales pauses lift spring-2027 --as platform:o-1[/]
    """
    lifting = wording.built(LiftPause, {"id": identifier, "by": wording.actor(by)})

    async def tell() -> int:
        async with service() as aftersales:
            window = await aftersales.declarations.lift_pause(lifting)
        if window is None:
            raise UsageError(f"there is no pause {identifier}", "ID")
        answer(as_json, window, _windows((window,)))
        return 0

    return asyncio.run(tell())


@pauses.command("list")
def list_pauses(as_json: Json = False) -> int:
    """All pause windows, the one that starts last first.

    Example: [cyan]aftersales pauses list[/]
    """

    async def look() -> int:
        async with service() as aftersales:
            windows = await aftersales.declarations.pauses()
        answer(as_json, {"pauses": windows}, _windows(windows))
        return 0

    return asyncio.run(look())


@exemptions.command("declare")
def declare_exemption(
    identifier: Id,
    reason: Annotated[ExemptionReason, typer.Option(help="Why.")],
    starts_at: StartsAt,
    ends_at: EndsAt,
    by: By,
    merchant: Annotated[list[str] | None, typer.Option(help="Only for this merchant; several times.")] = None,
    as_json: Json = False,
) -> int:
    """Excuse merchants from shipping late in a certain time; they refer to it by its id (L2).

    Example: [cyan]aftersales exemptions declare peak-2026 --reason promotion_peak
    --starts-at 2026-11-10T00:00+08:00 --ends-at 2026-11-13T00:00+08:00 --as platform:o-1[/]
    """
    merchants = {"merchants": merchant or []}
    declaration = wording.built(DeclareExemption, _declaration(identifier, reason, starts_at, ends_at, by) | merchants)

    async def tell() -> int:
        async with service() as aftersales:
            declared = await aftersales.declarations.declare_exemption(declaration)
        answer(as_json, declared, Text(f"{declared.id}: {', '.join(declared.merchants) or 'all merchants'}"))
        return 0

    return asyncio.run(tell())


def ladder(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="The order's profile.")],
    at: Annotated[str | None, typer.Option(help="At this moment: ISO 8601 with offset. By default now.")] = None,
    as_json: Json = False,
) -> int:
    """Whom a buyer can turn to next, from the first rung up, and whether somebody is there (L4).

    Example: [cyan]aftersales ladder douyin --at 2026-11-21T09:00+08:00[/]
    """
    settings = load_settings()
    policy = Policies(settings.policies_dir).get(profile)
    if policy is None:
        raise UsageError("there is no such profile", "PROFILE")
    moment = wording.moment(at, "--at") if at else datetime.now(UTC)
    rungs = ladder_at(moment, policy, calendar=Calendar(settings.calendar_overrides))
    table = Table("rung", "", "now", "opens")
    for number, each in enumerate(rungs, start=1):
        state = Text("open", style="green") if each.open_now else Text("closed", style="yellow")
        title = f"{each.rung.chinese} · {each.rung.english}"
        table.add_row(str(number), title, state, "" if each.open_now else local(each.opens_at, policy.time_zone))
    document = [
        {
            "rung": each.rung.code,
            "title": each.rung.english,
            "open_now": each.open_now,
            "opens_at": each.opens_at,
            "warnings": each.warnings,
        }
        for each in rungs
    ]
    warnings = sorted({warning for each in rungs for warning in each.warnings})
    notes = [Text("warnings: " + ", ".join(warnings), style="yellow")] if warnings else []
    answer(as_json, {"at": moment, "ladder": document}, table, *notes)
    return 0


def _declaration(identifier: str, reason: str, starts_at: str, ends_at: str, by: str) -> dict[str, object]:
    return {
        "id": identifier,
        "reason": reason,
        "starts_at": wording.moment(starts_at, "--starts-at").isoformat(),
        "ends_at": wording.moment(ends_at, "--ends-at").isoformat(),
        "by": wording.actor(by),
    }


def _windows(windows: Iterable[PauseWindow]) -> Table:
    table = Table("pause", "reason", "kinds", "from", "until", "declared by", "lifted")
    for each in windows:
        lifted = local(each.lifted_at) if each.lifted_at else ""
        kinds = ", ".join(each.kinds)
        moments = (local(each.starts_at), local(each.resumes_at))
        table.add_row(each.id, each.reason, kinds, *moments, each.declared_by.id, lifted)
    return table
