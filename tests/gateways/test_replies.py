"""What providers are answered over HTTP, in the words that they expect (X3)."""

from dataclasses import replace
from typing import cast

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from temporalio.common import MetricMeter

from activities.gateways.alipay import AlipayRefunds
from activities.gateways.callbacks import CallbackRequest
from activities.gateways.carrier import Carrier
from activities.gateways.payment import PaymentGateway
from activities.gateways.wechatpay import WeChatPayRefunds
from starter.http_service.callbacks import Callbacks
from starter.http_service.configuration import HttpServiceSettings
from starter.http_service.counts import Counts
from starter.http_service.turns import Turns
from tests.gateways.alipay_server import AlipayServer
from tests.gateways.conftest import instruction
from tests.gateways.wechatpay_server import WeChatPayServer


async def answered(gateway: PaymentGateway, request: CallbackRequest) -> tuple[int, str, str]:
    """What a provider is answered; nothing here is about a refund of ours, so that nothing is kept."""
    settings = HttpServiceSettings.model_validate({"port": 0, "token_secret": "x" * 32})
    none = cast("asyncpg.Pool", None)
    nobody = type("Nobody", (Carrier,), {})()
    counts, turns = Counts(MetricMeter.noop), Turns(1, 1, most_waiting=1)
    callbacks = Callbacks(settings, none, gateway, nobody, counts, lambda: None, turns)
    app = web.Application()
    app.router.add_post("/callbacks/payments", callbacks.payments)
    async with (
        TestClient(TestServer(app)) as client,
        client.post("/callbacks/payments", data=request.body, headers=request.headers) as answer,
    ):
        return answer.status, answer.content_type, await answer.text()


@pytest.mark.parametrize(
    ("event", "forge", "answer"),
    [
        ("TRANSACTION.SUCCESS", False, (200, "text/plain", "")),
        (None, True, (401, "application/json", '{"code": "FAIL", "message": "refused"}')),
        # Genuine and of ours: here nothing can be kept, and so it must come again.
        (None, False, (503, "application/json", '{"code": "FAIL", "message": "refused"}')),
    ],
)
async def test_wechat_pay_is_answered_as_it_expects(
    wechatpay: WeChatPayRefunds,
    wechatpay_server_running: WeChatPayServer,
    event: str | None,
    forge: bool,
    answer: tuple[int, str, str],
) -> None:
    await wechatpay.submit(instruction())
    key = wechatpay_server_running.keys.other if forge else None
    request = wechatpay_server_running.callback(instruction().number, event=event, state="SUCCESS", key=key)
    assert await answered(wechatpay, request) == answer


async def test_alipay_is_answered_as_it_expects(alipay: AlipayRefunds, alipay_server_running: AlipayServer) -> None:
    await alipay.submit(instruction())
    of_a_trade = alipay_server_running.callback(out_biz_no="", gmt_refund="")
    form = {**of_a_trade.headers, "content-type": "application/x-www-form-urlencoded"}
    assert await answered(alipay, replace(of_a_trade, headers=form)) == (200, "text/plain", "success")
    forged = alipay_server_running.callback(key=alipay_server_running.keys.other)
    assert await answered(alipay, forged) == (401, "text/plain", "fail")
