"""``aftersales show``, ``log`` and ``outcome``: one case."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from activities.postgres.threads import THREAD
from activities.postgres.timelines import Stay
from starter.client import Aftersales, Case
from starter.commands import completion
from starter.commands.log_lines import log_table, thread_table, who
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.talk import proposal_words, remark_in_clear, remarks_table
from starter.database import answering
from starter.durations import in_words
from starter.errors import UnknownCase, Unreachable
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role, officer
from workflows.messages.addresses import Region
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, LogEntry, Outcome
from workflows.messages.flags import Remark
from workflows.messages.money import Money, in_print
from workflows.messages.payouts import LegStatus
from workflows.messages.reasons import Reason
from workflows.messages.rulings import FreightBearer, Ruling
from workflows.messages.stages import CaseKind, StageName
from workflows.messages.threads import ThreadItem
from workflows.rules.local_time import local, minute
from workflows.rules.silence import BY_PROFILE
from workflows.rules.wording import SILENCE_MEANS, STOPPED_MEANS

CaseId = Annotated[
    str, typer.Argument(metavar="CASE", help="The case's id: refund/O-1/k-1.", autocompletion=completion.case_ids)
]

_LOOKER: Final = officer("operator")
"""Who has the command line and the keys is the platform: references alone are shown, and no reading is recorded."""
_URGENT = timedelta(hours=2)
_SOON = timedelta(hours=12)


@dataclass(frozen=True)
class Known:
    """All that is known of a case; ``now`` is the case's own time, by which the remaining time is told."""

    view: CaseView
    log: tuple[LogEntry, ...]
    timeline: tuple[Stay, ...]
    now: datetime
    remarks: tuple[Remark, ...] | None = ()
    """At the case and at its order (section 12); None where they cannot be read now."""
    thread: tuple[ThreadItem, ...] = ()
    """What both sides have said and proposed; words are references (N5)."""


def show(case: CaseId, as_json: Json = False) -> int:
    """One page about a case: where it stands, until when, what silence does, what is open; its timeline and its log.

    Example: [cyan]aftersales show refund/O-1/k-1[/]
    """
    return asyncio.run(_show(case, as_json))


def log(case: CaseId, as_json: Json = False) -> int:
    """The whole case log 售后日志: every step, who took it, under which rule, in order.

    Example: [cyan]aftersales log refund/O-1/k-1[/]
    """
    return asyncio.run(_log(case, as_json))


def outcome(case: CaseId, as_json: Json = False) -> int:
    """Wait for the end of a case, and show it.

    Example: [cyan]aftersales outcome refund/O-1/k-1[/]
    """
    return asyncio.run(_outcome(case, as_json))


async def _show(identifier: str, as_json: bool) -> int:
    async with service() as aftersales:
        case = aftersales.case(identifier)
        try:
            known = await look(aftersales, case)
        except Unreachable:
            if starts_at := await _starts_later(case):
                rule = "L1" if identifier.startswith("late-shipment/") else "A6"
                # No case yet: it goes by the profile of what it is about, which its id ends with.
                zone = await zone_of(aftersales, identifier.rpartition("/")[2])
                page = Text(f"{identifier} starts by itself on {local(starts_at, zone)} ({rule})")
                answer(as_json, {"case_id": identifier, "starts_at": starts_at}, page)
                return 0
            raise
    noted = None if known.remarks is None else [remark_in_clear(each) for each in known.remarks]
    document = known.view.model_dump(mode="json") | {"log": known.log, "timeline": known.timeline}
    document |= {"remarks": noted, "thread": known.thread}
    answer(as_json, document, known_page(known))
    return 0


async def look(aftersales: Aftersales, case: Case) -> Known:
    """Ask the case's workflow and the case book.

    Raises:
        UnknownCase: there is no such case.
        Unreachable: Temporal, or every worker, does not answer.
    """
    view = await case.view()
    try:
        log = tuple(await case.log())
    except UnknownCase:
        log = view.log  # still being opened: nothing is written down yet
    timeline, now = tuple(await case.timeline()), await case.now()
    # What is said and proposed stands in the log: where nothing does, nothing is read for it.
    talked = any(entry.event in THREAD for entry in log)
    thread = await aftersales.desk.thread(case.id, _LOOKER) if talked else ()
    return Known(view, log, timeline, now, await _remarks(aftersales, case.id), thread)


async def _remarks(aftersales: Aftersales, case_id: str) -> tuple[Remark, ...] | None:
    """A case's page is needed most when something is broken: it does not wait for the key store."""
    try:
        with answering():
            return await aftersales.desk.remarks(None, case_id)
    except Unreachable:
        return None


async def _starts_later(case: Case) -> datetime | None:
    """When a case will begin that was started ahead of its time (A6, L1); None for any other case."""
    starts_at = (await case.handle.describe()).execution_time
    return starts_at if starts_at and starts_at > await case.now() else None


async def _log(identifier: str, as_json: bool) -> int:
    async with service() as aftersales:
        entries = await aftersales.case(identifier).log()
        zone = await zone_of(aftersales, identifier)
        currency = await aftersales.currency_of(identifier)
    answer(as_json, {"case_id": identifier, "log": entries}, log_table(entries, zone, currency))
    return 0


async def _outcome(identifier: str, as_json: bool) -> int:
    async with service() as aftersales:
        ended = await aftersales.case(identifier).outcome()
        zone = await zone_of(aftersales, identifier)
    answer(as_json, ended, outcome_page(ended, zone))
    return 0


async def zone_of(aftersales: Aftersales, subject: str) -> str | None:
    """In which zone a case, an order or an allowance is told (G6); None, Asia/Shanghai, where that cannot be read."""
    try:
        return await aftersales.time_zone_of(subject)
    except Unreachable:
        return None


def known_page(known: Known) -> RenderableType:
    """What ``show`` shows: the case, how it came there, and its whole log."""
    view, currency = known.view, _currency(known.view)
    return Group(
        case_facts(view, known.now),
        *(["", remarks_table(known.remarks, "remarks", view.time_zone)] if known.remarks else []),
        *(["", Text("remarks: cannot be read now", style="dim")] if known.remarks is None else []),
        *(["", thread_table(known.thread, {}, view.time_zone, currency)] if known.thread else []),
        *(["", timeline_table(known.timeline, known.now, view)] if known.timeline else []),
        "",
        log_table(known.log, view.time_zone, currency),
    )


def case_page(view: CaseView, now: datetime) -> RenderableType:
    """A case after a command, with the last lines of its log. ``now`` is the case's own time."""
    return Group(case_facts(view, now), "", log_table(view.log, view.time_zone, _currency(view)))


def _currency(view: CaseView) -> str | None:
    return view.asked.currency if view.asked else None


def case_facts(view: CaseView, now: datetime) -> RenderableType:
    """What a case is, where it stands, until when, what silence does, what is open, and its payments."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("case", Text(view.case_id, style="bold"))
    kind = (view.kind or "not yet known").replace("_", " ")
    facts.add_row("kind", f"{kind}, {view.order_no or view.allowance_id}")
    facts.add_row("parties", f"merchant {view.merchant_id}, buyer {view.buyer_id or 'not known'}")
    facts.add_row("stage", Text(stage_title(view.stage), style="bold"))
    facts.add_row("rule", f"{view.rule}; policy {view.policy or 'not yet taken'}")
    if view.stopped:
        facts.add_row("stopped", Text(STOPPED_MEANS.get(view.stopped, view.stopped), style="bold red"))
    if view.attention:
        facts.add_row("attention", Text(view.attention, style="bold red"))
    if view.asked:
        paid = f"; paid back {view.refunded}" if view.refunded else ""
        compensated = f"; compensated {view.compensated}" if view.compensated else ""
        facts.add_row("asked", f"{view.asked}{paid}{compensated}")
    if view.application and view.asked:
        words = application_words(view.application, view.asked.currency, view.reason, view.time_zone)
        facts.add_row("application", words)
    for proposal in view.talk.proposals:
        words = proposal_words(proposal, view.asked.currency if view.asked else "", view.time_zone)
        facts.add_row(f"proposal {proposal.number}", Text.assemble(words, "  ", remaining(proposal.until, now)))
    if view.talk.messages:
        facts.add_row("messages", f"{view.talk.messages}: aftersales thread {view.case_id}")
    if view.commands and view.seen and view.asked:
        shown = f"--expects {view.seen.version}:{in_print(view.seen.amount, view.asked.currency)}"
        facts.add_row("a decision says", shown)
    if view.return_address:
        given = view.return_address
        facts.add_row("goods go to", f"{given.address_id} v{given.version}, {region(given.region)}, {given.details}")
    if view.dispute:
        facts.add_row("about" if view.kind is CaseKind.DISPUTE else "dispute", view.dispute)
    if view.ruling:
        facts.add_row("ruling", ruling_words(view.ruling, view.asked.currency if view.asked else ""))
    if view.outcome:
        facts.add_row("outcome", Text(view.outcome, style="bold"))
    elif view.due:
        facts.add_row("until", Text.assemble(local(view.due, view.time_zone), "  ", remaining(view.due, now)))
        facts.add_row("on silence", SILENCE_MEANS.get(view.on_silence, view.on_silence))
    else:
        facts.add_row("no deadline", view.no_deadline_because)
    if view.commands:
        facts.add_row("open commands", ", ".join(f"{each.name} ({'/'.join(each.roles)})" for each in view.commands))
    if view.warnings:
        facts.add_row("warnings", ", ".join(view.warnings))
    pages: list[RenderableType] = [facts]
    if view.legs:
        currency = view.asked.currency if view.asked else ""
        pages += ["", legs_table(view.legs, currency, view.time_zone)]
    return Group(*pages)


def stage_title(name: StageName) -> str:
    """What people read of a stage; its name where a newer release has added it."""
    stage = STAGES.get(name)
    return stage.title if stage else name


def application_words(
    asks: ApplicationVersion, currency: str, reason: Reason | None = None, zone: str | None = None
) -> str:
    """R10, G1: which version counts, and what it asks for."""
    lines = [f"{each.line} × {each.quantity}: {in_print(each.amount, currency)}" for each in asks.lines]
    freight = [f"freight: {in_print(asks.freight, currency)}"] if asks.freight else []
    owed = [f"compensation: {in_print(asks.compensation, currency)}"] if asks.compensation else []
    given = [f"{each.uri} ({each.media_type}, {each.bytes} B, {each.sha256})" for each in asks.evidence]
    others = [f"{each.line} for {each.sku}" for each in asks.replacements]
    parts = [f"of {each.line}: {each.sku}" for each in asks.parts]
    why = [f"disputed because: {asks.dispute_reason}"] if asks.dispute_reason else []
    said = [f"version {asks.version}, {_reason_words(asks, reason)}, {asks.route}, {local(asks.at, zone)}", *lines]
    words = [f"in words: {asks.words}"] if asks.words else []
    said += [*freight, *owed, *others, *parts, *why, *words, *given]
    return "\n".join(said)


def _reason_words(asks: ApplicationVersion, reason: Reason | None) -> str:
    return f"{asks.reason} ({reason.label.zh} · {reason.label.en})" if reason else asks.reason


def timeline_table(
    timeline: Sequence[Stay], now: datetime, view: CaseView | None = None, zone: str | None = None
) -> Table:
    """The stages of a case: since when, for how long, by what it left each; and what lies ahead of the last one.

    In the time of the ``view``, or else of a ``zone`` (G6).
    """
    zone = view.time_zone if view else zone
    since = f"since ({zone})" if zone else "since"
    table = Table(since, "stage", "for", "and then", title="timeline", box=box.SIMPLE_HEAD)
    table.columns[-1].overflow = "fold"
    for stay, after in pairwise((*timeline, None)):
        assert stay is not None
        stood = (stay.until or now) - stay.since
        if after:
            then = Text.assemble(_happened(after), (_in_time(stay, after), "dim"))
            length = Text(in_words(stood) if stood >= timedelta(seconds=1) else "at once")
        elif stay.stage is StageName.CLOSED:
            then, length = Text((view and view.outcome) or "", style="bold"), Text("")
        else:
            then, length = _lies_ahead(stay, now, view, zone), Text(f"{in_words(stood)} so far", style="bold")
        name = Text(stay.stage.replace("_", " "), style="" if after else "bold")
        table.add_row(minute(stay.since, zone), name, length, then)
    return table


def _happened(stay: Stay) -> str:
    by = "the clock" if stay.by.role is Role.CLOCK else who(stay.by)
    return f"{stay.event.replace('_', ' ')} by {by} ({stay.rule})"


def _in_time(stay: Stay, after: Stay) -> str:
    """How much of a deadline was left when the case was moved by somebody."""
    if stay.due is None or after.by.role is Role.CLOCK or after.since >= stay.due:
        return ""
    return f", {in_words(stay.due - after.since)} before the deadline"


def _lies_ahead(stay: Stay, now: datetime, view: CaseView | None, zone: str | None) -> Text:
    """What comes of the last stage; what silence does where it is a profile's to say (G3) only the ``view`` knows."""
    if view and view.stopped:
        return Text(STOPPED_MEANS.get(view.stopped, view.stopped), style="bold red")
    stage = STAGES.get(stay.stage)  # None where a newer release has added it
    if stay.due is None:
        return Text(f"no deadline: {stage.no_deadline}" if stage else "no deadline", style="dim")
    said = stage.silence if stage and stage.name not in BY_PROFILE else None
    silence = view.on_silence if view else said
    then = f"; then {SILENCE_MEANS.get(silence, silence)}" if silence else ""
    return Text.assemble(remaining(stay.due, now), f", until {local(stay.due, zone)}{then}")


def outcome_page(ended: Outcome, zone: str | None = None) -> RenderableType:
    """What ``outcome`` shows, in the time of a ``zone`` (G6)."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("case", Text(ended.case_id, style="bold"))
    facts.add_row("outcome", Text(ended.outcome, style="bold"))
    if ended.refunded:
        facts.add_row("paid back", str(ended.refunded))
    if ended.compensated:
        facts.add_row("compensated", str(ended.compensated))
    if ended.bonus_voided:
        facts.add_row("bonus void", str(ended.bonus_voided))
    if ended.ruling:
        facts.add_row("ruling", ruling_words(ended.ruling, ended.refunded.currency if ended.refunded else ""))
    facts.add_row("decided by", f"{ended.decided_by or 'nobody'} under {ended.rule}")
    facts.add_row("closed", local(ended.closed_at, zone))
    paid = ended.refunded or ended.compensated
    currency = paid.currency if paid else ""
    return Group(facts, "", legs_table(ended.legs, currency, zone)) if ended.legs else facts


def ruling_words(ruling: Ruling, currency: str) -> str:
    """A ruling in one line (D8)."""
    amount = in_print(ruling.amount, currency) if currency else ruling.amount
    # On the buyer it stays by itself, also where nothing is sent back.
    freight = ", return freight on the merchant" if ruling.return_freight is FreightBearer.MERCHANT else ""
    return f"{ruling.verdict}, fault: {ruling.fault}, {ruling.award}: {amount} in all{freight} ({ruling.reason})"


def region(place: Region) -> str:
    """省市区 in one line."""
    return " ".join(part for part in (place.province, place.city, place.district) if part)


def legs_table(legs: Iterable[LegStatus], currency: str, zone: str | None = None) -> Table:
    """The payments of a case."""
    table = Table("refund no.", "amount", "to", "state", "paid by", "arrives until", title="payments")
    for leg in legs:
        table.add_row(
            leg.refund_no,
            str(Money(amount=leg.amount, currency=currency)) if currency else str(leg.amount),
            leg.tender_kind or "bank account",
            leg.state + (f": {leg.failure}" if leg.failure else "") + (f" ({leg.raw})" if leg.raw else ""),
            leg.paid_by or "",
            local(leg.arrives_until, zone) if leg.arrives_until else "",
        )
    return table


def remaining(due: datetime | None, now: datetime | None = None) -> Text:
    """The time that is left: red in the last two hours and after the deadline, yellow in the last twelve."""
    if due is None:
        return Text("no deadline", style="dim")
    left = due - (now or datetime.now(UTC))
    return Text(f"{in_words(left)} {'over' if left < timedelta(0) else 'left'}", style=urgency(left))


def urgency(left: timedelta) -> str:
    """The style in which the time that is left is told."""
    if left < timedelta(0):
        return "bold red"
    return "red" if left < _URGENT else "yellow" if left < _SOON else "green"
