"""Section 10, R18: whatever a provider answers, it is one of our answers, or nothing is known; no other error leaves.

Nothing is taken for paid that is of another number, another amount or another currency, and none of it is logged.
"""

import asyncio
import json
import logging
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pytest
from aiohttp import web

from activities.gateway_answers import NumberTaken, TurnedAway, Unknown, answered
from activities.gateways.alipay import AlipayRefunds
from activities.gateways.alipay_bill import BillUnreadableError as AlipayBillUnreadableError
from activities.gateways.payment import (
    Charge,
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotPublished,
    PaymentGateway,
    RefundInstruction,
)
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from activities.gateways.wechatpay import WeChatPayRefunds
from activities.gateways.wechatpay_bill import BillUnreadableError
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from tests.gateways.alipay_server import AlipayServer, _sign  # pyright: ignore[reportPrivateUsage]
from tests.gateways.conftest import TRANSACTION, instruction
from tests.gateways.stripe_server import KEY
from tests.gateways.wechatpay_server import PUBLIC_KEY_ID, WeChatPayServer, signature
from tests.patience import PATIENCE
from tests.proofs.hostile_answers import ENOUGH, odd_http, serving
from tests.proofs.hostile_values import MARK, Document, Sender
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import LegState, LegStatus
from workflows.rules.number_conflicts import number_in_use

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "64"))
AT_ONCE: Final = 8
AMOUNT: Final = 500
AT: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
Heard = GatewayAnswer | NotFound | TurnedAway | NumberTaken | Unknown


@dataclass(frozen=True)
class Attempt:
    at: datetime = AT
    arrival: None = None


@dataclass(frozen=True)
class Provider:
    """An adapter before a server that says what it is told to."""

    gateway: PaymentGateway
    say: Callable[[bytes], None]
    """What the next answers say, as a text that the provider signs."""
    genuine: tuple[Document, ...]
    paid: Callable[[Any], bool]
    """Whether a document says that just this refund is paid."""


def refund_of(number: str, **changes: Any) -> Document:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": AMOUNT,
        "currency": "cny",
        "created": 1_795_867_200,
        "status": "succeeded",
        "metadata": {"aftersales_refund": number},
        "failure_reason": None,
    } | changes


def _is_paid_by_stripe(said: Any) -> bool:
    found: Any = said if said.get("object") == "refund" else said["data"][0]
    told = (found["amount"], found["currency"], found["metadata"]["aftersales_refund"], found["status"])
    return told == (AMOUNT, "cny", instruction().number, "succeeded")


@asynccontextmanager
async def stripe() -> AsyncGenerator[Provider]:
    said = [b"{}"]

    async def serve(request: web.Request) -> web.Response:
        del request
        return web.Response(body=said[0], content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = StripeSettings.model_validate(
        {"secret_key": KEY, "api_base": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    )
    number = instruction().number
    async with StripeRefunds(settings) as gateway:
        yield Provider(
            gateway,
            lambda text: said.__setitem__(0, text),
            (
                {"object": "list", "data": [refund_of(number)], "has_more": False, "url": "/v1/refunds"},
                {"object": "list", "data": [refund_of(number, status="failed")], "has_more": True},
                refund_of(number),
            ),
            _is_paid_by_stripe,
        )
    await runner.cleanup()


@asynccontextmanager
async def alipay(
    gateway: AlipayRefunds, server: AlipayServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Provider]:
    said = [b"{}"]

    def signed(method: str, *_: object) -> web.Response:
        node = said[0]
        sign = _sign(server.keys.platform, node.decode("utf-8", "replace"))
        member = method.replace(".", "_").encode() + b"_response"
        return web.Response(body=b'{"%s":%s,"sign":"%s"}' % (member, node, sign.encode()), content_type="text/html")

    monkeypatch.setattr(server, "_signed", signed)
    number = instruction().lasting_number
    asked = {"code": "10000", "msg": "Success", "out_request_no": number, "refund_amount": "5.00"}
    found = asked | {"refund_status": "REFUND_SUCCESS", "gmt_refund_pay": "2026-11-28 09:30:00"}
    yield Provider(
        gateway,
        lambda text: said.__setitem__(0, text),
        (
            found,
            {"code": "10000", "msg": "Success", "fund_change": "Y", "gmt_refund_pay": "2026-11-28 09:30:00"},
            {"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": MARK},
        ),
        lambda told: (
            told.get("fund_change") == "Y" or (told["out_request_no"], told["refund_amount"]) == (number, "5.00")
        ),
    )


@asynccontextmanager
async def wechatpay(
    gateway: WeChatPayRefunds, server: WeChatPayServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Provider]:
    said = [b"{}"]

    def signed(*_: object, status: int = 200, **__: object) -> web.Response:
        headers = signature(server.keys.platform, said[0], PUBLIC_KEY_ID)
        return web.Response(status=status, body=said[0], content_type="application/json", headers=headers)

    monkeypatch.setattr(server, "_signed", signed)
    paid = {
        "refund_id": "50300000000000000000000000000001",
        "out_refund_no": instruction().number,
        "transaction_id": TRANSACTION,
        "status": "SUCCESS",
        "success_time": "2026-11-28T09:30:00+08:00",
        "amount": {"total": 10_000, "refund": AMOUNT, "currency": "CNY"},
    }
    yield Provider(
        gateway,
        lambda text: said.__setitem__(0, text),
        (paid, paid | {"status": "CLOSED"}, {"code": "PARAM_ERROR", "message": MARK}),
        lambda told: (
            (told["out_refund_no"], told["transaction_id"], told["status"])
            == (instruction().number, TRANSACTION, "SUCCESS")
            and int(told["amount"]["refund"]) == AMOUNT
            and told["amount"].get("currency", "CNY") == "CNY"
        ),
    )


def says_paid(provider: Provider, text: bytes) -> bool:
    try:
        return provider.paid(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def wrong_with(heard: Heard, of: RefundInstruction, *, may_be_paid: bool) -> str:
    """What is wrong with what is known after a call."""
    match heard:
        case GatewayAnswer():
            if heard.refund_no != of.refund_no or heard.attempt not in (None, of.attempt):
                return f"about another refund: {heard}"
            if heard.result is GatewayResult.SUCCEEDED and not may_be_paid:
                return f"paid, and it was not said: {heard}"
            leg = LegStatus(refund_no=of.refund_no, amount=of.amount, state=LegState.SUBMITTED)
            event = answered(Attempt(), leg, heard)
            return "" if event.as_of <= AT + timedelta(minutes=2) else f"a moment that cannot be: {event}"
        case NumberTaken(other=other):
            raw = number_in_use(AT, other).raw
            LegStatus(refund_no=of.refund_no, amount=of.amount, state=LegState.ABNORMAL, raw=raw)
            return ""
        case TurnedAway(retry_after=wait) | Unknown(retry_after=wait):
            return "" if wait is None or timedelta(0) <= wait <= timedelta(hours=24) else f"asked again after {wait}"
        case _:
            return ""


async def told_anything(provider: Provider, seed: str) -> tuple[Counter[str], list[str]]:
    dice = random.Random(seed)
    sender, told, wrong = Sender(dice), Counter[str](), list[str]()
    for _ in range(INPUTS):
        text = sender.text(dice.choice(provider.genuine), provider.genuine)
        if dice.random() < 0.3:
            text = json.dumps(sender.odd(dice.choice(provider.genuine))).encode()
        provider.say(text)
        calls, of = PaymentCalls(provider.gateway, Measures()), instruction()
        ask: Callable[..., Awaitable[Heard]] = dice.choice((calls.submit, calls.inquire, calls.redirect))
        heard = await asyncio.wait_for(ask(of, AT), PATIENCE)
        told[type(heard).__name__] += 1
        if problem := wrong_with(heard, of, may_be_paid=says_paid(provider, text)):
            wrong.append(f"{problem}: {text[:400]!r}")
    return told, wrong


@pytest.mark.parametrize("name", ["stripe", "alipay", "wechatpay"])
async def test_whatever_a_provider_says(
    name: str,
    alipay_opened: tuple[AlipayRefunds, AlipayServer],
    alipay_server_running: AlipayServer,
    wechatpay_opened: WeChatPayRefunds,
    wechatpay_server_running: WeChatPayServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    async with AsyncExitStack() as stack:
        match name:
            case "stripe":
                provider = await stack.enter_async_context(stripe())
            case "alipay":
                made = alipay(alipay_opened[0], alipay_server_running, monkeypatch)
                provider = await stack.enter_async_context(made)
            case _:
                made = wechatpay(wechatpay_opened, wechatpay_server_running, monkeypatch)
                provider = await stack.enter_async_context(made)
        told, wrong = await told_anything(provider, name)

    record_property("inputs", sum(told.values()))
    assert wrong == []
    assert {"GatewayAnswer", "Unknown"} <= set(told), told
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or MARK in each.getMessage()]


@pytest.mark.parametrize("name", ["stripe", "alipay", "wechatpay"])
async def test_whatever_comes_over_the_wire(
    name: str,
    alipay_opened: tuple[AlipayRefunds, AlipayServer],
    wechatpay_variables: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    """No signature fits, and what has no end is not taken in."""
    dice, told, wrong = random.Random(name), Counter[str](), list[str]()
    bodies = (b"{}", b'{"code": "SIGN_ERROR"}', json.dumps(refund_of("RF_1")).encode(), b"<html>", b"")
    calls: PaymentCalls

    async def call(calls: PaymentCalls) -> None:
        ask: Callable[..., Awaitable[Heard]] = dice.choice((calls.submit, calls.inquire))
        heard = await asyncio.wait_for(ask(instruction(), AT), PATIENCE)
        told[type(heard).__name__] += 1
        if problem := wrong_with(heard, instruction(), may_be_paid=False):
            wrong.append(problem)

    def say(_: bytes) -> Iterator[bytes | float]:
        return odd_http(dice, dice.choice(bodies))

    async with serving(say) as (port, sent), AsyncExitStack() as stack:
        base = f"http://127.0.0.1:{port}"
        match name:
            case "stripe":
                settings = StripeSettings.model_validate({"secret_key": KEY, "api_base": base})
                gateway: PaymentGateway = await stack.enter_async_context(StripeRefunds(settings))
            case "alipay":
                told_settings = alipay_opened[0]._settings  # pyright: ignore[reportPrivateUsage]
                changed = told_settings.model_copy(update={"gateway_url": f"{base}/gateway.do"})
                gateway = await stack.enter_async_context(AlipayRefunds(changed))
            case _:
                monkeypatch.setenv("AFTERSALES_WECHATPAY_BASE_URL", base)
                gateway = await stack.enter_async_context(WeChatPayRefunds())
        for _ in range(0, INPUTS, AT_ONCE):
            calls = PaymentCalls(gateway, Measures(), 1.0)
            await asyncio.gather(*(call(calls) for _ in range(AT_ONCE)))

    record_property("inputs", sum(told.values()))
    assert wrong == []
    assert sent.most < ENOUGH, "it does not take in what has no end"
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or MARK in each.getMessage()]


class Nonsense:
    """An adapter whose answers are none."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        return cast("GatewayAnswer", self.answer)


@pytest.mark.parametrize("answer", [None, {}, "paid", Charge(transaction="t", total=1, currency="CNY"), 1])
async def test_an_adapter_that_gives_no_answer_of_ours_says_nothing(answer: object) -> None:
    assert (
        await PaymentCalls(cast("PaymentGateway", Nonsense(answer)), Measures()).submit(instruction(), AT) == Unknown()
    )


def spoilt(dice: random.Random, text: str) -> str:
    """A bill that somebody has changed."""
    lines = text.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    values = ("", "\x00", '"', ",", "\t", "a" * 70_000, "-1", "1e400", "NaN", "9999-12-31 23:59:59", MARK, "`", "#" * 9)
    match dice.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines[at] = lines[at] * 3
        case 2:
            lines[at] = dice.choice(values)
        case 3:
            lines[at] = lines[at].replace("\n", "").replace("\r", "") + dice.choice(values) + "\r\n"
        case 4:
            fields = lines[at].split(",")
            fields[dice.randrange(len(fields))] = dice.choice(("", "`")) + dice.choice(values)
            lines[at] = ",".join(fields)
        case _:
            return text[: dice.randrange(len(text))]
    return "".join(lines)


async def read(gateway: PaymentGateway) -> str:
    try:
        lines = [line async for line in gateway.statement((datetime.now(UTC) - timedelta(days=3)).date())]
    except (BillUnreadableError, AlipayBillUnreadableError, GatewayUnreachable, NotPublished) as error:
        return type(error).__name__
    return f"{len(lines)} lines"


async def test_whatever_alipays_bill_holds(
    alipay: AlipayRefunds, alipay_server_running: AlipayServer, record_property: Callable[[str, object], None]
) -> None:  # X5
    await alipay.submit(instruction())
    dice, told = random.Random("bill"), Counter[str]()
    alipay_server_running.spoilt_bill = lambda text: spoilt(dice, text).encode("gbk", "replace").decode("gbk")

    for _ in range(INPUTS):
        told[await asyncio.wait_for(read(alipay), PATIENCE)] += 1

    record_property("inputs", INPUTS)
    assert {"BillUnreadableError", "1 lines"} <= set(told), told


async def test_another_systems_refund_on_the_same_account_is_read(
    alipay: AlipayRefunds, alipay_server_running: AlipayServer
) -> None:
    """X5: its number is nobody's fault, and no reason to compare nothing."""
    await alipay.submit(instruction())
    ours = instruction().lasting_number
    alipay_server_running.spoilt_bill = lambda text: text.replace(f"{ours}\t", f"退款 {'1' * 80}\t")

    (line,) = [each async for each in alipay.statement((datetime.now(UTC) - timedelta(days=3)).date())]

    assert line.refund_no == "XXX" + "1" * 61
    assert line.amount == AMOUNT
