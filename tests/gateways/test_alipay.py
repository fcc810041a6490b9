"""Refunds through Alipay: its answers, callbacks and bill, and what each means here (section 10, X1, X3, X5, X6)."""

import asyncio
import io
import zipfile
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from activities.gateway_answers import NumberTaken, TurnedAway, Unknown
from activities.gateways import alipay as adapter
from activities.gateways.alipay import AlipayRefunds
from activities.gateways.alipay_answers import FAILURES, fen, yuan
from activities.gateways.alipay_bill import BillUnreadableError, lines
from activities.gateways.alipay_signatures import UnverifiedError, text_to_sign, verified_answer
from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.limits import Considered, objection
from activities.gateways.payment import GatewayAnswer, NotFound, NotPublished, NotSent, StatementLine
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from tests.gateways.alipay_server import BEIJING, AlipayServer, Fault, Kept
from tests.gateways.conftest import REFUND_NO, TRANSACTION, instruction
from tests.gateways.wechatpay_server import Keys
from workflows.messages.commands import GatewayResult
from workflows.rules.number_conflicts import OtherRefund

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(BEIJING).date()
NUMBER = instruction().number


@pytest.fixture
def server(alipay_server_running: AlipayServer) -> AlipayServer:
    return alipay_server_running


@pytest.fixture
def calls(alipay: AlipayRefunds) -> PaymentCalls:
    return PaymentCalls(alipay, Measures())


async def test_a_refund_is_paid_at_once_and_amounts_are_yuan_as_text(
    alipay: AlipayRefunds, server: AlipayServer
) -> None:
    answer = await alipay.submit(instruction(amount=1234))
    kept = server.refunds[TRANSACTION, NUMBER]
    assert answer.result is GatewayResult.SUCCEEDED
    assert answer.settled_at == kept.paid_at.replace(microsecond=0)
    assert server.asked == [
        ("alipay.trade.refund", {"trade_no": TRANSACTION, "refund_amount": "12.34", "out_request_no": NUMBER})
    ]


@pytest.mark.parametrize(("amount", "text"), [(1, "0.01"), (100, "1.00"), (123_456, "1234.56"), (10, "0.10")])
def test_yuan_and_fen_are_the_same_money(amount: int, text: str) -> None:
    assert yuan(amount) == text
    assert fen(text) == amount
    assert fen(f"-{text}") == -amount


@pytest.mark.parametrize("text", ["1.234", "1e3", "", "NaN", "1,000.00"])
def test_what_is_no_amount_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        fen(text)


async def test_a_number_pays_once_however_often_and_at_once_it_is_sent(
    alipay: AlipayRefunds, server: AlipayServer
) -> None:
    """The second answer says ``fund_change`` N, and is a success all the same."""
    answers = await asyncio.gather(*(alipay.submit(instruction(attempt=each)) for each in (1, 1, 2)))
    assert {answer.result for answer in answers} == {GatewayResult.SUCCEEDED}
    assert server.balance == 1_000_000 - 5
    assert len(server.refunds) == 1


async def test_what_the_trade_was_paid_back_in_all_is_not_taken_for_this_refund(
    alipay: AlipayRefunds, server: AlipayServer
) -> None:
    await alipay.submit(instruction())
    assert (await alipay.submit(instruction(number=2, amount=700))).result is GatewayResult.SUCCEEDED
    found = await alipay.inquire(instruction(number=2, amount=700))
    assert isinstance(found, GatewayAnswer)


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.NOT_YET])
async def test_what_cannot_be_believed_is_unknown_and_is_found_out_by_asking(
    alipay: AlipayRefunds, server: AlipayServer, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is Fault.SLOW:
        monkeypatch.setattr(adapter, "TOTAL_SECONDS", 0.2)
    calls = PaymentCalls(alipay, Measures())
    server.faults.append(fault)
    assert await calls.submit(instruction(), NOW) == Unknown()
    server.faults.append(fault)
    assert await calls.inquire(instruction(), NOW) == Unknown()
    monkeypatch.undo()
    found = await alipay.inquire(instruction())
    assert isinstance(found, GatewayAnswer)
    assert found.result is GatewayResult.SUCCEEDED
    assert found.settled_at is not None


def test_two_requests_end_before_the_service_gives_up() -> None:
    assert 2 * adapter.TOTAL_SECONDS < 5


async def test_nothing_moved_and_nothing_found_is_under_way(alipay: AlipayRefunds, server: AlipayServer) -> None:
    server.faults.append(Fault.NOT_YET)
    answer = await alipay.submit(instruction())
    assert (answer.result, answer.retry_after) == (GatewayResult.PROCESSING, timedelta(seconds=10))


async def test_what_was_never_sent_is_not_found(alipay: AlipayRefunds, server: AlipayServer) -> None:
    assert await alipay.inquire(instruction()) == NotFound(refund_no=REFUND_NO)
    server.trades.clear()
    assert await alipay.inquire(instruction()) == NotFound(refund_no=REFUND_NO)


async def test_a_short_account_waits_for_money_under_the_same_number(
    alipay: AlipayRefunds, server: AlipayServer
) -> None:
    server.balance = fen_as_yuan(499)
    short = await alipay.submit(instruction())
    assert (short.result, short.failure) == (GatewayResult.ABNORMAL, "merchant_account_short")
    assert short.raw == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
    server.balance = fen_as_yuan(500)
    assert (await alipay.submit(instruction())).result is GatewayResult.SUCCEEDED


def fen_as_yuan(amount: int) -> Decimal:
    return Decimal(amount) / 100


@pytest.mark.parametrize(("code", "failure"), sorted(FAILURES.items()))
async def test_each_refusal_has_its_meaning_and_is_believed_only_of_what_is_not_found(
    alipay: AlipayRefunds, server: AlipayServer, code: str, failure: str
) -> None:
    server.refuse = code
    refused = await alipay.submit(instruction())
    assert (refused.result, refused.failure, refused.raw) == (GatewayResult.FAILED, failure, code)
    server.refuse = None
    await alipay.submit(instruction())
    server.refuse = code
    assert (await alipay.submit(instruction())).result is GatewayResult.SUCCEEDED


async def test_a_refusal_that_nobody_knows_concludes_nothing(calls: PaymentCalls, server: AlipayServer) -> None:
    server.refuse = "ACQ.NEW_RULE"
    assert await calls.submit(instruction(), NOW) == Unknown()


async def test_more_than_is_left_of_the_trade_fails(alipay: AlipayRefunds) -> None:
    await alipay.submit(instruction(amount=9_600))
    refused = await alipay.submit(instruction(amount=500, number=2))
    assert (refused.result, refused.raw) == (GatewayResult.FAILED, "ACQ.REASON_TRADE_REFUND_FEE_ERR")


async def test_a_number_with_another_amount_is_a_conflict(calls: PaymentCalls, alipay: AlipayRefunds) -> None:
    await alipay.submit(instruction())
    other = OtherRefund(amount=500, currency="CNY", result=GatewayResult.SUCCEEDED, same_payment=True)
    for tell in (calls.submit, calls.inquire):
        assert await tell(instruction(amount=501), NOW) == NumberTaken(other)


async def test_a_number_whose_other_content_is_not_told_is_a_conflict_all_the_same(
    calls: PaymentCalls, server: AlipayServer
) -> None:
    server.refuse = "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert await calls.submit(instruction(), NOW) == NumberTaken(None)


async def test_wrong_keys_and_no_connection_have_sent_nothing(
    alipay: AlipayRefunds, calls: PaymentCalls, server: AlipayServer, monkeypatch: pytest.MonkeyPatch, keys: Keys
) -> None:
    stranger = Keys()
    stranger.platform = keys.platform
    server.keys = stranger
    assert await calls.submit(instruction(), NOW) == TurnedAway("isv.invalid-signature", timedelta(minutes=5))
    settings = alipay._settings.model_copy(update={"gateway_url": "http://127.0.0.1:1/gateway.do"})  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(alipay, "_settings", settings)
    assert await calls.submit(instruction(), NOW) == TurnedAway("not_connected")
    assert not server.refunds


async def test_without_the_trade_nothing_is_sent(alipay: AlipayRefunds, server: AlipayServer) -> None:
    refused = await alipay.submit(instruction().model_copy(update={"charge": None}))
    assert (refused.result, refused.failure) == (GatewayResult.FAILED, "charge_unknown")
    assert not server.asked
    against = objection(alipay.limits, Considered(amount=1, currency="CNY"), NOW)
    assert against is not None
    assert against.code == "charge_unknown"


async def test_it_cannot_send_money_on(alipay: AlipayRefunds) -> None:
    with pytest.raises(NotSent, match="cannot_redirect"):
        await alipay.redirect(instruction())


async def test_a_sign_of_life_is_a_verified_answer(alipay: AlipayRefunds, server: AlipayServer) -> None:
    assert await alipay.ping() == "Alipay application 2014072300007148"
    server.faults.append(Fault.WRONG_KEY)
    with pytest.raises(Exception, match="not_verified"):
        await alipay.ping()


# ── signatures ──


def test_what_is_signed_is_every_value_by_name() -> None:
    told = {"version": "1.0", "app_id": "1", "biz_content": '{"a":"b c"}', "notify_url": ""}
    assert text_to_sign(told) == 'app_id=1&biz_content={"a":"b c"}&version=1.0'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "<html>502</html>",
        '{"sign":"AAAA"}',
        '{"a_b_response":{"code":"10000"}}',
        '{"a_b_response"',
        "{ ",
    ],
)
def test_what_is_no_signed_answer_is_not_verified(body: str, keys: Keys) -> None:
    with pytest.raises(UnverifiedError):
        verified_answer(body, "a.b", keys.platform.public_key())


# ── callbacks ──


@pytest.fixture
async def paid(alipay: AlipayRefunds, server: AlipayServer) -> AlipayServer:
    await alipay.submit(instruction())
    return server


async def why_refused(alipay: AlipayRefunds, request: CallbackRequest) -> Refused:
    with pytest.raises(CallbackRefused) as caught:
        await alipay.read_callback(request)
    return caught.value.why


async def test_a_genuine_callback_tells_of_the_refund_and_wants_to_read_success(
    alipay: AlipayRefunds, paid: AlipayServer
) -> None:
    read = await alipay.read_callback(paid.callback())
    assert read.key == "ac05099524730693a8b330c5ecf72da978"
    assert read.answer is not None
    assert (read.answer.refund_no, read.answer.attempt, read.answer.result) == (
        REFUND_NO,
        None,
        GatewayResult.SUCCEEDED,
    )
    assert read.answer.settled_at == paid.refunds[TRANSACTION, NUMBER].paid_at.replace(microsecond=0)
    assert read.said_at == read.answer.settled_at
    assert (read.reply.status, read.reply.body) == (200, b"success")
    assert (await alipay.read_callback(paid.callback(at=NOW - timedelta(hours=1)))).key == read.key


async def test_forged_callbacks_are_refused(alipay: AlipayRefunds, paid: AlipayServer) -> None:
    genuine = paid.callback()
    forged = [
        paid.callback(key=paid.keys.other),
        paid.callback(app_id="2014072300009999"),
        CallbackRequest(genuine.body.replace(b"refund_fee=5", b"refund_fee=9"), {}, NOW),
        CallbackRequest(genuine.body.replace(b"sign_type=RSA2", b"sign_type=RSA"), {}, NOW),
        CallbackRequest(genuine.body.split(b"&sign=")[0] + b"&sign_type=RSA2", {}, NOW),
        CallbackRequest(genuine.body + b"&out_biz_no=RF00112233445566778899_9_9", {}, NOW),
        CallbackRequest(b"\xff\xfe", {}, NOW),
        CallbackRequest(b"", {}, NOW),
    ]
    assert b"refund_fee=5" in genuine.body
    assert "sign" in parse_qs(genuine.body.decode())
    assert [await why_refused(alipay, each) for each in forged] == [Refused.FORGED] * len(forged)


async def test_a_callback_is_stale_after_all_its_repetitions(alipay: AlipayRefunds, paid: AlipayServer) -> None:
    assert (await alipay.read_callback(paid.callback(at=NOW - timedelta(hours=25)))).answer is not None
    assert await why_refused(alipay, paid.callback(at=NOW - timedelta(hours=27))) is Refused.STALE


async def test_a_callback_without_sense_cannot_be_read(alipay: AlipayRefunds, paid: AlipayServer) -> None:
    assert await why_refused(alipay, paid.callback(notify_time="today")) is Refused.UNREADABLE
    assert await why_refused(alipay, paid.callback(gmt_refund="today")) is Refused.UNREADABLE


async def test_a_callback_about_something_else_is_answered_and_forgotten(
    alipay: AlipayRefunds, paid: AlipayServer
) -> None:
    for request in (paid.callback(gmt_refund="", out_biz_no=""), paid.callback(out_biz_no="another-1")):
        told = await alipay.read_callback(request)
        assert (told.answer, told.reply.body) == (None, b"success")
    odd = await alipay.read_callback(paid.callback(notify_id="a/b" * 40))
    assert len(odd.key) == 64


# ── statements ──


@pytest.fixture
def next_morning(alipay: AlipayRefunds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests bear the moment as well, so the clock moves for the question whether the day is published alone."""
    monkeypatch.setattr(adapter, "PUBLISHED_AT", time(0, tzinfo=BEIJING))

    def no_day(*, days: int) -> timedelta:
        assert days == 1
        return timedelta(0)

    monkeypatch.setattr(adapter, "timedelta", no_day)


async def read(alipay: AlipayRefunds) -> list[StatementLine]:
    return [line async for line in alipay.statement(TODAY)]


@pytest.mark.usefixtures("next_morning")
async def test_a_day_tells_the_refunds_among_all_trades(alipay: AlipayRefunds, server: AlipayServer) -> None:
    await alipay.submit(instruction(amount=1234))
    server.refunds[TRANSACTION, "other-7"] = Kept("other-7", TRANSACTION, fen_as_yuan(100), NOW)
    ours, others = await read(alipay)
    assert (ours.refund_no, ours.amount, ours.currency, ours.result) == (
        REFUND_NO,
        1234,
        "CNY",
        GatewayResult.SUCCEEDED,
    )
    assert ours.settled_at == server.refunds[TRANSACTION, NUMBER].paid_at.replace(microsecond=0)
    assert (others.refund_no, others.amount) == ("other-7", 100)


@pytest.mark.usefixtures("next_morning")
async def test_a_day_without_a_bill_is_empty(alipay: AlipayRefunds, server: AlipayServer) -> None:
    server.no_bill = True
    assert await read(alipay) == []


async def test_a_day_is_published_at_ten_the_next_morning(
    alipay: AlipayRefunds, server: AlipayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    morning = datetime.combine(TODAY + timedelta(days=1), time(9, 59, 59), BEIJING)
    monkeypatch.setattr(alipay, "_clock", lambda: morning)
    with pytest.raises(NotPublished):
        await read(alipay)
    assert not server.asked


@pytest.mark.usefixtures("next_morning")
@pytest.mark.parametrize(
    ("before", "after"),
    [("#退款合计：1笔", "#退款合计：2笔"), ("#退款合计", "#合计"), ("退款批次号", "批次"), ("-5", "-five")],
)
async def test_a_bill_with_something_amiss_says_nothing(
    alipay: AlipayRefunds, server: AlipayServer, before: str, after: str
) -> None:
    await alipay.submit(instruction())

    def spoil(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    server.spoilt_bill = spoil
    with pytest.raises(BillUnreadableError):
        await read(alipay)


def test_a_bill_that_is_no_zip_or_has_no_details_says_nothing() -> None:
    with pytest.raises(BillUnreadableError):
        list(lines(io.BytesIO(b"<html>timed out, download again</html>")))
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("else.csv", "")
    with pytest.raises(BillUnreadableError):
        list(lines(empty))
