"""The ledger leaves with an order of which nothing is paid back any more, and nothing is ever paid twice (R8, G2)."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.closed_cases import ClosedCases
from activities.opening import Opening
from activities.policies import Policies
from activities.postgres import ledger, past_funds, schema, whole_ledger
from activities.postgres.past_funds import MovedFunds
from activities.postgres.pool import open_pool
from activities.postgres.wholeness import QUESTIONS, ask
from tests.storage.money import NOON, open_order, payout, reserve
from tests.storage.test_closed_cases import closed_case
from workflows.messages.cases import CaseKey
from workflows.messages.closed_cases import MoveClosed
from workflows.messages.openings import OpenCase
from workflows.messages.payouts import LegState, PaidBy, Payout, Reservation, TenderKind
from workflows.messages.requests import LateShipmentRequest
from workflows.rules.allocation import FundPart
from workflows.rules.identity import case_id
from workflows.rules.legs import US, LegEvent

LATER = NOON + timedelta(days=400)
PARTS = (FundPart("line:1", 10_000), FundPart("freight", 0), FundPart("tender:w", 10_000, TenderKind.WALLET))
TABLES = ("funds", "fund_parts", "legs", "leg_parts", "leg_events")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as opened:
        yield opened


async def told(pool: asyncpg.Pool, order_no: str, until: datetime | None) -> None:
    """The order system has told of an order until when anything of it is paid back."""
    await pool.execute(
        """
        INSERT INTO shop.orders (order_no, marketplace, merchant_id, buyer_id, currency, freight, paid_at,
                                 refundable_until)
        VALUES ($1, 'douyin', 'm-1', 'b-1', 'CNY', 0, $2, $3)
        """,
        order_no,
        NOON - timedelta(days=10),
        until,
    )


async def paid_back(pool: asyncpg.Pool, until: datetime | None = NOON) -> tuple[str, Payout]:
    """An order of 100.00 all of which was paid back, by a case that has ended."""
    order_no = await open_order(pool)
    await told(pool, order_no, until)
    wish = await closed_case(pool, order_no=order_no)
    async with pool.acquire() as connection, connection.transaction():
        (leg,) = await ledger.last_legs(connection, wish.case_id)
        for says, paid_by in ((LegState.SUBMITTED, None), (LegState.SUCCEEDED, PaidBy.GATEWAY)):
            said = LegEvent(says=says, source="gateway" if paid_by else US, at=NOON, as_of=NOON, paid_by=paid_by)
            await ledger.record(connection, leg.refund_no, said)
    return order_no, wish


async def move(pool: asyncpg.Pool, before: datetime = LATER, at_most: int = 100) -> MovedFunds:
    async with pool.acquire() as connection:
        return await past_funds.move(connection, before, before + timedelta(days=1), at_most)


async def book(pool: asyncpg.Pool) -> list[object]:
    """All of the ledger, wherever it is."""
    async with pool.acquire() as connection:
        return [
            await whole_ledger.page(connection, "", 1_000),
            [tuple(row) for row in await connection.fetch("SELECT * FROM ledger.every_leg ORDER BY refund_no")],
            [
                tuple(row)
                for row in await connection.fetch("SELECT * FROM ledger.every_leg_event ORDER BY refund_no, seq")
            ],
        ]


async def rows(pool: asyncpg.Pool) -> dict[str, int]:
    return {each: await pool.fetchval(f"SELECT count(*) FROM ledger.{each}") for each in TABLES}


async def test_a_fund_that_has_left_reads_as_before_and_comes_back(pool: asyncpg.Pool) -> None:
    order_no, wish = await paid_back(pool)
    await paid_back(pool, until=None)  # the order system does not say
    await paid_back(pool, until=LATER + timedelta(days=1))
    before, there = await book(pool), await rows(pool)
    async with pool.acquire() as connection:
        legs = await ledger.last_legs(connection, wish.case_id)
        settled = await ledger.settled_of(connection, [f"order/{order_no}"])
    assert settled == {f"order/{order_no}": {"line:1": 10_000, "tender:w": 10_000}}

    assert await move(pool) == MovedFunds(looked=3, funds=1, legs=1)
    assert await move(pool, at_most=2) == MovedFunds(looked=2)
    assert await move(pool, at_most=2) == MovedFunds(looked=0), "the walk has ended"
    left = await rows(pool)
    async with pool.acquire() as connection:
        assert await ledger.last_legs(connection, wish.case_id) == legs
        assert await ledger.settled_of(connection, [f"order/{order_no}"]) == settled
        assert await ledger.payout_of(connection, legs[0].refund_no) == (wish.case_id, 1, legs[0].amount)
        assert await ledger.is_open(connection, f"order/{order_no}")
        assert (await ask(connection, QUESTIONS["past funds"])).number == 0
    assert await book(pool) == before, "other books go on to agree with it"
    assert left["legs"] == there["legs"] - 1

    async with pool.acquire() as connection:
        assert await past_funds.bring_back(connection, f"order/{order_no}")
        assert not await past_funds.bring_back(connection, f"order/{order_no}")
    assert (await book(pool), await rows(pool)) == (before, there)


async def test_what_was_paid_back_need_not_ship_wherever_its_ledger_is(pool: asyncpg.Pool) -> None:  # L1, G2
    order_no, _ = await paid_back(pool)
    await pool.execute(
        """
        INSERT INTO shop.order_lines (order_no, position, line, sku, quantity, paid)
        VALUES ($1, 0, '1', 's', 1, 10000)
        """,
        order_no,
    )
    request = LateShipmentRequest(order_no=order_no, merchant_id="m-1", buyer_id="b-1", ships_until=NOON)
    wish = OpenCase(case=CaseKey(case_id=case_id(request), run_id="r"), at=LATER, request=request)
    opening = Opening(pool, Policies(), lambda: None)
    before = await opening.foresee(wish)

    assert (await move(pool)).funds == 1
    after = await opening.foresee(wish)

    assert (before.nothing_owed, after.nothing_owed) == (True, True)


async def test_what_is_not_over_stays(pool: asyncpg.Pool) -> None:
    """An open case, a leg under way, an alert, a difference, a leg that no statement has shown, an allowance."""
    an_open_case, _ = await paid_back(pool)
    await pool.execute("UPDATE casebook.cases SET closed_at = NULL, outcome = NULL WHERE order_no = $1", an_open_case)
    under_way = await open_order(pool)
    await told(pool, under_way, NOON)
    await reserve(pool, payout(under_way, {"line:1": 1}))
    _, alert = await paid_back(pool)
    _, different = await paid_back(pool)
    of_fund, _ = await paid_back(pool)
    with_allowance = await open_order(pool, tenders=[("a", TenderKind.ALLOWANCE, 10_000)])
    await told(pool, with_allowance, NOON)
    number = {
        each: await pool.fetchval("SELECT refund_no FROM ledger.legs WHERE case_id = $1", each.case_id)
        for each in (alert, different)
    }
    await pool.execute(
        "INSERT INTO ledger.alerts (kind, case_id, refund_no, evidence, at) VALUES ('x', $1, $2, 'e', $3)",
        alert.case_id,
        number[alert],
        NOON,
    )
    await pool.executemany(
        "INSERT INTO ledger.differences (kind, subject, found_at) VALUES ('x', $1, $2)",
        [(number[different], NOON), (f"order/{of_fund}", NOON)],
    )

    assert (await move(pool)).funds == 0

    await pool.execute("UPDATE ledger.differences SET resolved_at = $1", NOON)
    await pool.execute("INSERT INTO ledger.statement_days VALUES ('2026-11-20', $1, 0)", NOON)
    assert (await move(pool)).funds == 0, "they are still to be found on a statement"
    await pool.execute("UPDATE ledger.legs SET stated_on = '2026-11-23'")
    assert (await move(pool)).funds == 2


async def test_whoever_writes_to_it_has_it_back_and_nothing_is_paid_twice(pool: asyncpg.Pool) -> None:  # R8
    order_no, wish = await paid_back(pool)
    await move(pool)
    again = payout(order_no, {"line:1": 10_000})
    assert (await reserve(pool, again)).reservation is Reservation.EXHAUSTED

    await move(pool)
    async with pool.acquire() as connection, connection.transaction():
        opened = await ledger.open_fund(connection, f"order/{order_no}", "CNY", PARTS)
    assert not opened
    assert (await reserve(pool, payout(order_no, {"line:1": 10_000}))).reservation is Reservation.EXHAUSTED

    await move(pool)
    async with pool.acquire() as connection, connection.transaction():
        (leg,) = await ledger.last_legs(connection, wish.case_id)
        back = LegEvent(says=LegState.FAILED, source="callback:c-1", at=LATER, as_of=LATER, returned=True)
        await ledger.record(connection, leg.refund_no, back)
    assert await pool.fetchval("SELECT count(*) FROM ledger.past_funds") == 0


async def test_an_opening_at_the_same_moment_is_not_a_new_fund(pool: asyncpg.Pool) -> None:  # R8
    order_no, _ = await paid_back(pool)
    async with pool.acquire() as mover, pool.acquire() as opener:
        moving = mover.transaction()
        await moving.start()
        await past_funds.move(mover, LATER, LATER, 10)
        opening = asyncio.create_task(ledger.open_fund(opener, f"order/{order_no}", "CNY", PARTS))
        while not await pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)
        await moving.commit()
        with pytest.raises(asyncpg.SerializationError, match="look again"):
            await opening
        assert not await ledger.open_fund(opener, f"order/{order_no}", "CNY", PARTS)


async def test_a_process_that_is_killed_loses_and_doubles_nothing(pool: asyncpg.Pool, own_database: str) -> None:
    """While funds leave and come back: each is where it was, or where it belongs, with all that was paid of it."""
    for _ in range(12):
        await paid_back(pool)
    before, there = await book(pool), await rows(pool)
    program = """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    while True:
        async with connection.transaction():
            await connection.fetch("SELECT * FROM ledger.move_funds('2028-01-01', 'infinity', 5)")
            print("moved", flush=True)
            await asyncio.sleep(0.01)
        async with connection.transaction():
            await connection.execute("SELECT ledger.bring_back(fund) FROM ledger.past_funds ORDER BY random() LIMIT 2")
            print("back", flush=True)
            await asyncio.sleep(0.01)
asyncio.run(main())
"""
    whole = ("past funds", "legs", "cap")
    for kill in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, own_database, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout
        for _ in range(3 + kill):  # now it is within a transaction of either kind, or between two
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert await book(pool) == before
        async with pool.acquire() as connection:
            assert {each: (await ask(connection, QUESTIONS[each])).number for each in whole} == dict.fromkeys(whole, 0)

    # What the last one had locked is given back once its connection's end is noticed.
    while await pool.fetchval("SELECT count(*) FROM ledger.funds"):
        async with pool.acquire() as connection:
            await past_funds.move(connection, LATER, LATER + timedelta(days=10_000), 5)
        await asyncio.sleep(0.01)
    assert await book(pool) == before
    assert set((await rows(pool)).values()) == {0}
    for fund in await pool.fetch("SELECT fund FROM ledger.past_funds"):
        async with pool.acquire() as connection:
            assert await past_funds.bring_back(connection, fund["fund"])
    assert (await book(pool), await rows(pool)) == (before, there)


async def test_nothing_of_a_fund_is_left_out(pool: asyncpg.Pool) -> None:
    """A column that is added to the tables of steps must be added to those of the past, and to the views, at its place.

    What becomes a document has all columns by itself, once it is one of the tables that the move names.
    """
    found = await pool.fetch(
        """
        SELECT relname,
               jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod)) ORDER BY attnum) AS columns
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'ledger'::regnamespace AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'v')
        GROUP BY relname
        """
    )
    columns = {row["relname"]: row["columns"] for row in found}
    kept = await pool.fetchval("SELECT prosrc FROM pg_proc WHERE oid = 'ledger.move_funds'::regproc")
    back = await pool.fetchval("SELECT prosrc FROM pg_proc WHERE oid = 'ledger.bring_back'::regproc")
    elsewhere = {"past_funds", "past_legs", "every_leg", "every_leg_event", "alerts"}
    of_a_fund = {name for name, its in columns.items() if {"fund", "refund_no"} & dict(its).keys()} - elsewhere

    assert columns["past_legs"] == columns["legs"] == columns["every_leg"]
    assert columns["every_leg_event"] == columns["leg_events"]
    own = [["document", "jsonb"], ["moved_at", "timestamp with time zone"]]
    assert columns["past_funds"] == columns["funds"] + own
    assert of_a_fund == set(TABLES)
    for table in of_a_fund:
        assert f"DELETE FROM ledger.{table} " in kept
        assert f"INSERT INTO ledger.{table}" in back


async def test_the_schedule_walks_over_them_once_a_day(pool: asyncpg.Pool, own_database: str) -> None:
    await paid_back(pool)
    before, there = await book(pool), await rows(pool)
    activity = ClosedCases(pool, timedelta(days=90))

    soon = await activity.move_closed_cases(MoveClosed(at=NOON + timedelta(days=89)))
    within_a_day = await activity.move_closed_cases(MoveClosed(at=NOON + timedelta(days=89, hours=19)))
    due = await activity.move_closed_cases(MoveClosed(at=NOON + timedelta(days=91)))

    assert (soon.funds, within_a_day.funds) == (0, 0)
    assert (due.funds, due.legs) == (1, 1)
    await schema.downgrade(own_database, "0048")
    assert (await rows(pool), await pool.fetchval("SELECT count(*) FROM ledger.legs")) == (there, 1)
    assert before
