"""The page that says what a run has met, and what was true afterwards: ``docs/chaos.md``."""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.proofs.chaos.report import Report, Scale

PAGE: Final = Path(__file__).parents[3] / "docs" / "chaos.md"

_HEAD: Final = """# What happens while everything breaks

Written by `make chaos`. Merchants, buyers, carriers and officers live cases of all kinds on a real Temporal server and
a real PostgreSQL, with worker processes that are started again when they end. Most do as their plan says; some send
commands at random, twice, too early, too late, in another's name; some leave; clocks of cases are moved by hours and
days. The gateway loses requests and answers, is slow, declines, pays after it has declined, and calls back twice, late
or never. Meanwhile faults are made one after the other, until all cases have begun and enough processes are killed.
Everything between services, workers and servers runs through proxies, which cut, hold up and slow down.

Afterwards nothing is broken any more. An operator does what the [runbook](operations.md) says (`aftersales recover`),
every case is brought to its end by its clock or by whoever it waits for, and it is looked that

- both books agree to the minor unit, each case has paid what it says, nothing is paid beyond what was paid in, and
  nothing is paid for a case that the book does not have. A book that was restored may have forgotten a refund, and its
  case be decided otherwise the second time, since what only the clock had brought about is taken again: then
  `aftersales books` has to tell it to a person, and such refunds are counted;
- each case has ended, in its book and in Temporal, and as planned where nobody meddled; none left a stage before its
  deadline (looked at a minute before, where nobody meddled);
- each log is whole and in order; `aftersales doctor --deep` and `aftersales stuck` find nothing;
- all notices are sent; how many were said twice in the same words is counted.

Stores are restored as the runbook says: Temporal's database, and the case book with its ledger, each put back while
cases go on. The embedded stack has one database server for several systems: the vault, the inbox, and the stubs of
gateway, carriers and channels keep what they have, as systems of others would; the shop sends its orders again.

What this does not show: several releases side by side (`aftersales cluster` does), a network that tells lies, disks
that forget, providers other than the stub.
"""


def _given(scale: Scale) -> Iterator[str]:
    """The options of the run, without those that are as usual."""
    usual = asdict(Scale())
    for name, value in asdict(scale).items():
        if value != usual[name]:
            yield f"--{name.replace('_', '-')} {value}"


def page(scale: Scale, report: Report) -> str:
    """The page as Markdown."""
    lines = [
        _HEAD,
        (
            f"Made on {datetime.now(UTC):%Y-%m-%d} in {sum(report.seconds.values()) / 60:.0f} minutes, Python "
            f"{platform.python_version()}, {os.cpu_count()} processors, with the seed `{scale.seed}`:\n"
        ),
        f'```console\n$ make chaos ARGS="{" ".join(_given(scale))}"\n```\n',
        (
            f"**{report.cases:,} cases, {report.kills} processes killed, {sum(report.faults.values())} faults, "
            f"{report.moods:,} refunds that the gateway treated badly, {report.money.get('refunds', 0):,} refunds in "
            f"both books: {len(report.differences)} differences.**\n"
        ),
        *_table("fault", report.faults),
        *_table("what people, workers and proxies met", report.met),
        *_table("kind of case", report.kinds),
        *_table("outcome", report.outcomes),
        *_table("money, in minor units and refunds", report.money),
        *_table("notices", report.notices),
        *_table("alert", report.alerts),
        *(f"- {each}" for each in report.differences),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(what: str, numbers: Mapping[str, int]) -> list[str]:
    if not numbers:
        return []
    return [
        f"| {what} | number |",
        "| --- | ---: |",
        *(f"| {name} | {number:,} |" for name, number in numbers.items()),
        "",
    ]
