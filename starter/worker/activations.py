"""Keeps a workflow that waits in the worker's cache from keeping all that it was told.

The SDK's workflow keeps small parts of its activations while it waits: the flags and the worker's version of the last
one, the headers and an earlier run's result of the first one. Each is a part of a protobuf message, and a part keeps
the memory of the whole: every payload that came along, encrypted and in clear. Here it is given copies of these parts
(``findings/temporal-cached-workflow-keeps-payloads.sh``).
"""

from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)

from starter.worker.read_ahead import ReadAhead

Part = TypeVar("Part", bound=Message)


def apart(details: WorkflowInstanceDetails) -> WorkflowInstanceDetails:
    """The same, with nothing in it that is a part of the activation that a workflow begins with."""
    return replace(details, last_completion_result=copy_of(details.last_completion_result))


class ApartFromActivations(WorkflowInstance):
    """A workflow that keeps no activation alive once it is carried out."""

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner
        self._read_ahead = ReadAhead()
        info = inner.get_info()
        self._context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)

    def activate(self, act: Any) -> Any:
        """See base class.

        Raises:
            WasReadAhead: the workflow task is to be given again.
        """
        self._read_ahead.look(act)
        return self._inner.activate(Activation(act))  # pyright: ignore[reportArgumentType]

    def get_serialization_context(self, command_info: Any) -> Any:
        """See base class.

        What an activity is given and gives back is bound to its workflow alone, so the data converter that the SDK has
        made for the workflow does for it; for another context it makes one, three times a payload.
        """
        if command_info is None:
            return self._context
        context = self._inner.get_serialization_context(command_info)
        return self._context if isinstance(context, ActivitySerializationContext) else context

    def get_external_store_context(self, command_info: Any) -> Any:
        """See base class."""
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        """See base class."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """See base class."""
        return self._inner.get_thread_id()


class HeadersApart(Interceptor):
    """Has a workflow keep copies of the headers that it was started with."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See base class."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        input.headers = {name: copy_of(value) for name, value in input.headers.items()}
        return await super().execute_workflow(input)


class Activation:
    """An activation as a workflow reads it: what the SDK keeps of it are copies."""

    def __init__(self, act: Any) -> None:
        self._act = act
        self.available_internal_flags = tuple(act.available_internal_flags)
        self.deployment_version_for_current_task = copy_of(act.deployment_version_for_current_task)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._act, name)


def copy_of(message: Part) -> Part:
    """A message of its own that says the same."""
    made = type(message)()
    made.CopyFrom(message)
    return made
