"""Cases reset to their first workflow task: Temporal tells them all commands again, and they go on from their book.

So nothing that was sent is lost, and what the book has is not done again. A case is moved to a new version of the
workers so, and a book that was restored gets what it lacks (section 11).
"""

from collections.abc import AsyncIterator
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflow.v1 import PostResetOperation, VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest, ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.running import Runs

_GONE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION})


async def begun_again(
    temporal: Client, runs: Runs, case_id: str, reason: str, to: WorkerDeploymentVersion | None = None
) -> bool:
    """Reset the last run of a case to its first workflow task, on the version ``to`` where one is named.

    False where it cannot be: it has not begun, or has gone meanwhile.

    Raises:
        RPCError: Temporal does not answer.
    """
    described = await runs.described(case_id)
    if described is None:
        return False
    run_id = described.workflow_execution_info.execution.run_id
    try:
        first = await _first_task(temporal, case_id, run_id)
        if first is None:
            return False
        await temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=case_id, run_id=run_id),
                reason=reason,
                workflow_task_finish_event_id=first,
                request_id=f"{reason}-{run_id}",  # the same again is the same reset
                identity=temporal.identity,
                post_reset_operations=[_on(to)] if to else (),
            )
        )
    except RPCError as error:
        if error.status in _GONE:
            return False
        raise
    return True


async def _first_task(temporal: Client, case_id: str, run_id: str) -> int | None:
    """The event with which a run's first workflow task was finished; None where it has finished none."""
    handle = temporal.get_workflow_handle(case_id, run_id=run_id)
    async for event in handle.fetch_history_events(page_size=10):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return event.event_id
    return None


def _on(version: WorkerDeploymentVersion) -> PostResetOperation:
    """Go on with this version from the next workflow task on, and as the code says after that."""
    override = VersioningOverride(one_time=VersioningOverride.OneTimeOverride(target_deployment_version=version))
    return PostResetOperation(
        update_workflow_options=PostResetOperation.UpdateWorkflowOptions(
            workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
            update_mask=FieldMask(paths=["versioning_override"]),
        )
    )


async def current_version(temporal: Client, deployment: str) -> WorkerDeploymentVersion | None:
    """The version that new cases begin on; None where there is no such deployment, or no current version.

    Raises:
        RPCError: Temporal does not answer.
    """
    request = DescribeWorkerDeploymentRequest(namespace=temporal.namespace, deployment_name=deployment)
    try:
        described = await temporal.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    routing = described.worker_deployment_info.routing_config
    current = routing.current_deployment_version
    return current if current.build_id else None


async def on_old_versions(
    runs: Runs, current: WorkerDeploymentVersion, build: str | None, task_queue: str
) -> AsyncIterator[str]:
    """The ids of open cases that are pinned to another version than the current one: to ``build``, where it is named.

    Raises:
        RPCError: Temporal does not answer.
    """
    version = "TemporalWorkerDeploymentVersion"
    which = (
        f'{version} = "{current.deployment_name}:{build}"'
        if build
        else f'TemporalWorkerDeployment = "{current.deployment_name}" '
        f'AND {version} != "{current.deployment_name}:{current.build_id}"'
    )
    query = f'CaseStage IS NOT NULL AND ExecutionStatus = "Running" AND TaskQueue = "{task_queue}" AND {which}'
    async for page in runs.pages(query):
        for case_id in page:
            yield case_id
