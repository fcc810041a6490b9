"""A shop on the shared stack, with task queues of its own: its workers are the test's to start and to stop."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.settings import Settings
from tests.workflow.world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections for tests that look into the books."""
    async with await open_pool(database, max_size=10, application_name="tests") as opened:
        yield opened


@pytest.fixture
def shop(client: Client, pool: asyncpg.Pool, vault: Vault) -> World:
    """A world whose cases wait while no worker runs."""
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    world = World(Aftersales(skipper.client, "nobody", pool, vault), skipper, pool)
    world.task_queue = world.fresh("q")
    world.aftersales = Aftersales(skipper.client, world.task_queue, pool, vault)
    return world


@pytest.fixture
def own_settings(shop: World, settings: Settings) -> Settings:
    """The settings of that shop's workers."""
    return settings.model_copy(update={"task_queue": shop.task_queue})
