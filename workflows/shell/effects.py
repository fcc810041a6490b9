"""What a case does beside writing its book: asks carriers and gateways, starts other cases, tells them facts."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows import visibility
from workflows.kinds.decisions import (
    AskCarrier,
    AskGateway,
    Booked,
    Effect,
    PayByHand,
    StartDispute,
    TakeCallback,
    TellCase,
)
from workflows.kinds.events import DisputeEnded
from workflows.messages import activities
from workflows.messages.cases import Outcome, Step
from workflows.messages.parcels import AskCarrier as Asking
from workflows.messages.parcels import ask_carrier
from workflows.messages.requests import CompensationRequest, DisputeRequest
from workflows.rules.answers import settled_for
from workflows.rules.identity import case_id, workflow_name
from workflows.shell.book import Book, not_overtaken


class Effects:
    """Carries effects out, each at a time, and follows the dispute that the case has started."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._following: asyncio.Task[None] | None = None
        self.dispute_ended: DisputeEnded | None = None
        """The end of the dispute, until the case has looked at it."""

    async def perform(self, effect: Effect) -> object:
        """Carry ``effect`` out; its answer is what the effect says."""
        match effect:
            case AskCarrier():
                asking = Asking(parcel=effect.parcel, at=workflow.now())
                return await self._book.outside(
                    ask_carrier, asking, seconds=30, summary="ask the carrier for the parcel"
                )
            case AskGateway() | PayByHand():
                return await self._settle(effect)
            case TakeCallback():
                return await self._take_callback(effect)
            case StartDispute():
                return await self._start_dispute(effect.request, again=effect.again)
            case TellCase():
                return await self.tell(effect)

    async def owe(self, request: CompensationRequest) -> None:
        """Start the payment of what is owed; it goes on by itself, and is owed once."""
        with suppress(WorkflowAlreadyStartedError):
            await _start(request)

    async def tell(self, told: TellCase) -> bool:
        """Send a fact to another case; False where it has ended."""
        try:
            await workflow.get_external_workflow_handle(told.case).signal(told.fact.command_name(), told.fact)
        except FailureError:
            return False
        return True

    async def tell_dispute(self, told: TellCase) -> None:
        """D2: tell the case's dispute, unless it has ended by itself meanwhile."""
        if self._following is None or not self._following.done():
            await self.tell(told)

    def follow_no_more(self) -> None:
        """Wait for no dispute that was started here: the server tells its end to the run that was reset, perhaps.

        The dispute knows that, and tells the case how it ends (``RulingTold``).
        """
        self._following = None  # and not cancelled: that would ask for the dispute's cancellation

    async def dispute_over(self) -> None:
        """Section 11: a case does not end before its dispute."""
        if self._following:
            await workflow.wait_condition(self._following.done)

    async def _settle(self, effect: AskGateway | PayByHand) -> Booked:
        closing = self._completed(effect.settling.closing)
        settling = effect.settling.model_copy(update={"closing": closing})
        fits = settled_for(workflow.info().workflow_id)
        activity: Any = activities.settle if isinstance(effect, AskGateway) else activities.settle_manually
        settled = await self._book.outside(
            activity, settling, seconds=effect.seconds, summary=effect.summary, fits=fits
        )
        not_overtaken(settled.ahead, fenced=settled.fenced)
        return Booked(settled, closing)

    async def _take_callback(self, effect: TakeCallback) -> Booked:
        closing = self._completed(effect.entering.closing) if effect.entering.closing else None
        entering = effect.entering.model_copy(update={"closing": closing})
        # After the end a callback may be about any case: whatever it came to is entered, and changes nothing here.
        fits = settled_for(workflow.info().workflow_id if closing else None)
        summary = f"gateway callback: {entering.callback.result}"
        settled = await self._book.outside(activities.enter_callback, entering, seconds=30, summary=summary, fits=fits)
        not_overtaken(settled.ahead, fenced=settled.fenced)
        return Booked(settled, closing)

    def _completed(self, closing: Step) -> Step:
        entries = (*self._book.lines_to_go(), *closing.entries)
        return closing.model_copy(update={"case": self._book.key, "entries": entries})

    async def _start_dispute(self, request: DisputeRequest, *, again: bool) -> str | None:
        """The id of the dispute that was started; None where there is, or was, such a case.

        One that an earlier run of the case has started tells the case itself how it ends (D8).
        """
        try:
            dispute = await _start(request)
        except WorkflowAlreadyStartedError:
            return case_id(request) if again else None
        self._following = asyncio.create_task(self._follow(dispute))
        return dispute.id

    async def _follow(self, dispute: ChildWorkflowHandle[Any, Outcome]) -> None:
        try:
            outcome = await dispute
        except FailureError:
            self.dispute_ended = DisputeEnded(None)
        else:
            self.dispute_ended = DisputeEnded(outcome.ruling, refused=outcome.refusal is not None)


async def _start(request: DisputeRequest | CompensationRequest) -> ChildWorkflowHandle[Any, Outcome]:
    """Start the case that ``request`` opens, as a service would; it goes on should this one be stopped from outside.

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
