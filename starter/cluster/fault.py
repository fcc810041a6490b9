"""A release with a fault, for a roll to undo: whatever a case is told fails its workflow task."""

from collections.abc import Callable
from typing import Any, NoReturn

from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from starter.worker.roles import Workers


def with_fault(workers_for: Callable[..., Workers]) -> Callable[..., Workers]:
    """The same workers, with the fault in their workflow code.

    A case opens as it should and comes into the stage in which it waits, so it is pinned to this release. Then each
    command fails its workflow task, again and again, and nothing of it is written.
    """

    def faulty(*given: Any, interceptors: list[Interceptor], **named: Any) -> Workers:
        return workers_for(*given, interceptors=[*interceptors, _Fault()], **named)

    return faulty


class _Fault(Interceptor):
    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        del input
        return _Fails


class _Fails(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> NoReturn:
        raise RuntimeError(f"the fault of this release: {input.signal}")

    async def handle_update_handler(self, input: HandleUpdateInput) -> NoReturn:
        raise RuntimeError(f"the fault of this release: {input.update}")
