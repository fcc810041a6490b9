"""What commands reach the service by: the typed client, or the database alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres.pool import open_pool
from starter.client import Aftersales, connected
from starter.commands.failures import UsageError
from starter.connection import discover
from starter.settings import Settings, load_settings


@asynccontextmanager
async def service() -> AsyncGenerator[Aftersales]:
    """The typed client, by the environment's settings.

    Raises:
        SettingsError: a setting is wrong.
        Unreachable: Temporal or the database does not answer.
    """
    async with connected(load_settings()) as aftersales:
        yield aftersales


@asynccontextmanager
async def database(settings: Settings | None = None) -> AsyncGenerator[asyncpg.Pool]:
    """The database alone, for what has nothing to do with Temporal.

    Raises:
        SettingsError: a setting is wrong.
        ConnectionError, OSError: it does not answer.
    """
    url = discover(settings or load_settings()).database_url
    async with await open_pool(url, max_size=4, application_name="aftersales-cli") as pool:
        yield pool


@asynccontextmanager
async def gateway() -> AsyncGenerator[PaymentGatewayStub]:
    """The payment gateway's stub: in development only.

    Raises:
        UsageError: the environment is production.
    """
    async with database(for_development("telling the payment gateway how to behave")) as pool:
        yield PaymentGatewayStub(pool)


def for_development(what: str) -> Settings:
    """The settings, where they are for development.

    Raises:
        UsageError: the environment is production, where ``what`` is refused.
    """
    settings = load_settings()
    if not settings.development:
        raise UsageError(f"{what} is refused in production (AFTERSALES_ENVIRONMENT)")
    return settings
