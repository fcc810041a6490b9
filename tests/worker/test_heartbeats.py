"""What the server knows of workers by their heartbeats, as ``aftersales doctor`` asks for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker, WorkerDeploymentConfig

from starter.commands.heartbeats import heard_workers, listed_workers
from starter.connection import connect
from starter.settings import Settings
from starter.stack import Stack
from tests.workflow.world import until


@activity.defn
async def nothing() -> None:
    raise NotImplementedError


async def test_a_worker_is_listed_with_its_build_until_it_ends(
    client: Client, own_settings: Settings, stack: Stack
) -> None:
    queue = own_settings.task_queue
    often = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    version = WorkerDeploymentVersion(deployment_name=queue, build_id="v7")

    async def listed() -> Sequence[WorkerHeartbeat]:
        return await listed_workers(client, {queue})

    assert not await listed()
    worker = Worker(
        await connect(own_settings, target=stack.temporal_address, runtime=often),
        task_queue=queue,
        activities=[nothing],
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=True),
    )
    async with worker:
        found = await until(listed, bool)
        assert heard_workers(found, datetime.now(UTC)).startswith(f"{queue}: 1 of build v7, heard of ")
    await until(listed, lambda found: not found)
