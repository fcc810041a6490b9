"""Refunds through Stripe, against a server that refuses, repeats and fails as Stripe does (section 10, X1, X5, X6)."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from activities.gateways import stripe_calls
from activities.gateways.payment import (
    Charge,
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotPublished,
    NotSent,
    NumberConflict,
    RefundInstruction,
    StatementLine,
)
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from tests.gateways.stripe_server import DAY, KEY, NOON, Fault, StripeServer, stripe_server
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Payer
from workflows.rules.number_conflicts import OtherRefund


def number(leg: int) -> str:
    return f"RF0123456789abcdef0123-1-{leg}"


REFUND_NO = number(1)
TODAY = datetime.fromtimestamp(NOON, UTC).date()


def settings(base: str, **told: object) -> StripeSettings:
    return StripeSettings.model_validate({"secret_key": KEY, "api_base": base, **told})


@asynccontextmanager
async def gateway_to(server: StripeServer, **told: object) -> AsyncGenerator[StripeRefunds]:
    def now() -> datetime:
        return datetime.fromtimestamp(server.now, UTC)

    async with StripeRefunds(settings(server.base, **told), now=now) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def server() -> AsyncIterator[StripeServer]:
    async with stripe_server() as running:
        yield running


@pytest_asyncio.fixture
async def stripe(server: StripeServer) -> AsyncIterator[StripeRefunds]:
    async with gateway_to(server) as gateway:
        yield gateway


def told(
    charge: str,
    amount: int = 500,
    *,
    attempt: int = 1,
    currency: str = "CNY",
    account: str | None = None,
    leg: int = 1,
    payer: Payer = Payer.MERCHANT,
) -> RefundInstruction:
    return RefundInstruction(
        refund_no=number(leg),
        attempt=attempt,
        merchant_id="m-1",
        fund="order/DY-1",
        tender="1",
        charge=Charge(transaction=charge, total=10**9, currency=currency, account=account),
        account=None,
        amount=amount,
        currency=currency,
        payer=payer,
    )


def paid(server: StripeServer) -> int:
    return sum(each["amount"] for each in server.refunds if each["status"] in {"succeeded", "pending"})


@contextmanager
def nothing_known() -> Generator[None]:
    """Whatever is raised is no `NotSent`: that would say that surely nothing was sent."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        yield
    assert not isinstance(raised.value, NotSent), raised.value


async def test_a_refund_is_paid_once_and_is_found_by_our_number(server: StripeServer, stripe: StripeRefunds) -> None:
    instruction = told(server.charge(900))
    assert await stripe.inquire(instruction) == NotFound(refund_no=REFUND_NO)
    answer = await stripe.submit(instruction)
    assert answer == GatewayAnswer(
        refund_no=REFUND_NO,
        result=GatewayResult.SUCCEEDED,
        attempt=1,
        gateway_ref="re_000001",
        settled_at=datetime.fromtimestamp(NOON, UTC),
    )
    assert await stripe.submit(instruction) == answer
    assert await stripe.inquire(instruction) == answer
    assert paid(server) == 500
    assert server.refunds[0]["metadata"] == {"aftersales_refund": "RF0123456789abcdef0123_1_1"}
    assert len(server.posts()) == 1


async def test_the_same_refund_pays_nothing_more_after_stripe_has_forgotten_the_key(
    server: StripeServer, stripe: StripeRefunds
) -> None:
    instruction = told(server.charge(900))
    await stripe.submit(instruction)
    server.now += 2 * DAY
    assert (await stripe.submit(instruction)).gateway_ref == "re_000001"
    assert paid(server) == 500


async def test_two_that_send_at_the_same_moment_pay_once(server: StripeServer, stripe: StripeRefunds) -> None:
    instruction = told(server.charge(9000))
    answers = await asyncio.gather(*(stripe.submit(instruction) for _ in range(8)))
    assert {answer.gateway_ref for answer in answers} == {"re_000001"}
    assert paid(server) == 500


async def test_a_new_attempt_has_a_key_of_its_own(server: StripeServer, stripe: StripeRefunds) -> None:
    charge = server.charge(900)
    server.next_status = "failed"
    assert (await stripe.submit(told(charge))).result is GatewayResult.FAILED
    server.next_status = "succeeded"
    assert (await stripe.submit(told(charge, attempt=2))).attempt == 2
    assert [each["metadata"]["aftersales_refund"] for each in server.refunds] == [
        "RF0123456789abcdef0123_1_1",
        "RF0123456789abcdef0123_1_1_2",
    ]
    first = await stripe.inquire(told(charge))
    assert isinstance(first, GatewayAnswer)
    assert first.result is GatewayResult.FAILED


async def test_a_refund_is_found_behind_a_hundred_others(server: StripeServer, stripe: StripeRefunds) -> None:
    charge = server.charge(9000)
    instruction = told(charge, 10)
    first = await stripe.submit(instruction)
    for number in range(230):
        server.refunds.append({**server.refunds[0], "id": f"re_of_others{number}", "amount": 1, "metadata": {}})
    assert await stripe.inquire(instruction) == first


@pytest.mark.parametrize("intent", [False, True])
async def test_charges_and_payment_intents_are_both_refunded(
    server: StripeServer, stripe: StripeRefunds, intent: bool
) -> None:
    instruction = told(server.charge(900, intent=intent))
    assert (await stripe.submit(instruction)).result is GatewayResult.SUCCEEDED
    assert await stripe.inquire(instruction) == await stripe.submit(instruction)


@pytest.mark.parametrize(
    ("status", "reason", "result", "failure", "raw"),
    [
        ("pending", "processing", GatewayResult.PROCESSING, None, "processing"),
        # It is paid as soon as the account is filled: nobody may pay it by hand.
        ("pending", "insufficient_funds", GatewayResult.PROCESSING, None, "insufficient_funds"),
        ("requires_action", None, GatewayResult.ACTION_REQUIRED, None, None),
        ("succeeded", None, GatewayResult.SUCCEEDED, None, None),
        ("canceled", None, GatewayResult.CANCELED, "canceled", "canceled"),
        ("canceled", "merchant_request", GatewayResult.CANCELED, "canceled", "merchant_request"),
        ("failed", "lost_or_stolen_card", GatewayResult.FAILED, "card_lost", "lost_or_stolen_card"),
        ("failed", "expired_or_canceled_card", GatewayResult.FAILED, "card_expired", "expired_or_canceled_card"),
        (
            "failed",
            "charge_for_pending_refund_disputed",
            GatewayResult.FAILED,
            "charge_disputed",
            "charge_for_pending_refund_disputed",
        ),
        ("failed", "insufficient_funds", GatewayResult.FAILED, "merchant_account_short", "insufficient_funds"),
        ("failed", "declined", GatewayResult.FAILED, "declined", "declined"),
        ("failed", "unknown", GatewayResult.FAILED, "refused", "unknown"),
        ("failed", "new in 2031", GatewayResult.FAILED, "refused", "new in 2031"),
        ("newly_invented", None, GatewayResult.UNKNOWN, None, "newly_invented"),
    ],
)
async def test_each_status_is_told_in_our_words(
    server: StripeServer,
    stripe: StripeRefunds,
    status: str,
    reason: str | None,
    result: GatewayResult,
    failure: str | None,
    raw: str | None,
) -> None:
    server.next_status = status
    server.answer_with = {"pending_reason" if status == "pending" else "failure_reason": reason}
    instruction = told(server.charge(900))
    answer = await stripe.submit(instruction)
    assert (answer.result, answer.failure, answer.raw) == (result, failure, raw)
    assert (answer.settled_at is not None) == (result is GatewayResult.SUCCEEDED)
    assert await stripe.inquire(instruction) == answer


async def test_what_stripe_refuses_is_a_confirmed_failure_in_our_words(
    server: StripeServer, stripe: StripeRefunds
) -> None:
    spent, small, disputed, short = (server.charge(500) for _ in range(4))
    server.charges[disputed]["disputed"] = True
    await stripe.submit(told(spent, leg=9))
    told_of: dict[str, tuple[str | None, str | None]] = {}
    for name, instruction in {
        "spent": told(spent),
        "more than is left": told(small, 501, leg=2),
        "disputed": told(disputed, leg=3),
        "no such charge": told("ch_of_nobody", leg=4),
    }.items():
        answer = await stripe.submit(instruction)
        assert answer.result is GatewayResult.FAILED, name
        told_of[name] = (answer.failure, answer.raw)
    server.balance_short = True
    answer = await stripe.submit(told(short, leg=5))
    told_of["short"] = (answer.failure, answer.raw)
    assert told_of == {
        "spent": ("charge_refunded", "charge_already_refunded"),
        "more than is left": ("amount_refused", "invalid_request_error"),
        "disputed": ("charge_disputed", "charge_disputed"),
        "no such charge": ("charge_unknown", "resource_missing"),
        "short": ("merchant_account_short", "balance_insufficient"),
    }
    # Stripe repeats its answer to a number for a day; the next attempt has another one.
    server.balance_short = False
    assert (await stripe.submit(told(short, leg=5))).result is GatewayResult.FAILED
    assert (await stripe.submit(told(short, leg=5, attempt=2))).result is GatewayResult.SUCCEEDED


@pytest.mark.parametrize(
    "fault",
    [Fault.ERROR_AFTER_PAYING, Fault.LOST_ANSWER, Fault.BROKEN_OFF, Fault.GARBAGE, Fault.SLOW],
)
async def test_an_answer_that_is_lost_is_asked_for_and_pays_once(
    server: StripeServer, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    if fault is Fault.SLOW:
        monkeypatch.setattr(stripe_calls, "SENDING_SECONDS", 0.2)
    async with gateway_to(server) as stripe:
        instruction = told(server.charge(900))
        server.faults.append(("POST", fault))
        with nothing_known():
            await stripe.submit(instruction)
        assert len(server.posts()) == 1  # the SDK repeats nothing by itself
        answer = await stripe.inquire(instruction)
        assert isinstance(answer, GatewayAnswer)
        assert answer.result is GatewayResult.SUCCEEDED
        assert await stripe.submit(instruction) == answer
        assert paid(server) == 500


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.BAD_GATEWAY, Fault.IN_USE, Fault.PROXY_REFUSES])
async def test_no_answer_of_stripe_says_that_nothing_was_sent(
    server: StripeServer, stripe: StripeRefunds, fault: Fault
) -> None:
    instruction = told(server.charge(900))
    server.faults.append(("POST", fault))
    with nothing_known():
        await stripe.submit(instruction)
    assert await stripe.inquire(instruction) == NotFound(refund_no=REFUND_NO)


async def test_a_server_error_that_stripe_repeats_is_waited_out_under_the_same_key(
    server: StripeServer, stripe: StripeRefunds
) -> None:
    instruction = told(server.charge(900))
    server.faults.append(("POST", Fault.ERROR))
    for wait in (None, timedelta(hours=1), timedelta(hours=1)):
        with pytest.raises(GatewayUnreachable) as unknown:
            await stripe.submit(instruction)
        assert unknown.value.retry_after == wait
    server.now += DAY + 1
    assert (await stripe.submit(instruction)).result is GatewayResult.SUCCEEDED


async def test_a_key_that_was_used_for_something_else_says_nothing(server: StripeServer, stripe: StripeRefunds) -> None:
    server.faults.append(("POST", Fault.ERROR))
    with nothing_known():
        await stripe.submit(told(server.charge(900)))
    with pytest.raises(GatewayUnreachable, match="idempotency_error"):
        await stripe.submit(told(server.charge(900)))


@pytest.mark.parametrize(("fault", "code"), [(Fault.RATE_LIMITED, "rate_limit"), (Fault.LOCK_TIMEOUT, "lock_timeout")])
async def test_what_is_turned_away_unread_is_sent_again_later(
    server: StripeServer, stripe: StripeRefunds, fault: Fault, code: str
) -> None:
    instruction = told(server.charge(900))
    server.faults.append(("POST", fault))
    with pytest.raises(NotSent, match=code) as turned_away:
        await stripe.submit(instruction)
    assert turned_away.value.retry_after == timedelta(seconds=5)
    assert (await stripe.submit(instruction)).result is GatewayResult.SUCCEEDED


async def test_a_wrong_key_or_a_key_without_the_right_pays_nothing(server: StripeServer) -> None:
    charge = server.charge(900)
    async with gateway_to(server, secret_key="sk_test_of_somebody_else") as stripe:
        with pytest.raises(NotSent, match="not_permitted"):
            await stripe.submit(told(charge))
        with pytest.raises(NotSent):
            await stripe.ping()
    async with gateway_to(server) as stripe:
        server.faults.append(("POST", Fault.FORBIDDEN))
        with pytest.raises(NotSent, match="not_permitted"):
            await stripe.submit(told(charge))
    assert not server.refunds


async def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with StripeRefunds(settings(base)) as stripe:
            with pytest.raises(NotSent, match="not_connected"):
                await stripe.submit(told("ch_1"))


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.RATE_LIMITED])
async def test_nothing_is_sent_where_it_could_not_be_asked_for(
    server: StripeServer, stripe: StripeRefunds, fault: Fault
) -> None:
    instruction = told(server.charge(900))
    server.faults.append(("GET", fault))
    with pytest.raises(NotSent):
        await stripe.submit(instruction)
    assert not server.posts()


async def test_what_is_not_known_of_a_refund_is_not_concluded_from_an_unknown_charge(stripe: StripeRefunds) -> None:
    with pytest.raises(GatewayUnreachable, match="charge_unknown"):
        await stripe.inquire(told("ch_of_nobody"))


async def test_a_number_that_carries_another_refund_is_a_conflict(server: StripeServer, stripe: StripeRefunds) -> None:
    charge = server.charge(900)
    first = await stripe.submit(told(charge, 500))
    for tell in (stripe.submit, stripe.inquire):
        with pytest.raises(NumberConflict) as conflict:
            await tell(told(charge, 400))
        assert conflict.value.found == OtherRefund(
            amount=500,
            currency="CNY",
            result=GatewayResult.SUCCEEDED,
            same_payment=True,
            gateway_ref=first.gateway_ref,
        )
    assert paid(server) == 500


async def test_ours_is_found_also_behind_another_of_its_number(server: StripeServer, stripe: StripeRefunds) -> None:
    """Nothing but our asking first keeps a number on one refund there: what is paid must not look unpaid."""
    charge = server.charge(900)
    ours = await stripe.submit(told(charge, 500))
    newer = await stripe.submit(told(charge, 300, leg=2))
    number = {each["id"]: each["metadata"]["aftersales_refund"] for each in server.refunds}[ours.gateway_ref]
    next(each for each in server.refunds if each["id"] == newer.gateway_ref)["metadata"]["aftersales_refund"] = number

    for tell in (stripe.inquire, stripe.submit):
        assert await tell(told(charge, 500)) == ours
    assert paid(server) == 800


async def test_an_answer_about_another_refund_is_none(server: StripeServer, stripe: StripeRefunds) -> None:
    wrongs: list[dict[str, Any]] = [{"amount": 499}, {"amount": "500"}, {"currency": "usd"}, {"object": "charge"}]
    wrongs.append({"metadata": {}})
    for wrong in wrongs:
        server.answer_with = wrong
        with nothing_known():
            await stripe.submit(told(server.charge(900), leg=len(server.refunds) + 1))


async def test_a_charge_in_another_currency_is_not_refunded(server: StripeServer, stripe: StripeRefunds) -> None:
    instruction = told(server.charge(900, "usd"))
    assert instruction.charge is not None
    other = instruction.model_copy(update={"charge": instruction.charge.model_copy(update={"currency": "USD"})})
    with pytest.raises(NotSent, match="currency_differs"):
        await stripe.submit(other)
    with pytest.raises(NotSent, match="charge_unknown"):
        await stripe.submit(instruction.model_copy(update={"charge": None}))
    assert not server.seen


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [
        ("CNY", 1234, "1234"),
        ("JPY", 7, "7"),
        ("ISK", 7, "700"),
        ("UGX", 7, "700"),
        ("KWD", 1230, "1230"),
        ("MGA", 700, "7"),
    ],
)
async def test_amounts_are_sent_in_stripes_units(
    server: StripeServer, stripe: StripeRefunds, currency: str, ours: int, theirs: str
) -> None:
    instruction = told(server.charge(10_000, currency.lower()), ours, currency=currency)
    assert (await stripe.submit(instruction)).result is GatewayResult.SUCCEEDED
    assert server.posts()[0]["amount"] == theirs


@pytest.mark.parametrize(("currency", "ours"), [("KWD", 1234), ("MGA", 705), ("IRR", 100)])
async def test_an_amount_that_stripe_cannot_pay_is_not_sent(
    server: StripeServer, stripe: StripeRefunds, currency: str, ours: int
) -> None:
    with pytest.raises(NotSent, match="amount_not_payable"):
        await stripe.submit(told("ch_1", ours, currency=currency))
    assert not server.seen


async def test_a_connected_account_is_spoken_for(server: StripeServer) -> None:
    of_its_own, of_settings = server.charge(900, account="acct_2"), server.charge(900, account="acct_1")
    async with gateway_to(server, account="acct_1") as stripe:
        for leg, (charge, account) in enumerate(((of_its_own, "acct_2"), (of_settings, None)), 1):
            instruction = told(charge, account=account, leg=leg)
            assert (await stripe.submit(instruction)).result is GatewayResult.SUCCEEDED
            assert isinstance(await stripe.inquire(instruction), GatewayAnswer)
    assert [headers["Stripe-Account"] for method, _, _, headers in server.seen if method == "POST"] == [
        "acct_2",
        "acct_1",
    ]


@pytest.mark.parametrize(
    ("reverse", "payer", "sent"),
    [(False, Payer.MERCHANT, None), (True, Payer.MERCHANT, "true"), (True, Payer.PLATFORM, None)],
)
async def test_what_the_platform_pays_is_not_taken_from_the_merchant(
    server: StripeServer, reverse: bool, payer: Payer, sent: str | None
) -> None:
    async with gateway_to(server, reverse_transfers=reverse) as stripe:
        await stripe.submit(told(server.charge(900), payer=payer))
    assert server.posts()[0].get("reverse_transfer") == sent


async def lines_of(stripe: StripeRefunds, day: date) -> list[StatementLine]:
    return [line async for line in stripe.statement(day)]


async def test_the_statement_of_a_day_tells_what_buyers_got_and_what_came_back(server: StripeServer) -> None:
    server.settlement = ("usd", 0.14)  # the balance is kept in dollars
    async with gateway_to(server, statement_accounts="acct_2") as stripe:
        charge = server.charge(10**6)
        for leg in range(1, 106):
            server.pay(charge, 500, told(charge, leg=leg).number)
        await stripe.submit(told(server.charge(900, account="acct_2"), 300, account="acct_2", leg=106))
        server.refunds.append({**server.refunds[0], "id": "re_by_hand", "metadata": {}})
        server.transactions.append(
            {**server.transactions[0], "id": "txn_x", "source": "re_by_hand", "type": "payment_refund"}
        )
        with pytest.raises(NotPublished):
            await lines_of(stripe, TODAY)
        server.now += DAY
        server.turn("re_000001", "failed", failure_reason="declined")
        lines = {line.refund_no: line for line in await lines_of(stripe, TODAY)}
        assert len(lines) == 107
        assert lines[number(105)] == StatementLine(
            refund_no=number(105),
            amount=500,
            currency="CNY",
            result=GatewayResult.SUCCEEDED,
            attempt=1,
            gateway_ref="re_000105",
            settled_at=datetime.fromtimestamp(NOON, UTC),
        )
        assert lines[number(106)].amount == 300
        assert lines["re_by_hand"].attempt is None
        server.now += DAY
        (back,) = await lines_of(stripe, TODAY + timedelta(days=1))
        assert (back.refund_no, back.result, back.amount, back.currency) == (
            REFUND_NO,
            GatewayResult.FAILED,
            500,
            "CNY",
        )


async def test_a_sign_of_life_says_which_account_and_whether_money_moves(server: StripeServer) -> None:
    async with gateway_to(server, account="acct_1") as stripe:
        assert await stripe.ping() == "Stripe, acct_1, a sandbox: no money moves"
    assert StripeSettings.model_validate({"secret_key": "rk_live_1"}).live


async def test_nothing_secret_or_personal_is_logged_or_raised(
    server: StripeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer_with = {"description": "for mary@example.com"}
    with caplog.at_level(logging.DEBUG):
        async with gateway_to(server) as stripe:
            await stripe.submit(told(server.charge(900)))
            with pytest.raises(GatewayUnreachable) as raised:
                await stripe.inquire(told("ch_mary"))
    text = "".join(record.getMessage() for record in caplog.records if record.name.startswith("stripe"))
    assert text == ""
    assert "mary" not in f"{raised.value!r} {raised.value.__context__!r} {raised.value.__cause__!r}"
    assert KEY not in repr(settings(server.base))


def test_settings_refuse_what_cannot_be_right() -> None:
    for wrong in (
        {"secret_key": "pk_live_1"},
        {"secret_key": KEY, "webhook_secrets": "whsec_1,secret"},
        {"secret_key": KEY, "account": "m-1"},
        {"secret_key": KEY, "api_base": "https://api.stripe.com/v1"},
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            StripeSettings.model_validate(wrong)
        assert "pk_live_1" not in str(refused.value)
        assert "whsec_1,secret" not in str(refused.value)
