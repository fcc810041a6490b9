"""The SDK workers of one process: one for each task queue that its roles serve."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import (
    Interceptor,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    Worker,
    WorkerDeploymentConfig,
    WorkflowRunner,
)

from starter.settings import Settings
from starter.worker.activations import HeadersApart
from starter.worker.operators_page import OperatorsPage
from workflows.rules.worker_roles import WorkerRole, queue_of, role_of

FEWEST_WORKFLOW_TASKS: Final = 4
"""At a time. Otherwise one for each database connection: more share one processor and none is done sooner."""


class Workers:
    """Workers that share a client, a database pool and an end."""

    def __init__(self, client: Client, by_queue: Mapping[str, Worker]) -> None:
        self.client = client
        """What they reach Temporal with now."""
        self._by_queue = by_queue

    def go_on_with(self, client: Client) -> None:
        """Reach Temporal with another client from now on; calls that are under way end with the one before."""
        for worker in self._by_queue.values():
            worker.client = client
        self.client = client

    @property
    def queues(self) -> tuple[str, ...]:
        """The task queues that are served."""
        return tuple(self._by_queue)

    @property
    def not_polling(self) -> tuple[str, ...]:
        """The queues whose worker has not begun yet, or has ended."""
        return tuple(queue for queue, worker in self._by_queue.items() if not worker.is_running)

    @property
    def ended(self) -> tuple[str, ...]:
        """The queues whose worker has ended."""
        return tuple(queue for queue, worker in self._by_queue.items() if worker.is_shutdown)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Workers"]:
        """All of them for as long as the context lasts; on leaving, all end within one and the same grace.

        A worker that fails beyond remedy cancels the task in the context, which ends with the worker's error.
        """
        async with AsyncExitStack() as stack:
            for worker in self._by_queue.values():
                await stack.enter_async_context(worker)
            try:
                yield self
            finally:
                await asyncio.gather(*(worker.shutdown() for worker in self._by_queue.values()))


def workers_for(
    settings: Settings,
    client: Client,
    *,
    workflows: Sequence[type],
    runner: WorkflowRunner,
    activities: Sequence[Callable[..., Any]],
    interceptors: Sequence[Interceptor],
    nexus_services: Sequence[object] = (),
) -> Workers:
    """The workers that ``settings.roles`` ask for; of ``activities`` each gets those of its queue.

    ``nexus_services`` are on the queue of the cases.
    """
    made: dict[str, Worker] = {}
    most = settings.max_pollers
    pollers = PollerBehaviorAutoscaling(maximum=most) if most else PollerBehaviorSimpleMaximum()
    for role in (each for each in WorkerRole if each in settings.roles):
        cases = role is WorkerRole.WORKFLOWS
        queue = queue_of(role, settings.task_queue)
        # Steps run inside workflow tasks: more of them at once than the database serves would time out together.
        usual = max(settings.database_pool_size, FEWEST_WORKFLOW_TASKS)
        tasks = (settings.max_concurrent_workflow_tasks or usual) if cases else None
        made[queue] = Worker(
            client,
            task_queue=queue,
            workflows=workflows if cases else [],
            activities=[each for each in activities if role_of(each.__name__) is role],
            nexus_service_handlers=nexus_services if cases else (),
            workflow_runner=runner,
            max_cached_workflows=settings.max_cached_workflows if cases else 0,
            max_concurrent_activities=settings.max_concurrent_activities,
            max_concurrent_workflow_tasks=tasks,
            max_concurrent_local_activities=tasks,
            workflow_task_poller_behavior=pollers,
            activity_task_poller_behavior=pollers,
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
            deployment_config=_version(settings),
            interceptors=[*interceptors, OperatorsPage(), HeadersApart()],
        )
    return Workers(client, made)


def _version(settings: Settings) -> WorkerDeploymentConfig | None:
    """The version by which the server tells workers apart. No default behaviour: each workflow must state its own."""
    if settings.deployment_name is None or settings.build_id is None:
        return None
    version = WorkerDeploymentVersion(deployment_name=settings.deployment_name, build_id=settings.build_id)
    return WorkerDeploymentConfig(version=version, use_worker_versioning=True)
