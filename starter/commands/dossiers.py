"""``aftersales dossier``: what the officer who rules has before it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from starter.commands import wording
from starter.commands.disputing import givings_table
from starter.commands.log_lines import log_table, thread_table
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.talk import proposal_words, remark_in_clear, remarks_table
from starter.commands.viewing import CaseId, application_words
from workflows.messages.actors import Actor
from workflows.messages.dossiers import Dossier, OtherCase
from workflows.messages.money import Money
from workflows.rules.local_time import local


def dossier(
    case: CaseId,
    by: Annotated[str, typer.Option("--as", help="Who looks: platform:o-1.")],
    as_json: Json = False,
) -> int:
    """All that an officer rules on 判责 (D8): what is asked for, the rejection, evidence, other cases, remarks.

    Example: [cyan]aftersales dossier dispute/refund/O-1/k-1/d1 --as platform:o-1[/]
    """
    officer = wording.built(Actor, wording.actor(by))

    async def look() -> int:
        async with service() as aftersales:
            found = await aftersales.desk.dossier(case, officer)
        document = found.model_dump(mode="json")
        document["remarks"] = [remark_in_clear(each) for each in found.remarks]
        answer(as_json, document, _page(found))
        return 0

    return asyncio.run(look())


def _page(found: Dossier) -> RenderableType:
    currency, zone = found.currency or "", found.time_zone
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("case", Text(found.case_id, style="bold"))
    if found.about:
        facts.add_row("about", found.about)
    if found.claimed:
        facts.add_row("asks for", application_words(found.claimed, currency, found.reason, zone))
    if found.applied and found.about:
        facts.add_row("asked for before", application_words(found.applied, currency, found.reason, zone))
    for proposal in found.proposals:
        facts.add_row(f"proposal {proposal.number}", proposal_words(proposal, currency, zone))
    if found.flag:
        facts.add_row("flag", found.flag)
    counted = [f"{each.cases} {each.kind} {each.outcome or 'open'}" for each in found.counts]
    facts.add_row("these two have", ", ".join(counted) or "no other case")
    tables = (
        remarks_table(found.remarks, "remarks", zone),
        log_table(found.rejections, zone, currency, "rejections"),
        thread_table(found.thread, {}, zone, currency),
        givings_table(found.evidence, "evidence", zone),
        givings_table(found.evidence_in_dispute, "evidence in the dispute", zone),
        _others(found.on_order, "other cases of the order", zone),
        _others(found.earlier, "other cases of this buyer with this merchant", zone),
    )
    return Group(facts, "", *(each for each in tables if each.row_count))


def _others(cases: Sequence[OtherCase], title: str, zone: str | None) -> Table:
    table = Table("case", "kind", "asked", "paid back", "stands at", "opened", title=title)
    for each in cases:
        asked, refunded = (Money(amount=amount, currency=each.currency) for amount in (each.asked, each.refunded))
        ended = each.outcome or each.stage
        table.add_row(each.case_id, each.kind, str(asked), str(refunded), ended, local(each.opened_at, zone))
    return table
