"""Which workers the server knows of, by their heartbeats, for ``aftersales doctor``."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeWorkerRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_MOST: Final = 200
"""Workers that are asked for: each costs a request."""
_ENDS: Final = frozenset({WorkerStatus.WORKER_STATUS_SHUTTING_DOWN, WorkerStatus.WORKER_STATUS_SHUTDOWN})
"""The SDK's last word is the first of them: it stays so once the worker has gone."""
_SILENT: Final = timedelta(minutes=3)
"""Three heartbeats of the SDK, which sends one a minute: a worker that was heard of before has probably died."""


async def listed_workers(client: Client, queues: Collection[str]) -> Sequence[WorkerHeartbeat]:
    """The last heartbeat of each worker on these queues that has not told of its end.

    Raises:
        RPCError: the server does not answer, or keeps no list.
    """
    keys: list[str] = []
    token = b""
    while True:
        page = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, page_size=_MOST, next_page_token=token)
        )
        keys += [
            each.worker_instance_key for each in page.workers if each.task_queue in queues and each.status not in _ENDS
        ]
        token = page.next_page_token
        if not token or len(keys) >= _MOST:
            break
    found = await asyncio.gather(*(_heartbeat(client, key) for key in keys[:_MOST]))
    return [each for each in found if each is not None]


async def _heartbeat(client: Client, key: str) -> WorkerHeartbeat | None:
    try:
        described = await client.workflow_service.describe_worker(
            DescribeWorkerRequest(namespace=client.namespace, worker_instance_key=key)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # forgotten since it was listed
            return None
        raise
    return described.worker_info.worker_heartbeat


def heard_workers(heartbeats: Sequence[WorkerHeartbeat], now: datetime) -> str:
    """In words: how many workers of which build there are on each queue, and when they were heard of."""
    if not heartbeats:
        return "the server has heard of none; a worker tells of itself once a minute"
    ordered = sorted(heartbeats, key=_kind)
    return "; ".join(_told(queue, build, list(those), now) for (queue, build), those in groupby(ordered, key=_kind))


def _kind(heartbeat: WorkerHeartbeat) -> tuple[str, str]:
    return heartbeat.task_queue, heartbeat.deployment_version.build_id


def _told(queue: str, build: str, heartbeats: Sequence[WorkerHeartbeat], now: datetime) -> str:
    ages = [now - each.heartbeat_time.ToDatetime(UTC) for each in heartbeats]
    silent = sum(age > _SILENT for age in ages)
    text = f"{queue}: {len(heartbeats)} of {f'build {build}' if build else 'no version'}"
    text += f", heard of {max(0, min(ages).total_seconds()):.0f} s ago"
    return text + (f", {silent} not within {_SILENT.total_seconds() / 60:.0f} minutes" if silent else "")
