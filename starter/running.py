"""Whether Temporal runs the workflow of a case, and if not, why."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.waiting import asked_again
from workflows.messages.stages import Stopped

_STOPPED: Final[Mapping["Status.ValueType", Stopped]] = {
    Status.WORKFLOW_EXECUTION_STATUS_PAUSED: Stopped.PAUSED,
    Status.WORKFLOW_EXECUTION_STATUS_TERMINATED: Stopped.TERMINATED,
    Status.WORKFLOW_EXECUTION_STATUS_FAILED: Stopped.FAILED,
    Status.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: Stopped.TIMED_OUT,
    Status.WORKFLOW_EXECUTION_STATUS_CANCELED: Stopped.CANCELED,
}
_ASKED_AT_ONCE: Final = 50
_LISTED_AT_ONCE: Final = 200


def stopped_by(status: "Status.ValueType | None") -> Stopped | None:
    """Why nothing moves a case whose last run has this status, or that has none; None where it runs or has ended."""
    return Stopped.FORGOTTEN if status is None else _STOPPED.get(status)


class Runs:
    """The runs of cases. The server is asked by plain requests: the SDK has no word for a paused workflow yet."""

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal
        self._pausable: bool | None = None

    async def can_be_paused(self) -> bool:
        """Whether the namespace lets operators pause workflows; asked once.

        Raises:
            RPCError: Temporal does not answer.
        """
        if self._pausable is None:
            request = DescribeNamespaceRequest(namespace=self._temporal.namespace)
            try:
                described = await self._temporal.workflow_service.describe_namespace(request)
            except RPCError as error:
                if error.status is not RPCStatusCode.PERMISSION_DENIED:
                    raise
                self._pausable = False
            else:
                self._pausable = described.namespace_info.capabilities.workflow_pause
        return self._pausable

    async def status(self, case_id: str) -> "Status.ValueType | None":
        """The status of the case's last run; None where Temporal has none.

        Raises:
            RPCError: Temporal does not answer.
        """
        described = await self.described(case_id)
        return described.workflow_execution_info.status if described else None

    async def exists(self, case_id: str) -> bool:
        """Whether Temporal has a run of the case, of whatever status. Errors as in ``status``."""
        return await self.status(case_id) is not None

    async def stopped(self, case_id: str) -> Stopped | None:
        """Why nothing moves the case; None where it runs or has ended by itself. Errors as in ``status``."""
        status = await self.status(case_id)
        return stopped_by(status)

    async def now(self, case_id: str) -> datetime:
        """The case's own time; the wall's where its clock was never moved. Errors as in ``status``."""
        described = await self.described(case_id)
        if described and described.workflow_extended_info.HasField("time_skipping_info"):
            return described.workflow_extended_info.time_skipping_info.current_time.ToDatetime(UTC)
        return datetime.now(UTC)

    async def stopped_of(self, case_ids: Sequence[str]) -> dict[str, Stopped]:
        """Those of some open cases whose workflow does not run, and why. As late as visibility is.

        Raises:
            RPCError: Temporal does not answer.
        """
        found: dict[str, Stopped] = {}
        for start in range(0, len(case_ids), _ASKED_AT_ONCE):
            ids = case_ids[start : start + _ASKED_AT_ONCE]
            runs = await self._runs_of(ids)
            for case_id in ids:
                statuses = [status for _, status in sorted(runs.get(case_id, ()))]
                if Status.WORKFLOW_EXECUTION_STATUS_RUNNING in statuses:
                    continue
                stopped = _STOPPED.get(statuses[-1]) if statuses else await self.stopped(case_id)
                if stopped:
                    found[case_id] = stopped
        return found

    async def described(self, case_id: str) -> DescribeWorkflowExecutionResponse | None:
        """All that Temporal tells of the case's last run; None where it has none. Errors as in ``status``."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._temporal.namespace, execution=WorkflowExecution(workflow_id=case_id)
        )
        try:
            service = self._temporal.workflow_service
            return await asked_again(lambda time: service.describe_workflow_execution(request, timeout=time))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def pages(self, query: str) -> AsyncIterator[list[str]]:
        """The ids of the workflows that ``query`` finds, page by page. As late as visibility is.

        Raises:
            RPCError: Temporal does not answer.
        """
        token = b""
        while True:
            request = ListWorkflowExecutionsRequest(
                namespace=self._temporal.namespace, query=query, page_size=_LISTED_AT_ONCE, next_page_token=token
            )
            listed = await self._temporal.workflow_service.list_workflow_executions(request)
            yield [each.execution.workflow_id for each in listed.executions]
            if not (token := listed.next_page_token):
                return

    async def _runs_of(self, case_ids: Sequence[str]) -> dict[str, list[tuple[float, "Status.ValueType"]]]:
        """When each run of these cases began, and its status: a case that was reset has several."""
        quoted = ", ".join(f'"{each}"' for each in case_ids)
        request = ListWorkflowExecutionsRequest(namespace=self._temporal.namespace, query=f"WorkflowId IN ({quoted})")
        listed = await self._temporal.workflow_service.list_workflow_executions(request)
        runs: dict[str, list[tuple[float, Status.ValueType]]] = {}
        for each in listed.executions:
            began = each.start_time.seconds + each.start_time.nanos / 1e9
            runs.setdefault(each.execution.workflow_id, []).append((began, each.status))
        return runs
