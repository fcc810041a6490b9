"""A worker that is watched: its traces go to an OTLP receiver, its metrics are served for Prometheus."""

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
import pytest_asyncio
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.connection import connect
from starter.settings import Settings
from starter.stack import Stack, ports
from starter.telemetry import exported
from tests.patience import PATIENCE
from tests.telemetry.receiver import Received, receiving
from tests.workflow.world import World
from worker import running_worker

QUEUE = "watched"


@dataclass(frozen=True)
class Watched:
    """The service under watch."""

    world: World
    received: Received
    metrics_address: str

    async def metrics(self) -> str:
        """What Prometheus would scrape."""
        return await fetched(self.metrics_address)


@pytest.fixture(scope="session")
def received() -> Iterator[Received]:
    with receiving() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def watched(
    stack: Stack, settings: Settings, database: str, vault: Vault, state_dirs: Path, received: Received
) -> AsyncIterator[Watched]:
    """A worker under watch, with its client."""
    port = ports.choose(["metrics"], state_dirs / "watched-metrics.json")["metrics"]
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=aftersales",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
        "TEMPORAL_DEPLOYMENT_NAME": "watched",
        "TEMPORAL_WORKER_BUILD_ID": "v1",
    }
    own = settings.model_copy(update={"task_queue": QUEUE})
    with patch.dict(os.environ, {"OTEL_BSP_SCHEDULE_DELAY": "100"}), exported(environ):
        client = await connect(settings, target=stack.temporal_address)
        skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
        async with (
            await open_pool(database, max_size=4, application_name="tests") as pool,
            running_worker(own, skipper.client, database),
        ):
            world = World(Aftersales(skipper.client, QUEUE, pool, vault), skipper, pool)
            yield Watched(world, received, f"http://127.0.0.1:{port}/metrics")


async def fetched(url: str) -> str:
    """A page, read without stopping the loop."""

    def fetch() -> str:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(fetch)
