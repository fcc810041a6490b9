"""Refunds that a buyer asks for while no goods come back: unshipped, and refund only (R1 to R8).

An order that the platform ships itself goes by ``cancellation`` (R3).
"""

from datetime import datetime

from temporalio import workflow

from workflows.cancellation import cancellation
from workflows.case import Happening
from workflows.handlers import takes
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, NoticeTemplate, Outcome, Refusal
from workflows.messages.commands import (
    Amend,
    Approve,
    CloseCase,
    Command,
    ParcelEvent,
    PayInAdvance,
    RecordManualTransfer,
    Reject,
    ReportParcel,
    RetryPayment,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import RefundRequest
from workflows.messages.stages import Attention, CaseKind, OutcomeKind
from workflows.payable import OrderCase, evidence_facts
from workflows.rules.refund import refused_application
from workflows.rules.stages import MERCHANT_REVIEW, NEEDS_RETURN, REJECTED, SHIPPED_REVIEW

HAS_LEFT = frozenset({ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN})


@workflow.defn(name="Refund")
@takes(
    Approve,
    Reject,
    Withdraw,
    Amend,
    SubmitEvidence,
    CloseCase,
    RetryPayment,
    PayInAdvance,
    RecordManualTransfer,
)
class Refund(OrderCase):
    """One refund that a buyer asked for, without goods coming back."""

    @workflow.init
    def __init__(self, request: RefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._applications = 1

    @workflow.run
    async def run(self, request: RefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct(self._refund())

    async def _refund(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.kind is CaseKind.CANCELLATION:
            return await cancellation(self)
        while True:
            event = await self.next(ReportParcel)
            match event:
                case Approve():  # R1, R2
                    return await self.refund(self.obeyed(event, "approved"), event.by)
                case Happening.SILENCE if self.stage is REJECTED:  # R6
                    return await self._close_as_rejected()
                case Happening.SILENCE:  # R1, R2: who says nothing agrees
                    return await self.refund(self.silent("approved_by_silence"), CLOCK)
                case Withdraw():  # R6
                    return await self.withdrawn(event, "R6")
                case CloseCase():  # R7: once it is known where the goods are
                    return await self.closed_by_officer(event)
                case Reject() if self.stage is MERCHANT_REVIEW and event.shipping:  # R1: only what has shipped
                    await self._convert(self._rejection(event), event.shipping.shipped_at)
                case Reject():  # R2
                    await self._reject(event)
                case Amend():  # R6
                    await self._apply_again(event)
                case ReportParcel() if self.stage is MERCHANT_REVIEW and event.event in HAS_LEFT:  # R7
                    await self._convert(self.parcel(event), event.happened_at)
                case ReportParcel():
                    await self.note(self.parcel(event))
                case SubmitEvidence():  # R2
                    await self.note(self.obeyed(event, "evidence_submitted", **evidence_facts(event.evidence)))
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def _reject(self, command: Reject) -> None:
        """R2: a reason and evidence; the buyer may amend and apply again within the window (R6)."""
        await self.enter(
            REJECTED,
            self._rejection(command),
            notices=self.notice(
                NoticeTemplate.REQUEST_REJECTED,
                self.buyer,
                reason=command.reason,
                window_days=self.policy.refund.escalation_window_days,
            ),
        )

    async def _apply_again(self, command: Amend) -> None:
        """R6: the merchant decides on the amended request, with a new clock."""
        self.application = command
        self._applications += 1
        stage = SHIPPED_REVIEW if self.kind is CaseKind.SHIPPED_REFUND else MERCHANT_REVIEW
        await self.enter(stage, self.obeyed(command, "amended", reason=command.reason))

    async def _convert(self, entry: LogEntry, shipped_at: datetime) -> None:
        """R1, R7: the goods are on their way, so nothing is refunded blindly."""
        if self.order.shipped_at is None:
            self.order = self.order.model_copy(update={"shipped_at": shipped_at})
        self.kind = CaseKind.SHIPPED_REFUND
        if self.policy.refund.shipped_meanwhile == "shipped_review":
            await self.enter(SHIPPED_REVIEW, entry)
            return
        await self.enter(
            NEEDS_RETURN,
            entry,
            attention=Attention.NEEDS_RETURN,
            notices=(
                *self.notice(NoticeTemplate.NEEDS_RETURN, self.buyer),
                *self.notice(NoticeTemplate.NEEDS_RETURN, self.merchant),
            ),
        )

    async def _close_as_rejected(self) -> Outcome:
        return await self.close(
            OutcomeKind.REJECTED,
            self.silent("closed_as_rejected"),
            rule="R6",
            by=CLOCK,
            notices=self.closed_notices(OutcomeKind.REJECTED),
        )

    def content_refusal(self, command: Command) -> Refusal | None:
        """R6, R8: an amended request must fit the order like the first one, and there is an end to amending."""
        if not isinstance(command, Amend) or self.opened is None or self.opened.order is None:
            return None
        most = self.policy.refund.most_applications
        if self._applications >= most:
            return Refusal(
                code="too_many_applications",
                field="command",
                rule="R6",
                explanation=f"a case can be applied for {most} times",
            )
        return refused_application(command, self.order, {})

    def _rejection(self, command: Reject) -> LogEntry:
        facts: dict[str, str | int] = {"reason": command.reason, **evidence_facts(command.evidence)}
        if command.shipping:
            facts["tracking_no"] = command.shipping.tracking_no
        return self.obeyed(command, "rejected", **facts)
