"""What the demo says at its end."""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import computed_field
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from activities.postgres.alerts import Alert
from activities.postgres.books import Books, BookTotal
from starter.commands.books import books_page
from starter.demo.script import Result
from starter.demo.waiting import TOOK_TOO_LONG
from starter.durations import in_words
from workflows.messages.message import Message
from workflows.messages.money import Money
from workflows.messages.reconciliation import ReconcileReport


class CaseReport(Message):
    """One case: what was expected, what came."""

    name: str
    title: str
    rules: tuple[str, ...]
    case_id: str
    expected: Result
    found: Result
    differences: tuple[str, ...]
    virtual_seconds: float


class DemoReport(Message):
    """The whole demo."""

    cases: tuple[CaseReport, ...]
    orders: int
    allowances: int
    books: Books
    alerts: tuple[Alert, ...]
    reconciliation: ReconcileReport
    notices: dict[str, int]
    """How many were sent, by channel."""
    unsent: int
    differences: tuple[str, ...]
    """Of the whole: the books, the sums, the notices."""
    real_seconds: float
    virtual_seconds: float
    """The lives of all cases taken together."""

    @computed_field
    @property
    def ok(self) -> bool:
        """Whether everything came as expected."""
        return not self.differences and not any(each.differences for each in self.cases)


def whole_differences(
    cases: Sequence[CaseReport], books: Books, reconciliation: ReconcileReport, unsent: int
) -> tuple[str, ...]:
    """What is wrong with the sum of all cases, whatever each of them says."""
    found: list[str] = []
    if not books.equal:
        found.append("the books differ")
    paid_by_cases = sum(each.found.refunded for each in cases)
    paid_by_ledger = sum(map(_refunded, books.totals))
    if paid_by_cases != paid_by_ledger:
        found.append(f"the cases paid back {paid_by_cases} minor units, the ledger says {paid_by_ledger}")
    compensated = sum(each.found.compensated for each in cases)
    booked = sum(total.compensation for total in books.totals)
    if compensated != booked:  # L3
        found.append(f"the cases compensated {compensated} minor units, the ledger says {booked}")
    if reconciliation.differences:
        found.append(f"the reconciliation found {dict(reconciliation.differences)}")
    if unsent:
        found.append(f"{unsent} notices were not sent")
    return tuple(found)


def page(report: DemoReport) -> RenderableType:
    """The report for people."""
    as_expected = sum(not each.differences for each in report.cases)
    verdict = f"{as_expected} of {len(report.cases)} cases as expected"
    verdict += ", and both books agree on every payment" if report.ok else "; what differs stands above"
    lines: list[RenderableType] = [
        _cases(report.cases),
        "",
        books_page(report.books),
        "",
        _attention(report),
        Text(
            f"reconciliation: {report.reconciliation.compared} refunds compared, "
            f"{sum(report.reconciliation.differences.values())} differences"
        ),
        Text(
            f"notices sent: {sum(report.notices.values())} ("
            + ", ".join(f"{channel} {number}" for channel, number in sorted(report.notices.items()))
            + ")"
        ),
        *(_sums(total) for total in report.books.totals),
        *(Text(each, style="bold red") for each in report.differences),
        Text(
            f"took {report.real_seconds:.0f} s; {report.virtual_seconds / 86_400:.0f} days of virtual time "
            f"in {len(report.cases)} cases on {report.orders} orders and {report.allowances} allowances"
        ),
        Text(verdict, style="bold green" if report.ok else "bold red"),
    ]
    if any(said.startswith(TOOK_TOO_LONG) for each in report.cases for said in each.differences):
        lines.append(Text("what took too long was broken off: this machine is too busy for the demo; run it again"))
    return Group(*lines)


def _refunded(total: BookTotal) -> int:
    """What went back to buyers, as money or into their allowances (A7), without compensation (L3)."""
    return total.ours + total.by_hand + total.to_allowances - total.compensation


def _sums(total: BookTotal) -> Text:
    """L3: what went back, and what was paid beside it."""
    refunds = Money(amount=_refunded(total), currency=total.currency)
    compensation = Money(amount=total.compensation, currency=total.currency)
    return Text.assemble("refunds: ", (str(refunds), "bold"), ", compensation: ", (str(compensation), "bold"))


def _cases(cases: Sequence[CaseReport]) -> Table:
    table = Table("", "case", "what happens", "expected", "found", "by", "legs", "lived", title="cases", box=box.SIMPLE)
    for column in ("case", "by", "lived"):
        next(each for each in table.columns if each.header == column).no_wrap = True
    for each in cases:
        found = each.found
        mark = Text("✗", style="bold red") if each.differences else Text("✓", style="green")
        what = Text(each.title)
        what.append(f"  {', '.join(each.rules)}", style="dim")
        for word in (*found.attention, *found.alerts):
            what.append(f"\n⚠ {word}", style="yellow")
        for difference in each.differences:
            what.append(f"\n{difference}", style="bold red")
        table.add_row(
            mark,
            each.name,
            what,
            _result(each.expected),
            _result(found),
            found.decided_by or "",
            str(found.legs or ""),
            in_words(timedelta(seconds=each.virtual_seconds)),
        )
    return table


def _result(result: Result) -> str:
    if result.refused:
        return f"refused: {result.refused}"
    words = [result.outcome or "open"]
    if result.refunded:
        words.append(_yuan(result.refunded))
    if result.compensated:
        words.append(f"+ {_yuan(result.compensated)} compensation")
    if result.fault:
        words.append(f"(fault: {result.fault})")
    if result.bonus_void is not None:
        words.append(f"(bonus void {_yuan(result.bonus_void)})")
    return " ".join(words)


def _attention(report: DemoReport) -> RenderableType:
    called = [(each.name, word) for each in report.cases for word in each.found.attention]
    words = ", ".join(f"{word} ({name})" for name, word in called) or "none"
    alerts = ", ".join(f"{alert.kind} ({alert.case_id})" for alert in report.alerts) or "none"
    return Text.assemble("a person was called for: ", (words, "yellow"), "\nalerts: ", (alerts, "yellow"))


def _yuan(minor: int) -> str:
    return str(Money(amount=minor, currency="CNY")).removesuffix(" CNY")
