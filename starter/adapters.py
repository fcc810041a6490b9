"""Which adapter stands behind each port to the outside, and where it is made.

A setting names it: ``stub`` for the stand-in that development works with, or ``package.module:factory``. The factory is
called without arguments, reads settings of its own, and gives the adapter or an asynchronous context manager of it.
"""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar, cast

import asyncpg

from activities.gateways.carrier import Carrier
from activities.gateways.carrier_stub import CarrierStub
from activities.gateways.numbers import NumberProvider
from activities.gateways.numbers_stub import NumbersStub
from activities.gateways.payment import PaymentGateway
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.notices.channel_stubs import stub_channels
from activities.notices.channels import Channel, ChannelName
from activities.postgres.lookup import LookupKey
from starter.settings import STUB, Settings, SettingsError, variable_name
from workflows.rules.worker_roles import WorkerRole, role_of

Adapter = TypeVar("Adapter")

PORTS: Final[Mapping[str, WorkerRole]] = {
    "payments": role_of("settle"),
    "carriers": role_of("ask_carrier"),
    "numbers": role_of("bind_number"),
    "notices": WorkerRole.NOTIFICATIONS,
}
"""The settings that name an adapter, and the role of the workers that call it."""


@dataclass(frozen=True)
class Adapters:
    """What a worker reaches the outside world by."""

    payments: PaymentGateway
    carriers: Carrier
    numbers: NumberProvider
    channels: Mapping[ChannelName, Channel]

    @classmethod
    async def opened(cls, settings: Settings, stack: AsyncExitStack, pool: asyncpg.Pool, lookup_key: LookupKey) -> Self:
        """The adapters that the settings name, for as long as ``stack`` is open; ``pool`` is the stubs' own.

        Raises:
            SettingsError: production would work with a stub, or an adapter cannot be made.
        """
        refuse_stubs(settings)
        return cls(
            payments=await _opened(settings, stack, "payments", lambda: PaymentGatewayStub(pool)),
            carriers=await _opened(settings, stack, "carriers", lambda: CarrierStub(pool)),
            numbers=await _opened(settings, stack, "numbers", lambda: NumbersStub(pool, lookup_key)),
            channels=await _opened(settings, stack, "notices", lambda: stub_channels(pool)),
        )


async def payment_gateway(settings: Settings, stack: AsyncExitStack, pool: asyncpg.Pool) -> PaymentGateway:
    """The payment gateway alone, for whoever reads its book.

    Raises:
        SettingsError: as of ``Adapters.opened``.
    """
    refuse_stubs(settings, "payments")
    return await _opened(settings, stack, "payments", lambda: PaymentGatewayStub(pool))


def refuse_stubs(settings: Settings, *ports: str) -> None:
    """Production moves real money and real goods: a stub would say that it has, and nothing would have moved.

    Without ``ports``, those that the roles of this process call.

    Raises:
        SettingsError: a port has a stub in production; the text names the setting.
    """
    if settings.development:
        return
    called = ports or tuple(port for port, role in PORTS.items() if role in settings.roles)
    stubs = [variable_name(port) for port in called if adapter_of(settings, port) == STUB]
    if stubs:
        raise SettingsError(
            f"{', '.join(stubs)} must name an adapter in production, as package.module:factory: "
            "the built-in `stub` only says that it has paid, called or told somebody"
        )


def adapter_of(settings: Settings, port: str) -> str:
    """What a port's setting says."""
    return str(getattr(settings, port))


async def _opened(settings: Settings, stack: AsyncExitStack, port: str, stub: Callable[[], Adapter]) -> Adapter:
    name = adapter_of(settings, port)
    if name == STUB:
        return stub()
    made: Any = _factory(port, name)()
    if isinstance(made, Awaitable):
        made = await cast("Awaitable[Any]", made)
    if isinstance(made, AbstractAsyncContextManager):
        made = await stack.enter_async_context(cast("AbstractAsyncContextManager[Any]", made))
    return cast("Adapter", made)


def _factory(port: str, name: str) -> Callable[[], Any]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{variable_name(port)}: {name} cannot be found: {error}") from error
    if not callable(found):
        raise SettingsError(f"{variable_name(port)}: {name} is no function that makes an adapter")
    return found
