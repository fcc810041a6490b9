"""Providers of payments on this machine, and the adapters that speak to them: no Temporal, no database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from activities.gateways.alipay import AlipayRefunds
from activities.gateways.payment import Charge, RefundInstruction
from activities.gateways.wechatpay import WeChatPayRefunds
from tests.gateways import alipay_server, wechatpay_server
from tests.gateways.alipay_server import AlipayServer
from tests.gateways.wechatpay_server import Keys, Trade, WeChatPayServer

TRANSACTION = "4200000119201811280000000001"
REFUND_NO = "RF00112233445566778899-1-1"


def instruction(
    *, amount: int = 500, attempt: int = 1, number: int = 1, account: str | None = None
) -> RefundInstruction:
    """A refund of 5 yuan out of a payment of 100."""
    return RefundInstruction(
        refund_no=f"RF00112233445566778899-1-{number}",
        attempt=attempt,
        merchant_id="M-1",
        fund="order/O-1",
        tender="T-1",
        charge=Charge(transaction=TRANSACTION, total=10_000, currency="CNY", account=account),
        account=None,
        amount=amount,
        currency="CNY",
    )


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def wechatpay_variables(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_wechatpay_variables(keys, tmp_path, monkeypatch)


def set_wechatpay_variables(keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter's settings in the environment, as they are in production."""
    for name, text in {
        "private_key": Keys.private(keys.merchant),
        "public_key": Keys.public(keys.platform),
        "api_v3_key": wechatpay_server.API_V3_KEY + "\n",
    }.items():
        (folder / name).write_text(text)
        monkeypatch.setenv(f"AFTERSALES_WECHATPAY_{name.upper()}_FILE", str(folder / name))
    monkeypatch.setenv("AFTERSALES_WECHATPAY_MCHID", wechatpay_server.MCHID)
    monkeypatch.setenv("AFTERSALES_WECHATPAY_CERTIFICATE_SERIAL", wechatpay_server.SERIAL)
    monkeypatch.setenv("AFTERSALES_WECHATPAY_PUBLIC_KEY_ID", wechatpay_server.PUBLIC_KEY_ID)


@pytest_asyncio.fixture(scope="session")
async def wechatpay_server_opened(keys: Keys) -> AsyncIterator[WeChatPayServer]:
    server = WeChatPayServer(keys)
    runner = await server.start()
    yield server
    await runner.cleanup()


@pytest.fixture
def wechatpay_server_running(wechatpay_server_opened: WeChatPayServer, keys: Keys) -> WeChatPayServer:
    """A server with a payment of 100 yuan, three days old."""
    wechatpay_server_opened.keys = keys
    wechatpay_server_opened.reset()
    wechatpay_server_opened.trades[TRANSACTION] = Trade(10_000, datetime.now(UTC) - timedelta(days=3))
    return wechatpay_server_opened


@pytest_asyncio.fixture(scope="session")
async def wechatpay_opened(
    wechatpay_server_opened: WeChatPayServer, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WeChatPayRefunds]:
    with pytest.MonkeyPatch.context() as patch:
        set_wechatpay_variables(keys, tmp_path_factory.mktemp("wechatpay"), patch)
        patch.setenv("AFTERSALES_WECHATPAY_BASE_URL", wechatpay_server_opened.url)
        gateway = WeChatPayRefunds()
    async with gateway:
        yield gateway


@pytest.fixture
def wechatpay(wechatpay_opened: WeChatPayRefunds, wechatpay_server_running: WeChatPayServer) -> WeChatPayRefunds:
    return wechatpay_opened


@pytest_asyncio.fixture(scope="session")
async def alipay_opened(
    keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[AlipayRefunds, AlipayServer]]:
    server = AlipayServer(keys)
    runner = await server.start()
    folder = tmp_path_factory.mktemp("alipay")
    with pytest.MonkeyPatch.context() as patch:
        for name, text in {
            "private_key": Keys.private(keys.merchant),
            "public_key": Keys.public(keys.platform),
        }.items():
            # Alipay's own tool writes keys as bare base64.
            (folder / name).write_text("".join(text.splitlines()[1:-1]) if name == "public_key" else text)
            patch.setenv(f"AFTERSALES_ALIPAY_{name.upper()}_FILE", str(folder / name))
        patch.setenv("AFTERSALES_ALIPAY_APP_ID", alipay_server.APP_ID)
        patch.setenv("AFTERSALES_ALIPAY_GATEWAY_URL", f"{server.url}/gateway.do")
        gateway = AlipayRefunds()
    async with gateway:
        yield gateway, server
    await runner.cleanup()


@pytest.fixture
def alipay_server_running(alipay_opened: tuple[AlipayRefunds, AlipayServer], keys: Keys) -> AlipayServer:
    """A server with a trade of 100 yuan."""
    server = alipay_opened[1]
    server.keys = keys
    server.reset()
    server.trades[TRANSACTION] = Decimal("100.00")
    return server


@pytest.fixture
def alipay(alipay_opened: tuple[AlipayRefunds, AlipayServer], alipay_server_running: AlipayServer) -> AlipayRefunds:
    return alipay_opened[0]
