"""The payment activities against the gateway's stub: whatever it does, money is paid once (section 10, R5, T4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from activities.gateways.bank_accounts import TransfersToAccounts
from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import GatewayAnswer, NotFound, NumberConflict, RefundInstruction
from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.payments import Payments
from activities.postgres import ledger
from activities.postgres.alerts import Alert, open_alerts
from activities.postgres.books import BookTotal, side_by_side
from activities.postgres.casebook import StepOutOfOrder, write_step
from activities.postgres.pool import open_pool
from activities.postgres.vault import VaultAccounts
from tests.patience import PATIENCE
from tests.storage.money import (
    NOON,
    PROOF,
    by_hand,
    entering,
    minutes,
    open_case,
    open_compensation,
    open_order,
    outcome_of,
    payout,
    reserve,
    settle,
    some_id,
    told,
)
from tests.storage.own_keys import vault
from tests.storage.test_vault import ACCOUNT
from workflows.messages.actors import CLOCK
from workflows.messages.cases import NewEntry
from workflows.messages.commands import GatewayCallback, NumberHolds, Whose
from workflows.messages.payouts import Ask, LegState, LegStatus, PaidBy, Payer, Payout, Reservation, TenderKind
from workflows.messages.requests import BankTransfer
from workflows.messages.settlements import EnterCallback, Settled
from workflows.messages.stages import StageName
from workflows.rules.legs import US, LegEvent

HOUR = 60


@dataclass
class Bench:
    """Everything that pays: our database, the gateway's, the activities between them."""

    pool: asyncpg.Pool
    gateway: PaymentGatewayStub
    payments: Payments
    woken: list[None] = field(default_factory=list[None])

    async def settle(self, wish: Payout, ask: Ask = Ask.SUBMIT, *, at: datetime = NOON) -> Settled:
        return await self.payments.settle(settle(wish, ask, at=at))

    async def leg(self, wish: Payout) -> LegStatus:
        async with self.pool.acquire() as connection:
            (leg,) = await ledger.legs_of(connection, wish.case_id, wish.number)
        return leg

    async def mark_submitted(self, wish: Payout, *, at: datetime = NOON) -> str:
        """Where an attempt leaves a leg that ends between its mark and the gateway's answer."""
        number = (await self.leg(wish)).refund_no
        event = LegEvent(says=LegState.SUBMITTED, source=US, at=at, as_of=at)
        async with self.pool.acquire() as connection, connection.transaction():
            await ledger.record(connection, number, event)
        return number

    async def attempts(self, wish: Payout) -> list[int]:
        """How often the gateway has tried each refund of this merchant; none that it does not know."""
        rows = await self.pool.fetch(
            "SELECT attempts FROM gateway.refunds WHERE merchant_id = $1 ORDER BY refund_no", wish.merchant_id
        )
        return [row["attempts"] for row in rows]

    async def callbacks(self, wish: Payout, at: datetime) -> list[GatewayCallback]:
        """Fetch what is due for this case, as the service that receives callbacks would."""
        numbers = {leg.refund_no for leg in (await self.settled(wish)).legs}
        due = await self.gateway.due_callbacks(at, limit=1000)
        mine = [each for each in due if each.callback.refund_no in numbers]
        for each in mine:
            await self.gateway.mark_delivered(each.id, at)
        return [each.callback for each in mine]

    async def enter(self, wish: Payout, callback: GatewayCallback, *, at: datetime) -> Settled:
        return await self.payments.enter_callback(entering(wish, callback, at=at))

    async def settled(self, wish: Payout) -> Settled:
        async with self.pool.acquire() as connection:
            return Settled(legs=await ledger.legs_of(connection, wish.case_id, wish.number))

    async def alerts(self, wish: Payout) -> list[Alert]:
        async with self.pool.acquire() as connection:
            return [each for each in await open_alerts(connection, limit=1000) if each.case_id == wish.case_id]


@pytest_asyncio.fixture(loop_scope="session")
async def bench(database: str) -> AsyncIterator[Bench]:
    pool, theirs = await open_pool(database), await open_pool(database, application_name="gateway")
    gateway = PaymentGatewayStub(theirs)
    woken: list[None] = []
    payments = Payments(pool, gateway, lambda: woken.append(None), gateway_timeout=PATIENCE)
    yield Bench(pool, gateway, payments, woken)
    await gateway.clear_behaviours()
    await theirs.close()
    await pool.close()


def states(settled: Settled) -> list[LegState]:
    return [leg.state for leg in settled.legs]


async def test_paid_at_once_closes_the_case_in_the_same_transaction(bench: Bench) -> None:
    wish = await open_case(bench.pool)

    settled = await bench.settle(wish)

    (leg,) = settled.legs
    assert settled.closed
    assert (leg.state, leg.paid_by, leg.settled_at) == (LegState.SUCCEEDED, PaidBy.GATEWAY, NOON)
    assert await outcome_of(bench.pool, wish) == "refunded"
    assert bench.woken


async def test_the_last_success_and_the_closing_step_stand_or_fall_together(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    settling = settle(wish)
    unfit = settling.model_copy(update={"closing": settling.closing.model_copy(update={"step": 7})})

    with pytest.raises(StepOutOfOrder):
        await bench.payments.settle(unfit)

    assert (await bench.leg(wish)).state is LegState.SUBMITTED
    assert not bench.woken
    assert (await bench.payments.settle(settling)).closed
    assert await bench.attempts(wish) == [1]


async def test_a_payment_is_known_also_where_the_case_has_gone_on_meanwhile(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    settling = settle(wish)
    closing = settling.closing
    attention = NewEntry(event="attention_raised", by=CLOCK, rule="section 10", at=NOON)
    other = closing.model_copy(
        update={"stage": StageName.PAYMENT_ATTENTION, "outcome": None, "refunded": 0, "entries": (attention,)}
    )
    async with bench.pool.acquire() as connection, connection.transaction():
        await write_step(connection, other)

    with pytest.raises(StepOutOfOrder, match="takes another way"):
        await bench.payments.settle(settling)

    assert (await bench.leg(wish)).state is LegState.SUCCEEDED
    assert await outcome_of(bench.pool, wish) is None
    next_one = settle(wish, Ask.INQUIRE).model_copy(
        update={"closing": closing.model_copy(update={"step": closing.step + 1})}
    )
    assert (await bench.payments.settle(next_one)).closed
    assert await outcome_of(bench.pool, wish) == "refunded"
    assert await bench.attempts(wish) == [1]


async def test_settling_again_pays_nothing_more_and_says_the_same(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    first = await bench.settle(wish)
    for ask in Ask:
        assert await bench.settle(wish, ask) == first
    assert await bench.attempts(wish) == [1]


async def test_a_closing_step_that_is_missing_is_made_up_for(bench: Bench) -> None:
    """The gateway's callback entered after the case let go of it; the case asks once more."""
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.SETTLE_LATER, settle_after_seconds=3600)
    await bench.settle(wish)
    (callback,) = await bench.callbacks(wish, minutes(HOUR))
    entered = await bench.payments.enter_callback(EnterCallback(callback=callback, at=minutes(HOUR)))
    assert (states(entered), entered.closed) == ([LegState.SUCCEEDED], False)
    assert await outcome_of(bench.pool, wish) is None

    assert (await bench.settle(wish, Ask.INQUIRE, at=minutes(HOUR + 1))).closed
    assert await outcome_of(bench.pool, wish) == "refunded"


@pytest.mark.parametrize("was_sent", [True, False])
async def test_a_ledger_that_has_forgotten_asks_before_it_sends(
    bench: Bench, was_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = await open_case(bench.pool)
    if was_sent:
        await bench.gateway.submit(instruction(wish, (await bench.leg(wish)).refund_no))
        monkeypatch.setattr(bench.gateway, "submit", None)  # nothing may be sent again

    settled = await bench.settle(wish, Ask.INQUIRE, at=minutes(1))

    assert settled.closed
    assert await bench.attempts(wish) == [1]


async def test_paid_later_is_found_by_asking(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.CALL_BACK_NEVER, settle_after_seconds=3600)

    assert states(await bench.settle(wish)) == [LegState.PROCESSING]
    assert states(await bench.settle(wish)) == [LegState.PROCESSING]
    assert states(await bench.settle(wish, Ask.INQUIRE, at=minutes(59))) == [LegState.PROCESSING]
    assert await bench.callbacks(wish, minutes(100 * HOUR)) == []
    settled = await bench.settle(wish, Ask.INQUIRE, at=minutes(HOUR))

    assert settled.closed
    assert settled.legs[0].settled_at == minutes(HOUR)
    assert await bench.attempts(wish) == [1]


@pytest.mark.parametrize(
    "told_at",
    [
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), id="not set"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="no end"),
        pytest.param(minutes(61), id="in the future"),
    ],
)
async def test_an_answer_with_an_impossible_moment_is_true_now(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, told_at: datetime
) -> None:  # R18
    """The gateway was asked, and has answered: what it says of its clock must not keep the money from being booked."""
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.CALL_BACK_NEVER, settle_after_seconds=60)
    await bench.settle(wish)
    asked = bench.gateway.inquire

    async def with_a_wrong_clock(told: RefundInstruction) -> GatewayAnswer | NotFound:
        answer = await asked(told)
        return answer.model_copy(update={"settled_at": told_at})

    monkeypatch.setattr(bench.gateway, "inquire", with_a_wrong_clock)
    settled = await bench.settle(wish, Ask.INQUIRE, at=minutes(HOUR - 1))

    assert settled.closed
    assert settled.legs[0].settled_at == minutes(HOUR - 1)


async def test_an_answer_that_cannot_be_read_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """R18: an adapter that builds its answer of what the provider sent must not fail the activity for ever."""
    wish = await open_case(bench.pool)

    async def without_an_offset(instruction: RefundInstruction) -> GatewayAnswer:
        body = {"refund_no": instruction.refund_no, "result": "succeeded", "settled_at": "2026-11-22T12:00:00"}
        return GatewayAnswer.model_validate(body)

    with monkeypatch.context() as broken:
        broken.setattr(bench.gateway, "submit", without_an_offset)
        assert states(await bench.settle(wish)) == [LegState.UNKNOWN]
    assert (await bench.settle(wish, Ask.INQUIRE, at=minutes(1))).closed
    assert await bench.attempts(wish) == [1]


ARRIVALS = {
    TenderKind.WALLET: (NOON, NOON),
    TenderKind.DEBIT_CARD: (datetime(2026, 11, 24, 16, tzinfo=UTC), datetime(2026, 11, 26, 16, tzinfo=UTC)),
    TenderKind.CREDIT_CARD: (datetime(2026, 11, 25, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)),
}


@pytest.mark.parametrize("mode", [Mode.SETTLE_LATER, Mode.SUCCEED])
@pytest.mark.parametrize("kind", ARRIVALS)
async def test_when_the_money_arrives(bench: Bench, kind: TenderKind, mode: Mode) -> None:
    """R5: wallet at once, debit card 1 to 3 working days, credit card 2 to 5, from the gateway's acceptance."""
    order_no = await open_order(bench.pool, lines=[500], tenders=[("t", kind, 500)])
    wish = await open_case(bench.pool, {"line:1": 500}, order_no=order_no)
    await told(bench.gateway, wish, mode)

    (leg,) = (await bench.settle(wish)).legs

    assert (leg.arrives_from, leg.arrives_until) == ARRIVALS[kind]


async def test_a_bank_transfer_goes_to_the_account_that_was_named(bench: Bench) -> None:
    wish = await open_case(bench.pool, method=BankTransfer(account="vault:accounts/9"))
    (leg,) = (await bench.settle(wish)).legs
    row = await bench.pool.fetchrow("SELECT * FROM gateway.refunds WHERE refund_no = $1", leg.refund_no)
    assert row is not None
    assert (row["account"], row["tender"], row["amount"]) == ("vault:accounts/9", None, 10_000)
    assert leg.arrives_until == ARRIVALS[TenderKind.DEBIT_CARD][1]


async def test_an_account_of_another_buyers_is_not_paid_to(bench: Bench) -> None:  # R17
    """A payout that was reserved before accounts were held against the buyer: a person must find another way."""
    kept = vault()
    async with bench.pool.acquire() as connection:
        account = await kept.keep_bank_account(connection, some_id("b"), "k", ACCOUNT, NOON)
    wish = await open_case(bench.pool, method=BankTransfer(account=account))
    gateway = TransfersToAccounts(bench.gateway, VaultAccounts(bench.pool, kept))

    settled = await Payments(bench.pool, gateway, lambda: None).settle(settle(wish, Ask.SUBMIT, at=NOON))

    assert [(leg.state, leg.failure) for leg in settled.legs] == [(LegState.FAILED, "account_unknown")]
    assert not await bench.pool.fetch("SELECT FROM gateway.refunds WHERE merchant_id = $1", wish.merchant_id)


async def test_cash_comes_back_as_a_bank_transfer_does(bench: Bench) -> None:
    # T4, R5
    order_no = await open_order(bench.pool, lines=[500], tenders=[("c", TenderKind.CASH, 500)])
    account = BankTransfer(account="vault:accounts/9")
    wish = await open_case(bench.pool, {"line:1": 500}, order_no=order_no, method=account)

    settled = await bench.settle(wish)

    assert settled.closed
    assert (settled.legs[0].arrives_from, settled.legs[0].arrives_until) == ARRIVALS[TenderKind.DEBIT_CARD]
    row = await bench.pool.fetchrow("SELECT * FROM gateway.refunds WHERE merchant_id = $1", wish.merchant_id)
    assert row is not None
    assert (row["account"], row["tender"]) == ("vault:accounts/9", None)


@pytest.mark.parametrize(
    ("payer", "state"), [(Payer.MERCHANT, LegState.ABNORMAL), (Payer.PLATFORM, LegState.SUCCEEDED)]
)
async def test_a_short_account_is_the_merchants(bench: Bench, payer: Payer, state: LegState) -> None:
    # T4: 先行赔付
    wish = await open_case(bench.pool, payer=payer)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, amount=10_000, uses_left=1)

    (leg,) = (await bench.settle(wish)).legs

    assert leg.state is state
    assert await bench.pool.fetchval("SELECT payer FROM gateway.refunds WHERE refund_no = $1", leg.refund_no) == payer
    if payer is Payer.PLATFORM:
        assert leg.paid_by is PaidBy.GATEWAY, "the gateway's book has it"


async def test_what_the_platform_pays_follows_the_next_behaviour_that_matches(bench: Bench) -> None:
    wish = await open_case(bench.pool, payer=Payer.PLATFORM)
    await told(bench.gateway, wish, Mode.DECLINE)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, amount=10_000)
    assert states(await bench.settle(wish)) == [LegState.FAILED]


async def test_one_number_is_not_taken_from_two_accounts(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    number = await bench.mark_submitted(wish)
    await bench.gateway.submit(instruction(wish, number))
    with pytest.raises(NumberConflict):
        await bench.gateway.submit(instruction(wish, number).model_copy(update={"payer": Payer.PLATFORM}))


async def test_the_books_tell_compensation_from_refunds(own_database: str) -> None:
    # L3
    pool = await open_pool(own_database)
    gateway = PaymentGatewayStub(pool)
    payments = Payments(pool, gateway, lambda: None)
    refund = await open_case(pool)
    await payments.settle(settle(refund))
    owed: list[Payout] = []
    for fund, amount in (("late-shipment/1", 3_000), ("return-freight/return/1/k", 800), ("return-freight/2", 60)):
        case = await open_case(pool)
        owed.append(await open_compensation(pool, fund, amount, case=case.case_id))
        await reserve(pool, owed[-1])
    by_gateway, transferred, _ = owed
    await payments.settle(settle(by_gateway))
    await payments.settle_manually(by_hand(transferred))

    books = await side_by_side(pool, gateway, minutes(HOUR))

    assert books.equal
    assert books.totals == (BookTotal(currency="CNY", ours=13_000, by_hand=800, theirs=13_000, compensation=3_800),)
    assert {line.ours: line.compensation for line in books.lines} == {10_000: False, 3_000: True, 800: True, 60: True}
    await pool.close()


async def test_a_declined_refund_gives_its_room_back_and_can_be_tried_again(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE, uses_left=1)

    declined = (await bench.settle(wish)).legs[0]
    assert (declined.state, declined.failure) == (LegState.FAILED, "declined")
    assert states(await bench.settle(wish)) == [LegState.FAILED]
    settled = await bench.settle(wish, Ask.RETRY, at=minutes(5))

    assert settled.closed
    assert settled.legs[0].refund_no == declined.refund_no
    assert await bench.attempts(wish) == [2]


async def test_a_refund_declined_later_gives_its_room_back(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE_LATER, settle_after_seconds=60)
    assert states(await bench.settle(wish)) == [LegState.PROCESSING]
    (callback,) = await bench.callbacks(wish, minutes(1))

    (leg,) = (await bench.enter(wish, callback, at=minutes(1))).legs

    assert (leg.state, leg.failure, leg.arrives_until) == (LegState.FAILED, "declined", None)
    rival = payout(wish.fund.removeprefix("order/"), {"line:1": 10_000})
    assert (await reserve(bench.pool, rival)).reservation is Reservation.RESERVED


async def test_a_retry_finds_its_room_taken(bench: Bench) -> None:
    """R8: a leg that has failed must get room again."""
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE, uses_left=1)
    await bench.settle(wish)
    await reserve(bench.pool, payout(wish.fund.removeprefix("order/"), {"line:1": 1}))

    (leg,) = (await bench.settle(wish, Ask.RETRY, at=minutes(5))).legs

    assert (leg.state, leg.failure) == (LegState.FAILED, "no_room")
    assert await bench.attempts(wish) == [1]


async def declined_and_paid_elsewhere(bench: Bench, elsewhere: int, *, held: int = 0) -> Payout:
    """A payout of two legs, 30.00 paid and 70.00 declined, and what others have been paid of the line since."""
    tenders = [("a", TenderKind.WALLET, 3_000), ("b", TenderKind.WALLET, 7_000)]
    order_no = await open_order(bench.pool, lines=[10_000], tenders=tenders)
    wish = await open_case(bench.pool, order_no=order_no)
    await told(bench.gateway, wish, Mode.DECLINE, amount=7_000, uses_left=1)
    assert states(await bench.settle(wish)) == [LegState.SUCCEEDED, LegState.FAILED]
    if elsewhere:
        other = await open_case(bench.pool, {"line:1": elsewhere}, order_no=order_no)
        assert (await bench.settle(other)).closed
    if held:
        await reserve(bench.pool, payout(order_no, {"line:1": held}))
    return wish


async def refunded_by_row(bench: Bench, wish: Payout) -> int | None:
    return await bench.pool.fetchval("SELECT refunded FROM casebook.cases WHERE case_id = $1", wish.case_id)


async def test_what_is_left_of_what_was_declined_is_paid(bench: Bench) -> None:
    # R14: and the row says what was paid, whatever the closing step expected
    wish = await declined_and_paid_elsewhere(bench, 1_500)
    declined = (await bench.settled(wish)).legs[1].refund_no

    settled = await bench.settle(wish, Ask.RETRY, at=minutes(5))

    assert settled.closed
    assert [leg.amount for leg in settled.legs] == [3_000, 5_500]
    assert declined not in {leg.refund_no for leg in settled.legs}, "a provider knows a number by its amount"
    assert await refunded_by_row(bench, wish) == 8_500
    late = EnterCallback(callback=callback_of(declined, "failed", at=minutes(9)), at=minutes(9))
    assert (await bench.payments.enter_callback(late)).refusal is None, "the retired number is still known"
    assert await bench.alerts(wish) == []


async def test_where_nothing_is_left_of_what_was_declined_the_rest_closes_the_case(bench: Bench) -> None:
    # R14
    wish = await declined_and_paid_elsewhere(bench, 7_000)

    settled = await bench.settle(wish, Ask.RETRY, at=minutes(5))

    assert (settled.closed, [leg.amount for leg in settled.legs]) == (True, [3_000])
    assert await refunded_by_row(bench, wish) == 3_000


async def test_where_nothing_is_left_at_all_the_case_is_told(bench: Bench) -> None:
    # R14: how it ends is not for the ledger to say
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE, uses_left=1)
    await bench.settle(wish)
    other = await open_case(bench.pool, order_no=wish.fund.removeprefix("order/"))
    assert (await bench.settle(other)).closed

    for ask in (Ask.RETRY, Ask.INQUIRE):
        settled = await bench.settle(wish, ask, at=minutes(5))
        assert (settled.closed, settled.legs) == (False, ())
    assert await outcome_of(bench.pool, wish) is None


@pytest.mark.parametrize(("partly", "amounts"), [(False, [3_000, 7_000]), (True, [3_000, 5_000])])
async def test_what_payments_in_flight_hold_is_given_up_only_where_an_officer_says_so(
    bench: Bench, partly: bool, amounts: list[int]
) -> None:
    # R8, R14
    wish = await declined_and_paid_elsewhere(bench, 0, held=2_000)
    again = settle(wish, Ask.RETRY, at=minutes(5)).model_copy(update={"partly": partly})

    settled = await bench.payments.settle(again)

    assert (settled.closed, [leg.amount for leg in settled.legs]) == (partly, amounts)


@pytest.mark.parametrize(
    ("paid_by", "amount", "alerts"),
    [(PaidBy.PLATFORM, None, []), (PaidBy.OFFICER, 5_500, []), (PaidBy.OFFICER, None, ["paid_beyond_cap"])],
)
async def test_what_is_left_is_paid_by_hand(
    bench: Bench, paid_by: PaidBy, amount: int | None, alerts: list[str]
) -> None:
    # R14: who has transferred may have transferred more, unless the amount was said
    wish = await declined_and_paid_elsewhere(bench, 1_500)
    word = by_hand(wish, paid_by=paid_by, at=minutes(5)).model_copy(update={"amount": amount})

    settled = await bench.payments.settle_manually(word)

    assert settled.closed
    assert [leg.amount for leg in settled.legs] == [3_000, 5_500]
    assert await refunded_by_row(bench, wish) == 8_500
    assert [each.kind for each in await bench.alerts(wish)] == alerts
    assert await bench.payments.settle_manually(word) == settled, "an attempt whose answer was lost"


@pytest.mark.parametrize(("amount", "alerts"), [(5_000, []), (7_000, ["paid_beyond_cap"])])
async def test_a_transfer_of_another_amount_is_refused(bench: Bench, amount: int, alerts: list[str]) -> None:
    # R14
    wish = await declined_and_paid_elsewhere(bench, 1_500)
    word = by_hand(wish, at=minutes(5)).model_copy(update={"amount": amount})

    refused = await bench.payments.settle_manually(word)

    assert refused.refusal is not None
    assert (refused.refusal.code, refused.refusal.field) == ("amount_differs", "amount")
    assert refused.refusal.explanation == "5500 minor units are left to pay"
    assert states(refused) == [LegState.SUCCEEDED, LegState.FAILED]
    assert [each.kind for each in await bench.alerts(wish)] == alerts


async def test_nothing_is_paid_by_hand_where_nothing_is_left(bench: Bench) -> None:
    # R14
    wish = await declined_and_paid_elsewhere(bench, 7_000)

    refused = await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=minutes(5)))

    assert refused.refusal is not None
    assert (refused.refusal.code, refused.refusal.rule) == ("no_room", "R14")
    assert (await bench.settle(wish, Ask.RETRY, at=minutes(6))).closed, "and a retry ends it"


async def test_a_retired_number_that_is_paid_after_all_counts(bench: Bench) -> None:
    # R14, section 10: success after failure is taken
    wish = await declined_and_paid_elsewhere(bench, 1_500)
    declined = (await bench.settled(wish)).legs[1].refund_no
    await told(bench.gateway, wish, Mode.NEVER_SETTLE, amount=5_500)
    await bench.settle(wish, Ask.RETRY, at=minutes(5))

    late = EnterCallback(callback=callback_of(declined, "succeeded", at=minutes(9)), at=minutes(9))
    entered = await bench.payments.enter_callback(late)

    assert [leg.amount for leg in entered.legs] == [3_000, 7_000, 5_500]
    assert [each.kind for each in await bench.alerts(wish)] == ["success_after_failure"]


async def test_a_short_account_is_tried_again_when_an_officer_says_so(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, uses_left=2)

    short = (await bench.settle(wish)).legs[0]
    assert (short.state, short.failure) == (LegState.ABNORMAL, "merchant_account_short")
    assert states(await bench.settle(wish)) == [LegState.ABNORMAL]
    assert states(await bench.settle(wish, Ask.INQUIRE, at=minutes(1))) == [LegState.ABNORMAL]
    assert await bench.attempts(wish) == [1]
    assert states(await bench.settle(wish, Ask.RETRY, at=minutes(2))) == [LegState.ABNORMAL]
    assert (await bench.settle(wish, Ask.RETRY, at=minutes(3))).closed
    assert await bench.attempts(wish) == [3]


async def test_a_slow_answer_is_an_unknown_outcome_until_asked(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.ANSWER_SLOWLY, answer_after_seconds=600)
    hasty = Payments(bench.pool, bench.gateway, lambda: None, gateway_timeout=0.5)

    (leg,) = (await hasty.settle(settle(wish))).legs
    assert leg.state is LegState.UNKNOWN
    assert (await bench.settle(wish, Ask.INQUIRE, at=minutes(1))).closed
    assert await bench.attempts(wish) == [1]


@pytest.mark.parametrize("ask", [Ask.SUBMIT, Ask.INQUIRE, Ask.RETRY])
async def test_a_lost_answer_is_asked_for_and_not_paid_again(bench: Bench, ask: Ask) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER, uses_left=1)

    assert states(await bench.settle(wish)) == [LegState.UNKNOWN]
    assert (await bench.settle(wish, ask, at=minutes(1))).closed
    assert await bench.attempts(wish) == [1]


@pytest.mark.parametrize("ask", [Ask.SUBMIT, Ask.INQUIRE, Ask.RETRY])
async def test_a_lost_request_is_sent_again_under_the_same_number(bench: Bench, ask: Ask) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_REQUEST, uses_left=1)

    lost = (await bench.settle(wish)).legs[0]
    assert lost.state is LegState.UNKNOWN
    assert await bench.attempts(wish) == []
    settled = await bench.settle(wish, ask, at=minutes(1))

    assert settled.closed
    assert settled.legs[0].refund_no == lost.refund_no
    assert await bench.attempts(wish) == [1]


async def test_unknown_outcomes_keep_their_room(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_REQUEST)
    await bench.settle(wish)
    rival = payout(wish.fund.removeprefix("order/"), {"line:1": 1})
    assert (await reserve(bench.pool, rival)).reservation is Reservation.CONTENDED


async def test_a_gateway_that_cannot_be_reached_is_no_failure(bench: Bench, database: str) -> None:
    wish = await open_case(bench.pool)
    gone = await open_pool(database)
    await gone.close()
    unreachable = Payments(bench.pool, PaymentGatewayStub(gone), lambda: None)

    for ask in Ask:
        assert states(await unreachable.settle(settle(wish, ask))) == [LegState.UNKNOWN]
    assert (await bench.settle(wish, Ask.INQUIRE)).closed


async def test_an_attempt_that_ended_before_the_gateway_heard_of_it(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await bench.mark_submitted(wish)
    assert (await bench.settle(wish)).closed
    assert await bench.attempts(wish) == [1]


async def test_an_attempt_that_ended_after_the_gateway_had_paid(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    number = await bench.mark_submitted(wish)
    await bench.gateway.submit(instruction(wish, number))

    assert (await bench.settle(wish)).closed
    assert await bench.attempts(wish) == [1]


async def test_an_attempt_that_ended_after_the_gateway_had_refused(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE, uses_left=1)
    number = await bench.mark_submitted(wish)
    await bench.gateway.submit(instruction(wish, number))

    assert states(await bench.settle(wish)) == [LegState.FAILED], "asked about, not sent again"
    assert await bench.attempts(wish) == [1]


@pytest.mark.parametrize("mode", [Mode.SUCCEED, Mode.SETTLE_LATER, Mode.LOSE_ANSWER])
async def test_attempts_at_the_same_time_pay_once(bench: Bench, mode: Mode) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, mode)
    await asyncio.gather(*(bench.settle(wish) for _ in range(6)))

    assert await bench.attempts(wish) == [1]
    settled = await bench.settle(wish, Ask.INQUIRE, at=minutes(2 * HOUR))
    assert settled.closed
    assert await bench.alerts(wish) == []


async def test_legs_fail_alone(bench: Bench) -> None:
    tenders = [("a", TenderKind.WALLET, 100), ("b", TenderKind.DEBIT_CARD, 200), ("c", TenderKind.CREDIT_CARD, 300)]
    order_no = await open_order(bench.pool, lines=[600], tenders=tenders)
    wish = await open_case(bench.pool, {"line:1": 600}, order_no=order_no)
    await told(bench.gateway, wish, Mode.DECLINE, amount=100, uses_left=1)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER, amount=200, uses_left=1)

    first = await bench.settle(wish)
    assert states(first) == [LegState.FAILED, LegState.UNKNOWN, LegState.SUCCEEDED]
    assert not first.closed
    async with bench.pool.acquire() as connection:
        parts = {part.name: part for part in await ledger.parts_of(connection, wish.fund)}
    assert (parts["line:1"].settled, parts["line:1"].held, parts["tender:a"].room) == (300, 200, 100)
    second = await bench.settle(wish, Ask.RETRY, at=minutes(1))
    assert second.closed
    assert await bench.attempts(wish) == [2, 1, 1]


async def test_a_callback_that_comes_twice_is_entered_once(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.CALL_BACK_TWICE, settle_after_seconds=3600)
    assert states(await bench.settle(wish)) == [LegState.PROCESSING]
    assert await bench.callbacks(wish, minutes(59)) == []
    first, second = await bench.callbacks(wish, minutes(HOUR))
    assert first == second

    results = [await bench.enter(wish, each, at=minutes(HOUR)) for each in (first, second)]

    assert [each.closed for each in results] == [True, True]
    async with bench.pool.acquire() as connection:
        events = await ledger.events_of(connection, first.refund_no)
    assert [each.source for each in events].count(f"callback:{first.key}") == 1
    assert await bench.alerts(wish) == []


async def test_a_callback_that_comes_late_finds_what_asking_has_found(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.CALL_BACK_LATE, settle_after_seconds=60, callback_after_seconds=7200)
    await bench.settle(wish)
    settled = await bench.settle(wish, Ask.INQUIRE, at=minutes(10))
    assert settled.closed
    assert await bench.callbacks(wish, minutes(2 * HOUR)) == []
    (late,) = await bench.callbacks(wish, minutes(2 * HOUR + 1))

    assert await bench.enter(wish, late, at=minutes(2 * HOUR + 1)) == settled
    assert await bench.alerts(wish) == []


async def test_success_after_failure_is_paid_and_alerted(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.SUCCESS_AFTER_FAILURE, settle_after_seconds=3600)
    assert states(await bench.settle(wish)) == [LegState.FAILED]
    (callback,) = await bench.callbacks(wish, minutes(HOUR))

    settled = await bench.enter(wish, callback, at=minutes(HOUR))

    assert settled.closed
    assert states(settled) == [LegState.SUCCEEDED]
    assert [each.kind for each in await bench.alerts(wish)] == ["success_after_failure"]


async def test_callbacks_after_the_end_are_entered_without_closing_again(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    (leg,) = (await bench.settle(wish)).legs
    contradiction = callback_of(leg.refund_no, "failed", at=minutes(9))

    entered = await bench.payments.enter_callback(EnterCallback(callback=contradiction, at=minutes(9)))

    assert (states(entered), entered.closed, entered.refusal) == ([LegState.SUCCEEDED], False, None)
    assert [each.kind for each in await bench.alerts(wish)] == ["failure_after_success"]


async def test_a_callback_about_another_cases_refund_is_refused(bench: Bench) -> None:
    wish, other = await open_case(bench.pool), await open_case(bench.pool)
    number = await bench.mark_submitted(other)

    for refund_no in (number, "RF-nobody"):
        refused = await bench.enter(wish, callback_of(refund_no, "succeeded", at=NOON), at=NOON)
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.closed) == ("unknown_refund", False)
        assert refused.legs == (await bench.settled(wish)).legs
    assert (await bench.leg(other)).state is LegState.SUBMITTED
    assert await outcome_of(bench.pool, wish) is None


async def test_a_number_that_is_another_refunds_calls_a_person(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    number = (await bench.leg(wish)).refund_no
    await bench.gateway.submit(instruction(wish, number).model_copy(update={"amount": 1}))

    (leg,) = (await bench.settle(wish)).legs

    told = f"0.01 CNY succeeded, this payment, GW-{number}-1"
    assert (leg.state, leg.failure, leg.raw) == (LegState.ABNORMAL, "number_conflict", told)
    assert [(each.kind, each.evidence) for each in await bench.alerts(wish)] == [("number_conflict", told)]


@pytest.mark.parametrize("ask", [Ask.SUBMIT, Ask.INQUIRE, Ask.RETRY])
async def test_a_number_in_use_that_only_asking_finds_calls_a_person(bench: Bench, ask: Ask) -> None:
    """An attempt ended between its mark and the answer: what there is under the number is known, and it is not ours."""
    wish = await open_case(bench.pool)
    number = await bench.mark_submitted(wish)
    await bench.gateway.submit(instruction(wish, number).model_copy(update={"amount": 1}))

    (leg,) = (await bench.settle(wish, ask, at=minutes(1))).legs

    assert (leg.state, leg.failure) == (LegState.ABNORMAL, "number_conflict")
    assert await bench.attempts(wish) == [1]


async def test_a_number_in_use_is_found_before_anything_is_paid_by_hand(bench: Bench) -> None:
    """Nobody has looked yet when the officer's word comes: it is refused, and what there is is kept (R11)."""
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_REQUEST, uses_left=1)
    (unknown,) = (await bench.settle(wish)).legs
    await bench.gateway.submit(instruction(wish, unknown.refund_no).model_copy(update={"amount": 1}))

    for paid_by in (PaidBy.OFFICER, PaidBy.PLATFORM):
        refused = await bench.payments.settle_manually(by_hand(wish, paid_by=paid_by, at=minutes(1)))
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.closed) == ("number_in_use", False)
        assert (refused.legs[0].state, refused.legs[0].failure) == (LegState.ABNORMAL, "number_conflict")
    assert [each.kind for each in await bench.alerts(wish)] == ["number_conflict"]

    word = by_hand(wish, at=minutes(2), number_holds=NumberHolds(amount=1, whose=Whose.BUYERS))
    settled = await bench.payments.settle_manually(word)
    assert (settled.closed, settled.legs[0].paid_by) == (True, PaidBy.OFFICER)
    assert await bench.payments.settle_manually(word) == settled, "an attempt whose answer was lost"


@pytest.mark.parametrize("state", [LegState.SUBMITTED, LegState.SUCCEEDED])
async def test_a_callback_of_another_amount_is_about_another_refund(bench: Bench, state: LegState) -> None:
    """Its number is ours: nothing of ours was paid by it, or has come back, and a person is told."""
    wish = await open_case(bench.pool)
    number = await bench.mark_submitted(wish) if state is LegState.SUBMITTED else (await bench.leg(wish)).refund_no
    if state is LegState.SUCCEEDED:
        await bench.settle(wish)
    for result in ("succeeded", "returned"):
        told = callback_of(number, result, at=minutes(5)).model_copy(update={"amount": 6_000})
        late = EnterCallback(callback=told, at=minutes(5), late=True)
        entered = await bench.payments.enter_callback(late)
        assert states(entered) == [state]
    sources = [f"callback:cb-{number}-{result}" for result in ("succeeded", "returned")]
    assert [(each.kind, each.evidence) for each in await bench.alerts(wish)] == [
        ("number_conflict", source) for source in sources
    ]

    ours = callback_of(number, "succeeded", at=minutes(6)).model_copy(update={"key": "ours", "amount": 10_000})
    assert states(await bench.enter(wish, ours, at=minutes(6))) == [LegState.SUCCEEDED]


async def test_a_callback_about_the_other_refund_pays_nothing_of_ours(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    number = (await bench.leg(wish)).refund_no
    await bench.gateway.submit(instruction(wish, number).model_copy(update={"amount": 1}))
    await bench.settle(wish)

    entered = await bench.enter(wish, callback_of(number, "succeeded", at=minutes(9)), at=minutes(9))

    assert (entered.closed, states(entered)) == (False, [LegState.ABNORMAL])


class NeedsTheDatabase(PassingOn):
    """A gateway that can only answer while nobody holds the pool's one connection."""

    def __init__(self, pool: asyncpg.Pool, gateway: PaymentGatewayStub) -> None:
        super().__init__(gateway)
        self._pool = pool

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        await self._pool.fetchval("SELECT 1")
        return await super().submit(instruction)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        await self._pool.fetchval("SELECT 1")
        return await super().inquire(instruction)


async def test_no_transaction_is_open_while_the_gateway_is_called(bench: Bench, database: str) -> None:
    only_one = await open_pool(database, max_size=1)
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.CALL_BACK_NEVER, settle_after_seconds=60)
    careful = Payments(only_one, NeedsTheDatabase(only_one, bench.gateway), lambda: None, gateway_timeout=PATIENCE)
    try:
        assert states(await careful.settle(settle(wish))) == [LegState.PROCESSING]
        manual = await careful.settle_manually(by_hand(wish))
        assert manual.refusal is not None
        assert manual.refusal.code == "outcome_open"
        assert (await careful.settle(settle(wish, Ask.INQUIRE, at=minutes(1)))).closed
    finally:
        await only_one.close()


async def test_a_payout_that_was_never_reserved_is_an_error(bench: Bench) -> None:
    with pytest.raises(ledger.LedgerContradiction, match="not reserved"):
        await bench.settle(payout("nobody", {"line:1": 1}))


@pytest.mark.parametrize(
    ("paid_by", "outcome"), [(PaidBy.OFFICER, "paid_manually"), (PaidBy.PLATFORM, "paid_by_platform")]
)
async def test_an_officer_pays_what_the_gateway_cannot(bench: Bench, paid_by: PaidBy, outcome: str) -> None:
    """Section 10: 先行赔付, or a manual transfer with proof."""
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT)
    await bench.settle(wish)

    settled = await bench.payments.settle_manually(by_hand(wish, paid_by=paid_by, at=minutes(1)))

    (leg,) = settled.legs
    assert (settled.closed, settled.refusal, leg.state, leg.paid_by) == (True, None, LegState.SUCCEEDED, paid_by)
    assert await outcome_of(bench.pool, wish) == outcome
    async with bench.pool.acquire() as connection:
        *_, manual, paid = await ledger.events_of(connection, leg.refund_no)
    assert (manual.says, paid.says) == (LegState.MANUAL, LegState.SUCCEEDED)
    assert {(each.source, each.reason, each.proof) for each in (manual, paid)} == {
        ("officer:f-1", "gateway_down", PROOF)
    }
    again = await bench.payments.settle_manually(by_hand(wish, paid_by=paid_by, at=minutes(1)))
    assert again == settled, "an attempt whose answer was lost"
    assert await bench.alerts(wish) == []
    assert states(await bench.settle(wish, Ask.RETRY, at=minutes(2))) == [LegState.SUCCEEDED]
    assert await bench.attempts(wish) == [1]


@pytest.mark.parametrize("mode", [Mode.NEVER_SETTLE, Mode.DECLINE_LATER])
async def test_nothing_is_paid_by_hand_that_the_gateway_may_still_pay(bench: Bench, mode: Mode) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, mode)
    await bench.settle(wish)

    for paid_by in (PaidBy.OFFICER, PaidBy.PLATFORM):
        refused = await bench.payments.settle_manually(by_hand(wish, paid_by=paid_by, at=minutes(1)))
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.closed) == ("outcome_open", False)
        assert states(refused) == [LegState.PROCESSING]
    assert await outcome_of(bench.pool, wish) is None


async def test_nothing_is_paid_by_hand_while_the_gateway_cannot_be_asked(bench: Bench, database: str) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT)
    await bench.settle(wish)
    gone = await open_pool(database)
    await gone.close()
    unreachable = Payments(bench.pool, PaymentGatewayStub(gone), lambda: None)

    refused = await unreachable.settle_manually(by_hand(wish))

    assert refused.refusal is not None
    assert refused.refusal.code == "outcome_open"
    assert states(refused) == [LegState.ABNORMAL]


@pytest.mark.parametrize("tried_before", [False, True])
async def test_nothing_is_paid_by_hand_while_an_attempt_may_be_sending(bench: Bench, tried_before: bool) -> None:
    wish = await open_case(bench.pool)
    if tried_before:
        await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, uses_left=1)
        await bench.settle(wish)
    await bench.mark_submitted(wish, at=minutes(1))

    refused = await bench.payments.settle_manually(by_hand(wish, at=minutes(2)))

    assert refused.refusal is not None
    assert refused.refusal.code == "outcome_open", "the gateway's word may be older than the sending"


class Interrupted(PassingOn):
    """A gateway between whose answer to an inquiry and its arrival something else happens."""

    def __init__(self, gateway: PaymentGatewayStub, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(gateway)
        self._meanwhile = meanwhile

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        answer = await super().inquire(instruction)
        await self._meanwhile()
        return answer


async def test_nothing_is_paid_by_hand_that_was_sent_after_the_gateway_had_answered(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER)
    await told(bench.gateway, wish, Mode.LOSE_REQUEST, uses_left=1)
    assert states(await bench.settle(wish)) == [LegState.UNKNOWN]

    async def sent_again() -> None:
        assert states(await bench.settle(wish, at=minutes(1))) == [LegState.UNKNOWN]

    payments = Payments(bench.pool, Interrupted(bench.gateway, sent_again), lambda: None, gateway_timeout=PATIENCE)
    refused = await payments.settle_manually(by_hand(wish, at=minutes(2)))

    assert refused.refusal is not None
    assert refused.refusal.code == "outcome_open"
    assert await bench.attempts(wish) == [1], "the gateway did not know it when asked, and has paid now"


async def test_a_request_that_never_arrived_may_be_paid_by_hand(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_REQUEST)
    assert states(await bench.settle(wish)) == [LegState.UNKNOWN]
    assert (await bench.payments.settle_manually(by_hand(wish, at=minutes(1)))).closed


async def test_a_transfer_of_what_the_gateway_has_paid_is_refused_and_its_proof_kept(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER)
    assert states(await bench.settle(wish)) == [LegState.UNKNOWN]

    word = by_hand(wish, at=minutes(1))
    for _ in range(2):  # the second time as an attempt whose answer was lost
        refused = await bench.payments.settle_manually(word)
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.closed) == ("already_paid", False)
        assert (refused.legs[0].state, refused.legs[0].paid_by) == (LegState.SUCCEEDED, PaidBy.GATEWAY)

    assert [(each.kind, each.evidence) for each in await bench.alerts(wish)] == [("paid_twice", PROOF)]
    assert await outcome_of(bench.pool, wish) is None, "how the case ended is not what the officer said"
    assert (await bench.settle(wish, Ask.INQUIRE, at=minutes(2))).closed
    assert await outcome_of(bench.pool, wish) == "refunded"


async def test_a_transfer_that_was_refused_stays_refused_but_can_be_told_anew(bench: Bench) -> None:
    tenders = [("a", TenderKind.WALLET, 100), ("b", TenderKind.WALLET, 200)]
    order_no = await open_order(bench.pool, lines=[300], tenders=tenders)
    wish = await open_case(bench.pool, {"line:1": 300}, order_no=order_no)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER, amount=100)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, amount=200)
    await bench.settle(wish)

    for _ in range(2):  # the second time as an attempt whose answer was lost
        refused = await bench.payments.settle_manually(by_hand(wish, at=minutes(1)))
        assert refused.refusal is not None
        assert refused.refusal.code == "already_paid"
        assert states(refused) == [LegState.SUCCEEDED, LegState.ABNORMAL]
    settled = await bench.payments.settle_manually(by_hand(wish, at=minutes(2)))

    assert settled.closed
    assert [leg.paid_by for leg in settled.legs] == [PaidBy.GATEWAY, PaidBy.OFFICER]


async def test_an_advance_of_what_the_gateway_has_paid_is_refused_without_alert(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER)
    await bench.settle(wish)

    refused = await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=minutes(1)))

    assert refused.refusal is not None
    assert (refused.refusal.code, refused.closed, states(refused)) == ("already_paid", False, [LegState.SUCCEEDED])
    assert await bench.alerts(wish) == []


async def test_an_advance_pays_only_what_the_gateway_has_not(bench: Bench) -> None:
    tenders = [("a", TenderKind.WALLET, 100), ("b", TenderKind.WALLET, 200), ("c", TenderKind.WALLET, 300)]
    order_no = await open_order(bench.pool, lines=[600], tenders=tenders)
    wish = await open_case(bench.pool, {"line:1": 600}, order_no=order_no)
    await told(bench.gateway, wish, Mode.LOSE_ANSWER, amount=100)
    await told(bench.gateway, wish, Mode.DECLINE, amount=200)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, amount=300)
    assert states(await bench.settle(wish)) == [LegState.UNKNOWN, LegState.FAILED, LegState.ABNORMAL]

    settled = await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=minutes(1)))

    assert settled.closed
    assert [leg.paid_by for leg in settled.legs] == [PaidBy.GATEWAY, PaidBy.PLATFORM, PaidBy.PLATFORM]
    assert await bench.attempts(wish) == [1, 1, 1]


async def test_a_failed_leg_whose_room_is_taken_is_not_paid_by_hand(bench: Bench) -> None:
    """R8: also an officer's money counts. What has moved already is kept with its proof."""
    tenders = [("a", TenderKind.WALLET, 100), ("b", TenderKind.WALLET, 200)]
    order_no = await open_order(bench.pool, lines=[300], tenders=tenders)
    wish = await open_case(bench.pool, {"line:1": 300}, order_no=order_no)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, amount=100)
    await told(bench.gateway, wish, Mode.DECLINE, amount=200)
    await bench.settle(wish)
    await reserve(bench.pool, payout(order_no, {"line:1": 1}))

    advance = await bench.payments.settle_manually(by_hand(wish, paid_by=PaidBy.PLATFORM, at=minutes(1)))
    assert await bench.alerts(wish) == []
    transfer = await bench.payments.settle_manually(by_hand(wish, at=minutes(2)))

    for refused in (advance, transfer):
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.refusal.rule, refused.closed) == ("no_room", "R8", False)
        assert states(refused) == [LegState.ABNORMAL, LegState.FAILED], "all or none"
    assert {(each.kind, each.evidence) for each in await bench.alerts(wish)} == {("paid_beyond_cap", PROOF)}


async def test_a_gateway_that_pays_after_an_officer_raises_an_alert(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT)
    await bench.settle(wish)
    await bench.payments.settle_manually(by_hand(wish))
    number = (await bench.leg(wish)).refund_no

    late = EnterCallback(callback=callback_of(number, "succeeded", at=minutes(9)), at=minutes(9))
    (leg,) = (await bench.payments.enter_callback(late)).legs

    assert leg.paid_by is PaidBy.OFFICER
    assert [each.kind for each in await bench.alerts(wish)] == ["paid_twice"]


async def test_the_stub_takes_the_most_specific_behaviour(bench: Bench) -> None:
    wish = await open_case(bench.pool)
    order_no = wish.fund.removeprefix("order/")
    await told(bench.gateway, wish, Mode.NEVER_SETTLE, order_no=order_no)
    await told(bench.gateway, wish, Mode.DECLINE)
    await told(bench.gateway, wish, Mode.ACCOUNT_SHORT, order_no=order_no, amount=10_000, uses_left=1)

    assert states(await bench.settle(wish)) == [LegState.ABNORMAL]
    assert states(await bench.settle(wish, Ask.RETRY, at=minutes(1))) == [LegState.PROCESSING]
    mine = [each for each in await bench.gateway.behaviours() if each.merchant_id == wish.merchant_id]
    assert [each.mode for each in mine] == [Mode.NEVER_SETTLE, Mode.DECLINE]


def instruction(wish: Payout, number: str) -> RefundInstruction:
    """What the activity would send for the only leg."""
    return RefundInstruction(
        refund_no=number,
        merchant_id=wish.merchant_id,
        fund=wish.fund,
        tender="w",
        account=None,
        amount=wish.amount,
        currency="CNY",
    )


def callback_of(number: str, result: str, *, at: datetime) -> GatewayCallback:
    return GatewayCallback.model_validate(
        {
            "key": f"cb-{number}-{result}",
            "by": {"role": "gateway", "id": "gateway"},
            "refund_no": number,
            "result": result,
            "settled_at": at,
        }
    )
