"""The page that says how much load the machine has held: ``docs/load.md``, a section for each part.

A part that a run has left out keeps the section that an earlier run has written.
"""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.proofs.load.fairness import Fairness
from tests.proofs.load.figures import Growth
from tests.proofs.load.gateway_down import GatewayDown
from tests.proofs.load.parked import Parked
from tests.proofs.load.rates import Rates
from tests.proofs.load.report import PARTS, Report, Scale
from tests.proofs.load.soak import Soak

PAGE: Final = Path(__file__).parents[3] / "docs" / "load.md"

_HEAD: Final = """# Under load

Written by `make load`, which runs the whole service on one machine: Temporal's development server, PostgreSQL, a worker
process as production runs it, the stand-ins of gateway and channels, and the clients. Each part has empty servers of
its own; each section says when it was measured and with which command.

A case is a refund before shipping (R1): it is opened, its merchant looks at it for five seconds and approves it, and
the gateway pays. Cases come by a clock, however long those before them take. A call without an answer is sent again
with the same key, and its time goes on. Latencies are p50 / p99 in milliseconds as a client sees them: *opening* from
the moment at which the case was due until its client knows that it is open, *command* from the approval until it is
written down.

After each part it is looked that every case that was offered is in the book and was paid once and in full, that both
books agree to the minor unit, that each log is whole, each workflow has ended and each notice has gone out, and that
`aftersales doctor --deep` and `aftersales stuck` find nothing. A section counts what was not so as *differences*.

What this does not show: Temporal's server in several processes on a database of its own, a network between them,
several workers, other kinds of cases ([costs.md](costs.md) compares them), a gateway that takes its time, and more than
one machine. [capacity.md](capacity.md) says what sizes follow. What happens while things break is told by `make chaos`.
"""


def read() -> str:
    """The page as it stands; empty where there is none."""
    return PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""


def write(text: str) -> None:
    """Put it where it stands."""
    PAGE.write_text(text, encoding="utf-8")


def page(scale: Scale, report: Report, before: str) -> str:
    """The page as Markdown; ``before`` has the sections of parts that were not run."""
    found: Mapping[str, Iterable[str] | None] = {
        "rates": report.rates and _rates(report.rates),
        "fairness": report.fairness and _fairness(report.fairness),
        "parked": report.parked and _parked(report.parked),
        "gateway": report.gateway and _gateway(report.gateway),
        "soak": report.soak and _soak(report.soak),
    }
    sections: list[str] = []
    for part in PARTS:
        lines = found[part]
        if lines is None:
            sections += [kept] if (kept := _section(before, part)) else []
            continue
        title, *rest = lines
        told = "\n".join([f"## {title}", "", _measured(scale, report, part), "", *rest]).rstrip()
        sections.append(f"<!-- {part} -->\n{told}\n<!-- end of {part} -->\n")
    return "\n".join([_HEAD, *sections]).rstrip() + "\n"


def _section(text: str, part: str) -> str:
    found = re.search(rf"<!-- {part} -->\n.*?<!-- end of {part} -->\n", text, re.DOTALL)
    return found[0] if found else ""


def _measured(scale: Scale, report: Report, part: str) -> str:
    usual = asdict(Scale())
    given = {name: value for name, value in asdict(scale).items() if value != usual[name]} | {"parts": part}
    words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {report.seconds[part] / 60:.0f} minutes on {os.cpu_count()} "
        f"processors (load {report.busy_before} before it), Python {platform.python_version()}, by "
        f'`make load ARGS="{words}"`: {len(report.differences)} differences in the run.'
    )


def _rates(found: Rates) -> Iterable[str]:
    yield "The highest rate, twice of it, and back"
    tried = ", ".join(f"{rate:g} {'held' if held else 'not held'}" for rate, held in found.tried)
    yield f"Rates that were tried, in cases a second: {tried or 'none'}. Highest: **{found.highest:.2f} a second**."
    yield ""
    yield from _table(
        ("phase", "s", "offered/s", "ended/s", "waiting at its end", "opening", "command"),
        (
            (each.phase, each.seconds, each.offered, each.ended, each.waiting, each.opening, each.command)
            for each in found.windows
        ),
    )
    yield (
        f"Of {found.cases:,} cases none may be lost. What had piled up at twice the rate was gone "
        f"{_after(found.drained)}, with the highest rate going on; a command (p99) took at most 1.5 times as long as "
        f"before that {_after(found.returned)}. Sent again for want of an answer: {found.again:,}."
    )


def _after(seconds: float | None) -> str:
    return "not by the end of the run" if seconds is None else f"{seconds:,.0f} s later"


def _fairness(found: Fairness) -> Iterable[str]:
    yield f"One merchant with {found.waiting:,} cases, and another with one"
    yield from (
        "The cases of the one wait in Temporal as tasks that no worker has taken yet: of their opening first, later of",
        "their approval. Then the worker starts, and the other merchant opens a case and approves it at once (*a new",
        "case*), approves one that has waited (*command*), and begins again.",
        "",
    )
    yield from _table(
        (
            "meanwhile, of the one merchant",
            "a new case",
            "to quiet (p99)",
            "command",
            "to quiet (p99)",
            "worked off in, s",
        ),
        (
            (
                when,
                found.opened[when],
                found.times(when)[0],
                found.command[when],
                found.times(when)[1],
                found.drained.get(when, ""),
            )
            for when in found.opened
        ),
    )


def _parked(found: Parked) -> Iterable[str]:
    yield f"{found.cases:,} cases that wait"
    half = found.cases - found.cases // 2
    yield from _table(
        ("", ""),
        (
            ("cases in the worker's cache, at most", f"{found.cache:,}"),
            ("opened a second", found.opened_a_second),
            ("worker's memory, without a case", _mb(found.worker_before)),
            (f"with {found.cases // 2:,}", _mb(found.worker_with_half)),
            (f"with {half:,} more", _mb(found.worker_with_all)),
            ("after the herd", _mb(found.worker_after)),
            ("restart until it asks for work, s", found.restart),
            ("restart until the first command is answered, s", found.first),
        ),
    )
    yield from _table(
        ("commands one by one", "number", "ms"), ((name, each.count, each) for name, each in found.commands.items())
    )
    yield (
        f"The herd: the clocks of {found.herd:,} of them were moved (in {found.moving:,.0f} s), so that they fell due "
        f"within the same minute. The last had been paid {found.drained:,.0f} s after that minute began. "
        f"Alerts of the ledger: {found.alerts}."
    )


def _gateway(found: GatewayDown) -> Iterable[str]:
    yield "The gateway is away for an hour" if found.away + found.moved == 3600 else "The gateway is away"
    yield (
        f"{found.cases:,} cases at {found.rate:g} a second, {found.while_away:,} of them while it was away: for "
        f"{found.away:,.0f} s of wall clock"
        + (
            f"; the clocks of open cases were moved by {found.moved:,.0f} s more before it was back, and by up to "
            f"{found.moved_after:,.0f} s afterwards. "
            if found.moved
            else ". "
        )
        + "In the five seconds before that it paid and its answers were lost. While it was away every call failed."
    )
    yield ""
    yield from _table(
        ("", "command"),
        (("before", found.command_before), ("while it was away", found.command_while_away)),
    )
    yield from _table(("s after it was back", "cases not paid yet"), found.ended_by)
    yield (
        f"By themselves all had ended {_after(found.drained)}. Submissions beyond the first of a refund: "
        f"{found.calls_not_answered:,}, each under its number."
    )


def _soak(found: Soak) -> Iterable[str]:
    yield f"{found.seconds / 60:.0f} minutes at {found.rate:g} cases a second"
    yield from _table(
        ("memory", "first half", "second half", "growth an hour", "95 % bound", ""),
        ((name, *_growth(each)) for name, each in found.memory.items()),
    )
    names = list(found.series)
    rows: Sequence[Sequence[int]] = list(zip(*found.series.values(), strict=False))
    yield from _table(
        ("tenth", *names), ((number + 1, *(_mb(each) for each in row)) for number, row in enumerate(rows[:10]))
    )
    yield from _table(
        ("half", "opening", "command"),
        ((number + 1, *both) for number, both in enumerate(zip(found.opening, found.command, strict=True))),
    )
    yield f"{found.cases:,} cases. The first tenth is left out of halves and growth: caches fill in it."


def _growth(each: Growth) -> tuple[str, ...]:
    return (
        _mb(each.first),
        _mb(each.second),
        _mb(each.per_hour),
        f"± {_mb(each.bound)}",
        "flat" if each.flat else "grows",
    )


def _mb(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
    yield ""
