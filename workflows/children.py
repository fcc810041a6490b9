"""A case that starts another case: the same way as a service would, and to outlive it."""

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows import visibility
from workflows.case import CaseWorkflow
from workflows.messages.cases import Outcome
from workflows.messages.requests import CompensationRequest, DisputeRequest
from workflows.rules.identity import case_id, workflow_name


async def start_case(request: DisputeRequest | CompensationRequest) -> ChildWorkflowHandle[CaseWorkflow, Outcome]:
    """Start the case that ``request`` opens; it goes on should this one be stopped from outside.

    A dispute learns of that by a request to cancel it: who was to carry its ruling out may be gone (D8). Other cases
    carry themselves out.

    Raises:
        WorkflowAlreadyStartedError: there is, or was, such a case.
    """
    told = isinstance(request, DisputeRequest)
    return await workflow.start_child_workflow(
        workflow_name(request),
        request,
        id=case_id(request),
        result_type=Outcome,
        parent_close_policy=ParentClosePolicy.REQUEST_CANCEL if told else ParentClosePolicy.ABANDON,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        search_attributes=visibility.foreseen(request, None),
        static_summary=visibility.summary(request, None),
        static_details=visibility.details(request),
    )
