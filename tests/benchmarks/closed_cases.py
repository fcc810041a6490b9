"""What closed cases that have moved cost whoever works on: ``python -m tests.benchmarks.closed_cases``.

Two databases of one server have the same open cases; one of them has besides so many cases that have moved, filled by
SQL. Openings, steps and pages of work lists are measured in both by turns, so that both have the same luck with what
else the machine does. Then closed cases are moved while steps go on. It writes a section of docs/capacity.md, takes
some minutes and gigabytes, and leaves nothing behind.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from activities.postgres import casebook, closed_cases, matters, pieces, schema
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkQuery, find_work
from starter.settings import Settings
from starter.stack import embedded_stack
from tests.benchmarks.filling import BEFORE_WORK_LISTS, LARGE, fill, passing_step
from tests.databases import address_of
from tests.storage.money import POLICY, some_id
from workflows.messages.actors import CLOCK
from workflows.messages.cases import CaseKey, LogEntry
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import CaseKind, StageName, WorkList
from workflows.rules.identity import case_id

PAGE: Final = Path(__file__).parents[2] / "docs/capacity.md"
_MARK: Final = "<!-- closed cases: .*?<!-- end of closed cases -->"
NOW: Final = datetime.now(UTC)
_ROUNDS: Final = 9
_EACH: Final = 60

_KEYS: Final = """
    INSERT INTO casebook.closed_keys (
        case_id, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, refunded, compensated, policy, stage,
        outcome, opened_at, closed_at, step, return_freight, request_digest, application, pieces, opened_in
    )
    SELECT 'refund/OLD' || number || '/' || left(md5(number::text), 12), gen_random_uuid()::text, 'return',
           CASE WHEN number % 3 = 0 THEN 'm-large-' || 1 + number % 3 ELSE 'm-small-' || number % 40000 END,
           'b-' || hashint8(number) % 3000000, 'OLD' || number, 'CNY', 5900, 5900, 0, 'douyin/1', 'closed', 'refunded',
           closed - interval '5 days', closed, 6, 0, md5(number::text) || md5(number::text), $3, $4, 'return_review'
    FROM (
        SELECT number, $5::timestamptz - interval '1 second' * (number % 31104000) AS closed
        FROM generate_series($1::bigint, $2::bigint) AS number
    ) AS numbers
"""
_WHOLE: Final = """
    INSERT INTO casebook.closed_cases (
        case_id, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, refunded, policy, stage, outcome,
        opened_at, closed_at, step, log_length, opened, stepped, compensated, return_freight, due_rank
    )
    SELECT case_id, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, refunded, policy, stage, outcome,
           opened_at, closed_at, step, 5, $3, '{}', compensated, return_freight, opened_at + interval '1000 years'
    FROM casebook.closed_keys WHERE closed_at >= $1 AND closed_at < $2
"""
_LINES: Final = """
    INSERT INTO casebook.closed_log
        (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, command_digest, facts, kind,
         stage, closed_at)
    SELECT case_id, line, line, 'approved', 'merchant', merchant_id, 'R1', opened_at, 'key-' || line, '',
           '{"amount": 5900}', kind, 'paying', closed_at
    FROM casebook.closed_keys, generate_series(1, 5) AS line WHERE closed_at >= $1 AND closed_at < $2
"""
_TO_MOVE: Final = """
    INSERT INTO casebook.cases (
        case_id, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, refunded, policy, stage, outcome,
        opened_at, closed_at, step, log_length, opened, stepped, application
    )
    SELECT 'refund/NEW' || number || '/' || left(md5(number::text), 12), gen_random_uuid()::text, 'return',
           'm-small-' || number % 40000, 'b-' || number % 3000000, 'NEW' || number, 'CNY', 5900, 5900, 'douyin/1',
           'closed', 'refunded', $3::timestamptz - interval '100 days',
           $3 - interval '95 days' + interval '1 second' * (number % 86400), 6, 5, $4, '{}', $5
    FROM generate_series($1::bigint, $2::bigint) AS number
"""
_LINES_TO_MOVE: Final = """
    INSERT INTO casebook.log
        (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, facts, kind, stage)
    SELECT case_id, line, line, 'approved', 'merchant', merchant_id, 'R1', opened_at, 'key-' || line,
           '{"amount": 5900}', kind, 'paying'
    FROM casebook.cases, generate_series(1, 5) AS line WHERE closed_at IS NOT NULL AND case_id LIKE 'refund/NEW%'
"""
_NOTICES_TO_MOVE: Final = """
    INSERT INTO notices.outbox
        (case_id, step, template, recipient_role, recipient_id, channel, fields, queued_at, sent_at)
    SELECT case_id, notice, 'approved', 'buyer', buyer_id, 'sms', '{"amount": 5900}', opened_at, opened_at
    FROM casebook.cases, generate_series(1, 4) AS notice WHERE closed_at IS NOT NULL AND case_id LIKE 'refund/NEW%'
"""

TOLD: Final = """<!-- closed cases: written by tests/benchmarks/closed_cases.py -->
Measured on {day}, {cores} cores, load {load:.0f} (other work included), PostgreSQL as it comes, {open:,} open cases;
beside them none, or {moved:,} that have moved, of which {whole:,} have their whole rows and logs. Medians of {rounds}
rounds of {each}, by turns; ms, the way there and back included.

| | without moved cases | with them | ratio |
| --- | ---: | ---: | ---: |
{rows}

A slim row takes {slim:.0f} bytes with its indexes, a whole one with a log of five lines {whole_row:.0f}.

Moving {moving:,} cases of five lines and four notices in batches of {batch}: {alone:,.0f} cases a second alone;
beside steps, one after the other, {beside:,.0f} a second, while a step took {meanwhile:.2f} ms instead of {step:.2f}
({slower:.2f}).
<!-- end of closed cases -->"""

Doing = Callable[[asyncpg.Pool], Awaitable[float]]


async def opening(pool: asyncpg.Pool) -> float:
    """Open a case as the activity does: is there one, what do others of the order say, write it; milliseconds."""
    request = RefundRequest(
        request_key=some_id("k"),
        order_no=some_id("o"),
        merchant_id=LARGE,
        buyer_id="b-1",
        lines=(LineAmount(line="1", quantity=1, amount=100),),
        reason=RefundReason.OTHER,
    )
    identifier = case_id(request)
    asked = OpenCase(case=CaseKey(case_id=identifier, run_id="run-1"), at=NOW, request=request)
    found = Opened(
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.MERCHANT_REVIEW,
        policy=POLICY,
        asked=Money(amount=100, currency="CNY"),
    )
    entry = LogEntry(event="opened", by=CLOCK, rule="R1", at=NOW)
    began = time.perf_counter()
    async with pool.acquire() as connection, connection.transaction():
        assert await casebook.opened_before(connection, asked) is None
        await pieces.holders(connection, request.order_no)
        await matters.of_order(connection, request.order_no, besides=[identifier])
        await casebook.write_opening(
            connection, asked, found, entry=entry, work_list=WorkList.UNSHIPPED_REFUNDS, buyer_id="b-1"
        )
    return (time.perf_counter() - began) * 1000


async def step(pool: asyncpg.Pool) -> float:
    """Move an open case to another list; milliseconds."""
    row = await pool.fetchrow(
        """
        SELECT case_id, run_id, kind, step FROM casebook.cases
        WHERE closed_at IS NULL AND work_list <> 'payments'
        AND due_rank > $1::timestamptz + random() * interval '40 hours'
        ORDER BY due_rank LIMIT 1
        """,
        NOW,
    )
    assert row
    moved = passing_step(row, NOW, WorkList.AWAITING_BUYER)
    began = time.perf_counter()
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_step(connection, moved)
    return (time.perf_counter() - began) * 1000


async def page(pool: asyncpg.Pool) -> float:
    """The first page of a large merchant's list; milliseconds."""
    query = WorkQuery(merchant_id=LARGE, work_list=WorkList.AWAITING_RETURN)
    async with pool.acquire() as connection:
        began = time.perf_counter()
        await find_work(connection, query)
        return (time.perf_counter() - began) * 1000


async def compared(without: asyncpg.Pool, with_moved: asyncpg.Pool, do: Doing) -> tuple[float, float, float]:
    """Median milliseconds in both databases, and the median of the rounds' ratios."""
    rounds: list[tuple[float, float]] = []
    for _ in range(20):
        await do(without)
        await do(with_moved)
    for _ in range(_ROUNDS):
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(_EACH):
            for pool, each in zip((without, with_moved), took, strict=True):
                each.append(await do(pool))
        rounds.append((statistics.median(took[0]), statistics.median(took[1])))
    return (
        statistics.median(one for one, _ in rounds),
        statistics.median(other for _, other in rounds),
        statistics.median(other / one for one, other in rounds),
    )


async def fill_moved(pool: asyncpg.Pool, cases: int, whole: int) -> None:
    """So many slim rows, and the whole rows and logs of the ``whole`` last of them."""
    opened = Opened(
        kind=CaseKind.RETURN,
        stage=StageName.RETURN_REVIEW,
        policy=POLICY,
        asked=Money(amount=5900, currency="CNY"),
    )
    application = {
        "version": 1,
        "lines": [{"line": "1", "quantity": 1, "amount": 5900}],
        "reason": "other",
        "route": "original",
        "at": NOW.isoformat(),
    }
    held = {"use": "return", "lines": [{"line": "1", "quantity": 1, "amount": 5900}]}
    indexes = await pool.fetch(
        """
        SELECT indexdef, format('%I.%I', schemaname, indexname) AS name FROM pg_indexes
        WHERE schemaname = 'casebook' AND tablename = 'closed_keys' AND indexdef NOT LIKE '%UNIQUE%'
        """
    )
    for index in indexes:
        await pool.execute(f"DROP INDEX {index['name']}")
    await pool.execute("ALTER TABLE casebook.closed_keys DROP CONSTRAINT closed_keys_pkey")
    for first in range(1, cases + 1, 500_000):
        await pool.execute(_KEYS, first, min(first + 499_999, cases), application, held, NOW)
        print(f"  {first + 499_999:,} slim rows", flush=True)
    await pool.execute("SET maintenance_work_mem = '512MB'")
    await pool.execute("ALTER TABLE casebook.closed_keys ADD PRIMARY KEY (case_id)")
    for index in indexes:
        await pool.execute(index["indexdef"])
    print("  indexed", flush=True)
    for month in range(14):
        await pool.execute(
            "SELECT casebook.make_month(($1::timestamptz - make_interval(months => $2))::date)", NOW, month
        )
    since = NOW - timedelta(seconds=31_104_000 * whole / cases)
    await pool.execute(_WHOLE, since, NOW + timedelta(seconds=1), opened.model_dump(mode="json"))
    await pool.execute(_LINES, since, NOW + timedelta(seconds=1))
    await pool.execute("VACUUM ANALYZE casebook.closed_keys")
    await pool.execute("ANALYZE casebook.closed_cases, casebook.closed_log")


async def fill_to_move(pool: asyncpg.Pool, cases: int) -> None:
    """Closed cases that are due to move, with their logs and notices."""
    opened = Opened(
        kind=CaseKind.RETURN, stage=StageName.RETURN_REVIEW, policy=POLICY, asked=Money(amount=5900, currency="CNY")
    )
    await pool.execute(_TO_MOVE, 1, cases, NOW, opened.model_dump(mode="json"), {"version": 1})
    await pool.execute(_LINES_TO_MOVE)
    await pool.execute(_NOTICES_TO_MOVE)
    await pool.execute("VACUUM ANALYZE casebook.cases, casebook.log, notices.outbox")


async def moving(pool: asyncpg.Pool, batch: int) -> tuple[int, float]:
    """Move until nothing is due: cases, seconds."""
    cases, began = 0, time.perf_counter()
    while True:
        async with pool.acquire() as connection:
            moved = await closed_cases.move(connection, NOW - timedelta(days=90), batch)
        cases += moved.cases
        if not moved.cases:
            return cases, time.perf_counter() - began


async def steps_until(pool: asyncpg.Pool, over: Callable[[], bool]) -> list[float]:
    """Milliseconds of steps, one after the other, for as long as something else goes on."""
    took: list[float] = []
    while not over():
        took.append(await step(pool))
    return took


async def write(arguments: argparse.Namespace) -> None:
    """Fill, measure, and write the table."""
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        os.environ["TEMPORAL_ADDRESS"] = "127.0.0.1:1"  # Temporal has no part in this
        async with embedded_stack(Settings(state_dir=Path(folder))) as stack:
            administrator = await asyncpg.connect(stack.database_url)
            for name in ("without", "with_moved"):
                await administrator.execute(f"CREATE DATABASE {name}")
            databases = [address_of(name, stack.database_url) for name in ("without", "with_moved")]
            for database in databases:
                await schema.upgrade(database, BEFORE_WORK_LISTS)
                connection = await asyncpg.connect(database)
                await fill(connection, NOW, open_cases=arguments.open, closed_cases=0)
                await connection.close()
                await schema.upgrade(database)
            async with (
                await open_pool(databases[0], max_size=1, statement_timeout=3600) as without,
                await open_pool(databases[1], max_size=1, statement_timeout=3600) as with_moved,
                await open_pool(databases[1], max_size=2, statement_timeout=3600) as mover,
            ):
                await fill_moved(with_moved, arguments.moved, arguments.whole)
                for pool in (without, with_moved):
                    await pool.execute("VACUUM ANALYZE casebook.cases")
                print("filled", flush=True)
                sizes = await with_moved.fetchrow(
                    """
                    SELECT pg_total_relation_size('casebook.closed_keys') AS slim, (
                        SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                        WHERE inhparent IN ('casebook.closed_cases'::regclass, 'casebook.closed_log'::regclass)
                    )::bigint AS whole
                    """
                )
                assert sizes
                found = {
                    name: await compared(without, with_moved, do)
                    for name, do in (("opening", opening), ("step", step), ("page of a work list", page))
                }
                print(found, flush=True)
                await fill_to_move(with_moved, arguments.moving)
                begun = time.perf_counter()
                alone = await steps_until(with_moved, lambda: time.perf_counter() > begun + 15)
                task = asyncio.create_task(moving(mover, arguments.batch))
                meanwhile = statistics.median(await steps_until(with_moved, task.done))
                cases, seconds = await task
                print(
                    f"{cases} in {seconds:.1f} s, steps {statistics.median(alone):.2f} -> {meanwhile:.2f}", flush=True
                )
                await fill_again(with_moved, arguments.moving)
                undisturbed, took = await moving(mover, arguments.batch)
                print(f"alone: {undisturbed} in {took:.1f} s", flush=True)
            await administrator.close()
    rows = "\n".join(
        f"| {name} | {one:.2f} | {other:.2f} | {ratio:.2f} |" for name, (one, other, ratio) in found.items()
    )
    text = TOLD.format(
        day=f"{NOW:%Y-%m-%d}",
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        rounds=_ROUNDS,
        each=_EACH,
        rows=rows,
        slim=sizes["slim"] / arguments.moved,
        whole_row=sizes["whole"] / arguments.whole,
        alone=undisturbed / took,
        beside=cases / seconds,
        step=statistics.median(alone),
        meanwhile=meanwhile,
        slower=meanwhile / statistics.median(alone),
        **vars(arguments),
    )
    before = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(_MARK, lambda _: text, before, flags=re.DOTALL), encoding="utf-8")
    print(text)


async def fill_again(pool: asyncpg.Pool, cases: int) -> None:
    """The same cases once more, to be moved with nothing beside it."""
    await pool.execute("DELETE FROM casebook.closed_keys WHERE case_id LIKE 'refund/NEW%'")
    await pool.execute("TRUNCATE casebook.closed_cases")
    await pool.execute("ALTER TABLE casebook.closed_log DISABLE TRIGGER ALL")
    await pool.execute("TRUNCATE casebook.closed_log")
    await fill_to_move(pool, cases)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=20_000, help="how many open cases")
    parser.add_argument("--moved", type=int, default=10_000_000, help="how many that have moved")
    parser.add_argument("--whole", type=int, default=500_000, help="how many of them have their whole rows and logs")
    parser.add_argument("--moving", type=int, default=60_000, help="how many are moved")
    parser.add_argument("--batch", type=int, default=200, help="how many in a transaction")
    asyncio.run(write(parser.parse_args()))


if __name__ == "__main__":
    main()
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(0)
