"""Servers and a worker of their own, on which paths are walked one after the other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres import schema
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.settings import Settings
from starter.stack import Stack
from starter.vault import opened_vault, prepare_key_store
from tests.servers import servers
from tests.workflow.world import World
from worker import running_worker
from workflows.messages.converter import data_converter

IDENTITY = "recorder"
"""Who started and worked, in recorded histories: the SDK's default would tell a process and a machine."""

PLENTY = 2000
"""Of cases in the worker's cache."""


@dataclass(frozen=True)
class Ground:
    """Where paths are walked."""

    stack: Stack
    skipper: TimeSkipper
    pool: asyncpg.Pool
    vault: Vault
    task_queue: str

    def world(self, merchant: str) -> World:
        """A shop of this merchant; its ids are the same whenever it is opened on new servers."""
        aftersales = Aftersales(self.skipper.client, self.task_queue, self.pool, self.vault)
        return World(
            aftersales, self.skipper, self.pool, merchant=merchant, buyer="b-recorded", task_queue=self.task_queue
        )


@asynccontextmanager
async def ground(state_dir: Path, *, cached: int = PLENTY) -> AsyncGenerator[Ground]:
    """Servers on ``state_dir``, and a worker that keeps so many cases in its cache, without the sandbox."""
    settings = Settings(state_dir=state_dir, max_cached_workflows=cached, workflow_sandbox=False)
    async with servers(settings, headless=True) as stack:
        await schema.upgrade(stack.database_url)
        await prepare_key_store(settings, stack.database_url)
        client = await Client.connect(stack.temporal_address, identity=IDENTITY, data_converter=data_converter)
        skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
        async with (
            await open_pool(stack.database_url, max_size=10, application_name="tests") as pool,
            opened_vault(settings, stack.database_url) as vault,
            running_worker(settings, skipper.client, stack.database_url),
        ):
            yield Ground(stack, skipper, pool, vault, settings.task_queue)
