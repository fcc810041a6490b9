"""Temporal as the host of a case: one run of one workflow."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows import at_start, visibility
from workflows.kinds.case import Case
from workflows.messages.cases import Outcome
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.requests import CompensationRequest, DisputeRequest
from workflows.queues import queue_for
from workflows.rules.identity import case_id, workflow_name
from workflows.shell.answers import local_first, until_answered
from workflows.shell.host import CaseExistsError

_IN_ANOTHER_RUN: Final = "goes-on-in-another-run"
_FINDS_DISPUTE_AGAIN: Final = "finds-dispute-again"
_LOOKS_AFTER_DISPUTE: Final = "looks-after-dispute"
_RECKONS_LEFT_ANEW: Final = "reckons-left-anew"
_AFTER_A_RESET: Final = "dispute-after-a-reset"

IS_FOLLOWED: Final = "is_followed"
"""The name of the signal by which a case finds out whether its dispute runs. Nothing follows from it there."""

_LET_GO: Final = "another run of the case goes on: it is to be told of the end"
"""The reason of a request to cancel a dispute whose end nobody asks for."""

Given = TypeVar("Given")
Found = TypeVar("Found")


class TemporalHost:
    """See ``Host``: whatever is asked of it becomes a command in the workflow's history, in the order of asking."""

    @property
    def case_id(self) -> CaseId:
        """See Host."""
        return workflow.info().workflow_id

    @property
    def run_id(self) -> str:
        """See Host."""
        return workflow.info().original_execution_run_id

    @property
    def parent(self) -> CaseId | None:
        """See Host."""
        parent = workflow.info().parent
        return parent.workflow_id if parent else None

    @property
    def resumes(self) -> bool:
        """See Host."""
        return True

    def now(self) -> datetime:
        """See Host."""
        return workflow.now()

    async def wait_until(
        self, condition: Callable[[], bool], *, at_most: timedelta | None = None, summary: str = ""
    ) -> None:
        """See Host: with ``at_most``, a timer with this summary."""
        with suppress(TimeoutError):
            await workflow.wait_condition(condition, timeout=at_most, timeout_summary=summary or None)

    def all_handlers_finished(self) -> bool:
        """See Host."""
        return workflow.all_handlers_finished()

    def has_run_long(self) -> bool:
        """See Host: as the server says of events, bytes and updates, each well before it takes no more."""
        return workflow.info().is_continue_as_new_suggested() and workflow.patched(_IN_ANOTHER_RUN)

    def finds_dispute_again(self) -> bool:
        """See Host."""
        return workflow.patched(_FINDS_DISPUTE_AGAIN)

    def holds(self, mark: str) -> bool:
        """See Host."""
        return workflow.patched(mark)

    async def soon_answered(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        fits: Callable[[Found], bool],
        tell: Callable[[str, str], None],
        mends: bool = False,
    ) -> Found:
        """See Host: a local activity, then a regular one."""
        return await local_first(activity, given, fits=fits, tell=tell, mends=mends)

    async def answered(
        self,
        activity: Callable[[Given], Awaitable[Found]],
        given: Given,
        *,
        seconds: int,
        summary: str,
        fits: Callable[[Found], bool],
        tell: Callable[[str, str], None],
        mends: bool = False,
    ) -> Found:
        """See Host: a regular activity, on the queue of those who carry it out."""
        return await until_answered(
            activity,
            given,
            seconds=seconds,
            summary=summary,
            task_queue=queue_for(activity),
            fits=fits,
            tell=tell,
            mends=mends,
        )

    async def start_case(self, request: DisputeRequest | CompensationRequest) -> "StartedWorkflow":
        """See Host: a child, which outlives its parent."""
        told = isinstance(request, DisputeRequest)
        try:
            return StartedWorkflow(
                await workflow.start_child_workflow(
                    workflow_name(request),
                    request,
                    id=case_id(request),
                    result_type=Outcome,
                    parent_close_policy=ParentClosePolicy.REQUEST_CANCEL if told else ParentClosePolicy.ABANDON,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    search_attributes=at_start.foreseen(request, None),
                    static_summary=at_start.summary(request, None),
                    static_details=at_start.details(request),
                )
            )
        except WorkflowAlreadyStartedError as error:
            raise CaseExistsError from error

    def reckons_left_anew(self) -> bool:
        """See Host."""
        return workflow.patched(_RECKONS_LEFT_ANEW)

    def looks_after_dispute(self) -> bool:
        """See Host."""
        return workflow.patched(_LOOKS_AFTER_DISPUTE)

    def looks_for_started_dispute(self) -> bool:
        """See Host."""
        return workflow.patched(_AFTER_A_RESET)

    def was_reset(self) -> bool:
        """See Host: a reset gives another run id, and keeps the original one."""
        info = workflow.info()
        return info.run_id != info.original_execution_run_id and workflow.patched(_AFTER_A_RESET)

    async def let_go(self, case: CaseId) -> bool:
        """See Host: a request to cancel it, as the server makes one to the children of a run that is no more.

        The server makes one request of a run known to it, the first, with its reason; one of a run that has ended
        counts as made. So it is asked by a signal afterwards whether the run was still there.
        """
        dispute = workflow.get_external_workflow_handle(case)
        try:
            await dispute.cancel(reason=_LET_GO)
            if self.looks_after_dispute():
                await dispute.signal(IS_FOLLOWED)
        except FailureError:
            return False
        return True

    def was_let_go(self) -> bool:
        """See Host: by the reason of the request, before which the server says who has made it."""
        return (workflow.cancellation_reason() or "").endswith(_LET_GO)

    async def tell_case(self, case: CaseId, fact: Command) -> bool:
        """See Host: a signal."""
        try:
            await workflow.get_external_workflow_handle(case).signal(fact.command_name(), fact)
        except FailureError:
            return False
        return True

    def show(self, case: Case) -> None:
        """See Host: search attributes."""
        visibility.show(case)


class StartedWorkflow:
    """See ``StartedCase``."""

    def __init__(self, child: ChildWorkflowHandle[Any, Outcome]) -> None:
        self._child = child

    @property
    def id(self) -> CaseId:
        """See StartedCase."""
        return self._child.id

    async def outcome(self) -> Outcome | None:
        """See StartedCase."""
        try:
            return await self._child
        except FailureError:
            return None
