"""A case that pays through WeChat Pay: worker, adapter, a signed callback, and the provider's statement (X1, X3)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.gateways.wechatpay import WeChatPayRefunds
from starter.settings import Settings
from tests.gateways.conftest import set_wechatpay_variables
from tests.gateways.wechatpay_server import Keys, Trade, WeChatPayServer
from tests.workflow.world import World
from worker import running_worker
from workflows.messages.actors import GATEWAY, merchant
from workflows.messages.commands import Approve, GatewayCallback
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind, StageName

TRANSACTION = "4200000119201811280000000001"


@pytest.mark.slow
async def test_a_refund_arrives_by_a_callback_and_stands_on_the_statement(
    shop: World, own_settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = Keys()
    server = WeChatPayServer(keys)
    runner = await server.start()
    set_wechatpay_variables(keys, tmp_path, monkeypatch)
    monkeypatch.setenv("AFTERSALES_WECHATPAY_BASE_URL", server.url)
    order_no = await shop.order()
    server.trades[TRANSACTION] = Trade(30_000, datetime.now(UTC) - timedelta(days=3))  # it paid for more than this
    await shop.pool.execute(
        "UPDATE shop.order_tenders SET transaction = $2, charged = 30000 WHERE order_no = $1", order_no, TRANSACTION
    )
    through_wechatpay = own_settings.model_copy(update={"payments": "wechatpay"})
    async with (
        WeChatPayRefunds(clock=lambda: datetime.now(UTC) + timedelta(days=2)) as wechatpay,
        running_worker(through_wechatpay, shop.skipper.client, as_worker),
    ):
        case = await shop.refund(order_no=order_no)
        await case.act(Approve(key="c1", by=merchant(shop.merchant)))
        waiting = await shop.at(case, StageName.SETTLING)
        ((number, kept),) = server.refunds.items()
        server.settle(number, "SUCCESS")
        told = await wechatpay.read_callback(server.callback(number))
        assert told.answer
        assert told.answer.settled_at
        callback = GatewayCallback(
            key=told.key,
            by=GATEWAY,
            refund_no=told.answer.refund_no,
            result=told.answer.result,
            settled_at=told.answer.settled_at,
            attempt=told.answer.attempt,
        )
        for _ in range(2):  # they come twice as often as not
            await shop.aftersales.gateway_callback(callback)
        outcome = await case.outcome()
        lines = [line async for line in wechatpay.statement((datetime.now(UTC) + timedelta(hours=8)).date())]
    await runner.cleanup()

    assert waiting.legs[0].state is LegState.PROCESSING
    (leg,) = outcome.legs
    assert (outcome.outcome, leg.state, leg.amount) == (OutcomeKind.REFUNDED, LegState.SUCCEEDED, 10_000)
    assert (kept.refund, kept.total) == (10_000, 30_000)
    assert [(each.refund_no, each.amount, each.result) for each in lines] == [(leg.refund_no, 10_000, "succeeded")]
