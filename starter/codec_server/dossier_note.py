"""What the officer who rules has before it, as Markdown on the case's page (D8, R10): codes, ids and references."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from workflows.messages.actors import Actor
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry
from workflows.messages.dossiers import Dossier, OtherCase
from workflows.messages.evidence import Evidence
from workflows.messages.money import in_print
from workflows.messages.statements import GivenEvidence
from workflows.messages.threads import ThreadItem
from workflows.rules.bilingual import Language, said
from workflows.rules.local_time import local
from workflows.rules.log_facts import readable
from workflows.rules.wording import KINDS, OUTCOMES, ROLES, event_words

MOST_SHOWN: Final = 20
"""Lines of a thread and of evidence; ``aftersales dossier`` has all."""


def dossier_note(found: Dossier, language: Language) -> str:
    """A list, each line one thing; what there is nothing of is left out. Nothing of what remarks say is in it."""
    return (
        "\n\n" + "\n".join(f"- **{said(name, language)}**: {value}" for name, value in _lines(found, language)) + "\n\n"
    )


def _lines(found: Dossier, language: Language) -> Iterator[tuple[str, str]]:
    if found.applied and found.about:
        yield "原申请 · asked for before", f"{_link(found.about)}: {_application(found.applied, found, language)}"
    for entry in found.rejections:
        yield "拒绝 · rejected", _entry(entry, found, language)
    for item in found.thread[-MOST_SHOWN:]:
        yield "留言 · thread", _said(item, found, language)
    for given in (*found.evidence, *found.evidence_in_dispute)[-MOST_SHOWN:]:
        yield "凭证 · evidence", _given(given, found.time_zone, language)
    if found.flag:
        yield "插旗 · flag", f"`{found.flag}`"
    for name, others in (
        ("同一订单的其他案件 · other cases of the order", found.on_order),
        ("双方其他案件 · other cases of these two", found.earlier),
    ):
        if others:
            yield name, _others(others, language)
    counted = [
        f"{each.cases} × {said(KINDS[each.kind], language)} "
        + (said(OUTCOMES[each.outcome], language) if each.outcome else said("处理中 · open", language))
        for each in found.counts
    ]
    yield "双方其他案件数 · these two have", ", ".join(counted) or said("无其他案件 · no other case", language)


def _application(asks: ApplicationVersion, found: Dossier, language: Language) -> str:
    currency = found.currency or ""
    label = f"{said(f'{found.reason.label.zh} · {found.reason.label.en}', language)} " if found.reason else ""
    lines = [f"`{each.line}` × {each.quantity}: {in_print(each.amount, currency)}" for each in asks.lines]
    words = [f"`{asks.words}`"] if asks.words else []
    number = said(f"第 {asks.version} 版 · version {asks.version}", language)
    parts = [f"{in_print(asks.amount, currency)} {currency}", f"{label}(`{asks.reason}`)", *lines, *words]
    return f"{number}: {', '.join([*parts, *_attachments(asks.evidence)])}"


def _entry(entry: LogEntry, found: Dossier, language: Language) -> str:
    facts = ", ".join(_facts(entry.facts, found))
    return f"{local(entry.at, found.time_zone)}, {_who(entry.by, language)}: {facts}"


def _facts(facts: Mapping[str, str | int], found: Dossier) -> list[str]:
    return [f"{name} `{value}`" for name, value in readable(facts, found.time_zone, found.currency).items()]


def _said(item: ThreadItem, found: Dossier, language: Language) -> str:
    words = [f"`{item.words}`"] if item.words else []
    what = ", ".join(
        [said(event_words(item.event), language), *_facts(item.facts, found), *words, *_attachments(item.attachments)]
    )
    return f"{local(item.at, found.time_zone)}, {_who(item.by, language)}: {what}"


def _given(given: GivenEvidence, zone: str | None, language: Language) -> str:
    amount = [] if given.amount is None else [f"{in_print(given.amount, given.currency or '')} {given.currency}"]
    words = [f"`{given.statement}`"] if given.statement else []
    event = said(event_words(given.event), language)
    what = ", ".join([event, f"`{given.standing}`", *amount, *words, *_attachments(given.attachments)])
    return f"{local(given.at, zone)}, {_who(given.by, language)}: {what}"


def _attachments(evidence: Sequence[Evidence]) -> list[str]:
    return [f"`{each.uri}` ({each.media_type}, {each.bytes} B)" for each in evidence]


def _others(others: Sequence[OtherCase], language: Language) -> str:
    shown = [
        f"{_link(each.case_id)} ({said(KINDS[each.kind], language)}, {in_print(each.asked, each.currency)}"
        f" {each.currency}, {said(OUTCOMES[each.outcome], language) if each.outcome else f'`{each.stage}`'})"
        for each in others[:MOST_SHOWN]
    ]
    more = len(others) - MOST_SHOWN
    return ", ".join([*shown, f"+ {more}"] if more > 0 else shown)


def _link(case_id: str) -> str:
    """To the page of another case, from the page of this one: ``.../workflows/<id>/<run id>/<tab>``."""
    return f"[`{case_id}`](../../{quote(case_id, safe='')})"


def _who(by: Actor, language: Language) -> str:
    return f"{said(ROLES[by.role], language)} `{by.id}`"
