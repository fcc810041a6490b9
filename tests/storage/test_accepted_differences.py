"""A difference that will never vanish is accepted as it stands, and is open again once it changes (section 10, X5)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.gateways.payment_stub import Mode
from activities.postgres import differences, schema, standing
from activities.postgres.differences import AcceptDifference
from activities.reconciliation import Reconciliation
from tests.storage import test_past_funds
from tests.storage.daily_statements import DAY, Bench, open_bench
from tests.storage.money import NOON, minutes, payout, reserve
from tests.storage.test_reconciliation import instruction
from tests.storage.test_stated_attempts import failed, later
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Payout
from workflows.messages.reconciliation import (
    AcceptedFor,
    DifferenceKind,
    ReconcileReport,
    ReconcileRequest,
)

RETURNED = GatewayResult.RETURNED
TWICE, OURS_ONLY = DifferenceKind.PAID_TWICE, DifferenceKind.OURS_PAID_GATEWAY_NOT
FOREIGN, OTHERWISE = DifferenceKind.UNKNOWN_TO_US, DifferenceKind.AMOUNT_DIFFERS
NOTHING_NEW = ReconcileReport()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(own_database: str) -> AsyncIterator[Bench]:
    async with open_bench(own_database) as bench:
        bench.gateway.published = DAY + timedelta(days=30)
        yield bench


async def paid_twice(bench: Bench) -> tuple[Payout, str]:
    """Under the numbers of the first attempt, which had failed by our ledger, and of the second."""
    wish, number = await failed(bench)
    await bench.retried(wish, 0.1)
    for attempt in (1, 2):
        bench.gateway.states(number, attempt=attempt)
    return wish, number


async def opened(bench: Bench) -> list[differences.Difference]:
    async with bench.pool.acquire() as connection:
        return list(await differences.open_differences(connection))


async def standing_as_accepted(bench: Bench) -> list[differences.AcceptedDifference]:
    async with bench.pool.acquire() as connection:
        return list(await differences.accepted_differences(connection))


async def accepted(bench: Bench, days_later: float = 1) -> list[int]:
    """An officer takes all that is open as it stands."""
    numbers = [each.id for each in await opened(bench)]
    async with bench.pool.acquire() as connection:
        for number in numbers:
            wish = accepting(number)
            assert await differences.accept(connection, wish, NOON + timedelta(days=days_later))
            assert not await differences.accept(connection, wish, NOON + timedelta(days=days_later)), "it is no more"
    assert await opened(bench) == []
    return numbers


def accepting(number: int, role: str = "platform") -> AcceptDifference:
    return AcceptDifference.model_validate(
        {"difference": number, "by": {"role": role, "id": "o-1"}, "reason": AcceptedFor.WRITTEN_OFF}
    )


async def test_what_was_accepted_is_not_found_anew(bench: Bench) -> None:
    """One of each way in which a difference is found: by a line, by none, by our ledger alone."""
    _, twice = await paid_twice(bench)
    _, in_euros = await bench.paid()
    bench.gateway.states(in_euros, currency="EUR")
    bench.gateway.states("XX-1")
    _, unstated = await bench.paid()
    _, slow = await bench.paid(Mode.NEVER_SETTLE)
    bench.gateway.states(slow, result=GatewayResult.PROCESSING)
    assert (await bench.compare(11)).differences == {
        TWICE: 1,
        OTHERWISE: 1,
        FOREIGN: 1,
        OURS_ONLY: 1,
        DifferenceKind.LEG_OVERDUE: 1,
    }

    await accepted(bench, 11)

    assert await bench.compare(11.1) == NOTHING_NEW
    assert (await bench.compare(20)).differences == {}
    assert {each.subject for each in await standing_as_accepted(bench)} == {twice, in_euros, "XX-1", unstated, slow}
    first = (await standing_as_accepted(bench))[0]
    assert (first.accepted_by, first.accepted_for, first.accepted_at) == (
        "o-1",
        "written_off",
        NOON + timedelta(days=11),
    )


async def test_only_the_platform_accepts(bench: Bench) -> None:
    del bench
    with pytest.raises(ValidationError, match="only the platform"):
        accepting(1, role="merchant")


@pytest.mark.parametrize(
    "change", [{"amount": 9_999}, {"currency": "EUR"}, {"result": GatewayResult.PROCESSING}], ids=str
)
async def test_what_the_provider_tells_otherwise_by_then_is_open_again(bench: Bench, change: dict[str, object]) -> None:
    _, number = await bench.paid()
    bench.gateway.states(number, amount=1)
    bench.gateway.states("XX-1")
    await bench.compare(1)
    before = await accepted(bench)

    for each in (number, "XX-1"):
        bench.gateway.states(each, later(1), **({"amount": 1} if each == number else {}) | change)
    report = await bench.compare(2)

    found = await opened(bench)
    assert {each.subject for each in found} == {number, "XX-1"}
    assert {each.id for each in found}.isdisjoint(before), "whoever accepts a number that was seen accepts nothing else"
    assert report.resolved == 2
    assert (await bench.compare(3)).new == 0
    await accepted(bench, 3)
    assert await bench.compare(4) == NOTHING_NEW


async def test_what_our_ledger_has_otherwise_by_then_is_open_again(bench: Bench) -> None:
    wish, number = await bench.paid(Mode.NEVER_SETTLE)
    bench.gateway.states(number, result=GatewayResult.PROCESSING)
    await bench.compare(11)
    await accepted(bench, 11)

    await bench.pool.execute("UPDATE ledger.legs SET state = 'unknown' WHERE case_id = $1", wish.case_id)

    report = await bench.compare(12)
    assert (report.differences, report.new, report.resolved) == ({DifferenceKind.LEG_OVERDUE: 1}, 1, 1)
    (found,) = await opened(bench)
    assert (found.ours, found.found_at) == ("unknown", NOON + timedelta(days=12))


async def test_each_of_several_attempts_is_accepted_by_itself(bench: Bench) -> None:
    """A third payment is not covered by the word about the second, nor does it end that."""
    _, number = await paid_twice(bench)
    await bench.compare(1)
    await accepted(bench)
    bench.gateway.states(number, later(1), attempt=3)

    assert (await bench.compare(2)).differences == {TWICE: 1}
    (found,) = await opened(bench)
    assert found.attempt == 3
    await accepted(bench, 2)
    assert await bench.compare(3) == NOTHING_NEW
    assert {each.attempt for each in await standing_as_accepted(bench)} == {1, 3}

    bench.gateway.states(number, later(4), attempt=3, result=RETURNED)
    assert (await bench.compare(5)).resolved == 1
    assert [each.attempt for each in await standing_as_accepted(bench)] == [1]


async def test_an_open_difference_vanishes_beside_one_of_its_kind_that_was_accepted(bench: Bench) -> None:
    _, number = await paid_twice(bench)
    await bench.compare(1)
    await accepted(bench)
    bench.gateway.states(number, later(1), attempt=3)
    assert (await bench.compare(2)).differences == {TWICE: 1}
    bench.gateway.states(number, later(2), attempt=3, result=RETURNED)

    assert (await bench.compare(4)).differences == {}
    assert [each.attempt for each in await standing_as_accepted(bench)] == [1]


async def test_what_vanishes_after_it_was_accepted_is_over_and_would_be_open_if_it_came_again(bench: Bench) -> None:
    _, number = await paid_twice(bench)
    await bench.compare(1)
    (accepted_before,) = await accepted(bench)
    bench.gateway.states(number, later(2), attempt=1, result=RETURNED)

    report = await bench.compare(4)

    assert (report.resolved, report.differences) == (1, {})
    assert await standing_as_accepted(bench) == []
    row = await bench.pool.fetchrow("SELECT * FROM ledger.differences")
    assert row is not None
    assert (row["accepted_by"], row["accepted_until"]) == ("o-1", NOON + timedelta(days=4))

    bench.gateway.states(number, later(4), attempt=1)
    assert (await bench.compare(6)).differences == {TWICE: 1}
    assert [each.id for each in await opened(bench)] != [accepted_before]


async def test_what_was_stated_as_failed_and_accepted_is_not_missed_on_a_statement_as_well(bench: Bench) -> None:
    _, number = await bench.paid()
    bench.gateway.states(number, result=GatewayResult.FAILED)
    assert (await bench.compare(1)).differences == {OURS_ONLY: 1}
    await accepted(bench)
    assert await bench.compare(9) == NOTHING_NEW


async def test_gauges_do_not_count_it(bench: Bench) -> None:
    bench.gateway.states("XX-1")
    await bench.paid()
    await bench.compare(1)

    async def counted() -> list[float]:
        async with bench.pool.acquire() as connection:
            figures = await standing.measure(connection)
        return [each.value for each in figures if each.name == "aftersales_reconciliation_differences"]

    assert await counted() == [1]
    await accepted(bench)
    assert await counted() == []


async def test_the_ledger_leaves_with_it_and_it_stands(bench: Bench) -> None:
    """Its own line was stated; of the other payment nothing more is asked."""
    _, past = await test_past_funds.paid_back(bench.pool)
    number = await bench.pool.fetchval("SELECT refund_no FROM ledger.legs WHERE case_id = $1", past.case_id)
    for attempt in (1, 2):
        bench.gateway.states(number, attempt=attempt)
    await bench.paid()
    await bench.compare(1)
    assert (await test_past_funds.move(bench.pool)).legs == 0

    await accepted(bench)

    assert (await test_past_funds.move(bench.pool)).legs == 1
    assert await bench.compare(1.5) == NOTHING_NEW
    assert [each.subject for each in await standing_as_accepted(bench)] == [number]


async def test_the_ledger_leaves_with_what_no_statement_ever_shows_and_is_back_when_one_does(bench: Bench) -> None:
    _, past = await test_past_funds.paid_back(bench.pool)
    number = await bench.pool.fetchval("SELECT refund_no FROM ledger.legs WHERE case_id = $1", past.case_id)
    assert (await bench.compare(4)).differences == {OURS_ONLY: 1}
    assert (await test_past_funds.move(bench.pool)).legs == 0

    await accepted(bench, 4)

    assert (await test_past_funds.move(bench.pool)).legs == 1
    assert await bench.compare(6) == NOTHING_NEW
    bench.gateway.states(number, later(6))
    assert (await bench.compare(7)).resolved == 1
    assert await bench.pool.fetchval("SELECT stated_on FROM ledger.legs WHERE refund_no = $1", number) == later(6)
    assert await bench.compare(9) == NOTHING_NEW


async def test_another_attempt_that_no_statement_shows_holds_the_ledger_back(bench: Bench) -> None:
    _, past = await test_past_funds.paid_back(bench.pool)
    await bench.compare(4)
    await accepted(bench, 4)
    await bench.pool.execute("UPDATE ledger.legs SET attempt = 2 WHERE case_id = $1", past.case_id)
    assert (await test_past_funds.move(bench.pool)).legs == 0
    assert (await bench.compare(5)).differences == {OURS_ONLY: 1}


async def test_what_an_older_release_has_recorded_anew_is_closed(bench: Bench) -> None:
    await bench.paid()
    bench.gateway.states("XX-1")
    await bench.compare(9)
    await accepted(bench, 9)
    await bench.pool.execute(
        """
        INSERT INTO ledger.differences (kind, subject, ours, ours_amount, theirs, theirs_amount, attempt, found_at)
        SELECT kind, subject, ours, ours_amount, theirs, theirs_amount, attempt, found_at FROM ledger.differences
        """
    )

    report = await bench.compare(10)

    assert (report.differences, report.new, report.resolved) == ({}, 0, 2)
    assert await bench.compare(11) == NOTHING_NEW


async def test_a_fund_that_is_overpaid_is_compared_as_well_and_stays_in_the_ledger(bench: Bench) -> None:  # R8
    """It could not come back: the cap refuses what takes more than there is."""
    wish, number = await bench.paid(Mode.SUCCESS_AFTER_FAILURE, settle_after_seconds=60, uses_left=1)
    rival = payout(wish.fund.removeprefix("order/"), {"line:1": 7_000})
    await reserve(bench.pool, rival)
    await bench.called_back(wish, number, GatewayResult.SUCCEEDED, 0.01)
    bench.gateway.states(number)
    assert (await bench.compare(1)).differences == {DifferenceKind.FUND_OVERPAID: 1}

    await accepted(bench)

    assert await bench.compare(1.5) == NOTHING_NEW
    assert [each.subject for each in await standing_as_accepted(bench)] == [wish.fund]
    order_no, _ = await test_past_funds.paid_back(bench.pool)
    await bench.pool.execute("UPDATE ledger.legs SET stated_on = $1", DAY)
    await bench.pool.execute("UPDATE ledger.differences SET subject = $1", f"order/{order_no}")
    assert (await test_past_funds.move(bench.pool)).funds == 0
    await bench.pool.execute("UPDATE ledger.differences SET accepted_until = $1", NOON)
    assert (await test_past_funds.move(bench.pool)).funds == 1


async def test_the_book_of_the_stand_in_is_compared_alike(bench: Bench) -> None:
    stub = Reconciliation(bench.pool, bench.gateway.stub)
    await bench.paid()
    for number in ("AA-1", "zz-9"):
        await bench.gateway.stub.submit(instruction(number, "m-x", "order/x", 5))

    async def compare() -> ReconcileReport:
        report = ReconcileReport(next_after="")
        while report.next_after is not None:
            request = ReconcileRequest.model_validate(
                {"at": minutes(1), "after": report.next_after, "comparison": {"page": 1}}
            )
            report = report.plus(await stub.reconcile(request))
        return report

    assert (await compare()).differences == {FOREIGN: 2}
    await accepted(bench)
    assert await compare() == ReconcileReport(compared=3)

    await bench.pool.execute("UPDATE gateway.refunds SET amount = 6 WHERE refund_no = 'AA-1'")
    await bench.pool.execute("DELETE FROM gateway.refunds WHERE refund_no = 'zz-9'")
    assert await compare() == ReconcileReport(compared=2, differences={FOREIGN: 1}, new=1, resolved=2)
    assert [(each.subject, each.theirs_amount) for each in await opened(bench)] == [("AA-1", 6)]
    assert await standing_as_accepted(bench) == []


async def test_the_release_before_finds_them_open_again(bench: Bench, own_database: str) -> None:
    bench.gateway.states("XX-1")
    await bench.paid()
    await bench.compare(1)
    await accepted(bench)
    await schema.downgrade(own_database, "0053")
    assert await bench.pool.fetchval("SELECT count(*) FROM ledger.differences WHERE resolved_at IS NOT NULL") == 1
