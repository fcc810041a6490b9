"""The demo through a real adapter: to a small server of the provider's API on this machine, which tests bring along.

The servers check signatures, units and limits as their providers do, by the providers' references. No money moves.
"""

import importlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from activities.gateways.alipay import AlipayRefunds
from activities.gateways.order_records import OrderRecord
from activities.gateways.payment import PaymentGateway
from activities.gateways.stripe import StripeRefunds
from activities.gateways.wechatpay import WeChatPayRefunds
from activities.postgres.loading import AllowanceRecord
from starter.commands.failures import UsageError
from starter.demo.script import Script, groups
from workflows.messages.payouts import TenderKind

PROVIDERS: Final = ("stripe", "wechatpay", "alipay")
_SERVERS: Final = "tests.gateways"
_PUBLISHED: Final = timedelta(days=2)
"""So much later every provider has published today's statement."""

_Record = TypeVar("_Record", OrderRecord, AllowanceRecord)


@dataclass(frozen=True)
class Provider:
    """A provider's server that runs, and what the demo does with it."""

    name: str
    charge: Callable[[int, datetime], str]
    """A payment of so many minor units of CNY: the provider's id of it."""
    gateway: Callable[[Callable[[], datetime]], PaymentGateway]
    """The adapter, at another time."""

    def paid_through(self, record: _Record) -> _Record:
        """An order or an allowance that was paid with this provider; what was paid in cash, or spent, was not."""
        if isinstance(record, AllowanceRecord):
            transaction = self.charge(record.principal, datetime.now(UTC) - timedelta(days=30))
            return record.model_copy(update={"transaction": transaction})
        tenders = tuple(
            each
            if each.kind in {TenderKind.CASH, TenderKind.ALLOWANCE}
            else each.model_copy(update={"transaction": self.charge(each.paid, record.paid_at)})
            for each in record.tenders
        )
        return record.model_copy(update={"tenders": tenders})

    def statements(self) -> PaymentGateway:
        """The adapter once today's statement is published; to be entered."""
        return self.gateway(lambda: datetime.now(UTC) + _PUBLISHED)


def playable(scripts: Iterable[Script], cash: frozenset[str]) -> tuple[Script, ...]:
    """The cases that a provider pays: their groups have no trouble that only the stand-in makes, no bank transfer and
    no compensation, which are of no payment of the buyer's. ``cash`` are the orders that were paid on delivery.
    """

    def paid_back(each: Script) -> bool:
        return not (each.gateway or each.account or each.expected.compensated or each.subject in cash)

    return tuple(each for group in groups(tuple(scripts)) if all(map(paid_back, group)) for each in group)


@asynccontextmanager
async def opened_provider(name: str, folder: Path) -> AsyncGenerator[Provider]:
    """The provider's server, and the adapter's settings in the environment of this process.

    Raises:
        UsageError: the tests are not here: this is an installed package, and no checkout.
    """
    opened = {"stripe": _stripe, "wechatpay": _wechatpay, "alipay": _alipay}[name]
    async with opened(folder) as provider:
        yield provider


def _server(name: str) -> Any:
    try:
        return importlib.import_module(f"{_SERVERS}.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(
            "the servers of providers are in the folder tests of a checkout, which an installed package does not have",
            "--payments",
        ) from error


@asynccontextmanager
async def _stripe(folder: Path) -> AsyncGenerator[Provider]:
    del folder
    tests = _server("stripe_server")
    async with tests.stripe_server() as server:
        server.now = int(datetime.now(UTC).timestamp())
        os.environ |= {"AFTERSALES_STRIPE_SECRET_KEY": tests.KEY, "AFTERSALES_STRIPE_API_BASE": server.base}
        yield Provider("stripe", lambda total, _: server.charge(total), lambda now: StripeRefunds(now=now))


@asynccontextmanager
async def _wechatpay(folder: Path) -> AsyncGenerator[Provider]:
    tests = _server("wechatpay_server")
    keys = tests.Keys()
    server = tests.WeChatPayServer(keys, first_state="SUCCESS", apart=timedelta(0))  # nobody waits a minute here
    runner = await server.start()
    files = {
        "private_key": keys.private(keys.merchant),
        "public_key": keys.public(keys.platform),
        "api_v3_key": tests.API_V3_KEY,
    }
    _told("WECHATPAY", folder, files)
    os.environ |= {
        "AFTERSALES_WECHATPAY_MCHID": tests.MCHID,
        "AFTERSALES_WECHATPAY_CERTIFICATE_SERIAL": tests.SERIAL,
        "AFTERSALES_WECHATPAY_PUBLIC_KEY_ID": tests.PUBLIC_KEY_ID,
        "AFTERSALES_WECHATPAY_BASE_URL": server.url,
    }

    def charge(total: int, paid_at: datetime) -> str:
        transaction = f"42000001192026{len(server.trades):014}"
        server.trades[transaction] = tests.Trade(total, paid_at)
        return transaction

    try:
        yield Provider("wechatpay", charge, lambda now: WeChatPayRefunds(clock=now))
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _alipay(folder: Path) -> AsyncGenerator[Provider]:
    tests = _server("alipay_server")
    keys = tests.Keys()
    server = tests.AlipayServer(keys, clocks_apart=2 * _PUBLISHED)  # asked for the statement as if days had passed
    runner = await server.start()
    _told("ALIPAY", folder, {"private_key": keys.private(keys.merchant), "public_key": keys.public(keys.platform)})
    os.environ |= {
        "AFTERSALES_ALIPAY_APP_ID": tests.APP_ID,
        "AFTERSALES_ALIPAY_GATEWAY_URL": f"{server.url}/gateway.do",
    }

    def charge(total: int, _: datetime) -> str:
        transaction = f"20260000220014{len(server.trades):014}"
        server.trades[transaction] = Decimal(total) / 100
        return transaction

    try:
        yield Provider("alipay", charge, lambda now: AlipayRefunds(clock=now))
    finally:
        await runner.cleanup()


def _told(provider: str, folder: Path, files: dict[str, str]) -> None:
    """Secrets are files to these adapters."""
    for name, text in files.items():
        path = folder / f"{provider.lower()}_{name}"
        path.touch(mode=0o600)
        path.write_text(text)
        os.environ[f"AFTERSALES_{provider}_{name.upper()}_FILE"] = str(path)
