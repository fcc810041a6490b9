"""The provider's statement tells attempts apart, and so does whoever compares it with our ledger (section 10, X5)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
import pytest_asyncio

from activities.gateways.payment import RefundInstruction
from activities.gateways.payment_stub import Mode
from activities.postgres import ledger
from activities.postgres.books import of_days, one_day
from tests.storage import test_past_funds
from tests.storage.daily_statements import DAY, Bench, open_bench
from tests.storage.money import NOON, by_hand, open_case, settle, told
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import PaidBy, Payout
from workflows.messages.reconciliation import DifferenceKind

FAILED, SUCCEEDED, RETURNED = GatewayResult.FAILED, GatewayResult.SUCCEEDED, GatewayResult.RETURNED
TWICE, OURS_ONLY = DifferenceKind.PAID_TWICE, DifferenceKind.OURS_PAID_GATEWAY_NOT
THEIRS_ONLY = DifferenceKind.GATEWAY_PAID_OURS_NOT


@pytest_asyncio.fixture(loop_scope="session")
async def bench(own_database: str) -> AsyncIterator[Bench]:
    async with open_bench(own_database) as bench:
        bench.gateway.published = DAY + timedelta(days=30)
        yield bench


async def failed(bench: Bench) -> tuple[Payout, str]:
    """A refund whose first attempt has failed, by our ledger."""
    return await bench.paid(Mode.DECLINE, uses_left=1)


async def come_back(bench: Bench) -> tuple[Payout, str]:
    """A refund whose first attempt was paid at noon, and has come back three days later."""
    wish, number = await bench.paid(Mode.RETURN_LATER, settle_after_seconds=3 * 24 * 3600, uses_left=1)
    await bench.called_back(wish, number, RETURNED, 3, attempt=1)
    return wish, number


def later(days: int) -> date:
    return DAY + timedelta(days=days)


@pytest.mark.parametrize("attempts", [(1, 2), (2, 1)])
@pytest.mark.parametrize("days", [(0, 0), (0, 1), (1, 0)])
async def test_what_was_paid_under_two_numbers_is_paid_twice(
    bench: Bench, attempts: tuple[int, int], days: tuple[int, int]
) -> None:
    """The first attempt's success was never told: only the statement knows of it."""
    wish, number = await failed(bench)
    await bench.retried(wish, 0.1)
    for attempt, day in zip(attempts, days, strict=True):
        bench.gateway.states(number, later(day), attempt=attempt)

    assert (await bench.compare(2)).differences == {TWICE: 1}
    assert (await bench.compare(20)).differences == {TWICE: 1}, "it does not vanish by itself"

    bench.gateway.states(number, later(20), attempt=1, result=RETURNED)
    assert (await bench.compare(21)).differences == {}, "what came back is with the buyer once"


async def test_what_was_paid_under_the_first_number_is_paid_twice_once_the_next_one_is_paid(bench: Bench) -> None:
    """The day of the statement is not read again; what it said is."""
    wish, number = await failed(bench)
    bench.gateway.states(number, attempt=1)
    assert (await bench.compare(1)).differences == {THEIRS_ONLY: 1}

    await bench.retried(wish, 1.1)
    bench.gateway.states(number, later(1), attempt=2)
    report = await bench.compare(2)

    assert (report.differences, report.new, report.resolved) == ({TWICE: 1}, 1, 1)


async def test_both_numbers_are_stated_as_paid_before_any_callback_has_come(bench: Bench) -> None:
    """The second line shows a difference of the same kind, and does not take the place of the first."""
    wish, number = await failed(bench)
    await told(bench.gateway.stub, wish, Mode.NEVER_SETTLE)
    await bench.retried(wish, 0.1)
    bench.gateway.states(number, attempt=1)
    bench.gateway.states(number, attempt=2)
    assert (await bench.compare(1)).differences == {THEIRS_ONLY: 1}

    await bench.called_back(wish, number, SUCCEEDED, 1.1, attempt=2)

    assert (await bench.compare(1.2)).differences == {TWICE: 1}


async def test_what_the_gateway_has_paid_and_an_officer_pays_later_is_paid_twice(bench: Bench) -> None:
    wish, number = await failed(bench)
    bench.gateway.states(number, attempt=1)
    assert (await bench.compare(1)).differences == {THEIRS_ONLY: 1}
    await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=NOON + timedelta(days=1.1)))
    assert (await bench.compare(1.2)).differences == {TWICE: 1}


@pytest.mark.parametrize("has", [6_000, 10_000], ids=["of-another-amount", "of-our-amount"])
async def test_what_is_paid_under_a_number_that_has_become_free_and_by_hand_is_paid_twice(
    bench: Bench, has: int
) -> None:
    """Once ours was sent there, not every line under the number is about the other refund that was seen."""
    wish = await open_case(bench.pool)
    async with bench.pool.acquire() as connection:
        (leg,) = await ledger.legs_of(connection, wish.case_id, wish.number)
    number = leg.refund_no
    await bench.gateway.stub.submit(
        RefundInstruction(
            refund_no=number,
            merchant_id=wish.merchant_id,
            fund=wish.fund,
            tender="of_staging",
            account=None,
            amount=has,
            currency="CNY",
        )
    )
    await bench.payments.settle(settle(wish))
    await bench.pool.execute("DELETE FROM gateway.refunds WHERE refund_no = $1", number)
    await told(bench.gateway.stub, wish, Mode.LOSE_REQUEST)
    await bench.retried(wish, 0.1)
    assert (await bench.payments.settle_manually(by_hand(wish, at=NOON + timedelta(days=2)))).closed

    bench.gateway.states(number, later(2))
    assert (await bench.compare(3)).differences == {TWICE: 1}
    assert not (await of_days(bench.pool, bench.gateway, later(2), later(2))).equal

    if has == 6_000:
        bench.gateway.states(number, later(3), amount=has)
        assert (await bench.compare(4)).differences == {TWICE: 1}, "what is told of the other one tells nothing of ours"


@pytest.mark.parametrize("attempts", [(1, 2), (2, 1)])
async def test_a_line_about_the_attempt_before_says_nothing_of_the_one_that_was_paid(
    bench: Bench, attempts: tuple[int, int]
) -> None:
    """Both stand on one day that is compared late, in any order."""
    wish, number = await come_back(bench)
    await bench.retried(wish, 3.1)
    results = {1: FAILED, 2: SUCCEEDED}
    for attempt in attempts:
        bench.gateway.states(number, later(3), attempt=attempt, result=results[attempt])
    assert (await bench.compare(9)).differences == {}


async def test_a_failure_that_was_a_difference_vanishes_once_another_attempt_is_paid(bench: Bench) -> None:
    """Between two comparisons the case has heard of the return, and an officer has sent it again."""
    wish, number = await bench.paid(Mode.RETURN_LATER, settle_after_seconds=3 * 24 * 3600, uses_left=1)
    bench.gateway.states(number, attempt=1)
    bench.gateway.states(number, later(3), attempt=1, result=FAILED)
    assert (await bench.compare(4)).differences == {OURS_ONLY: 1}

    await bench.called_back(wish, number, RETURNED, 4, attempt=1)
    await bench.retried(wish, 4.1)
    bench.gateway.states(number, later(4), attempt=2)

    assert (await bench.compare(9)).differences == {}


async def test_what_came_back_and_stands_as_it_was_on_the_day_before_agrees_in_the_end(bench: Bench) -> None:
    """Both days are compared after the case has heard of the return."""
    _, number = await come_back(bench)
    bench.gateway.states(number, attempt=1)
    bench.gateway.states(number, later(3), attempt=1, result=RETURNED)
    assert (await bench.compare(9)).differences == {}


@pytest.mark.parametrize("stated", [(), (FAILED,), (SUCCEEDED, FAILED)])
async def test_that_the_attempt_before_was_stated_says_nothing_of_the_last_one(
    bench: Bench, stated: tuple[GatewayResult, ...]
) -> None:
    """What we have down as paid by the second number stands on no statement."""
    wish, number = await (come_back(bench) if SUCCEEDED in stated else failed(bench))
    for day, result in zip((0, 3), stated, strict=False):
        bench.gateway.states(number, later(day), attempt=1, result=result)
    await bench.compare(3)
    await bench.retried(wish, 3.1)

    assert (await bench.compare(5)).differences == {}, "its line may stand on a later day"
    assert (await bench.compare(7)).differences == {OURS_ONLY: 1}
    bench.gateway.states(number, later(7), attempt=2)
    assert (await bench.compare(8)).differences == {}


async def test_the_last_attempt_that_failed_after_all_is_a_difference(bench: Bench) -> None:
    wish, number = await failed(bench)
    await bench.retried(wish, 0.1)
    bench.gateway.states(number, attempt=1, result=FAILED)
    bench.gateway.states(number, attempt=2)
    assert (await bench.compare(1)).differences == {}
    bench.gateway.states(number, later(2), attempt=2, result=FAILED)
    assert (await bench.compare(9)).differences == {OURS_ONLY: 1}


async def test_a_success_that_is_told_late_was_stated_all_the_same(bench: Bench) -> None:
    """When its day was compared, the next attempt was under way."""
    wish, number = await failed(bench)
    await told(bench.gateway.stub, wish, Mode.NEVER_SETTLE)
    await bench.retried(wish, 0.1)
    bench.gateway.states(number, attempt=1)
    assert (await bench.compare(1)).differences == {THEIRS_ONLY: 1}

    await bench.called_back(wish, number, SUCCEEDED, 1.1, attempt=1)

    assert (await bench.compare(1.2)).differences == {}
    assert (await bench.compare(9)).differences == {}, "it stood on a statement"


async def test_an_attempt_that_was_over_and_is_open_may_still_be_paid(bench: Bench) -> None:
    wish, number = await failed(bench)
    await bench.retried(wish, 0.1)
    bench.gateway.states(number, attempt=1, result=GatewayResult.PROCESSING)
    bench.gateway.states(number, attempt=2)
    assert (await bench.compare(1)).differences == {DifferenceKind.OURS_FAILED_GATEWAY_OPEN: 1}
    bench.gateway.states(number, later(1), attempt=1, result=FAILED)
    assert (await bench.compare(9)).differences == {}


async def test_a_line_without_an_attempt_is_of_the_refund_as_a_whole(bench: Bench) -> None:
    """As Alipay's are, which takes one number for ever."""
    wish, number = await failed(bench)
    await bench.retried(wish, 0.1)
    bench.gateway.states(number)
    assert (await bench.compare(9)).differences == {}


async def test_another_currency_stays_a_difference(bench: Bench) -> None:
    _, number = await bench.paid()
    bench.gateway.states(number, currency="EUR", attempt=1)
    assert (await bench.compare(1)).differences == {DifferenceKind.AMOUNT_DIFFERS: 1}
    assert (await bench.compare(9)).differences == {DifferenceKind.AMOUNT_DIFFERS: 1}


async def test_a_leg_of_a_fund_that_has_left_is_compared_as_well(bench: Bench) -> None:
    _, past = await test_past_funds.paid_back(bench.pool)
    assert (await test_past_funds.move(bench.pool)).legs == 1
    number = await bench.pool.fetchval("SELECT refund_no FROM ledger.past_legs WHERE case_id = $1", past.case_id)
    _, other = await bench.paid()
    for attempt in (1, 2):
        bench.gateway.states(number, attempt=attempt)
    bench.gateway.states(other, attempt=1)

    assert (await bench.compare(9)).differences == {TWICE: 1}
    assert await bench.kinds() == {number: TWICE}


async def test_what_a_release_has_found_that_kept_no_lines_vanishes_as_it_did(bench: Bench) -> None:
    wish, number = await bench.paid(Mode.CALL_BACK_NEVER)
    bench.gateway.states(number)
    await bench.compare(1)
    await bench.pool.execute("DELETE FROM ledger.stated_otherwise")
    assert (await bench.compare(1.1)).differences == {THEIRS_ONLY: 1}
    await bench.called_back(wish, number, SUCCEEDED, 1.2)
    assert (await bench.compare(1.3)).differences == {}


async def test_the_books_have_a_line_for_each_attempt_that_was_stated(bench: Bench) -> None:
    wish, once = await come_back(bench)
    await bench.retried(wish, 3.1)
    bench.gateway.states(once, later(3), attempt=2)
    bench.gateway.states(once, later(4), attempt=1, result=FAILED)

    (line,) = (books := await one_day(bench.pool, bench.gateway, later(4))).lines
    assert (line.refund_no, line.attempt, line.ours, line.theirs, line.equal) == (once, 1, None, 10_000, True)
    assert [(total.ours, total.theirs) for total in books.totals] == [(0, 0)], "it was paid on another day"
    assert (await of_days(bench.pool, bench.gateway, DAY, later(9))).equal

    other, twice = await failed(bench)
    await bench.retried(other, 0.1)
    bench.gateway.states(twice, later(1), attempt=2)
    bench.gateway.states(twice, later(1), attempt=1)
    books = await of_days(bench.pool, bench.gateway, DAY, later(9))

    found = [(line.attempt, line.ours, line.theirs, line.equal) for line in books.lines if line.refund_no == twice]
    assert found == [(None, 10_000, 10_000, True), (1, None, 10_000, False)]
    assert [(total.ours, total.theirs) for total in books.totals] == [(20_000, 30_000)]
