"""Fills a case book with a million open cases and measures its work lists: ``python -m tests.benchmarks.work_lists``.

``make bench-lists`` writes docs/benchmarks.md anew, but for sections of others. It takes some minutes and some
gigabytes, in a temporary folder.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from activities.postgres import casebook, open_counts, schema
from activities.postgres.connection import Connection
from activities.postgres.page_keys import PageKey
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkQuery, count_work, counts_sql, find_work, page_sql
from starter.settings import Settings
from starter.stack import embedded_stack
from tests.benchmarks.encode import PAGE, kept
from tests.benchmarks.filling import BEFORE_WORK_LISTS, LARGE, MIDDLING, SMALL, fill, passing_step
from tests.benchmarks.plans import Plan, explained
from workflows.messages.flags import Colour
from workflows.messages.stages import Attention, CaseKind, WorkList

_RUNS: Final = 15
_STEPS: Final = 1000
_NEW_INDEXES: Final = (
    "cases_in_list_of_merchant",
    "cases_in_work_of_merchant",
    "cases_in_list",
    "cases_in_work",
    "cases_of_kind_in_work",
    "cases_of_buyer",
)


@dataclass(frozen=True)
class Took:
    """Milliseconds of some runs, the way to the server and back included."""

    least: float
    """What the work itself takes, whatever else the machine does."""
    median: float

    def __str__(self) -> str:
        """Both of them."""
        return f"{self.least:.1f} / {self.median:.1f}"


@dataclass(frozen=True)
class Measured:
    """A question and what answering it takes."""

    name: str
    took: "Took"
    answer: int
    """Cases on the page, or cases counted."""
    plan: Plan
    generic: Plan
    """The same, planned for any arguments."""


@dataclass(frozen=True)
class Steps:
    """What a step costs that moves a case to another list, in a transaction of its own."""

    took: Took
    wal: int
    """Bytes written ahead for each step."""


@dataclass(frozen=True)
class Index:
    """What an index of the case book weighs, and the bytes that it adds to the log when a case moves."""

    name: str
    megabytes: float
    entries: int
    wal: int | None


def pages(now: datetime, known: asyncpg.Record) -> dict[str, WorkQuery]:
    """The questions of a merchant and of the platform, with one field of each kind."""
    soon = now + timedelta(hours=12)
    since, until = now - timedelta(hours=30), now - timedelta(hours=24)
    return {
        "large merchant, one list": WorkQuery(merchant_id=LARGE, work_list=WorkList.UNSHIPPED_REFUNDS),
        "large merchant, all lists": WorkQuery(merchant_id=LARGE),
        "middling merchant, all lists": WorkQuery(merchant_id=MIDDLING),
        "small merchant, all lists": WorkQuery(merchant_id=SMALL),
        "large merchant, due within 12 h": WorkQuery(merchant_id=LARGE, due_before=soon),
        "large merchant, needs attention": WorkQuery(merchant_id=LARGE, needs_attention=True),
        "large merchant, one attention": WorkQuery(merchant_id=LARGE, attention=Attention.RETURN_OVERDUE),
        "large merchant, flag": WorkQuery(merchant_id=LARGE, flag=Colour.BLUE),
        "large merchant, a rare kind": WorkQuery(merchant_id=LARGE, kind=CaseKind.WITHDRAWAL),
        "large merchant, a kind that it has none of": WorkQuery(merchant_id=LARGE, kind=CaseKind.EXPIRY),
        "large merchant, opened in six hours": WorkQuery(merchant_id=LARGE, opened_from=since, opened_until=until),
        "large merchant, one list, opened in six hours": WorkQuery(
            merchant_id=LARGE, work_list=WorkList.AWAITING_RETURN, opened_from=since, opened_until=until
        ),
        "large merchant, order": WorkQuery(merchant_id=LARGE, order_no=known["order_no"]),
        "large merchant, buyer": WorkQuery(merchant_id=LARGE, buyer_id=known["buyer_id"]),
        "large merchant, customer by phone": WorkQuery(merchant_id=LARGE, customer=known["phone"]),
        "large merchant, customer by a common name": WorkQuery(merchant_id=LARGE, customer=known["name"]),
        "platform, all lists": WorkQuery(),
        "platform, one list": WorkQuery(work_list=WorkList.PLATFORM_REVIEW),
        "platform, due within 12 h": WorkQuery(due_before=soon),
        "platform, needs attention": WorkQuery(needs_attention=True),
        "platform, one attention": WorkQuery(attention=Attention.RETURN_OVERDUE),
        "platform, a rare kind": WorkQuery(kind=CaseKind.WITHDRAWAL),
        "platform, a kind that nobody has": WorkQuery(kind=CaseKind.EXPIRY),
        "platform, flag": WorkQuery(flag=Colour.BLUE),
        "platform, opened in six hours": WorkQuery(opened_from=since, opened_until=until),
        "platform, customer by phone": WorkQuery(customer=known["phone"]),
        "platform, customer by a common name": WorkQuery(customer=known["name"]),
    }


def counts(now: datetime) -> dict[str, WorkQuery]:
    """What is counted beside a list."""
    soon = now + timedelta(hours=12)
    return {
        "large merchant": WorkQuery(merchant_id=LARGE),
        "middling merchant": WorkQuery(merchant_id=MIDDLING),
        "small merchant": WorkQuery(merchant_id=SMALL),
        "large merchant, due within 12 h": WorkQuery(merchant_id=LARGE, due_before=soon),
        "large merchant, a kind": WorkQuery(merchant_id=LARGE, kind=CaseKind.RETURN),
        "large merchant, flag": WorkQuery(merchant_id=LARGE, flag=Colour.RED),
        "platform": WorkQuery(),
        "platform, one list": WorkQuery(work_list=WorkList.RULINGS),
        "platform, due within 12 h": WorkQuery(due_before=soon),
        "platform, a kind": WorkQuery(kind=CaseKind.DISPUTE),
        "platform, needs attention": WorkQuery(needs_attention=True),
    }


async def timed(ask: Callable[[], Awaitable[object]]) -> Took:
    """How long it takes."""
    took: list[float] = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return Took(min(took), statistics.median(took))


async def measured_page(connection: Connection, name: str, query: WorkQuery) -> Measured:
    """One page, and how it is read."""
    page = await find_work(connection, query)
    statement = page_sql(query)
    return Measured(
        name,
        await timed(lambda: find_work(connection, query)),
        len(page.items),
        await explained(connection, *statement),
        await explained(connection, *statement, generic=True),
    )


async def measured_count(connection: Connection, name: str, query: WorkQuery) -> Measured:
    """The counts, and how they are made."""
    found = await count_work(connection, query, exact=True)
    statement = counts_sql(query)
    return Measured(
        name,
        await timed(lambda: count_work(connection, query, exact=True)),
        found.in_all,
        await explained(connection, *statement),
        await explained(connection, *statement, generic=True),
    )


async def measured_told(connection: Connection, name: str, query: WorkQuery) -> tuple[object, ...] | None:
    """What is told of the counts that one process made for all; None where they are counted anew."""
    if (await count_work(connection, query)).counted_at is None:
        return None
    return name, await timed(lambda: count_work(connection, query))


async def far_page(connection: Connection, query: WorkQuery, cases: int) -> WorkQuery:
    """The page behind so many cases. Its key is found by an offset here; whoever pages has it already."""
    statement, arguments = page_sql(query.model_copy(update={"limit": 1}))
    row = await connection.fetchrow(f"{statement} OFFSET {cases}", *arguments)
    assert row is not None
    return query.model_copy(update={"after": str(PageKey(row["due_rank"], row["case_id"]))})


async def steps(pool: asyncpg.Pool, now: datetime) -> Steps:
    """Move cases to another list, each by a step of its own as a worker writes it."""
    rows = await pool.fetch(
        """
        SELECT case_id, run_id, kind, step FROM casebook.cases TABLESAMPLE system (2)
        WHERE closed_at IS NULL AND work_list <> 'payments' ORDER BY random() LIMIT $1
        """,
        _STEPS,
    )
    took: list[float] = []
    await pool.execute("CHECKPOINT")
    begins = await pool.fetchval("SELECT pg_current_wal_insert_lsn()")
    for row in rows:
        step = passing_step(row, now, WorkList.PAYMENTS)
        began = time.perf_counter()
        async with pool.acquire() as connection, connection.transaction():
            await casebook.write_step(connection, step)
        took.append((time.perf_counter() - began) * 1000)
    written = await pool.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", begins)
    return Steps(Took(min(took), statistics.median(took)), int(written) // len(rows))


async def logged(connection: Connection, cases: list[str], without: str | None = None) -> int:
    """Bytes of the log for each case that is moved; an index is gone for as long as it takes."""
    transaction = connection.transaction()
    await transaction.start()
    if without:
        await connection.execute(f"DROP INDEX casebook.{without}")
    found = await connection.fetchval(
        """
        EXPLAIN (ANALYZE, WAL, TIMING OFF, FORMAT JSON)
        UPDATE casebook.cases SET work_list = 'payments', due_at = due_at + interval '1 hour', step = step + 1
        WHERE case_id = ANY ($1)
        """,
        cases,
    )
    await transaction.rollback()
    (plan,) = json.loads(found)
    return plan["Plan"]["WAL Bytes"] // len(cases)


async def indexes(connection: Connection) -> list[Index]:
    """Size of each index; of the new ones, what they add to the log when a case moves."""
    # Whole pages go into the log once after each checkpoint, at random; what is compared is the rest.
    await connection.execute("ALTER SYSTEM SET full_page_writes = off")
    await connection.execute("SELECT pg_reload_conf()")
    rows = await connection.fetch(
        "SELECT case_id FROM casebook.cases TABLESAMPLE system (2) WHERE due_at IS NOT NULL LIMIT $1", _STEPS
    )
    cases = [row["case_id"] for row in rows]
    found: list[Index] = []
    sizes = await connection.fetch(
        """
        SELECT relname AS name, pg_relation_size(oid) / 1048576.0 AS size, reltuples::bigint AS entries
        FROM pg_class WHERE relnamespace = 'casebook'::regnamespace AND relkind = 'i' AND relname LIKE 'cases_%'
        ORDER BY 1
        """
    )
    for row in sizes:
        adds = None
        if row["name"] in _NEW_INDEXES:
            with_it, without = [
                min([await logged(connection, cases, name) for _ in range(4)]) for name in (None, row["name"])
            ]
            adds = with_it - without
        found.append(Index(row["name"], float(row["size"]), row["entries"], adds))
    await connection.execute("ALTER SYSTEM RESET full_page_writes")
    await connection.execute("SELECT pg_reload_conf()")
    return found


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" if place == 0 else "---:" for place in range(len(head))), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def told(measured: list[Measured]) -> str:
    """What was measured, a line for each question."""
    return table(
        ("question", "cases", "ms", "read", "sorted", "8 KiB pages", "any arguments: read", "index"),
        [
            (
                each.name,
                f"{each.answer:,}",
                each.took,
                f"{each.plan.cases_read:,}",
                f"{each.plan.sorted:,}",
                f"{each.plan.buffers:,}",
                f"{each.generic.cases_read:,}",
                ", ".join(f"`{name}`" for name in each.plan.indexes),
            )
            for each in measured
        ],
    )


async def far_pages(connection: Connection) -> list[Measured]:
    """The same page ever further behind: a key costs the same everywhere."""
    found: list[Measured] = []
    for name, query, places in (
        ("platform, all lists", WorkQuery(), (1_000, 100_000, 900_000)),
        ("large merchant, one list", WorkQuery(merchant_id=LARGE, work_list=WorkList.AWAITING_RETURN), (1_000, 10_000)),
    ):
        in_all = (await count_work(connection, query, exact=True)).in_all
        for place in places:
            if place < in_all:
                far = await far_page(connection, query, place)
                found.append(await measured_page(connection, f"{name}, behind {place:,} cases", far))
    return found


async def churn(connection: Connection, cases: int) -> None:
    """What is not vacuumed yet while cases move: so many of them, all over the table."""
    await connection.execute(
        """
        UPDATE casebook.cases SET step = step + 1, due_at = due_at + interval '1 minute' WHERE case_id IN (
            SELECT case_id FROM casebook.cases TABLESAMPLE system (10) WHERE closed_at IS NULL LIMIT $1
        )
        """,
        cases,
    )


async def write(arguments: argparse.Namespace) -> None:
    """Fill, measure, and keep the page."""
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        # Temporal has no part in this: named, it is not started.
        os.environ["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
        settings = Settings(state_dir=arguments.state or Path(folder))
        async with (
            embedded_stack(settings) as stack,
            await open_pool(stack.database_url, max_size=2, statement_timeout=3600) as pool,
        ):
            await measure(stack.database_url, pool, arguments)


async def measure(database: str, pool: asyncpg.Pool, arguments: argparse.Namespace) -> None:
    """Everything, on a database that is empty or was filled before."""
    said = Said()
    now = datetime.now(UTC)
    if await schema.current(database) is None:
        await schema.upgrade(database, BEFORE_WORK_LISTS)
    if await schema.current(database) == BEFORE_WORK_LISTS:
        async with pool.acquire() as connection:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM casebook.cases)"):
                await fill(connection, now, open_cases=arguments.open, closed_cases=arguments.closed)
            await connection.execute("VACUUM ANALYZE casebook.cases")
        said.done("filled")
        began = time.perf_counter()
        await schema.upgrade(database)
        migrated = time.perf_counter() - began
        said.done("migrated")
    else:
        migrated = None
    async with pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE casebook.cases")
        said.done("vacuumed")
        known = await connection.fetchrow(KNOWN, LARGE)
        assert known is not None
        moment = await connection.fetchval("SELECT max(opened_at) FROM casebook.cases")
        lists = [await measured_page(connection, *each) for each in pages(moment, known).items()]
        said.done("pages measured")
        far = await far_pages(connection)
        counted = [await measured_count(connection, *each) for each in counts(moment).items()]
        await open_counts.renewed(connection, timedelta(0))
        told_at_once = [await measured_told(connection, *each) for each in counts(moment).items()]
        said.done("counts measured")
        weighed = await indexes(connection)
        said.done("indexes weighed")
    steps_now = await steps(pool, now)
    async with pool.acquire() as connection:
        await churn(connection, 50_000)
        churned = [await measured_count(connection, *each) for each in counts(moment).items()]
        said.done("counts measured after many steps")
        book = await connection.fetchrow(BOOK)
        version = await connection.fetchval("SHOW server_version")
        buffers = await connection.fetchval("SHOW shared_buffers")
        await connection.execute(AS_BEFORE)
        said.done("work lists' indexes dropped")
    steps_before = await steps(pool, now)
    assert book is not None
    took = f" The migration that makes the indexes took {migrated:.0f} s on this book." if migrated else ""
    PAGE.write_text(
        PROSE.format(
            version=version,
            buffers=buffers,
            cpus=os.cpu_count(),
            note=arguments.note,
            open=book["open"],
            closed=book["closed"],
            size=book["size"],
            merchants=book["merchants"],
            took=took,
            pages=told(lists),
            far=told(far),
            counts=told(counted),
            told=table(("question", "ms"), [each for each in told_at_once if each]),
            churned=table(
                ("question", "ms", "fetched from the table"),
                [(each.name, each.took, f"{each.plan.heap_fetches:,}") for each in churned],
            ),
            before=f"{steps_before.took} ms, {steps_before.wal:,} bytes",
            now=f"{steps_now.took} ms, {steps_now.wal:,} bytes",
            indexes=table(
                ("index", "MiB", "entries", "bytes of log for a moved case"),
                [
                    (
                        f"`{each.name}`",
                        f"{each.megabytes:.0f}",
                        f"{each.entries:,}",
                        "" if each.wal is None else f"{each.wal:,}",
                    )
                    for each in weighed
                ],
            ),
        )
        + kept(PAGE.read_text(encoding="utf-8"))
        + kept(PAGE.read_text(encoding="utf-8"), "statements")
        + kept(PAGE.read_text(encoding="utf-8"), "side by side")
        + kept(PAGE.read_text(encoding="utf-8"), "tried"),
        encoding="utf-8",
    )


class Said:
    """Tells what is done and how long it took."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def done(self, what: str) -> None:
        """One line."""
        print(f"{time.perf_counter() - self._since:6.0f} s  {what}", flush=True)


KNOWN: Final = """
    SELECT order_no, buyer_id, phone.hash AS phone, (
        SELECT hash FROM vault.lookups WHERE merchant_id = $1 AND field = 'name'
        GROUP BY hash ORDER BY count(*) DESC LIMIT 1
    ) AS name
    FROM casebook.cases JOIN vault.lookups AS phone
    ON phone.merchant_id = cases.merchant_id AND phone.subject = cases.order_no AND phone.field = 'phone'
    WHERE cases.merchant_id = $1 AND closed_at IS NULL LIMIT 1
"""

AS_BEFORE: Final = """
    DROP INDEX casebook.cases_of_buyer, casebook.cases_under_flag, casebook.cases_under_flag_of_merchant,
        casebook.cases_in_attention, casebook.cases_in_attention_of_merchant, casebook.cases_of_kind_in_work,
        casebook.cases_in_work, casebook.cases_in_list, casebook.cases_in_work_of_merchant,
        casebook.cases_in_list_of_merchant;
    CREATE INDEX cases_in_work ON casebook.cases (merchant_id, work_list, due_at, case_id) WHERE closed_at IS NULL;
    CREATE INDEX cases_in_attention ON casebook.cases (attention, due_at) WHERE attention IS NOT NULL;
"""

BOOK: Final = """
    SELECT count(*) FILTER (WHERE closed_at IS NULL) AS open, count(*) FILTER (WHERE closed_at IS NOT NULL) AS closed,
           pg_size_pretty(pg_table_size('casebook.cases')) AS size, count(DISTINCT merchant_id) AS merchants
    FROM casebook.cases
"""

PROSE: Final = """\
<!-- Written by `make bench`, `make bench-lists` and `make bench-encode`; by hand only what was tried, at the end. -->
# Benchmarks

What single operations cost, measured: pages and counts of work lists, the codec server, a day of the provider's
statement, and a case beside a bare workflow. Figures to size an installation by are in [capacity.md](capacity.md).

## Work lists

A case book of {open:,} open and {closed:,} closed cases ({size} without indexes) of {merchants:,} merchants: the
largest ones have a tenth of the cases each, most have some dozens. PostgreSQL {version} as it comes
(`shared_buffers` {buffers}), on {cpus} cores; {note}{took}

What the indexes are for, and what a page key promises: [work-lists.md](work-lists.md).

*ms* is the least and the median of fifteen runs of the client's own query, the way there and back included. *Read* is
how many cases were fetched from the table, those that a filter put aside included; *8 KiB pages* is what was looked at
for it, in indexes and table, from memory or disk. *Any arguments: read* is the same by the plan that the server may
come to prefer once a statement was used often. A page shows 50 cases and reads 51, to know whether there is another.

### The first page

{pages}

### A page far behind

{far}

### Counts

What the platform is told of a count that one process has made for all, some time ago ([work-lists.md](work-lists.md)):

{told}

Counted anew each time, in an index alone: what merchants are told, and the platform where it narrows the question or
wants it exact.

{counts}

The same right after 50,000 cases have moved, before the table is vacuumed: for these the table must be asked.

{churned}

### What writing costs

A step that moves a case to another list, whole and in a transaction of its own (ms least / median, and bytes of log,
most of them whole pages that are logged once after a checkpoint):

- with the indexes of the work lists: {now}
- with the two that were there before them: {before}

What each index adds to the log when a case moves, without whole pages:

{indexes}
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=1_000_000, help="how many open cases")
    parser.add_argument("--closed", type=int, default=500_000, help="how many closed ones beside them")
    parser.add_argument("--state", type=Path, help="a state folder, filled before or now; it is used up")
    parser.add_argument("--note", default="nothing else ran.", help="what else the page should say of the machine")
    asyncio.run(write(parser.parse_args()))


if __name__ == "__main__":
    main()
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
