"""The generated parts of docs/capacity.md: ``python -m tests.benchmarks.page`` writes them anew.

What was measured comes from ``measured.json``, actions from docs/costs.md, the rest is ``sizing``. The prose around
the parts is written by hand.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks import measured, sizing
from tests.benchmarks.measured import Measured, PathCost
from tests.benchmarks.sizing import Assumptions, CaseCost, OpenNeeds, RateNeeds
from tests.costs import page as costs

FILE: Final = Path(__file__).parents[2] / "docs" / "capacity.md"
OPEN: Final = (1e4, 1e6, 1e8)
RATES: Final = (10.0, 1e3, 1e5)
REFERENCE: Final = "unshipped_approved"

_NAMES: Final = {1e4: "10⁴", 1e6: "10⁶", 1e8: "10⁸", 10.0: "10/s", 1e3: "10³/s", 1e5: "10⁵/s"}


def reference(found: Measured, actions: int) -> CaseCost:
    """The case that is reckoned with: opened, evicted from the cache while it waits, read back and approved."""
    cached, evicted = found.of(REFERENCE, "cached"), found.of(REFERENCE, "evicted")
    return CaseCost(
        worker_ms=cached.opened.worker_ms + evicted.decided.worker_ms,
        temporal_ms=cached.opened.temporal_ms + evicted.decided.temporal_ms,
        postgres_ms=cached.opened.postgres_ms + evicted.decided.postgres_ms,
        transactions=cached.transactions,
        # Of our tables and not of the stubs', as the bytes.
        rows=cached.rows_inserted + cached.rows_updated + cached.rows_deleted,
        stored_bytes=cached.table_bytes + cached.index_bytes,
        wal_bytes=cached.wal_bytes,
        transitions=cached.transitions,
        open_history_bytes=cached.open_history_bytes,
        history_bytes=cached.history_bytes,
        temporal_bytes=cached.sqlite_bytes,
        memory_bytes=cached.memory_bytes,
        actions=actions,
        notices=cached.inserted.get("notices.outbox", 0),
    )


def parts(found: Measured, actions: Mapping[str, int]) -> dict[str, str]:
    """Each generated part by its name."""
    cost = reference(found, actions[REFERENCE])
    assumed = Assumptions()
    return {
        "run": _run(found),
        "measured": _measured(found, actions),
        "rows": _rows(found.of(REFERENCE, "cached")),
        "case": _case(cost),
        "open": _open(cost, assumed),
        "rates": _rates(cost, assumed),
        "prices": _prices(cost, assumed),
        "times": _times(),
    }


def filled(text: str, by_name: Mapping[str, str]) -> str:
    """The page with each part put in its place.

    Raises:
        ValueError: the page lacks the place of a part, or has one for a part that there is not.
    """
    places = re.findall(r"<!-- generated: (\w+) -->", text)
    if sorted(places) != sorted(by_name):
        raise ValueError(f"the page has places for {sorted(places)}, and there are {sorted(by_name)}")
    for name, part in by_name.items():
        place = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = place.sub(lambda found, part=part: f"{found[1]}{part}\n{found[2]}", text)
    return text


def counted_actions() -> dict[str, int]:
    """Billed actions of each path, from docs/costs.md."""
    return {name: row.figures["actions"] for name, row in costs.rows(costs.FILE.read_text(encoding="utf-8")).items()}


def _run(found: Measured) -> str:
    busy = found.load_before > found.cores / 2
    quiet = (
        f"other programs were running (load {found.load_before}), so the processor times are higher than on a quiet "
        "machine and cases a second mean nothing"
        if busy
        else "nothing else was running"
    )
    idle = ", ".join(f"{part} {cores:.2f}" for part, cores in found.idle_cores.items() if part != "client")
    return (
        f"Measured on {found.on}: {found.paths[0].cases} cases of each path, {found.cores} cores, "
        f"Python {found.python}, PostgreSQL {found.postgres}, "
        f"Temporal server {found.temporal} (development server, SQLite); {quiet}.\n"
        f"Cores used with nothing to do, taken off: {idle}. "
        f"A worker's own memory before it holds cases: {_bytes(found.worker_bytes)}."
    )


def _measured(found: Measured, actions: Mapping[str, int]) -> str:
    head = [
        "per case", "worker, ms", "Temporal, ms", "PostgreSQL, ms", "cases/s", "transactions", "rows",
        "tables and indexes", "WAL", "events", "history, open", "history, ended", "state transitions",
        "Temporal's store", "worker memory", "actions",
    ]  # fmt: skip
    return _table(head, (_measured_row(cost, actions) for cost in found.paths))


def _measured_row(cost: PathCost, actions: Mapping[str, int]) -> list[str]:
    halves = (cost.opened, cost.decided)
    return [
        f"`{cost.path}`, {cost.variant}" + "".join(_reservations(cost)),
        " + ".join(f"{half.worker_ms:.0f}" for half in halves),
        " + ".join(f"{half.temporal_ms:.0f}" for half in halves),
        " + ".join(f"{half.postgres_ms:.0f}" for half in halves),
        " / ".join(f"{half.cases_per_second:.0f}" for half in halves),
        f"{cost.transactions:.0f}",
        f"{cost.rows_inserted:.0f} + {cost.rows_updated:.0f}",
        f"{_bytes(cost.table_bytes)} + {_bytes(cost.index_bytes)}",
        f"{_bytes(cost.wal_bytes)} ({cost.full_pages:.1f} pages)",
        f"{cost.events:.0f}",
        _bytes(cost.open_history_bytes),
        _bytes(cost.history_bytes),
        f"{cost.open_transitions:.0f}, {cost.transitions:.0f}",
        _bytes(cost.sqlite_bytes),
        _bytes(cost.memory_bytes) if cost.variant in {"cached", "sandbox"} else "",
        str(actions[cost.path]),
    ]


def _reservations(cost: PathCost) -> Iterator[str]:
    if not cost.load:
        yield " (no load)"
    if cost.inserted["casebook.cases"] > 1.02:
        yield " (overloaded)"


def _rows(cost: PathCost) -> str:
    return _table(
        ["table", "rows inserted per case"], ([f"`{name}`", f"{rows:.1f}"] for name, rows in cost.inserted.items())
    )


def _case(cost: CaseCost) -> str:
    milliseconds = f"{cost.worker_ms:.0f} + {cost.temporal_ms:.0f} + {cost.postgres_ms:.0f} ms"
    return _table(
        ["the case reckoned with", "costs"],
        [
            ["worker + Temporal + PostgreSQL", milliseconds],
            ["rows written", f"{cost.rows:.0f}"],
            ["tables and indexes", _bytes(cost.stored_bytes)],
            ["WAL", _bytes(cost.wal_bytes)],
            ["history while open, when ended", f"{_bytes(cost.open_history_bytes)}, {_bytes(cost.history_bytes)}"],
            ["Temporal's store", _bytes(cost.temporal_bytes)],
            ["state transitions, actions", f"{cost.transitions:.0f}, {cost.actions:.0f}"],
            ["payouts, notices", f"{cost.payouts:.0f}, {cost.notices:.0f}"],
        ],
    )


def _open(cost: CaseCost, assumed: Assumptions) -> str:
    needs = [sizing.for_open(cost, cases, assumed) for cases in OPEN]

    def row(name: str, told: Callable[[OpenNeeds], str]) -> tuple[str, list[str]]:
        return name, list(map(told, needs))

    cache = _bytes(assumed.worker_cache_bytes)
    rows = (
        row("history shards, by number alone", lambda each: _count(each.shards)),
        row("histories", lambda each: _bytes(each.active_bytes)),
        row("Temporal's store, at the most", lambda each: _bytes(each.temporal_bytes)),
        ("rows of `casebook.cases`", [_count(cases) for cases in OPEN]),
        row("our tables and indexes, at the most", lambda each: _bytes(each.case_book_bytes)),
        row("their active storage on Temporal Cloud, a month", lambda each: _dollars(each.active_dollars)),
        row("worker memory if all are cached", lambda each: _bytes(each.cache_bytes)),
        row(f"workers with {cache} of cache for that", lambda each: _count(each.cache_workers)),
    )
    return _columns("open cases", OPEN, rows)


def _rates(cost: CaseCost, assumed: Assumptions) -> str:
    needs = [sizing.for_rate(cost, rate, assumed) for rate in RATES]

    def row(name: str, told: Callable[[RateNeeds], str]) -> tuple[str, list[str]]:
        return name, list(map(told, needs))

    def shards(each: RateNeeds) -> str:
        return _count(each.shards) + (", too many for one service" if each.shards > assumed.most_shards else "")

    rows = (
        row("worker cores", lambda each: _count(each.worker_cores)),
        row("processes `workflows`", lambda each: _count(each.workers)),
        row("processes `money`, by waiting", lambda each: _count(each.money_workers)),
        row("processes `notifications`, by waiting", lambda each: _count(each.notice_workers)),
        row("Temporal cores, at the least", lambda each: _count(each.temporal_cores)),
        row("state transitions a second", lambda each: _count(each.transitions)),
        row("history shards, by rate alone", shards),
        row("history processes to start with", lambda each: _count(each.history_processes)),
        row("PostgreSQL cores", lambda each: _count(each.postgres_cores)),
        row("transactions a second", lambda each: _count(each.transactions)),
        row("rows written a second", lambda each: _count(each.rows)),
        row("WAL a second", lambda each: _bytes(each.wal_bytes)),
        row("connections without a pooler", lambda each: _count(each.connections)),
        row("growth a year", lambda each: _bytes(each.bytes_a_year)),
        row(f"kept with {assumed.kept_days} days of closed cases", lambda each: _bytes(each.kept_bytes)),
        row("primaries", lambda each: _count(each.primaries)),
        row(f"ended cases in {assumed.retention_days} days of retention", lambda each: _count(each.visibility_rows)),
        row("their histories", lambda each: _bytes(each.retained_bytes)),
        row("Temporal's store of them", lambda each: _bytes(each.temporal_bytes)),
        row("actions a second", lambda each: _count(each.actions)),
        row("resource units of Temporal Cloud", lambda each: _count(each.resource_units)),
    )
    return _columns("new cases", RATES, rows)


def _prices(cost: CaseCost, assumed: Assumptions) -> str:
    lines: list[list[str]] = []
    for rate in RATES:
        needs = sizing.for_rate(cost, rate, assumed)
        at_a_time = rate * sizing.SECONDS_A_DAY * assumed.open_days
        active = sizing.for_open(cost, at_a_time, assumed).active_bytes
        bill = sizing.price(needs.actions_a_month, active, needs.retained_bytes)
        lines.append(
            [
                _NAMES[rate],
                f"{_count(needs.actions_a_month / 1e6)} M",
                _dollars(bill.actions) + ("" if bill.listed else " at the most"),
                _dollars(bill.active),
                _dollars(bill.retained),
                _dollars(bill.plan),
                _dollars(bill.total),
                f"${bill.total / (rate * sizing.SECONDS_A_MONTH):.5f}",
            ]
        )
    head = ["new cases", "actions a month", "for actions", "active", "retained", "plan", "a month", "per case"]
    return _table(head, lines)


def _times() -> str:
    return _table(
        ["open at a time", *(_NAMES[rate] for rate in RATES)],
        ([_NAMES[cases], *(_duration(sizing.mean_open_seconds(cases, rate)) for rate in RATES)] for cases in OPEN),
    )


def _columns(corner: str, sizes: Sequence[float], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    return _table([corner, *(_NAMES[size] for size in sizes)], ([name, *cells] for name, cells in rows))


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def _count(number: float) -> str:
    """Small numbers as they are, up to the next whole one; larger ones to three digits."""
    if number < 10:
        return f"{number:.1f}".removesuffix(".0")
    return f"{float(f'{number:.3g}'):,.0f}" if number >= 1000 and not _whole_power(number) else f"{number:,.0f}"


def _whole_power(number: float) -> bool:
    # Shards are told exactly.
    return number == int(number) and int(number) & (int(number) - 1) == 0


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(number) < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{_count(number)} PB"


def _dollars(number: float) -> str:
    return f"${float(f'{number:.3g}'):,.0f}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.2g} s"


def main() -> None:
    """Write the page anew."""
    made = parts(measured.read(), counted_actions())
    FILE.write_text(filled(FILE.read_text(encoding="utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    main()
