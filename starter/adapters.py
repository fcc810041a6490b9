"""Which adapter stands behind each port to the outside, and where it is made: here, for every process (X1).

A setting names it: a built-in name, the name of an entry point of the group ``aftersales.adapters``, or
``package.module:factory``. The factory is called without arguments, reads settings of its own, and gives the adapter or
an asynchronous context manager of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol, Self, TypeVar, cast, runtime_checkable

import asyncpg

from activities.gateways.callbacks import REFUSAL
from activities.gateways.carrier import Carrier
from activities.gateways.carrier_stub import CarrierStub
from activities.gateways.limits import NO_LIMITS, Limits
from activities.gateways.numbers import NumberProvider
from activities.gateways.numbers_stub import NumbersStub
from activities.gateways.orders import OrderSource
from activities.gateways.payment import PaymentGateway
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.notices.channel_stubs import stub_channels
from activities.notices.channels import Channel, ChannelName
from activities.postgres.lookup import LookupKey
from activities.postgres.orders import PostgresOrders
from starter.adapter_factories import factory_of, made
from starter.adapter_registry import AND, OWN, STUB
from starter.settings import Settings, SettingsError, variable_name
from workflows.rules.worker_roles import WorkerRole, role_of

Adapter = TypeVar("Adapter")

PORTS: Final[Mapping[str, WorkerRole | None]] = {
    "payments": role_of("settle"),
    "orders": None,
    "carriers": role_of("ask_carrier"),
    "numbers": role_of("bind_number"),
    "notices": WorkerRole.NOTIFICATIONS,
}
"""The settings that name an adapter, and the role of the workers that call it; None: no worker does.

Whoever does not call an adapter is not given its secrets either: it is not made there.
"""

SIGN_OF_LIFE_SECONDS: Final = 5.0


@runtime_checkable
class Alive(Protocol):
    """An adapter that can be asked for a sign of life."""

    async def ping(self) -> str:
        """In a few words for an operator, what answers. Moves nothing.

        Raises:
            Exception: it does not answer, or does not know us.
        """
        ...


class OfOtherRoles:
    """In the place of an adapter that no role of this process calls: it is not made, for its secrets are not here."""

    limits = NO_LIMITS
    refusal = REFUSAL

    def __init__(self, port: str) -> None:
        self._port = port

    def __getattr__(self, name: str) -> NoReturn:
        raise SettingsError(
            f"{variable_name(self._port)} is called by workers of the role {PORTS[self._port]}, which this process "
            f"is not: {name} was asked of it"
        )


@dataclass(frozen=True)
class Adapters:
    """What a worker reaches the outside world by, as far as its roles do."""

    payments: PaymentGateway
    carriers: Carrier
    numbers: NumberProvider
    channels: Mapping[ChannelName, Channel]

    @classmethod
    async def opened(
        cls, settings: Settings, stack: AsyncExitStack, outside: asyncpg.Pool, lookup_key: LookupKey
    ) -> Self:
        """The adapters that the settings name, for as long as ``stack`` is open; ``outside`` is the stand-ins' own.

        Only those that the process's roles call: another one's refuses every call, and there is no channel.

        Raises:
            SettingsError: production would work with a stub, or an adapter cannot be made.
        """
        refuse_stubs(settings)
        called = called_by(settings.roles)

        async def made(port: str, adapter: Callable[[], Awaitable[Adapter]]) -> Adapter:
            return await adapter() if port in called else cast("Adapter", OfOtherRoles(port))

        return cls(
            payments=await made("payments", lambda: payment_gateway(settings, stack, outside)),
            carriers=await made("carriers", lambda: carrier(settings, stack, outside)),
            numbers=await made("numbers", lambda: _numbers(settings, stack, outside, lookup_key)),
            channels=await _channels(settings, stack, outside) if "notices" in called else {},
        )


@dataclass(frozen=True)
class HttpAdapters:
    """What the HTTP service reads callbacks and orders by."""

    payments: PaymentGateway
    carriers: Carrier
    orders: OrderSource | None
    """The stream that orders are read from; None where they are only pushed."""

    @classmethod
    async def opened(cls, settings: Settings, stack: AsyncExitStack, outside: asyncpg.Pool) -> Self:
        """As those of a worker are.

        Raises:
            SettingsError: production would work with a stub, or an adapter cannot be made.
        """
        refuse_stubs(settings, "payments", "orders")
        return cls(
            payments=await payment_gateway(settings, stack, outside),
            carriers=await carrier(settings, stack, outside),
            orders=await order_source(settings, stack),
        )


async def payment_gateway(settings: Settings, stack: AsyncExitStack, pool: asyncpg.Pool) -> PaymentGateway:
    """The payment gateway alone, for whoever reads its book.

    Raises:
        SettingsError: it cannot be made.
    """
    return await _opened(settings, stack, "payments", lambda: PaymentGatewayStub(pool))


async def carrier(settings: Settings, stack: AsyncExitStack, pool: asyncpg.Pool) -> Carrier:
    """What speaks to the carriers, for whoever takes what they tell.

    Raises:
        SettingsError: it cannot be made.
    """
    return await _opened(settings, stack, "carriers", lambda: CarrierStub(pool))


async def _numbers(
    settings: Settings, stack: AsyncExitStack, outside: asyncpg.Pool, lookup_key: LookupKey
) -> NumberProvider:
    return await _opened(settings, stack, "numbers", lambda: NumbersStub(outside, lookup_key))


async def order_source(settings: Settings, stack: AsyncExitStack) -> OrderSource | None:
    """The stream that orders are read from; None where they are only pushed.

    Raises:
        SettingsError: it cannot be made.
    """
    return await _opened(settings, stack, "orders", lambda: None)


async def _channels(settings: Settings, stack: AsyncExitStack, outside: asyncpg.Pool) -> Mapping[ChannelName, Channel]:
    """The channels of all adapters that the setting names; the first one that has a channel counts."""
    channels: dict[ChannelName, Channel] = {}
    for name in reversed(adapter_of(settings, "notices").split(AND)):
        channels |= await _made(name, stack, "notices", lambda: stub_channels(outside))
    if lacking := sorted(set(ChannelName) - set(channels)):
        raise SettingsError(
            f"{variable_name('notices')}: nobody takes notices by {', '.join(lacking)}: name an adapter that does, "
            f"with {AND} between"
        )
    return channels


def payment_limits(settings: Settings) -> Limits:
    """What the payment provider takes, for whoever only opens cases and holds none of its keys (X6).

    Known where the adapter's factory is a class with ``limits``; else everything is let through, and the case checks.
    """
    name = adapter_of(settings, "payments")
    found: object = PaymentGatewayStub if name == STUB else factory_of("payments", name)
    limits: object = getattr(found, "limits", None)
    return limits if isinstance(limits, Limits) else NO_LIMITS


async def sign_of_life(settings: Settings, port: str, pool: asyncpg.Pool, lookup_key: LookupKey) -> str:
    """What stands behind a port, and what it says of itself when it is asked.

    Raises:
        SettingsError: production would work with a stub, or the adapter cannot be made.
        TimeoutError: it does not answer in time.
        Exception: whatever the adapter raises.
    """
    refuse_stubs(settings, port)
    stubs: Mapping[str, Callable[[], object]] = {
        "payments": lambda: PaymentGatewayStub(pool),
        "orders": lambda: PostgresOrders(pool),
        "carriers": lambda: CarrierStub(pool),
        "numbers": lambda: NumbersStub(pool, lookup_key),
    }
    name = adapter_of(settings, port)
    async with asyncio.timeout(SIGN_OF_LIFE_SECONDS), AsyncExitStack() as stack:
        notices = port == "notices"
        adapter: object = (
            await _channels(settings, stack, pool) if notices else await _opened(settings, stack, port, stubs[port])
        )
        several = cast("Mapping[object, object]", adapter).values() if isinstance(adapter, Mapping) else (adapter,)
        said = {each: await each.ping() for each in dict.fromkeys(several) if isinstance(each, Alive)}
    return f"{name}: {'; '.join(said.values()) or 'was made, and cannot be asked'}"


def refuse_stubs(settings: Settings, *ports: str) -> None:
    """Production moves real money and real goods: a stub would say that it has, and nothing would have moved.

    Without ``ports``, those that the roles of this process call.

    Raises:
        SettingsError: a port has a stub in production; the text names the setting.
    """
    if settings.development:
        return
    called = ports or called_by(settings.roles)
    stubs = [variable_name(port) for port in called if STUB in adapter_of(settings, port).split(AND)]
    if stubs:
        raise SettingsError(
            f"{', '.join(stubs)} must name an adapter in production, by its name or as package.module:factory: "
            "the built-in `stub` only says that it has paid, called or told somebody"
        )


def called_by(roles: Collection[WorkerRole]) -> tuple[str, ...]:
    """The ports that workers of these roles call."""
    return tuple(port for port, role in PORTS.items() if role in roles)


def adapter_of(settings: Settings, port: str) -> str:
    """What a port's setting says."""
    return str(getattr(settings, port))


async def _opened(settings: Settings, stack: AsyncExitStack, port: str, ours: Callable[[], Adapter]) -> Adapter:
    return await _made(adapter_of(settings, port), stack, port, ours)


async def _made(name: str, stack: AsyncExitStack, port: str, ours: Callable[[], Adapter]) -> Adapter:
    if name in {STUB, OWN}:
        return ours()
    adapter: Any = made(port, name)
    if isinstance(adapter, Awaitable):
        adapter = await cast("Awaitable[Any]", adapter)
    if isinstance(adapter, AbstractAsyncContextManager):
        adapter = await stack.enter_async_context(cast("AbstractAsyncContextManager[Any]", adapter))
    return cast("Adapter", adapter)
