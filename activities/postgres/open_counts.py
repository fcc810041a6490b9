"""How many cases are open on the whole platform, per list: counted by one process for all, some time ago.

Counting a million cases takes half a second in the leanest index; each who asks would pay that. So whoever tells the
gauges counts once a minute, and the platform is told that count with its time. No step pays anything for it. What a
merchant asks, and what a filter narrows, is counted anew each time (``work_lists.count_work``).
"""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.postgres import kept_figures
from activities.postgres.connection import Connection
from activities.postgres.kept_figures import Figure, Kept

SUBJECT: Final = "lists"
WORTH_KEEPING: Final = 20_000
"""Fewer open cases than this are counted anew, within 20 ms."""
_AT_MOST: Final = 0.02
"""The share of its time for which one process counts."""
_LATE: Final = 3
"""A count that is so many times as old as it should become is not told: nobody counts, and so it is made anew."""
_TOOK: Final = "took"
_CASES: Final = "cases"

STATEMENT: Final = """
    SELECT work_list, kind, NULL AS attention, count(*) AS cases
    FROM casebook.cases WHERE closed_at IS NULL GROUP BY work_list, kind
    UNION ALL
    SELECT work_list, kind, attention, count(*)
    FROM casebook.cases WHERE attention IS NOT NULL AND closed_at IS NULL GROUP BY work_list, kind, attention
"""
"""One statement, so that all of it is of one moment. Each half reads an index that holds such cases only."""


@dataclass(frozen=True)
class OpenCounts:
    """All open cases, as they were counted together."""

    kept: Kept

    @property
    def age(self) -> float:
        """How many seconds ago the count began."""
        return self.kept.age

    @property
    def counted_at(self) -> datetime:
        """When the count began, in UTC."""
        return datetime.now(UTC) - timedelta(seconds=self.age)

    def renewed_after(self, every: timedelta) -> timedelta:
        """How old it becomes: ``every``, or longer where counting takes long."""
        took = sum(each.value for each in self.kept.figures if each.name == _TOOK)
        return max(every, timedelta(seconds=took / _AT_MOST), timedelta(microseconds=1))

    def per_list(
        self, *, kind: str | None = None, attention: str | None = None, needs_attention: bool = False
    ) -> dict[str | None, int]:
        """How many cases are in each list, of those to which all of it applies."""
        found: Counter[str | None] = Counter()
        of_reasons = needs_attention or attention is not None
        for each in self.kept.figures:
            if each.name != _CASES or ("attention" in each.labels) is not of_reasons:
                continue
            if kind in (None, each.labels["kind"]) and attention in (None, each.labels.get("attention")):
                found[each.labels.get("work_list")] += int(each.value)
        return dict(found)


async def renewed(connection: Connection, every: timedelta) -> OpenCounts | None:
    """The counts, made anew if they are as old as they should become."""
    found = await kept_figures.kept(connection, SUBJECT)
    if found is None:
        return None
    after = OpenCounts(found).renewed_after(every) if every else every
    found = await kept_figures.renewed(connection, SUBJECT, after, lambda: count(connection))
    return OpenCounts(found) if found else None


async def told(connection: Connection, every: timedelta = timedelta(minutes=1)) -> OpenCounts | None:
    """The counts, where they are worth keeping and somebody keeps them."""
    if (found := await kept_figures.kept(connection, SUBJECT)) is None:
        return None
    counts = OpenCounts(found)
    if counts.age > _LATE * counts.renewed_after(every).total_seconds():
        return None
    return counts if sum(counts.per_list().values()) >= WORTH_KEEPING else None


async def count(connection: Connection) -> tuple[Figure, ...]:
    """All open cases, by list, kind and why a person must look."""
    began = time.perf_counter()
    rows = await connection.fetch(STATEMENT)
    took = Figure(name=_TOOK, value=time.perf_counter() - began)
    return took, *[
        Figure(
            name=_CASES,
            value=row["cases"],
            labels={name: row[name] for name in ("work_list", "kind", "attention") if row[name] is not None},
        )
        for row in rows
    ]
