"""Refunds through WeChat Pay: each answer of the provider's, and what it means here (section 10, X1, X3, X6)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from activities.gateway_answers import NumberTaken, TurnedAway, Unknown
from activities.gateways import wechatpay as adapter
from activities.gateways.limits import Considered, objection
from activities.gateways.payment import GatewayAnswer, NotFound, NotSent
from activities.gateways.wechatpay import WeChatPayRefunds
from activities.gateways.wechatpay_answers import FAILURES, bank_type
from activities.gateways.wechatpay_settings import WeChatPaySettings
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from tests.gateways import wechatpay_server
from tests.gateways.conftest import REFUND_NO, TRANSACTION, instruction
from tests.gateways.wechatpay_server import Fault, Trade, WeChatPayServer
from workflows.messages.commands import GatewayResult
from workflows.messages.persons import BankAccount
from workflows.rules.number_conflicts import OtherRefund

NOW = datetime.now(UTC)
NUMBER = instruction().number
APPLY = "POST /v3/refund/domestic/refunds"


@pytest.fixture
def server(wechatpay_server_running: WeChatPayServer) -> WeChatPayServer:
    return wechatpay_server_running


@pytest.fixture
def calls(wechatpay: WeChatPayRefunds) -> PaymentCalls:
    """As the service calls an adapter."""
    return PaymentCalls(wechatpay, Measures())


async def submitted(wechatpay: WeChatPayRefunds, **told: Any) -> GatewayAnswer:
    return await wechatpay.submit(instruction(**told))


async def test_a_refund_names_the_payment_its_total_and_no_text_of_anybodys(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    answer = await submitted(wechatpay)
    assert answer.result is GatewayResult.PROCESSING
    assert (answer.refund_no, answer.attempt) == (REFUND_NO, 1)
    assert answer.gateway_ref == server.refunds[NUMBER].refund_id
    assert answer.retry_after == timedelta(minutes=1)
    assert server.bodies == [
        {
            "out_refund_no": "RF00112233445566778899_1_1",
            "transaction_id": TRANSACTION,
            "amount": {"refund": 500, "total": 10_000, "currency": "CNY"},
        }
    ]


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ("SUCCESS", GatewayResult.SUCCEEDED),
        ("PROCESSING", GatewayResult.PROCESSING),
        ("CLOSED", GatewayResult.CLOSED),
        ("ABNORMAL", GatewayResult.STRANDED),
    ],
)
async def test_each_state_has_its_meaning(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, state: str, result: GatewayResult
) -> None:
    await submitted(wechatpay)
    server.settle(NUMBER, state)
    answer = await wechatpay.inquire(instruction())
    assert isinstance(answer, GatewayAnswer)
    assert answer.result is result
    assert answer.raw == (None if state == "SUCCESS" else state)
    assert (answer.settled_at is not None) == (state == "SUCCESS")


async def test_a_state_that_nobody_knows_concludes_nothing(calls: PaymentCalls, server: WeChatPayServer) -> None:
    server.first_state = "REVIEWING"
    assert await calls.submit(instruction(), NOW) == Unknown()
    assert await calls.inquire(instruction(), NOW) == Unknown()


async def test_a_number_pays_once_however_often_and_at_once_it_is_sent(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    answers = await asyncio.gather(*(submitted(wechatpay) for _ in range(4)))
    assert {answer.result for answer in answers} == {GatewayResult.PROCESSING}
    assert server.balance == 10**9 - 500


@pytest.mark.parametrize(
    "fault",
    [
        Fault.LOSE_ANSWER,
        Fault.WRONG_KEY,
        Fault.FOREIGN_ID,
        Fault.NO_SIGNATURE,
        Fault.HTML_502,
        Fault.GARBLED,
        Fault.SYSTEM_ERROR,
        Fault.SLOW,
    ],
)
async def test_what_cannot_be_believed_is_unknown_and_is_found_out_by_asking(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, fault: Fault
) -> None:
    server.faults.append(fault)
    calls = PaymentCalls(wechatpay, Measures(), seconds=0.3 if fault is Fault.SLOW else 5)
    assert await calls.submit(instruction(), NOW) == Unknown()
    server.settle(NUMBER, "SUCCESS")
    found = await wechatpay.inquire(instruction())
    assert isinstance(found, GatewayAnswer)
    assert found.result is GatewayResult.SUCCEEDED
    server.faults.append(fault)
    assert await calls.inquire(instruction(), NOW) == Unknown()


async def test_the_sdk_gives_up_before_the_service_does(
    wechatpay_variables: None, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adapter.CONNECT_SECONDS + adapter.READ_SECONDS < 5
    monkeypatch.setattr(adapter, "READ_SECONDS", 0.2)
    monkeypatch.setenv("AFTERSALES_WECHATPAY_BASE_URL", server.url)
    async with WeChatPayRefunds() as wechatpay:
        server.faults.append(Fault.SLOW)
        with pytest.raises(httpx.ReadTimeout):
            await wechatpay.submit(instruction())


async def test_a_404_of_a_proxy_is_not_the_provider_knowing_nothing(
    calls: PaymentCalls, server: WeChatPayServer
) -> None:
    assert await calls.inquire(instruction(), NOW) == NotFound(refund_no=REFUND_NO)
    server.faults.append(Fault.HTML_404)
    assert await calls.inquire(instruction(), NOW) == Unknown()


async def test_a_connection_that_never_came_about_has_sent_nothing(
    wechatpay_variables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERSALES_WECHATPAY_BASE_URL", "http://127.0.0.1:1")
    async with WeChatPayRefunds() as wechatpay:
        calls = PaymentCalls(wechatpay, Measures())
        assert await calls.submit(instruction(), NOW) == TurnedAway("not_connected")


async def test_a_short_account_waits_for_money_under_the_same_number(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    server.balance = 499
    short = await submitted(wechatpay)
    assert (short.result, short.failure, short.raw) == (
        GatewayResult.ABNORMAL,
        "merchant_account_short",
        "NOT_ENOUGH",
    )
    assert await wechatpay.inquire(instruction()) == NotFound(refund_no=REFUND_NO)
    server.balance = 500
    assert (await submitted(wechatpay)).result is GatewayResult.PROCESSING


async def test_a_closed_number_is_used_up_and_the_next_attempt_has_its_own(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    await submitted(wechatpay)
    server.settle(NUMBER, "CLOSED")
    server.ahead = timedelta(minutes=2)
    assert (await submitted(wechatpay)).result is GatewayResult.CLOSED
    second = await submitted(wechatpay, attempt=2)
    assert (second.result, second.attempt) == (GatewayResult.PROCESSING, 2)
    assert set(server.refunds) == {NUMBER, f"{NUMBER}_2"}


async def test_an_attempt_is_not_sent_while_one_before_it_may_pay(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    await submitted(wechatpay)
    server.ahead = timedelta(minutes=2)
    second = await submitted(wechatpay, attempt=2)
    assert (second.result, second.attempt) == (GatewayResult.PROCESSING, 1)
    assert set(server.refunds) == {NUMBER}


async def test_a_number_with_other_content_is_a_conflict(
    calls: PaymentCalls, wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    """Another amount of this payment is the buyer's; of another payment it may be anybody's."""
    first = await submitted(wechatpay)
    server.settle(NUMBER, "SUCCESS")
    told = instruction()
    assert told.charge is not None
    elsewhere = told.model_copy(update={"charge": told.charge.model_copy(update={"transaction": "4200"})})
    for wish, same_payment in ((instruction(amount=501), True), (elsewhere, False)):
        other = OtherRefund(
            amount=500,
            currency="CNY",
            result=GatewayResult.SUCCEEDED,
            same_payment=same_payment,
            gateway_ref=first.gateway_ref,
        )
        for tell in (calls.submit, calls.inquire):
            assert await tell(wish, NOW) == NumberTaken(other)


async def test_more_than_is_left_of_the_payment_fails(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    await submitted(wechatpay, amount=9_600)
    server.ahead = timedelta(minutes=2)
    refused = await submitted(wechatpay, amount=500, number=2)
    assert (refused.result, refused.failure, refused.raw) == (
        GatewayResult.FAILED,
        "refused_by_provider",
        "INVALID_REQUEST",
    )


async def test_a_payment_that_the_provider_does_not_have_fails(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    server.trades.clear()
    refused = await submitted(wechatpay)
    assert (refused.result, refused.failure) == (GatewayResult.FAILED, "charge_not_found")


async def test_a_buyers_closed_account_fails(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    server.user_account_closed = True
    refused = await submitted(wechatpay)
    assert (refused.result, refused.failure, refused.raw) == (
        GatewayResult.FAILED,
        "payer_account_closed",
        "USER_ACCOUNT_ABNORMAL",
    )


@pytest.mark.parametrize("code", sorted(FAILURES))
async def test_a_refusal_of_a_number_that_exists_is_not_believed(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    await submitted(wechatpay)

    def refuse(*_: object) -> dict[str, Any]:
        raise wechatpay_server.RefusedError(400, code)

    monkeypatch.setattr(server, "_trade", refuse)
    assert (await submitted(wechatpay)).result is GatewayResult.PROCESSING


async def test_a_refusal_is_not_believed_while_the_number_cannot_be_asked_for(
    calls: PaymentCalls, server: WeChatPayServer
) -> None:
    server.user_account_closed = True
    server.faults += [None, Fault.HTML_502]
    assert await calls.submit(instruction(), NOW) == Unknown()


async def test_two_refunds_of_one_payment_lie_a_minute_apart(calls: PaymentCalls, server: WeChatPayServer) -> None:
    await calls.submit(instruction(), NOW)
    early = await calls.submit(instruction(number=2), NOW)
    assert early == TurnedAway("FREQUENCY_LIMITED", timedelta(minutes=1))
    server.ahead = timedelta(minutes=1)
    later = await calls.submit(instruction(number=2), NOW)
    assert isinstance(later, GatewayAnswer)


async def test_a_rate_limit_and_a_wrong_key_have_sent_nothing(calls: PaymentCalls, server: WeChatPayServer) -> None:
    server.faults.append(Fault.RATE_LIMIT)
    assert await calls.submit(instruction(), NOW) == TurnedAway("RATELIMIT_EXCEEDED", timedelta(minutes=1))
    server.keys = wechatpay_server.Keys()
    assert await calls.submit(instruction(), NOW) == TurnedAway("SIGN_ERROR", timedelta(minutes=5))
    assert not server.refunds


async def test_the_fifty_first_refund_and_one_after_a_year_are_known_not_to_be_taken(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    """By our limits before they are sent, and by the provider if they are sent all the same."""
    paid_at = server.trades[TRANSACTION].paid_at
    taken = Considered(amount=1, currency="CNY", charge_known=True, paid_at=paid_at, refunds=49)
    assert objection(wechatpay.limits, taken, NOW) is None
    await submitted(wechatpay, amount=1)
    first = server.refunds[NUMBER]
    server.refunds |= {f"{NUMBER}_{each}": replace(first, number=f"{NUMBER}_{each}") for each in range(2, 51)}
    server.ahead = timedelta(minutes=1)
    assert (await submitted(wechatpay, amount=1, number=51)).result is GatewayResult.FAILED
    full = Considered(amount=1, currency="CNY", charge_known=True, paid_at=paid_at, refunds=50)
    assert (against := objection(wechatpay.limits, full, NOW))
    assert against.code == "too_many_refunds"
    assert (against := objection(wechatpay.limits, taken, paid_at + timedelta(days=365, seconds=1)))
    assert against.code == "charge_too_old"
    server.refunds.clear()
    server.trades[TRANSACTION] = Trade(10_000, NOW - timedelta(days=366))
    assert (await submitted(wechatpay)).result is GatewayResult.FAILED


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"currency": "USD", "charge_known": True}, "currency_not_taken"),
        ({"currency": "CNY", "charge_known": False}, "charge_unknown"),
        ({"currency": "CNY", "original_route": False}, "no_bank_transfers"),
    ],
)
def test_what_it_cannot_pay_is_known_without_asking(told: dict[str, Any], code: str) -> None:
    assert (against := objection(WeChatPayRefunds.limits, Considered(amount=1, **told), NOW))
    assert against.code == code


async def test_without_the_payment_nothing_is_sent(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    refused = await wechatpay.submit(instruction().model_copy(update={"charge": None}))
    assert (refused.result, refused.failure) == (GatewayResult.FAILED, "charge_unknown")
    assert not server.asked


# ── money that lies with the provider ──


def to_card(bank: str = "中国工商银行") -> dict[str, Any]:
    return {
        "bank_account": BankAccount(
            holder=SecretStr("李雷"), number=SecretStr("6222021234567890"), bank=SecretStr(bank)
        )
    }


async def test_stranded_money_is_sent_on_to_a_card_that_only_the_provider_can_read(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    server.first_state = "ABNORMAL"
    assert (await submitted(wechatpay)).result is GatewayResult.STRANDED
    sent_on = await wechatpay.redirect(instruction().model_copy(update=to_card()))
    assert sent_on.result is GatewayResult.PROCESSING
    assert server.refunds[NUMBER].sent_on_to == ("ICBC_DEBIT", "6222021234567890", "李雷")
    again = await wechatpay.redirect(instruction().model_copy(update=to_card()))
    assert again.result is GatewayResult.PROCESSING
    assert len([asked for asked in server.asked if asked.endswith("apply-abnormal-refund")]) == 1


async def test_nothing_but_stranded_money_is_sent_on(wechatpay: WeChatPayRefunds, server: WeChatPayServer) -> None:
    server.first_state = "SUCCESS"
    await submitted(wechatpay)
    answer = await wechatpay.redirect(instruction().model_copy(update=to_card()))
    assert answer.result is GatewayResult.SUCCEEDED
    assert server.refunds[NUMBER].sent_on_to is None


@pytest.mark.parametrize(
    ("update", "code"),
    [({}, "no_account"), (to_card("某某村镇银行"), "bank_not_taken"), (to_card(), "RESOURCE_NOT_EXISTS")],
)
async def test_what_cannot_be_sent_on_has_sent_nothing(calls: PaymentCalls, update: dict[str, Any], code: str) -> None:
    assert await calls.redirect(instruction().model_copy(update=update), NOW) == TurnedAway(code)


async def test_a_lost_answer_to_sending_on_is_unknown(calls: PaymentCalls, server: WeChatPayServer) -> None:
    server.first_state = "ABNORMAL"
    await calls.submit(instruction(), NOW)
    server.faults += [None, Fault.LOSE_ANSWER]
    assert await calls.redirect(instruction().model_copy(update=to_card()), NOW) == Unknown()
    stands = await calls.inquire(instruction(), NOW)
    assert isinstance(stands, GatewayAnswer)
    assert stands.result is GatewayResult.PROCESSING


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("中国银行", "BOC_DEBIT"),
        ("招商银行股份有限公司", "CMB_DEBIT"),
        ("中国邮政储蓄银行", "PSBC_DEBIT"),
        ("CEB_DEBIT", "CEB_DEBIT"),
        ("ICBC", None),
    ],
)
def test_banks_are_known_by_what_their_names_contain(name: str, code: str | None) -> None:
    assert bank_type(name) == code


# ── partners ──


async def test_a_service_provider_names_the_sub_merchant_in_every_call(
    wechatpay_variables: None, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERSALES_WECHATPAY_BASE_URL", server.url)
    monkeypatch.setenv("AFTERSALES_WECHATPAY_PARTNER", "true")
    server.partner, server.first_state = True, "ABNORMAL"
    server.trades[TRANSACTION].sub_mchid = "1900000777"
    told = instruction(account="1900000777")
    async with WeChatPayRefunds() as wechatpay:
        assert (await wechatpay.submit(told)).result is GatewayResult.STRANDED
        assert isinstance(await wechatpay.inquire(told), GatewayAnswer)
        assert (await wechatpay.redirect(told.model_copy(update=to_card()))).result is GatewayResult.PROCESSING
        assert server.bodies[0]["sub_mchid"] == "1900000777"
        without = await wechatpay.submit(instruction())
        assert (without.result, without.failure) == (GatewayResult.FAILED, "charge_unknown")
        assert await PaymentCalls(wechatpay, Measures()).inquire(instruction(), NOW) == Unknown()
        assert await wechatpay.ping() == "WeChat Pay service provider 1900000109"


# ── settings ──


async def test_a_sign_of_life_shows_that_the_provider_knows_the_key(
    wechatpay: WeChatPayRefunds, server: WeChatPayServer
) -> None:
    assert await wechatpay.ping() == "WeChat Pay merchant 1900000109"
    server.faults.append(Fault.HTML_502)
    with pytest.raises(Exception, match="http_502"):
        await wechatpay.ping()
    server.keys = wechatpay_server.Keys()
    with pytest.raises(NotSent, match="SIGN_ERROR"):
        await wechatpay.ping()


def test_settings_without_a_key_to_verify_by_are_refused_by_name(
    wechatpay_variables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AFTERSALES_WECHATPAY_PUBLIC_KEY_FILE")
    with pytest.raises(ValidationError, match="public_key_id and public_key_file go together"):
        WeChatPaySettings()  # pyright: ignore[reportCallIssue]
    monkeypatch.delenv("AFTERSALES_WECHATPAY_PUBLIC_KEY_ID")
    with pytest.raises(ValidationError, match="public_key_file or certificates_folder must be set"):
        WeChatPaySettings()  # pyright: ignore[reportCallIssue]


async def test_no_secret_is_written_anywhere(
    wechatpay: WeChatPayRefunds, wechatpay_variables: None, server: WeChatPayServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        server.faults.append(Fault.WRONG_KEY)
        server.first_state = "ABNORMAL"
        calls = PaymentCalls(wechatpay, Measures())
        await calls.submit(instruction(), NOW)
        await calls.redirect(instruction().model_copy(update=to_card()), NOW)
    written = caplog.text + repr(wechatpay) + repr(WeChatPaySettings())  # pyright: ignore[reportCallIssue]
    secrets = [wechatpay_server.API_V3_KEY, "PRIVATE KEY-----", "6222021234567890", "李雷"]
    assert not [secret for secret in secrets if secret in written]
