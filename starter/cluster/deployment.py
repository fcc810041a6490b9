"""Temporal's worker deployment, as its controller sees it: which version is current, and which still has cases."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.batch.v1 import BatchOperationUpdateWorkflowExecutionOptions
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import BatchOperationState
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
    StartBatchOperationRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.cluster.processes import until

_NOT_YET: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION})
"""Until the server has heard of a version's pollers, on each of its queues."""

_GRACE: Final = timedelta(seconds=3)
_OPEN: Final = "ExecutionStatus = 'Running'"


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

    async def move(self, build: str, to: str) -> int:
        """Have the open cases of a version go on with another from their next workflow task on; how many they were.

        As ``temporal workflow update-options --query ... --versioning-override-behavior one_time`` does it.

        Raises:
            RPCError: Temporal does not answer, or refuses.
        """
        target = WorkerDeploymentVersion(deployment_name=self.name, build_id=to)
        options = WorkflowExecutionOptions(
            versioning_override=VersioningOverride(
                one_time=VersioningOverride.OneTimeOverride(target_deployment_version=target)
            )
        )
        job = str(uuid4())
        await self._client.workflow_service.start_batch_operation(
            StartBatchOperationRequest(
                namespace=self._client.namespace,
                job_id=job,
                visibility_query=self._query(f"{self._on(build)} AND {_OPEN}"),
                reason="bad_release",
                update_workflow_options_operation=BatchOperationUpdateWorkflowExecutionOptions(
                    identity=self._client.identity,
                    workflow_execution_options=options,
                    update_mask=FieldMask(paths=["versioning_override"]),
                ),
            )
        )
        moved = 0

        async def done() -> bool:
            nonlocal moved
            found = await self._client.workflow_service.describe_batch_operation(
                DescribeBatchOperationRequest(namespace=self._client.namespace, job_id=job)
            )
            moved = found.complete_operation_count
            return found.state != BatchOperationState.BATCH_OPERATION_STATE_RUNNING

        await until(done)
        return moved

    async def stuck(self, build: str) -> int:
        """How many open cases of a version fail their workflow tasks again and again, as the server reports it."""
        return await self._count(f"{self._on(build)} AND {_OPEN} AND TemporalReportedProblems IS NOT NULL")

    async def begun(self, build: str) -> int:
        """How many cases have begun on this version."""
        return await self._count(self._on(build))

    async def open(self, build: str) -> int:
        """How many cases that began on this version have not ended."""
        return await self._count(f"{self._on(build)} AND {_OPEN}")

    async def takes_none(self, build: str) -> bool:
        """Whether no case has begun on a version within the last seconds; see ``no_longer_needed``."""
        begun = f"StartTime >= '{(datetime.now(UTC) - _GRACE).isoformat()}'"
        return not await self._count(f"{self._on(build)} AND {begun}")

    async def no_longer_needed(self, build: str) -> bool:
        """Whether no case needs a version that is not current any more.

        The server tells its partitions little by little where new cases go, and does not always say when it is done;
        and a case whose first task is with a worker has no version yet. So, as the server itself does before it calls
        a version drained, some time is given in which no case may have begun on it.
        """
        before = f"StartTime < '{(datetime.now(UTC) - _GRACE).isoformat()}' AND {_OPEN}"
        return not (
            await self.open(build)
            or not await self.takes_none(build)
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
        return (await self._client.count_workflows(self._query(condition))).count

    def _query(self, condition: str) -> str:
        return f"TaskQueue = '{self._task_queue}'" + (f" AND {condition}" if condition else "")
