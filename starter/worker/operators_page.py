"""What the Web UI shows of a workflow, written when somebody looks (section 12).

The SDK keeps the text that a workflow sets as its current details, and hands it out when its metadata is asked for. A
case is looked at far more seldom than it moves: its page is not written at each stage and kept, but made for whoever
asks, from the case as it stands.
"""

from datetime import UTC, datetime
from typing import Any, Final

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.worker import (
    HandleQueryInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

METADATA: Final = "__temporal_workflow_metadata"
"""The query by which the Web UI asks what a workflow takes and where it stands."""


class OperatorsPage(Interceptor):
    """Adds its page to the metadata of each workflow that has one, by its method ``operators_page``."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See base class."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def handle_query(self, input: HandleQueryInput) -> Any:
        answer = await super().handle_query(input)
        if input.query == METADATA and isinstance(answer, WorkflowMetadata):
            written = getattr(workflow.instance(), "operators_page", None)
            if written:
                answer.current_details = written(datetime.now(UTC))
        return answer
