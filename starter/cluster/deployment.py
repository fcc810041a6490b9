"""Temporal's worker deployment, as its controller sees it: which version is current, and which still has cases."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.cluster.processes import until

_NOT_YET: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION})
"""Until the server has heard of a version's pollers, on each of its queues."""

_GRACE: Final = timedelta(seconds=3)


class Deployment:
    """One worker deployment and its versions, on one task queue of cases."""

    def __init__(self, client: Client, name: str, task_queue: str) -> None:
        self.name = name
        self._client = client
        self._task_queue = task_queue

    async def ramp(self, build: str, percentage: float) -> None:
        """Have so many of the new cases begin on this version.

        Raises:
            RPCError: Temporal does not answer, or refuses.
        """
        request = SetWorkerDeploymentRampingVersionRequest(
            namespace=self._client.namespace,
            deployment_name=self.name,
            build_id=build,
            percentage=percentage,
            identity=self._client.identity,
        )
        await self._once_known(lambda: self._client.workflow_service.set_worker_deployment_ramping_version(request))

    async def make_current(self, build: str) -> None:
        """Have all new cases begin on this version, once the server has told it to all of its partitions.

        Raises:
            RPCError: Temporal does not answer, or refuses.
        """
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._client.namespace,
            deployment_name=self.name,
            build_id=build,
            identity=self._client.identity,
        )
        await self._once_known(lambda: self._client.workflow_service.set_worker_deployment_current_version(request))

    async def begun(self, build: str) -> int:
        """How many cases have begun on this version."""
        return await self._count(self._on(build))

    async def open(self, build: str) -> int:
        """How many cases that began on this version have not ended."""
        return await self._count(f"{self._on(build)} AND ExecutionStatus = 'Running'")

    async def no_longer_needed(self, build: str) -> bool:
        """Whether no case needs a version that is not current any more.

        The server tells its partitions little by little where new cases go, and does not always say when it is done;
        and a case whose first task is with a worker has no version yet. So, as the server itself does before it calls
        a version drained, some time is given in which no case may have begun on it.
        """
        begun = f"StartTime >= '{(datetime.now(UTC) - _GRACE).isoformat()}'"
        before = f"StartTime < '{(datetime.now(UTC) - _GRACE).isoformat()}' AND ExecutionStatus = 'Running'"
        return not (
            await self.open(build)
            or await self._count(f"{self._on(build)} AND {begun}")
            or await self._count(f"TemporalWorkerDeploymentVersion IS NULL AND {before}")
        )

    async def all_cases(self) -> int:
        """How many cases there are, of all versions."""
        return await self._count("")

    async def _once_known(self, ask: Callable[[], Awaitable[object]]) -> None:
        async def done() -> bool:
            try:
                await ask()
            except RPCError as error:
                if error.status not in _NOT_YET:
                    raise
                return False
            return True

        await until(done)

    def _on(self, build: str) -> str:
        return f"TemporalWorkerDeploymentVersion = '{self.name}:{build}'"

    async def _count(self, condition: str) -> int:
        query = f"TaskQueue = '{self._task_queue}'" + (f" AND {condition}" if condition else "")
        return (await self._client.count_workflows(query)).count
