"""Closed cases leave the tables that steps write, and stay what they were: read, found, marked, written again."""

import asyncio
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from activities.closed_cases import ClosedCases
from activities.postgres import book_views, case_rows, casebook, closed_cases, flags, schema, timelines
from activities.postgres.closed_cases import Moved
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkQuery, count_work, find_work
from tests.storage.money import NOON, closing, minutes, open_case, open_order, some_id
from workflows.messages.actors import merchant
from workflows.messages.cases import CaseKey
from workflows.messages.closed_cases import MoveClosed, MovedReport
from workflows.messages.flags import Colour, SetFlag
from workflows.messages.openings import OpenCase
from workflows.messages.payouts import Payout
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import StageName, Stopped

LATER = NOON + timedelta(days=91)
BEFORE = NOON + timedelta(days=1)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as opened:
        yield opened


async def closed_case(pool: asyncpg.Pool, *, order_no: str | None = None, days: float = 0) -> Payout:
    """A case that closed so many days after noon."""
    wish = await open_case(pool, order_no=order_no)
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_step(connection, closing(wish, at=NOON + timedelta(days=days)))
    return wish


async def move(pool: asyncpg.Pool, at_most: int = 1000) -> Moved:
    async with pool.acquire() as connection:
        return await closed_cases.move(connection, BEFORE, at_most)


async def in_book(pool: asyncpg.Pool) -> dict[str, Any]:
    """Every case and its log, wherever they are; one that were there twice would be seen twice."""
    rows = await pool.fetch(
        """
        SELECT case_id, to_jsonb(whole) - 'flag' AS row, (
            SELECT jsonb_agg(to_jsonb(line) ORDER BY position) FROM casebook.whole_log AS line
            WHERE line.case_id = whole.case_id
        ) AS log
        FROM casebook.whole_case AS whole
        """
    )
    assert len({row["case_id"] for row in rows}) == len(rows)
    return {row["case_id"]: (row["row"], row["log"]) for row in rows}


async def places(pool: asyncpg.Pool) -> tuple[int, ...]:
    """How many rows each table has: cases and lines that are worked on, slim rows, whole ones and lines by month."""
    tables = ("cases", "log", "closed_keys", "closed_cases", "closed_log")
    return tuple([await pool.fetchval(f"SELECT count(*) FROM casebook.{table}") for table in tables])


async def test_a_case_that_has_moved_reads_as_before(pool: asyncpg.Pool) -> None:
    wish = await closed_case(pool)

    async def read(connection: Connection) -> list[object]:
        return [
            await book_views.view_in_book(connection, wish.case_id, Stopped.PAUSED),
            await book_views.outcome_in_book(connection, wish.case_id),
            await case_rows.find(connection, wish.case_id),
            await case_rows.policies_of(connection, wish.case_id),
            await case_rows.log_of(connection, wish.case_id),
            await timelines.timeline_of(connection, wish.case_id),
            await casebook.digest_of_request(connection, wish.case_id),
        ]

    async with pool.acquire() as connection:
        before, book = await read(connection), await in_book(pool)
        moved = await move(pool)
        after = await read(connection)

    assert (moved.cases, moved.lines) == (1, 2)
    assert await places(pool) == (0, 0, 1, 1, 2)
    assert all(before)
    assert after == before
    assert await in_book(pool) == book


async def test_what_is_open_or_closed_lately_stays(pool: asyncpg.Pool) -> None:
    await open_case(pool)
    await closed_case(pool, days=2)
    old = [await closed_case(pool) for _ in range(3)]

    assert (await move(pool, at_most=2)).cases == 2
    assert (await move(pool)).cases == 1
    assert (await move(pool)).cases == 0
    kept = {row["case_id"] for row in await pool.fetch("SELECT case_id FROM casebook.closed_keys")}
    assert kept == {each.case_id for each in old}


async def test_each_goes_to_the_month_in_which_it_closed(pool: asyncpg.Pool) -> None:
    for days in (0, -31, -31, -62):
        await closed_case(pool, days=days)
    await move(pool)

    rows = await pool.fetch("SELECT tableoid::regclass::text AS month, count(*) FROM casebook.closed_cases GROUP BY 1")

    assert {row["month"]: row["count"] for row in rows} == {
        "casebook.closed_cases_2026_11": 1,
        "casebook.closed_cases_2026_10": 2,
        "casebook.closed_cases_2026_09": 1,
    }


async def test_the_same_request_is_the_same_case_when_it_has_moved(pool: asyncpg.Pool) -> None:  # section 11
    wish = await closed_case(pool)
    async with pool.acquire() as connection:
        digest = await casebook.digest_of_request(connection, wish.case_id)
        await move(pool)
        request = RefundRequest(
            request_key="k-1",
            order_no="o-1",
            merchant_id="m-1",
            buyer_id="b-1",
            lines=(LineAmount(line="1", quantity=1, amount=1),),
            reason=RefundReason.OTHER,
        )
        opening = OpenCase(case=CaseKey(case_id=wish.case_id, run_id="run-2"), at=LATER, request=request)
        async with connection.transaction():
            before = await casebook.opened_before(connection, opening)

        assert before is not None, "a new run of it opens nothing"
        assert before[0] != "run-2"
        assert await casebook.digest_of_request(connection, wish.case_id) == digest


async def test_its_pieces_and_its_matter_count_on(pool: asyncpg.Pool) -> None:  # R13, D10
    order_no = await open_order(pool)
    wish = await closed_case(pool, order_no=order_no)
    await pool.execute(
        "UPDATE casebook.cases SET kind = 'dispute', pieces = $1, about = 'refund/o-1/k'",
        {"use": "refund", "lines": [{"line": "1", "quantity": 1}]},
    )

    async def rules(connection: Connection) -> list[object]:
        names = "case_id, pieces, about, asked, refunded, application, outcome, opened_in, buyer_id, return_freight"
        return [
            [dict(row) for row in await connection.fetch(f"SELECT {names} FROM casebook.every_case")],
            [each.case_id for each in await case_rows.disputes_about(connection, "refund/o-1/k")],
        ]

    async with pool.acquire() as connection:
        before = await rules(connection)
        await move(pool)
        assert await rules(connection) == before
        # Also when the month is in the archive alone.
        await connection.execute("DROP TABLE casebook.closed_cases_2026_11, casebook.closed_log_2026_11")
        assert await rules(connection) == before
        assert await case_rows.find(connection, wish.case_id)


async def test_lists_with_closed_cases_have_those_that_moved(pool: asyncpg.Pool) -> None:
    wish = await closed_case(pool)
    query = WorkQuery(merchant_id=await _merchant(pool, wish), with_closed=True)
    async with pool.acquire() as connection:
        before = await find_work(connection, query), await count_work(connection, query)
        await move(pool)
        after = await find_work(connection, query), await count_work(connection, query)

    assert before[1].lists == {"closed": 1}
    assert after == before


async def test_a_flag_is_put_up_at_a_case_that_has_moved(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool)
    wish = await closed_case(pool, order_no=order_no)
    await move(pool)
    merchant_id = await _merchant(pool, wish)
    flag = SetFlag(
        subject=order_no, merchant_id=merchant_id, colour=Colour.RED, by=merchant(merchant_id), key=some_id("k")
    )
    async with pool.acquire() as connection, connection.transaction():
        await flags.set_flag(connection, flag, NOON)
        (item,) = (await find_work(connection, WorkQuery(merchant_id=merchant_id, with_closed=True))).items
        await closed_cases.bring_back(connection, wish.case_id)

    assert item.flag is Colour.RED
    assert await pool.fetchval("SELECT flag FROM casebook.cases") == "red"


async def test_a_flag_is_put_up_at_a_case_that_is_being_brought_back(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool)
    wish = await closed_case(pool, order_no=order_no)
    await move(pool)
    merchant_id = await _merchant(pool, wish)
    flag = SetFlag(merchant_id=merchant_id, subject=order_no, key="f-1", colour=Colour.RED, by=merchant(merchant_id))

    async def put_up() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await flags.set_flag(connection, flag, NOON)

    async with pool.acquire() as bringing:
        async with bringing.transaction():
            await closed_cases.bring_back(bringing, wish.case_id)
            putting = asyncio.create_task(put_up())
            while not await bringing.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0)
        await putting

    assert await pool.fetchval("SELECT flag FROM casebook.cases WHERE case_id = $1", wish.case_id) == "red"


async def test_brought_back_it_is_what_it_was(pool: asyncpg.Pool) -> None:
    wish, other = await closed_case(pool), await closed_case(pool)
    whole = "SELECT to_jsonb(cases) FROM casebook.cases WHERE case_id = $1"
    before, book = await pool.fetchval(whole, wish.case_id), await in_book(pool)
    await move(pool)
    async with pool.acquire() as connection:
        assert await closed_cases.bring_back(connection, wish.case_id)
        assert not await closed_cases.bring_back(connection, wish.case_id)
        assert not await closed_cases.bring_back(connection, "refund/o/none")

    assert await pool.fetchval(whole, wish.case_id) == before
    assert await places(pool) == (1, 2, 1, 1, 2)
    assert await in_book(pool) == book
    assert other.case_id in book


async def test_a_step_on_a_case_that_has_moved_brings_it_back(pool: asyncpg.Pool) -> None:
    wish = await closed_case(pool)
    await move(pool)
    again = closing(wish, at=minutes(5)).model_copy(update={"step": 2, "stage": StageName.PAYMENT_ATTENTION})
    async with pool.acquire() as connection, connection.transaction():
        repeated = await casebook.write_step(connection, closing(wish))
        written = await casebook.write_step(connection, again.model_copy(update={"outcome": None}))

    assert repeated.step == 1
    assert written.written
    assert await places(pool) == (1, 3, 0, 0, 0)
    assert await pool.fetchval("SELECT closed_at FROM casebook.cases") is None
    assert (await move(pool)).cases == 0


async def test_sent_notices_go_and_others_stay(pool: asyncpg.Pool) -> None:
    wish = await closed_case(pool)
    await pool.executemany(
        """
        INSERT INTO notices.outbox (case_id, step, template, recipient_role, recipient_id, channel, fields, queued_at,
                                    sent_at, undeliverable_at)
        VALUES ($1, 1, $2, 'buyer', 'b-1', 'sms', '{}', $3, $4, $5)
        """,
        [
            (wish.case_id, "sent", NOON, NOON, None),
            (wish.case_id, "waiting", NOON, None, None),
            (wish.case_id, "given_up", NOON, None, NOON),
        ],
    )

    moved = await move(pool)

    left = {row["template"] for row in await pool.fetch("SELECT template FROM notices.outbox")}
    assert (moved.notices, left) == (1, {"waiting", "given_up"})


async def test_logs_stay_append_only(pool: asyncpg.Pool) -> None:  # section 12
    await closed_case(pool)
    moved = await closed_case(pool, days=-40)
    await pool.fetch("SELECT casebook.move_closed($1, 1)", BEFORE)
    assert await places(pool) == (1, 2, 1, 1, 2)

    for statement in (
        "DELETE FROM casebook.log",
        "UPDATE casebook.log SET event = 'x'",
        "TRUNCATE casebook.log",
        "DELETE FROM casebook.closed_log",
        "UPDATE casebook.closed_log SET event = 'x'",
        "TRUNCATE casebook.closed_log",
    ):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await pool.execute(statement)
    assert moved.case_id in await in_book(pool)


async def test_the_activity_moves_all_that_is_due(pool: asyncpg.Pool) -> None:
    for _ in range(5):
        await closed_case(pool)
    await closed_case(pool, days=30)
    activity = ClosedCases(pool, timedelta(days=90))

    nothing = await activity.move_closed_cases(MoveClosed(at=NOON + timedelta(days=89), batch=2))
    moved = await activity.move_closed_cases(MoveClosed(at=LATER, batch=2))

    assert nothing == MovedReport()
    assert (moved.cases, moved.lines, moved.more) == (5, 10, False)


async def test_a_process_that_is_killed_loses_and_doubles_nothing(pool: asyncpg.Pool, own_database: str) -> None:
    for _ in range(40):
        await closed_case(pool, days=-random.randrange(60))
    book = await in_book(pool)
    program = """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    while True:
        async with connection.transaction():
            row = await connection.fetchrow("SELECT * FROM casebook.move_closed('2026-11-25T00:00:00Z', 3)")
            print("moved", flush=True)
            await asyncio.sleep(0.01)
asyncio.run(main())
"""
    for kill in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, own_database, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout
        for _ in range(1 + kill % 3):  # now it is within a transaction, or between two
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert await in_book(pool) == book

    while True:
        moved = await move(pool, at_most=7)
        # What the last one had locked is given back once its connection's end is noticed.
        if not moved.cases and not await pool.fetchval("SELECT count(*) FROM casebook.cases"):
            break
        await asyncio.sleep(0.01)
    assert await in_book(pool) == book
    assert await places(pool) == (0, 0, 40, 40, 80)


async def test_moving_bringing_back_flags_and_readers_at_once(pool: asyncpg.Pool) -> None:
    cases = [await closed_case(pool) for _ in range(20)]
    book = await in_book(pool)
    goes_on = True

    async def mover() -> None:
        while goes_on:
            await move(pool, at_most=3)

    async def returner() -> None:
        while goes_on:
            async with pool.acquire() as connection:
                await closed_cases.bring_back(connection, random.choice(cases).case_id)

    others = [asyncio.create_task(each) for each in (mover(), mover(), returner(), returner())]
    for _ in range(60):
        async with pool.acquire() as connection:
            wish = random.choice(cases)
            log = await case_rows.log_of(connection, wish.case_id)
            assert [each.event for each in log] == ["opened", "refund_succeeded"]
            assert (await case_rows.find(connection, wish.case_id)) is not None
            async with connection.transaction():
                repeated = await casebook.write_step(connection, closing(wish))
            assert repeated.step == 1
    goes_on = False
    await asyncio.gather(*others)

    assert await in_book(pool) == book


async def test_of_two_that_move_one_does(pool: asyncpg.Pool) -> None:
    await closed_case(pool)
    async with pool.acquire() as one, one.transaction():
        assert (await closed_cases.move(one, BEFORE, 10)).cases == 1
        assert (await move(pool)).cases == 0
    assert (await move(pool)).cases == 0


async def test_nothing_of_a_case_is_left_out(pool: asyncpg.Pool) -> None:
    """A column that is added to the tables of steps must be added to those of the months, and to the views."""
    rows = await pool.fetch(
        """
        SELECT table_name, array_agg(column_name::text ORDER BY column_name) AS columns
        FROM information_schema.columns WHERE table_schema = 'casebook' GROUP BY 1
        """
    )
    of = {row["table_name"]: set(row["columns"]) for row in rows}

    assert of["closed_cases"] == of["cases"] == of["whole_case"]
    assert of["closed_log"] - {"closed_at"} == of["log"] == of["whole_log"]
    assert of["closed_keys"] | {"work_list", "due_at", "due_rank", "talk"} == of["every_case"]


async def test_an_older_schema_has_all_of_them_back(own_database: str, pool: asyncpg.Pool) -> None:
    wish = await closed_case(pool)
    row = "SELECT to_jsonb(cases) FROM casebook.cases WHERE case_id = $1"
    before = await pool.fetchval(row, wish.case_id)
    await move(pool)

    await schema.downgrade(own_database, "0040")

    assert await pool.fetchval(row, wish.case_id) == before
    assert await pool.fetchval("SELECT count(*) FROM casebook.log") == 2


async def _merchant(pool: asyncpg.Pool, wish: Payout) -> str:
    return await pool.fetchval("SELECT merchant_id FROM casebook.every_case WHERE case_id = $1", wish.case_id)


READS_WHAT_IS_WORKED_ON = {
    "activities/closed_cases.py",
    "activities/postgres/book_views.py",  # the open dispute about a case
    "activities/postgres/case_rows.py",  # open cases of an order, of a kind, by the beginning of their ids
    "activities/postgres/casebook.py",
    "activities/postgres/closed_cases.py",
    "activities/postgres/flags.py",  # both, to mark them
    "activities/postgres/log_lines.py",
    "activities/postgres/open_counts.py",
    "activities/postgres/overdue.py",
    "activities/postgres/pauses.py",  # open ones
    "activities/postgres/pieces.py",  # of the case whose step it is
    "activities/postgres/repeated_steps.py",
    "activities/postgres/requirements.py",
    "activities/postgres/resuming.py",
    "activities/postgres/roles.py",
    "activities/postgres/standing.py",
    "activities/postgres/wholeness.py",
    "activities/postgres/work_lists.py",
    "activities/returned.py",  # after it was brought back
    "starter/cluster/check.py",
    "starter/cluster/load.py",
    "starter/demo/played.py",
}
"""Modules that look at cases where steps are written, and mean no others: what moved is not there."""


def test_whoever_means_cases_of_any_age_reads_all_of_them() -> None:
    root = Path(__file__).parents[2]
    named = re.compile(r"casebook\.(?:cases|log)\b")
    found = {
        str(file.relative_to(root))
        for folder in ("activities", "starter", "workflows")
        for file in (root / folder).rglob("*.py")
        if "migrations" not in file.parts and named.search(file.read_text(encoding="utf-8"))
    }

    assert found - READS_WHAT_IS_WORKED_ON == set(), "read casebook.every_case, whole_case or whole_log"
