"""Both books compared: what differs is recorded once, and resolved when it has vanished (section 10)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker

from activities.gateways.payment import GatewayUnreachable, RefundInstruction
from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.gateways.stub_clock import business_time
from activities.payments import Payments
from activities.postgres import ledger
from activities.postgres.books import Books, side_by_side
from activities.postgres.differences import Difference, open_differences
from activities.postgres.pool import open_pool
from activities.reconciliation import Reconciliation
from starter.worker.runner import runner_for
from tests.storage.money import (
    NOON,
    by_hand,
    entering,
    minutes,
    open_case,
    open_order,
    payout,
    reserve,
    settle,
    some_id,
    told,
)
from workflows.messages.commands import GatewayCallback, NumberHolds, Whose
from workflows.messages.payouts import Ask, PaidBy, Payout, TenderKind
from workflows.messages.reconciliation import (
    Comparison,
    DifferenceKind,
    ReconcileReport,
    ReconcileRequest,
    ReconciliationRun,
)
from workflows.reconciliation import Reconciliation as ReconciliationWorkflow
from workflows.rules.worker_roles import WorkerRole, queue_of

TOMORROW = NOON + timedelta(days=1)


@dataclass
class Bench:
    pool: asyncpg.Pool
    gateway: PaymentGatewayStub
    payments: Payments
    reconciliation: Reconciliation

    async def paid(self, mode: Mode = Mode.SUCCEED, **parameters: object) -> tuple[Payout, str]:
        """A case that was settled with the gateway behaving like this, and its refund number."""
        wish = await open_case(self.pool)
        await told(self.gateway, wish, mode, **parameters)
        settled = await self.payments.settle(settle(wish))
        return wish, settled.legs[0].refund_no

    async def told(self, told: RefundInstruction) -> None:
        """What the gateway pays at noon, whoever has asked for it."""
        with business_time(NOON):
            await self.gateway.submit(told)

    async def compare(self, page: int = 500, **changes: object) -> ReconcileReport:
        """All pages, one activity after the other."""
        comparison = Comparison.model_validate({"page": page, **changes})
        report = ReconcileReport(next_after="")
        while report.next_after is not None:
            request = ReconcileRequest(at=TOMORROW, after=report.next_after, comparison=comparison)
            report = report.plus(await self.reconciliation.reconcile(request))
        return report

    async def differences(self) -> list[Difference]:
        async with self.pool.acquire() as connection:
            return list(await open_differences(connection))

    async def kinds(self) -> dict[str, str]:
        return {each.subject: each.kind for each in await self.differences()}

    async def books(self) -> Books:
        return await side_by_side(self.pool, self.gateway, TOMORROW)


@pytest_asyncio.fixture(loop_scope="session")
async def bench(own_database: str) -> AsyncIterator[Bench]:
    """Two empty books: a comparison reads all of them."""
    pool, theirs = await open_pool(own_database), await open_pool(own_database)
    gateway = PaymentGatewayStub(theirs)
    yield Bench(pool, gateway, Payments(pool, gateway, lambda: None), Reconciliation(pool, gateway))
    await theirs.close()
    await pool.close()


@pytest.mark.parametrize("page", [1, 2, 3, 500])
async def test_books_that_agree(bench: Bench, page: int) -> None:
    for mode in (Mode.SUCCEED, Mode.DECLINE, Mode.ACCOUNT_SHORT, Mode.NEVER_SETTLE, Mode.LOSE_REQUEST):
        await bench.paid(mode)
    report = await bench.compare(page)
    assert report == ReconcileReport(compared=5)
    assert await bench.differences() == []
    assert (await bench.books()).equal


@pytest.mark.parametrize("page", [1, 500])
async def test_what_the_gateway_paid_and_never_told(bench: Bench, page: int) -> None:
    for _ in range(3):
        await bench.paid()
    wish, number = await bench.paid(Mode.CALL_BACK_NEVER, settle_after_seconds=60)

    first, second = await bench.compare(page), await bench.compare(page)

    assert first == ReconcileReport(compared=4, differences={DifferenceKind.GATEWAY_PAID_OURS_NOT: 1}, new=1)
    assert second == first.model_copy(update={"new": 0}), "each difference is recorded once"
    (found,) = await bench.differences()
    assert (found.subject, found.ours, found.theirs) == (number, "processing", "succeeded")
    assert (found.ours_amount, found.theirs_amount, found.found_at) == (10_000, 10_000, TOMORROW)
    assert not (await bench.books()).equal

    await bench.payments.settle(settle(wish, Ask.INQUIRE, at=minutes(5)))
    assert await bench.compare(page) == ReconcileReport(compared=4, resolved=1)
    assert await bench.differences() == []
    assert (await bench.books()).equal


async def test_another_refund_under_our_number_differs_until_an_officer_has_seen_it(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    async with bench.pool.acquire() as connection:
        (leg,) = await ledger.legs_of(connection, wish.case_id, wish.number)
    await bench.told(instruction(leg.refund_no, wish.merchant_id, wish.fund, 6_000))
    await bench.payments.settle(settle(wish))

    first = await bench.compare()
    assert first.differences == {DifferenceKind.AMOUNT_DIFFERS: 1, DifferenceKind.GATEWAY_PAID_OURS_NOT: 1}
    assert {(each.ours_amount, each.theirs_amount) for each in await bench.differences()} == {(10_000, 6_000)}
    assert not (await bench.books()).equal

    word = NumberHolds(amount=6_000, whose=Whose.BUYERS)
    assert (await bench.payments.settle_manually(by_hand(wish, number_holds=word))).closed
    assert await bench.compare() == ReconcileReport(compared=1, resolved=2)
    assert (await bench.books()).equal


async def test_a_callback_has_time_to_come(bench: Bench) -> None:
    await bench.paid(Mode.SETTLE_LATER, settle_after_seconds=24 * 3600 - 30 * 60)
    assert (await bench.compare(grace_minutes=31)).differences == {}
    assert (await bench.compare(grace_minutes=30)).differences == {DifferenceKind.GATEWAY_PAID_OURS_NOT: 1}


async def test_what_only_we_believe_to_be_paid(bench: Bench) -> None:
    wish, number = await bench.paid(Mode.NEVER_SETTLE)
    lie = GatewayCallback.model_validate(
        {
            "key": "cb-1",
            "by": {"role": "gateway", "id": "gateway"},
            "refund_no": number,
            "result": "succeeded",
            "settled_at": minutes(1),
        }
    )
    await bench.payments.enter_callback(entering(wish, lie, at=minutes(1)))

    await bench.compare()

    assert await bench.kinds() == {number: DifferenceKind.OURS_PAID_GATEWAY_NOT}
    books = await bench.books()
    assert not books.equal
    assert [(each.ours, each.by_hand, each.theirs) for each in books.totals] == [(10_000, 0, 0)]


async def test_what_was_paid_by_hand_and_by_the_gateway(bench: Bench) -> None:
    wish, number = await bench.paid(Mode.ACCOUNT_SHORT, uses_left=1)
    await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM))
    assert (await bench.compare()).differences == {}
    books = await bench.books()
    assert books.equal
    assert [(each.ours, each.by_hand, each.theirs) for each in books.totals] == [(0, 10_000, 0)]

    await bench.told(instruction(number, wish.merchant_id, wish.fund, 10_000))
    await bench.compare()
    assert await bench.kinds() == {number: DifferenceKind.PAID_TWICE}
    assert not (await bench.books()).equal


async def test_what_we_gave_the_room_back_of_and_the_gateway_still_works_on(bench: Bench) -> None:
    wish, number = await bench.paid(Mode.DECLINE, uses_left=1)
    await told(bench.gateway, wish, Mode.NEVER_SETTLE)
    await bench.told(instruction(number, wish.merchant_id, wish.fund, 10_000))
    await bench.compare()
    assert await bench.kinds() == {number: DifferenceKind.OURS_FAILED_GATEWAY_OPEN}


async def test_amounts_that_differ(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    async with bench.pool.acquire() as connection:
        (leg,) = await ledger.legs_of(connection, wish.case_id, 1)
    await bench.told(instruction(leg.refund_no, wish.merchant_id, wish.fund, 9_999))
    report = await bench.compare()
    assert report.differences == {
        DifferenceKind.AMOUNT_DIFFERS: 1,
        DifferenceKind.GATEWAY_PAID_OURS_NOT: 1,
    }


async def test_a_refund_that_we_know_nothing_of(bench: Bench) -> None:
    await bench.paid()
    for number in ("AA-1", "zz-9"):
        await bench.told(instruction(number, "m-x", "order/x", 5))
    report = await bench.compare(page=1)
    assert report == ReconcileReport(compared=3, differences={DifferenceKind.UNKNOWN_TO_US: 2}, new=2)
    assert await bench.kinds() == {
        "AA-1": DifferenceKind.UNKNOWN_TO_US,
        "zz-9": DifferenceKind.UNKNOWN_TO_US,
    }
    books = await bench.books()
    assert [line.equal for line in books.lines] == [False, True, False]
    assert [(each.currency, each.ours, each.theirs) for each in books.totals] == [("CNY", 10_000, 10_010)]


async def test_a_refund_that_the_gateway_has_forgotten(bench: Bench) -> None:
    _, accepted = await bench.paid(Mode.CALL_BACK_NEVER)
    _, done = await bench.paid()
    await bench.pool.execute("DELETE FROM gateway.refunds")
    await bench.compare()
    assert await bench.kinds() == {
        accepted: DifferenceKind.UNKNOWN_TO_GATEWAY,
        done: DifferenceKind.OURS_PAID_GATEWAY_NOT,
    }


async def test_a_leg_that_is_open_for_too_long(bench: Bench) -> None:
    _, number = await bench.paid(Mode.NEVER_SETTLE)
    assert (await bench.compare(open_hours=25)).differences == {}
    assert (await bench.compare(open_hours=24)).differences == {DifferenceKind.LEG_OVERDUE: 1}
    assert await bench.kinds() == {number: DifferenceKind.LEG_OVERDUE}


async def test_a_fund_that_gave_more_than_it_got(bench: Bench) -> None:
    """R8: only money that moved by itself can do that, here a success after a confirmed failure."""
    wish, _ = await bench.paid(Mode.SUCCESS_AFTER_FAILURE, settle_after_seconds=60)
    rival = payout(wish.fund.removeprefix("order/"), {"line:1": 7_000})
    await reserve(bench.pool, rival)
    (due,) = await bench.gateway.due_callbacks(minutes(1))
    await bench.payments.enter_callback(entering(wish, due.callback, at=minutes(1)))

    await bench.compare(page=1)

    (found,) = [each for each in await bench.differences() if each.kind == DifferenceKind.FUND_OVERPAID]
    assert (found.subject, found.ours, found.ours_amount, found.theirs_amount) == (
        wish.fund,
        "line:1",
        17_000,
        10_000,
    )
    assert (await bench.compare(page=1)).new == 0


async def test_a_gateway_that_does_not_answer_records_nothing(bench: Bench, own_database: str) -> None:
    await bench.paid(Mode.CALL_BACK_NEVER, settle_after_seconds=60)
    gone = await open_pool(own_database)
    await gone.close()
    with pytest.raises(GatewayUnreachable):
        await Reconciliation(bench.pool, PaymentGatewayStub(gone)).reconcile(ReconcileRequest(at=TOMORROW))
    assert await bench.differences() == []


async def test_the_books_line_by_line(bench: Bench) -> None:
    tenders = [("a", TenderKind.WALLET, 100), ("b", TenderKind.CREDIT_CARD, 200)]
    wish = await open_case(
        bench.pool, {"line:1": 300}, order_no=await open_order(bench.pool, lines=[300], tenders=tenders)
    )
    await told(bench.gateway, wish, Mode.DECLINE, amount=200)
    await bench.payments.settle(settle(wish))

    books = await bench.books()

    assert [
        (line.case_id, line.ours, line.our_state, line.theirs, line.their_result, line.equal) for line in books.lines
    ] == [
        (wish.case_id, 100, "succeeded", 100, "succeeded", True),
        (wish.case_id, 200, "failed", 200, "failed", True),
    ]
    assert [(each.ours, each.by_hand, each.theirs) for each in books.totals] == [(100, 0, 100)]


async def test_the_workflow_goes_through_all_pages_in_more_than_one_run(bench: Bench, client: Client) -> None:
    await bench.paid(Mode.CALL_BACK_NEVER, settle_after_seconds=60)
    await bench.pool.execute(
        """
        INSERT INTO gateway.refunds (refund_no, merchant_id, fund, amount, currency, result, result_at)
        SELECT 'GX-' || number, 'm-x', 'order/x', 5, 'CNY', 'processing', $1 FROM generate_series(1, 105) AS number
        """,
        NOON,
    )
    queue = some_id("queue")
    runner = runner_for(sandboxed=True, versioned=False)
    money = queue_of(WorkerRole.MONEY, queue)
    async with (
        Worker(
            client,
            task_queue=queue,
            workflows=[ReconciliationWorkflow],
            workflow_runner=runner,
        ),
        Worker(client, task_queue=money, activities=[bench.reconciliation.reconcile]),
    ):
        started = await client.start_workflow(
            ReconciliationWorkflow.run,
            ReconciliationRun(comparison=Comparison(page=1), at=TOMORROW),
            id=some_id("reconciliation"),
            task_queue=queue,
            execution_timeout=timedelta(minutes=2),
        )
        report = await started.result()
        description = await client.get_workflow_handle(started.id).describe()
    assert report == ReconcileReport(
        compared=106,
        differences={DifferenceKind.GATEWAY_PAID_OURS_NOT: 1, DifferenceKind.UNKNOWN_TO_US: 105},
        new=106,
    )
    assert description.run_id != started.first_execution_run_id, "a long book continues as a new run"


def instruction(number: str, merchant_id: str, fund: str, amount: int) -> RefundInstruction:
    return RefundInstruction(
        refund_no=number,
        merchant_id=merchant_id,
        fund=fund,
        tender="w",
        account=None,
        amount=amount,
        currency="CNY",
    )
