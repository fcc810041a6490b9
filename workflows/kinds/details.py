"""What the Web UI shows of a case without decoding anything (section 12): one page of Markdown."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from workflows.kinds.examples import example
from workflows.kinds.stage import STAGES
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, Clock, LogEntry
from workflows.messages.dossiers import DOSSIER
from workflows.messages.flags import REMARKS
from workflows.messages.money import in_print
from workflows.messages.payouts import LegState
from workflows.messages.requests import Request
from workflows.messages.stages import CaseKind
from workflows.rules.bilingual import Language, said
from workflows.rules.local_time import local, minute, time_left
from workflows.rules.log_facts import readable
from workflows.rules.wording import (
    ATTENTION_MEANS,
    KINDS,
    OUTCOMES,
    OWN_BOOKS,
    PROPOSALS,
    ROLES,
    SILENCE_MEANS,
    WARNINGS,
    event_words,
)

MOST_SHOWN = 20
"""Lines and attachments of an application on its page; the view has all of them."""
LONGEST_FACT = 120
"""Characters of one fact of a log line on the page; the case book has all of it."""

_OF_EACH_VERSION: Final = frozenset({"version", "proposal"})
"""Facts of a version that do not say what was changed, but how it is numbered."""

IN_FLIGHT = frozenset({LegState.RESERVED, LegState.SUBMITTED, LegState.PROCESSING, LegState.UNKNOWN})

HOW_TO_SEND = (
    "右上角 More Actions → Send an Update：选择指令，粘贴 JSON，把每个 replace-me（操作人编号、凭证等）换成实际值，"
    "否则会被拒绝 · More Actions → Send an Update: choose the command, paste the JSON, and put what is true for each"
    " replace-me: the id of whoever acts, references, reasons. What is pasted unchanged is refused"
)


def page(view: CaseView, request: Request, language: Language, now: datetime | None = None) -> str:
    """What the case is, where it stands, until when and why then, what silence does, what is open, its last log lines.

    Ids, codes, references and amounts only (P6). With ``now`` it says how much time is left.
    """

    def says(text: str) -> str:
        return said(text, language)

    stage = STAGES[view.stage]
    lines = [f"### {says(stage.title)}", ""]
    if view.attention:
        lines += [
            f"**⚠ {says('待关注 · needs attention')}: `{view.attention}`** {says(ATTENTION_MEANS[view.attention])}",
            "",
        ]
    lines += [f"- **{says(name)}**: {value}" for name, value in _facts(view, language, now)]
    lines += _money(view, language)
    # Not within a line: behind it the codec server puts a list (D8).
    dossier = ["", f"#### {says('案卷 · dossier')}", "", f"{DOSSIER}{view.case_id}"] if view.application else []
    # What was said comes before a decision, and a remedy before what may be read at leisure.
    decided_by_it = view.kind is CaseKind.DISPUTE or bool(view.talk.messages or view.talk.proposals)
    if decided_by_it:
        lines += dossier
    if view.commands:
        lines += ["", f"#### {says('可用指令 · open commands')}", ""]
        lines += [
            # Within the line: a block of code would be cut off at the edge of the page instead of being wrapped.
            f"- **{command.name}** ({'/'.join(command.roles)}): `{example(command, view, request)}`"
            for command in view.commands
        ]
        lines += ["", f"*{says(HOW_TO_SEND)}*"]
    if not decided_by_it:
        lines += dossier
    when, event, by = says("时间 · when"), says("事件 · event"), says("操作人 · by")
    if view.time_zone:
        when += f" ({view.time_zone})"
    lines += [
        "",
        f"#### {says('案件日志 · case log')}",
        "",
        f"| {when} | {event} | {by} | {says('规则 · rule')} |",
        "|---|---|---|---|",
    ]
    lines += [_log_line(entry, language, view.time_zone, _currency(view) or None) for entry in view.log]
    return "\n".join(lines)


def counted(clock: Clock, warnings: tuple[str, ...], language: Language, zone: str | None = None) -> str:
    """Why a deadline is when it is: ``48 h from 2026-05-01 10:00``."""
    span, since = clock.span, minute(clock.since, zone)
    if span.until and span.arrival:
        arrival = minute(span.arrival, zone)
        why = f"预计 {arrival} 前到账，加宽限 · the money is to arrive by {arrival}, and a grace"
    elif span.until:
        why = "指定时刻 · set to this moment"
    elif span.working_days:
        why = f"自 {since} 起 {span.working_days} 个工作日 · {span.working_days} working days from {since}"
    elif span.working_minutes:
        hours = f"{span.working_minutes / 60:g}"
        why = f"自 {since} 起 {hours} 个工作小时 · {hours} working hours from {since}"
    else:
        length = timedelta(minutes=span.minutes, seconds=span.seconds)
        hours = f"{length / timedelta(hours=1):.4g}"
        why = f"自 {since} 起 {hours} 小时 · {hours} h from {since}"
    parts = [said(why, language)]
    if clock.calendar:
        parts.append(f"{said('日历 · calendar', language)} {clock.calendar}")
    parts += [said(WARNINGS.get(each, each), language) for each in warnings]
    return "; ".join(parts)


def _facts(view: CaseView, language: Language, now: datetime | None) -> Iterator[tuple[str, str]]:
    """What is known, by its name; all names are ``中文 · English``."""
    if view.kind:
        yield "案件 · case", f"{said(KINDS[view.kind], language)} `{view.order_no or view.allowance_id}`"
    yield "商家 / 买家 · merchant / buyer", f"`{view.merchant_id}` / `{view.buyer_id or '-'}`"
    yield "规则 · rule", f"{view.rule}; policy {view.policy or '-'}"
    # Beside it the codec server says what stands there, to whom it may (P6).
    yield "备注 · remarks", f"`{REMARKS}{view.case_id}`"
    if view.application:
        yield from _application(view, view.application, language)
    yield from _talk(view, language, now)
    if view.outcome:
        yield "结果 · outcome", f"{said(OUTCOMES[view.outcome], language)} (`{view.outcome}`)"
    elif view.due:
        why = f" ({counted(view.clock, view.warnings, language, view.time_zone)})" if view.clock else ""
        yield "截止 · until", f"**{local(view.due, view.time_zone)}**{_left(view.due, now, language)}{why}"
        yield "超时 · on silence", said(SILENCE_MEANS[view.on_silence], language)
    else:
        yield "无截止 · no deadline", said(view.no_deadline_because, language)
    if view.return_address:
        yield "退货地址 · return address", f"`{view.return_address.address_id}` v{view.return_address.version}"
    if view.dispute:
        # Relative to the page of this case, which is .../workflows/<id>/<run id>/<tab>.
        yield "纠纷 · dispute", f"[`{view.dispute}`](../../{quote(view.dispute, safe='')})"
    if view.ruling:
        ruling, currency = view.ruling, _currency(view)
        amount = f"{in_print(ruling.amount, currency)} {currency}"
        yield "判责 · ruling", f"{ruling.verdict}, fault: {ruling.fault}, {amount} in all ({ruling.reason})"


def _application(view: CaseView, asks: ApplicationVersion, language: Language) -> Iterator[tuple[str, str]]:
    """R10, G1: what is asked for by the current version, and which version that is."""
    currency = _currency(view)
    label = view.reason.label if view.reason else None
    why = f"{said(f'{label.zh} · {label.en}', language)} (`{asks.reason}`)" if label else f"`{asks.reason}`"
    number = said(f"第 {asks.version} 版 · version {asks.version}", language)
    freight = f", {said('运费 · freight', language)} {in_print(asks.freight, currency)}" if asks.freight else ""
    if asks.compensation:
        freight += f", {said('赔付 · compensation', language)} {in_print(asks.compensation, currency)}"
    amount = f"{in_print(asks.amount, currency)} {currency}"
    yield "申请 · application", f"**{number}** ({local(asks.at, view.time_zone)}): {amount}, {why}, `{asks.route}`"
    lines = [f"`{each.line}` × {each.quantity}: {in_print(each.amount, currency)}" for each in asks.lines]
    yield from _changed(view, language)
    yield "申请明细 · lines", ", ".join(_some(lines)) + freight
    if asks.replacements:
        yield "换货 · in exchange", ", ".join(_some([f"`{each.line}`: `{each.sku}`" for each in asks.replacements]))
    if asks.parts:
        yield "补寄部件 · parts to send", ", ".join(_some([f"`{each.line}`: `{each.sku}`" for each in asks.parts]))
    if asks.dispute_reason:
        yield "纠纷原因 · disputed because", f"`{asks.dispute_reason}`"
    if asks.words:
        yield "申请说明 · in words", f"`{asks.words}`"
    if asks.evidence:
        given = [f"`{each.uri}` ({each.media_type}, {each.bytes} B, `{each.sha256[:12]}…`)" for each in asks.evidence]
        yield "买家凭证 · evidence", ", ".join(_some(given))


def _talk(view: CaseView, language: Language, now: datetime | None) -> Iterator[tuple[str, str]]:
    """N1, N5: what is proposed, by whom and until when; how much was said, and never what."""
    for each in view.talk.proposals:
        amount = "" if each.amount is None else f", {in_print(each.amount, _currency(view))} {_currency(view)}"
        terms = f"{said(PROPOSALS[each.terms.kind], language)} (`{each.terms.kind}`)"
        ends = local(each.until, view.time_zone)
        until = said(f"{ends} 前有效 · until {ends}, then it lapses", language)
        yield (
            f"协商方案 {each.number} · proposal {each.number}",
            f"{said(ROLES[each.by.role], language)}: {terms}{amount}; **{until}**{_left(each.until, now, language)}",
        )
    if view.talk.messages:
        yield "留言 · messages", str(view.talk.messages)


def _left(until: datetime, now: datetime | None, language: Language) -> str:
    return f", {said(time_left(until, now), language)}" if now else ""


def _changed(view: CaseView, language: Language) -> Iterator[tuple[str, str]]:
    """R10, R12: what the current version has changed in the one before it, as far as the last log lines tell."""
    # A proposal has a version and lines as well, and no method: it is none that anybody has asked for.
    versions = [each.facts for each in view.log if {"version", "method"} <= each.facts.keys()]
    if len(versions) < 2 or view.application is None or versions[-1]["version"] != view.application.version:
        return
    before, current = (readable(each, view.time_zone, _currency(view) or None) for each in versions[-2:])
    told = [
        f"{name} `{before.get(name, '–')}` → **`{current.get(name, '–')}`**"
        for name in {**before, **current}
        if name not in _OF_EACH_VERSION and before.get(name) != current.get(name)
    ]
    if told:
        since = f"与第 {before['version']} 版相比 · since version {before['version']}"
        yield "改动 · changed", f"{said(since, language)}: {'; '.join(told)}"


def _some(shown: list[str]) -> list[str]:
    more = len(shown) - MOST_SHOWN
    return [*shown[:MOST_SHOWN], f"+ {more}"] if more > 0 else shown


def _money(view: CaseView, language: Language) -> list[str]:
    """What was asked, what has been paid and what is on its way, in all and for each refund number."""
    if view.asked is None:
        return []
    currency = view.asked.currency
    states = {
        "申请 · asked": view.asked.amount,
        "已退 · paid back": view.refunded.amount if view.refunded else 0,
        "已赔付 · compensated": view.compensated.amount if view.compensated else 0,
        "在途 · in flight": sum(leg.amount for leg in view.legs if leg.state in IN_FLIGHT),
    }
    amounts = [f"{said(name, language)} {in_print(amount, currency)}" for name, amount in states.items() if amount]
    lines = [f"- **{said('金额 · money', language)}** ({currency}): {', '.join(amounts)}"]
    for leg in view.legs:
        state = said(OWN_BOOKS[leg.paid_by], language) if leg.paid_by in OWN_BOOKS else leg.state
        number = f"{said('退款单 · refund no.', language)}** `{leg.refund_no}`"
        # As the gateway has said it: within a code, so that nothing of it is Markdown.
        told = "".join(f" `{each.replace('`', '')}`" for each in (leg.failure, leg.raw) if each)
        lines.append(f"- **{number}: {in_print(leg.amount, currency)}, {state}{told}")
    return lines


def _log_line(entry: LogEntry, language: Language, zone: str | None, currency: str | None) -> str:
    facts = ", ".join(f"{name}={_short(value)}" for name, value in readable(entry.facts, zone, currency).items())
    event = said(event_words(entry.event), language) + (f" ({facts})" if facts else "")
    by = f"{said(ROLES[entry.by.role], language)} `{entry.by.id}`"
    return f"| {minute(entry.at, zone)} | {event.replace('|', '/')} | {by} | {entry.rule} |"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_FACT else f"{text[:LONGEST_FACT]}…"


def _currency(view: CaseView) -> str:
    return view.asked.currency if view.asked else ""
