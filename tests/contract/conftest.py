"""The example in TypeScript, a worker, and a codec server for it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.codec_server import Role, development_settings, minted, running
from starter.settings import Settings
from starter.vault import key_provider
from tests.contract.example import Example, built
from tests.workflow.world import World
from worker import running_worker

TASK_QUEUE = "contract"
"""One of their own: other tests of the same process may have a worker too."""


@dataclass(frozen=True)
class CodecServer:
    """A codec server, and a token of a service."""

    address: str
    token: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def example() -> Example:
    """The built example; skips where it cannot be built."""
    return await built()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to look into the books."""
    async with await open_pool(database, max_size=5, application_name="tests") as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def codec_server(settings: Settings, pool: asyncpg.Pool, vault: Vault) -> AsyncIterator[CodecServer]:
    """One with the ring of the worker."""
    ring = key_provider(settings)
    server = await development_settings(ring, port=0)
    assert server.token_secret
    token = minted(
        server.token_secret.get_secret_value(),
        server.issuer,
        server.audience,
        role=Role.SERVICE,
        subject="refund-desk",
        lifetime=timedelta(hours=1),
    )
    async with running(server, ring, pool, vault) as address:
        yield CodecServer(address, token)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def working(settings: Settings, client: Client, database: str) -> AsyncIterator[None]:
    """A worker that encrypts what it sends."""
    async with running_worker(settings.model_copy(update={"task_queue": TASK_QUEUE}), client, database):
        yield


@pytest.fixture
def world(working: None, client: Client, pool: asyncpg.Pool, vault: Vault) -> World:
    """A shop that the worker serves."""
    del working
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    return World(Aftersales(skipper.client, TASK_QUEUE, pool, vault), skipper, pool)
