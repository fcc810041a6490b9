"""What a roll says at its end."""

from pydantic import computed_field
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from starter.cluster.check import MoneyPaid, Tasks
from starter.cluster.roll import BadRelease, Event
from workflows.messages.message import Message
from workflows.messages.money import Money


class WorkerReport(Message):
    """One worker process."""

    name: str
    ending: str | None
    """``drained`` (SIGTERM) or ``killed`` (SIGKILL)."""
    exit_code: int | None


class ClusterReport(Message):
    """The whole roll."""

    events: tuple[Event, ...]
    workers: tuple[WorkerReport, ...]
    opened: int
    outcomes: dict[str, int]
    """Ended cases by outcome and who decided."""
    plans: dict[str, int]
    """Opened cases by what was to happen to them."""
    versions: dict[str, int]
    """Cases by the version that carried them from beginning to end."""
    bad_release: BadRelease | None
    """None where it did not come to that."""
    moved: int
    """Cases that began on the bad release and were carried to their end by the one before."""
    money: MoneyPaid
    workflow_tasks: Tasks
    activities_again: int
    """Activities that took more than one attempt."""
    unsent_notices: int
    differences: tuple[str, ...]
    seconds: float

    @computed_field
    @property
    def ok(self) -> bool:
        """Whether every case has ended right, and every worker that was asked to."""
        return not self.differences


def line(event: Event) -> Text:
    """One line for people, while it rolls."""
    counts = f"{len(event.workers):>2} workers  {event.opened:>4} opened  {event.ended:>4} ended"
    return Text.assemble((f"{event.seconds:6.1f} s  ", "dim"), counts, "  ", (event.what, "bold"))


def page(report: ClusterReport) -> RenderableType:
    """The report for people."""
    table = Table("", "", box=box.SIMPLE, show_header=False)
    table.add_row("cases opened", _counts(report.plans, report.opened))
    table.add_row("cases ended", _counts(report.outcomes, sum(report.outcomes.values())))
    table.add_row("carried by one version each", _counts(report.versions, sum(report.versions.values())))
    if bad := report.bad_release:
        table.add_row(
            f"bad release at {bad.percentage:.0f} %",
            f"named by {bad.named_by} after {bad.seconds:.0f} s; {report.moved} cases moved back",
        )
    drained = sum(each.ending == "drained" and each.exit_code == 0 for each in report.workers)
    killed = [each.name for each in report.workers if each.ending == "killed"]
    table.add_row(
        "workers", f"{len(report.workers)}: {drained} drained with exit code 0, killed: {', '.join(killed) or 'none'}"
    )
    paid = report.money
    sums = (("cases", paid.cases), ("our ledger", paid.ledger), ("gateway", paid.gateway))
    table.add_row(
        "paid back, says each book",
        ", ".join(f"{who} {Money(amount=amount, currency='CNY')}" for who, amount in sums)
        + f" in {paid.refunds} refunds",
    )
    tasks = report.workflow_tasks
    table.add_row(
        "workflow tasks",
        f"{tasks.completed} done, {tasks.failed} failed, {tasks.timed_out} lost with a worker and done again, "
        f"{tasks.overtaken} overtaken by an event and done again",
    )
    table.add_row("activities tried again", str(report.activities_again))
    table.add_row("notices unsent", str(report.unsent_notices))
    verdict = "every case ended right" if report.ok else f"{len(report.differences)} differences"
    return Group(
        table,
        *(Text(each, style="bold red") for each in report.differences),
        Text(f"{verdict}; took {report.seconds:.0f} s", style="bold green" if report.ok else "bold red"),
    )


def _counts(numbers: dict[str, int], total: int) -> str:
    parts = ", ".join(f"{number} {name}" for name, number in sorted(numbers.items()))
    return f"{total}: {parts}" if parts else str(total)
