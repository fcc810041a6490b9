"""The provider's statement is compared day by day, each day once; what comes later has its path (X5)."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from activities.gateways.payment import RefundInstruction
from activities.gateways.payment_stub import Mode
from activities.postgres import ledger
from activities.postgres.books import TooManyLines, of_days, one_day
from activities.postgres.statement_days import LOOKS_BACK
from tests.storage.daily_statements import DAY, Bench, open_bench
from tests.storage.money import NOON, by_hand, open_case, settle, some_id
from workflows.messages.commands import GatewayResult, NumberHolds, Whose
from workflows.messages.reconciliation import DifferenceKind, ReconcileReport


@pytest_asyncio.fixture(loop_scope="session")
async def bench(own_database: str) -> AsyncIterator[Bench]:
    async with open_bench(own_database) as bench:
        yield bench


async def test_each_day_is_read_once_and_the_books_agree(bench: Bench) -> None:
    for _ in range(3):
        _, number = await bench.paid()
        bench.gateway.states(number)

    first, again = await bench.compare(), await bench.compare(1.5)

    assert first == ReconcileReport(compared=3)
    assert again == ReconcileReport()
    assert bench.gateway.fetched == [DAY - timedelta(days=1), DAY], "from the day before the first leg on, each once"
    assert await bench.pool.fetchval("SELECT lines FROM ledger.statement_days WHERE day = $1", DAY) == 3


async def test_a_stated_refund_that_has_our_number_differs_until_an_officer_has_seen_it(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    async with bench.pool.acquire() as connection:
        (leg,) = await ledger.legs_of(connection, wish.case_id, wish.number)
    other = RefundInstruction(
        refund_no=leg.refund_no,
        merchant_id=wish.merchant_id,
        fund=wish.fund,
        tender="of_staging",
        account=None,
        amount=6_000,
        currency="CNY",
    )
    await bench.gateway.stub.submit(other)
    await bench.payments.settle(settle(wish))
    bench.gateway.states(leg.refund_no, amount=6_000)
    assert set((await bench.compare()).differences) == {
        DifferenceKind.AMOUNT_DIFFERS,
        DifferenceKind.GATEWAY_PAID_OURS_NOT,
    }

    word = NumberHolds(amount=6_000, whose=Whose.ANOTHERS)
    assert (await bench.payments.settle_manually(by_hand(wish, number_holds=word))).closed

    assert (await bench.compare(1.5)).resolved == 2
    assert await bench.kinds() == {}
    assert (await of_days(bench.pool, bench.gateway, DAY, DAY)).equal

    bench.gateway.published = DAY + timedelta(days=1)
    bench.gateway.states(leg.refund_no, DAY + timedelta(days=1), amount=6_000, attempt=2)
    await bench.compare(2)
    assert (await bench.kinds()).get(leg.refund_no), "what is paid under the number of another attempt nobody has seen"


async def test_what_the_statement_has_otherwise_is_a_difference_until_it_has_vanished(bench: Bench) -> None:
    wish, late = await bench.paid(Mode.CALL_BACK_NEVER)
    _, other = await bench.paid()
    bench.gateway.states(late)
    bench.gateway.states(other, amount=9_999)
    bench.gateway.states("XX-1")

    report = await bench.compare()

    assert (report.compared, report.new) == (3, 3)
    assert await bench.kinds() == {
        late: DifferenceKind.GATEWAY_PAID_OURS_NOT,
        other: DifferenceKind.AMOUNT_DIFFERS,
        "XX-1": DifferenceKind.UNKNOWN_TO_US,
    }
    await bench.called_back(wish, late, GatewayResult.SUCCEEDED, 1)
    again = await bench.compare(1.1)
    assert (again.resolved, again.new) == (1, 0), "it is looked at again without reading the day anew"
    assert late not in await bench.kinds()
    assert again.differences == {DifferenceKind.AMOUNT_DIFFERS: 1, DifferenceKind.UNKNOWN_TO_US: 1}


async def test_a_day_that_is_published_late_is_asked_for_again(bench: Bench) -> None:
    _, number = await bench.paid()
    bench.gateway.states(number)
    bench.gateway.published = DAY - timedelta(days=1)
    assert (await bench.compare(1)).compared == 0
    bench.gateway.published = DAY
    assert (await bench.compare(1.1)).compared == 1


async def test_a_statement_that_breaks_off_is_read_again_and_finds_nothing_twice(bench: Bench) -> None:
    for _ in range(2):
        bench.gateway.states(some_id("XX"))
    bench.gateway.breaks_after = 1
    await bench.paid()
    with pytest.raises(ConnectionResetError):
        await bench.compare()
    bench.gateway.breaks_after = None
    assert (await bench.compare()).new == 2


async def test_what_stood_on_no_statement_is_a_difference_two_days_later_and_vanishes_when_it_does(
    bench: Bench,
) -> None:
    """Near midnight the provider's day may be the next one."""
    _, number = await bench.paid()
    bench.gateway.published = DAY + timedelta(days=9)
    assert (await bench.compare(2)).differences == {}
    assert (await bench.compare(4)).differences == {DifferenceKind.OURS_PAID_GATEWAY_NOT: 1}
    bench.gateway.states(number, DAY + timedelta(days=4))
    assert (await bench.compare(5)).differences == {}


async def test_a_refund_that_fails_after_it_had_succeeded_stands_on_a_later_day(bench: Bench) -> None:
    wish, number = await bench.paid()
    bench.gateway.states(number)
    bench.gateway.published = DAY + timedelta(days=9)
    assert (await bench.compare(2)).differences == {}
    bench.gateway.states(number, DAY + timedelta(days=2), result=GatewayResult.FAILED, settled_at=None)
    assert (await bench.compare(3)).differences == {DifferenceKind.OURS_PAID_GATEWAY_NOT: 1}

    await bench.called_back(wish, number, GatewayResult.RETURNED, 3)
    assert (await bench.compare(3.1)).differences == {}


async def test_an_old_ledger_is_not_compared_from_its_first_leg_on(bench: Bench) -> None:
    """Providers keep bills for months only; and a run reads no leg that is settled and stated."""
    await bench.paid()
    await bench.pool.execute("UPDATE ledger.legs SET reserved_at = $1", NOON - timedelta(days=900))
    await bench.compare()
    assert bench.gateway.fetched[0] >= (NOON - LOOKS_BACK - timedelta(days=1)).date()


async def test_a_leg_that_takes_too_long_is_told(bench: Bench) -> None:
    _, number = await bench.paid(Mode.NEVER_SETTLE)
    assert (await bench.compare(9)).differences == {}
    assert (await bench.compare(10)).differences == {DifferenceKind.LEG_OVERDUE: 1}
    assert await bench.kinds() == {number: DifferenceKind.LEG_OVERDUE}


@pytest.mark.parametrize(
    "query",
    [
        """SELECT * FROM ledger.legs WHERE paid_by = 'gateway' AND stated_on IS NULL AND settled_at >= now()
           AND settled_at < now() ORDER BY settled_at LIMIT 500""",
        "SELECT * FROM ledger.legs WHERE state NOT IN ('succeeded', 'failed') AND reserved_at <= now()",
        "SELECT * FROM ledger.legs WHERE refund_no = ANY ('{a,b}'::text[])",
    ],
)
async def test_no_question_reads_the_whole_ledger(bench: Bench, query: str) -> None:
    async with bench.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = json.dumps(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}"))
    assert "Seq Scan" not in plan
    assert "Index" in plan or "Bitmap" in plan


async def test_one_day_side_by_side(bench: Bench) -> None:
    _, number = await bench.paid()
    _, of_another_day = await bench.paid()
    bench.gateway.states(number)
    bench.gateway.states("XX-1", amount=5)
    bench.gateway.states(of_another_day, DAY + timedelta(days=1))

    books = await one_day(bench.pool, bench.gateway, DAY)

    assert [(line.refund_no, line.ours, line.theirs, line.equal) for line in books.lines] == [
        (number, 10_000, 10_000, True),
        ("XX-1", None, 5, False),
    ]
    assert not books.equal


async def test_days_side_by_side(bench: Bench) -> None:
    numbers = [(await bench.paid())[1] for _ in range(5)]
    stated, otherwise, twice, missing, late = numbers
    _, failed = await bench.paid(Mode.DECLINE)
    for number, days in ((missing, 0), (late, 2)):
        moment = NOON + timedelta(days=days)
        await bench.pool.execute("UPDATE ledger.legs SET settled_at = $2 WHERE refund_no = $1", number, moment)
    bench.gateway.states(stated)
    bench.gateway.states(otherwise, DAY + timedelta(days=1), amount=1)
    bench.gateway.states(twice)
    bench.gateway.states(twice, DAY + timedelta(days=2), result=GatewayResult.RETURNED)
    bench.gateway.states("XX-1")
    bench.gateway.published = DAY + timedelta(days=2)

    books = await of_days(bench.pool, bench.gateway, DAY - timedelta(days=1), DAY + timedelta(days=9))

    found = {line.refund_no: (line.ours, line.theirs, line.equal, line.awaited) for line in books.lines}
    assert found == {
        stated: (10_000, 10_000, True, False),
        otherwise: (10_000, 1, False, False),
        twice: (10_000, 10_000, False, False),  # which our ledger has not been told
        missing: (10_000, None, False, False),
        late: (10_000, None, True, True),
        failed: (10_000, None, True, False),
        "XX-1": (None, 10_000, False, False),
    }
    (total,) = books.totals
    assert (total.ours, total.awaited, total.theirs) == (50_000, 10_000, 20_001)


async def test_of_the_first_day_and_of_days_that_are_not_published_all_is_awaited(bench: Bench) -> None:
    """The provider's calendar may be behind ours."""
    _, number = await bench.paid()
    for first, last in ((DAY, DAY + timedelta(days=5)), (DAY + timedelta(days=1), DAY + timedelta(days=5))):
        bench.gateway.published = last if first == DAY else DAY
        books = await of_days(bench.pool, bench.gateway, first, last)
        assert books.equal
        assert [line.refund_no for line in books.lines if line.awaited] == ([number] if first == DAY else [])


async def test_no_more_refunds_are_held_than_is_said(bench: Bench) -> None:
    for _ in range(3):
        _, number = await bench.paid()
        bench.gateway.states(number)
    for days in (bench.gateway.days, {}):
        bench.gateway.days = days
        with pytest.raises(TooManyLines, match="more than 2 refunds"):
            await of_days(bench.pool, bench.gateway, DAY - timedelta(days=1), DAY, most=2)
        assert len((await of_days(bench.pool, bench.gateway, DAY - timedelta(days=1), DAY, most=3)).lines) == 3
    bench.gateway.states("XX-1")
    bench.gateway.states("XX-2")
    with pytest.raises(TooManyLines):
        await one_day(bench.pool, bench.gateway, DAY, most=1)
