"""The section of docs/benchmarks.md on the comparison side by side."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from tests.benchmarks.encode import PAGE, kept

_SECTION: Final = "side by side"
HEADING: Final = "## Side by side with a bare workflow"

Round: TypeAlias = Mapping[str, Mapping[str, Any]]

_NAMES: Final = {
    "product": "product",
    "bare": "bare workflow",
    "sandbox": "product, sandboxed",
    "before": "earlier build",
    "dbos": "DBOS",
}
_PARTS: Final = {"worker": "worker", "temporal": "Temporal", "postgres": "PostgreSQL", "client": "client"}


def section(
    many: Sequence[Round],
    one: Sequence[Round],
    bytes_a_case: Mapping[str, float],
    waiting: Mapping[str, Mapping[str, Any]],
    *,
    against: str | None,
) -> str:
    """The tables, from the rounds with many cases in flight, with one, and what cases cost that wait."""
    names = list(many[0])
    head = "| | " + " | ".join(_NAMES[name] for name in names) + " | "
    head += " | ".join(f"product to {_NAMES[name]}" for name in names if name != "product") + " |"
    rows = [head, "| --- |" + " ---: |" * (2 * len(names) - 1)]
    rows += [
        _row("cases a second", many, names, lambda each: each["cases_a_second"]),
        *(
            _row(
                f"{shown}, ms of processor a case",
                many,
                names,
                lambda each, part=part: each["processor_ms"].get(part, 0.0),
            )
            for part, shown in _PARTS.items()
        ),
        _row("processor in all but Temporal, ms", many, names, _without_temporal),
        _row("a command, many in flight, ms", many, names, lambda each: each["command_ms"]),
        _row("cases a second, one in flight", one, names, lambda each: each["cases_a_second"]),
        _row("a command, one in flight, ms", one, names, lambda each: each["command_ms"]),
    ]
    if bytes_a_case:
        held = [f"{bytes_a_case[name] / 1000:.1f}" if name in bytes_a_case else "" for name in names]
        ratios = [
            f"{bytes_a_case['product'] / bytes_a_case[name]:.2f}" if bytes_a_case.get(name) else ""
            for name in names
            if name != "product"
        ]
        rows.append("| kB of worker memory a waiting case | " + " | ".join([*held, *ratios]) + " |")
    text = [
        HEADING,
        "",
        f"On {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, Python {platform.python_version()}: medians of"
        f" {len(many)} rounds, and of the ratios within each. A case is a refund before shipping that the merchant"
        " approves; the bare workflow takes the same steps and does nothing in them (no database, no encryption)."
        + (f" The earlier build is `{against}`." if against else ""),
        "",
        *rows,
        "",
        _more(many),
    ]
    if waiting:
        text += ["", *_waiting(waiting)]
    return "\n".join(text) + "\n"


def _more(many: Sequence[Round]) -> str:
    """What a case costs more than the bare workflow, part by part."""

    def ms(name: str, part: str | None = None) -> float:
        parts = [each[name]["processor_ms"] for each in many]
        return statistics.median(sum(each.values()) if part is None else each.get(part, 0.0) for each in parts)

    bare, ours = ms("bare"), ms("product")
    more = ", ".join(f"{shown} {ms('product', part) - ms('bare', part):.1f}" for part, shown in _PARTS.items())
    return (
        "All parts share the processors, so the rates stand to each other about as the sums do:"
        f" {bare:.1f} ms a case for the bare workflow, {ours:.1f} for the product. What the bare workflow does not"
        " do (the ledger, the case book and its lists, the log, notices, events, encryption) takes"
        f" {ours - bare:.1f} ms: {more}. What was tried for less, and what it gave, is told at the end of this page."
    )


def _waiting(waiting: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        "| many cases wait | " + " | ".join(_NAMES[name] for name in waiting) + " |",
        "| --- |" + " ---: |" * len(waiting),
    ]
    parts = sorted({part for each in waiting.values() for part in each["idle_percent_of_a_core"]})
    for part in parts:
        shown = [f"{each['idle_percent_of_a_core'].get(part, 0):.2f}" for each in waiting.values()]
        rows.append(f"| idle: {_PARTS[part]}, % of a core | " + " | ".join(shown) + " |")
    rows.append("| worker, MB | " + " | ".join(f"{each['worker_bytes'] / 1e6:.0f}" for each in waiting.values()) + " |")
    rows.append(
        "| restart to the first answered command, s | "
        + " | ".join(f"{each['restart_to_first_command_s']:.2f}" for each in waiting.values())
        + " |"
    )
    return rows


def _without_temporal(each: Mapping[str, Any]) -> float:
    return sum(ms for part, ms in each["processor_ms"].items() if part != "temporal")


def _row(title: str, rounds: Sequence[Round], names: Sequence[str], value: Callable[[Mapping[str, Any]], float]) -> str:
    medians = [statistics.median(value(each[name]) for each in rounds) for name in names]
    ratios: list[str] = []
    for name in names:
        if name != "product":
            within = [value(each["product"]) / value(each[name]) for each in rounds if value(each[name])]
            ratios.append(f"{statistics.median(within):.2f}" if within else "")
    return f"| {title} | " + " | ".join([*(f"{each:.1f}" for each in medians), *ratios]) + " |"


def write(text: str) -> None:
    """Put the section in the place of the last one."""
    page = PAGE.read_text(encoding="utf-8")
    section = f"<!-- {_SECTION} -->\n{text}<!-- end of {_SECTION} -->\n"
    before = kept(page, _SECTION).lstrip("\n")
    PAGE.write_text(page.replace(before, section) if before else f"{page}\n{section}", encoding="utf-8")
