"""WeChat Pay's adapter and Alipay's keep the promises of the payment port (X1, X3, X5)."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from activities.gateways.alipay import AlipayRefunds
from activities.gateways.callbacks import CallbackRequest
from activities.gateways.kit import Ground, Promise, promises
from activities.gateways.payment import RefundInstruction
from activities.gateways.wechatpay import WeChatPayRefunds
from tests.gateways import alipay_server, wechatpay_server
from tests.gateways.alipay_server import AlipayServer
from tests.gateways.conftest import TRANSACTION, instruction
from tests.gateways.wechatpay_server import Trade, WeChatPayServer

_NUMBERS = itertools.count(100)


def _of_a_payment_of_its_own() -> RefundInstruction:
    number = next(_NUMBERS)
    told = instruction(number=number)
    assert told.charge is not None
    return told.model_copy(update={"charge": told.charge.model_copy(update={"transaction": f"{TRANSACTION}{number}"})})


@pytest.fixture
def wechatpay_ground(wechatpay: WeChatPayRefunds, wechatpay_server_running: WeChatPayServer) -> Ground:
    server = wechatpay_server_running

    def told() -> RefundInstruction:
        new = _of_a_payment_of_its_own()
        assert new.charge is not None
        server.trades[new.charge.transaction] = Trade(10_000, datetime.now(UTC) - timedelta(days=3))
        return new

    async def paid(refund: RefundInstruction) -> int:
        kept = [each for number, each in server.refunds.items() if number.startswith(refund.lasting_number)]
        return sum(each.refund for each in kept if each.state == "SUCCESS")

    async def settle(refund: RefundInstruction) -> None:
        server.settle(refund.number, "SUCCESS")

    async def lose(_: RefundInstruction) -> None:
        server.faults.append(wechatpay_server.Fault.LOSE_ANSWER)

    async def turn_away(_: RefundInstruction) -> None:
        server.faults.append(wechatpay_server.Fault.RATE_LIMIT)

    async def callback(refund: RefundInstruction) -> CallbackRequest:
        return server.callback(refund.number, notification=f"EV-{refund.number}")

    return Ground(
        gateway=wechatpay,
        instruction=told,
        paid=paid,
        settle=settle,
        lose_next_answer=lose,
        turn_next_away=turn_away,
        callback=callback,
    )


@pytest.fixture
def alipay_ground(alipay: AlipayRefunds, alipay_server_running: AlipayServer) -> Ground:
    server = alipay_server_running

    def told() -> RefundInstruction:
        new = _of_a_payment_of_its_own()
        assert new.charge is not None
        server.trades[new.charge.transaction] = Decimal("100.00")
        return new

    async def paid(refund: RefundInstruction) -> int:
        return sum(int(each.amount * 100) for each in server.refunds.values() if each.number == refund.lasting_number)

    async def lose(_: RefundInstruction) -> None:
        server.faults.append(alipay_server.Fault.LOSE_ANSWER)

    return Ground(gateway=alipay, instruction=told, paid=paid, lose_next_answer=lose)


@pytest.mark.parametrize("promise", promises("settle", "lose_next_answer", "turn_next_away", "callback"), ids=str)
async def test_wechat_pay(promise: Promise, wechatpay_ground: Ground) -> None:
    await promise(wechatpay_ground)


@pytest.mark.parametrize("promise", promises("lose_next_answer"), ids=str)
async def test_alipay(promise: Promise, alipay_ground: Ground) -> None:
    await promise(alipay_ground)
