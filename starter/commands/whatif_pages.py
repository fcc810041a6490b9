"""What ``aftersales whatif`` shows: the report as tables, and one case under both rules side by side."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from starter.whatif.comparing import BY_THE_WAY, end_in_book
from starter.whatif.report import Example, Report, Untold, said_of
from starter.whatif.trying import Side
from workflows.messages.cases import LogEntry
from workflows.messages.money import Money
from workflows.rules.local_time import local


def _window(pause: str) -> str:
    """``FROM/UNTIL`` as the other moments of the page are written."""
    return " to ".join(local(datetime.fromisoformat(moment)) for moment in pause.split("/"))


def report_page(report: Report) -> Iterator[RenderableType]:
    """The report, from the counts to the single cases."""
    tried = [
        *([f"profile {report.profile}"] if report.profile else []),
        *(f"pause {_window(each)}" for each in report.pauses),
    ]
    yield Text(
        f"tried: {', '.join(tried)}; cases opened from {local(report.since)} until {local(report.until)}, "
        f"told until {local(report.told_until)}"
    )
    yield _counts(report)
    if report.changes:
        yield _table(
            "cases that end otherwise",
            ("kind", "was", "would be", "cases"),
            [(each.kind, each.was, each.would_be, f"{each.cases:,}") for each in report.changes],
        )
    yield _money(report)
    if report.deadlines:
        yield _table(
            "deadlines that would have decided before a command came",
            ("kind", "rule", "decision", "cases", "end otherwise", "came too late by"),
            [
                (
                    each.kind,
                    each.rule,
                    each.event,
                    f"{each.cases:,}",
                    f"{each.otherwise:,}",
                    f"{_span(each.least_late_minutes)} to {_span(each.most_late_minutes)}",
                )
                for each in report.deadlines
            ],
        )
    if report.not_heard:
        yield _table(
            "commands that were obeyed and would not be",
            ("command", "refused as", "commands", "in cases that end otherwise"),
            [
                (each.command, each.code, f"{each.commands:,}", f"{each.in_cases_that_end_otherwise:,}")
                for each in report.not_heard
            ],
        )
    yield _rests_on(report)
    if report.untold:
        yield _untold(report.untold)
    if report.examples:
        yield _examples(report.examples)
    yield Text("What this cannot know:", style="bold")
    for each in report.limits:
        yield Text(f"- {each}")


def _counts(report: Report) -> Table:
    rows = [
        ("in question", report.cases),
        ("told again", report.told),
        ("end as they did", report.same),
        ("of these sooner", report.sooner),
        ("of these later", report.later),
        ("end otherwise", report.otherwise),
        ("of these not opened at all", report.not_opened),
        ("cannot be told again", sum(each.cases for each in report.untold)),
        ("of other profiles, left out", sum(report.other_profiles.values())),
    ]
    return _table("cases", ("", "cases"), [(name, f"{cases:,}") for name, cases in rows])


def _money(report: Report) -> Table:
    columns = ("currency", "was paid", "would be paid", "buyers", "merchants", "platform", "in all", "on its way")
    rows = [
        (
            each.currency,
            *(str(Money(amount=amount, currency=each.currency)) for amount in (each.was, each.would_be)),
            _more(each.more_for_buyers, each.currency),
            _more(-each.more_from_merchants, each.currency),
            _more(-each.more_from_platform, each.currency),
            str(Money(amount=each.moved, currency=each.currency)),
            _more(each.more_on_its_way, each.currency),
        )
        for each in report.money
    ]
    return _table("whose money it is: what each has more or less", columns, rows)


def _rests_on(report: Report) -> Text:
    return Text(
        f"Of the {report.otherwise:,} that end otherwise, {report.rest_on_unheard:,} rest on commands that the rules "
        f"tried would have refused, or that came after the deadline. In {report.given_more_time:,} cases a deadline "
        "comes later or is not over: who would have used that time is not known. "
        f"{report.told_later:,} commands are told later than they came, because the case was not so far; "
        f"{report.assumed_paid:,} refunds are taken for paid."
    )


def _untold(untold: Sequence[Untold]) -> Table:
    rows = [(each.reason, f"{each.cases:,}", ", ".join(each.examples[:2])) for each in untold]
    return _table("cases that cannot be told again", ("why", "cases", "for example"), rows)


def _examples(examples: Sequence[Example]) -> Table:
    columns = ("case", "was", "would be", "for the buyer", "where they part", "not obeyed")
    rows = [
        (
            each.case_id,
            each.was,
            each.would_be,
            _more(each.more, each.currency),
            each.because,
            ", ".join(each.unheard),
        )
        for each in examples
    ]
    return _table("cases that end otherwise", columns, rows)


# One case -----------------------------------------------------------------------------------------------------


_NEVER_SHOWN: Final = BY_THE_WAY - {"deadline_near", "command_refused"}


def side_document(side: Side) -> dict[str, Any]:
    """One case under both rules, for programs."""
    compared = side.compared.cases[0] if side.compared.cases else None
    return {
        "case_id": side.case.case_id,
        "was": said_of(end_in_book(side.case)),
        "would_be": said_of(compared.would) if compared else None,
        "cannot_be_told_again": side.compared.cannot or None,
        "log": [_entry(line.entry) for line in side.case.lines],
        "would_be_log": [_entry(line) for line in _would(side)],
        "not_obeyed": compared.unheard if compared else (),
        "paid": compared.paid if compared else None,
        "would_pay": compared.would_pay if compared else None,
    }


def side_page(side: Side) -> Iterator[RenderableType]:
    """The same as a table, moment by moment."""
    compared = side.compared.cases[0] if side.compared.cases else None
    if side.compared.cannot:
        yield Text(f"{side.case.case_id} cannot be told again: {side.compared.cannot}", style="bold red")
    table = Table("", "as it was", "as it would have been", title=side.case.case_id, box=box.SIMPLE)
    for at, was, would in _in_turn([line.entry for line in side.case.lines], _would(side)):
        differ = "bold" if was != would else ""
        table.add_row(at, Text(was, style=differ), Text(would, style=differ))
    yield table
    if compared is None:
        return
    currency = compared.currency
    yield Text(f"ends: {said_of(compared.was)} → {said_of(compared.would)}")
    was, would = (each.merchant + each.platform for each in (compared.paid, compared.would_pay))
    yield Text(f"pays: {Money(amount=was, currency=currency)} → {Money(amount=would, currency=currency)}")
    for each in compared.unheard:
        yield Text(f"{each.command} of {local(each.at)} would not have been obeyed ({each.code})")


def _would(side: Side) -> tuple[LogEntry, ...]:
    return side.would.interpreter.log(side.case.case_id) if side.would else ()


def _in_turn(was: Sequence[LogEntry], would: Sequence[LogEntry]) -> Iterator[tuple[str, str, str]]:
    """The lines of both, minute by minute; the same line at the same time stands in one row."""
    times = sorted({local(line.at) for line in (*was, *would)}, key=str)
    for at in times:
        one, other = ([_said(line) for line in log if local(line.at) == at and _shown(line)] for log in (was, would))
        for index in range(max(len(one), len(other))):
            yield (
                at if not index else "",
                one[index] if index < len(one) else "",
                other[index] if index < len(other) else "",
            )


def _shown(line: LogEntry) -> bool:
    return line.event not in _NEVER_SHOWN


def _said(line: LogEntry) -> str:
    return f"{line.event} ({line.rule}) · {line.by.role}"


def _entry(line: LogEntry) -> dict[str, Any]:
    return {"at": line.at, "event": line.event, "by": line.by.role, "rule": line.rule, "facts": line.facts}


# Words --------------------------------------------------------------------------------------------------------


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    for column in table.columns[1:]:
        if rows and all(text[:1].isdigit() or text[:1] in "+-−" for text in (str(each) for each in column.cells)):
            column.justify = "right"
    return table


def _more(amount: int, currency: str) -> str:
    return f"{'+' if amount > 0 else '-' if amount < 0 else ''}{Money(amount=abs(amount), currency=currency)}"


def _span(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60:02} min"
