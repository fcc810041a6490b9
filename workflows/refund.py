"""Refunds that a buyer asks for while no goods come back: unshipped, and refund only (R1 to R8).

An order that the platform ships itself goes by ``cancellation`` (R3); goods that have shipped meanwhile make it a
return (R7).
"""

from datetime import datetime

from temporalio import workflow

from workflows.cancellation import cancellation
from workflows.case import DisputeEnded, Happening
from workflows.handlers import takes
from workflows.messages.actors import CLOCK, carrier
from workflows.messages.cases import LogEntry, NoticeTemplate, Outcome
from workflows.messages.commands import (
    Amend,
    Approve,
    CloseCase,
    DisputeIntervened,
    GiveRefundAccount,
    PayInAdvance,
    RecordManualTransfer,
    Reject,
    ReportParcel,
    RetryPayment,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import RefundRequest
from workflows.messages.rulings import Ruling
from workflows.messages.stages import Attention, CaseKind
from workflows.returning import RETURN_COMMANDS, ReturningCase
from workflows.rules.stages import (
    ESCALATED,
    MERCHANT_REVIEW,
    PARCEL_INTERCEPT,
    REJECTED,
    SHIPPED_REVIEW,
)
from workflows.versions import LASTS_WEEKS

HAS_LEFT = frozenset({ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN})


@workflow.defn(name="Refund", versioning_behavior=LASTS_WEEKS)
@takes(*RETURN_COMMANDS, RetryPayment, PayInAdvance, RecordManualTransfer, DisputeIntervened)
class Refund(ReturningCase):
    """One refund that a buyer asked for, without goods coming back."""

    @workflow.init
    def __init__(self, request: RefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: RefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct(self._refund())

    async def _refund(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.shipped_since:  # R7: as if the carrier had told it
            self.hear(_shipped(opened.shipped_since))
        if opened.kind is CaseKind.CANCELLATION:
            return await cancellation(self)
        while self.kind is not CaseKind.RETURN:
            event = await self.next(ReportParcel)
            match event:
                case Approve():  # R1, R2
                    return await self.refund(self.obeyed(event, "approved"), by=event.by, rule=self.stage.rule)
                case Happening.SILENCE if self.stage is REJECTED:  # R6
                    return await self.close_as_rejected()
                case Happening.SILENCE if self.stage is PARCEL_INTERCEPT:  # R7: the goods are out, a person decides
                    await self._escalate()
                case Happening.SILENCE:  # R1, R2: who says nothing agrees
                    return await self.refund(self.silent("approved_by_silence"), by=CLOCK, rule=self.stage.rule)
                case Withdraw():  # R6
                    return await self.withdrawn(event, "R6")
                case CloseCase():
                    return await self.closed_by_officer(event)
                case Reject() if self.stage is MERCHANT_REVIEW and event.shipping:  # R1: only what has shipped
                    await self._convert(self.rejection(event), event.shipping.shipped_at)
                case Reject():  # R2
                    await self.reject(event)
                case Amend():  # R6
                    await self.apply_again(event, SHIPPED_REVIEW)
                case ReportParcel() if self.stage is MERCHANT_REVIEW and event.event in HAS_LEFT:  # R7
                    await self._convert(self.parcel(event), event.happened_at)
                case ReportParcel() if self._stopped_parcel() and event.event is ParcelEvent.RETURNED_TO_WAREHOUSE:
                    return await self.refund(self.parcel(event), by=event.by, rule="R7")
                case ReportParcel() if self._stopped_parcel() and event.event is ParcelEvent.SIGNED:
                    await self.become_return(self.parcel(event))  # R7: not stopped; the buyer has the goods
                case ReportParcel():
                    await self.note(self.parcel(event))
                case SubmitEvidence():  # R2
                    await self.take_evidence(event)
                case GiveRefundAccount():  # T4
                    await self.take_account(event)
                case DisputeEnded(ruling=Ruling() as ruling):  # D8
                    return await self.carry_out(ruling)
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")
        return await self.returning()

    async def _convert(self, entry: LogEntry, shipped_at: datetime) -> None:
        """R1, R7: the goods are on their way, so nothing is refunded blindly, and nothing asked for is lost."""
        if self.order.shipped_at is None:
            self.order = self.order.model_copy(update={"shipped_at": shipped_at})
        self.kind = CaseKind.SHIPPED_REFUND
        match self.policy.refund.shipped_meanwhile:
            case "shipped_review":
                await self.enter(SHIPPED_REVIEW, entry)
            case "return":
                await self.become_return(entry)
            case "intercept":
                await self.enter(PARCEL_INTERCEPT, entry, notices=self.notice_to_both(NoticeTemplate.GOODS_UNDERWAY))

    async def _escalate(self) -> None:
        await self.enter(ESCALATED, self.silent("escalated"), attention=Attention.INTERCEPT_OVERDUE)

    def _stopped_parcel(self) -> bool:
        return self.stage in (PARCEL_INTERCEPT, ESCALATED)


def _shipped(at: datetime) -> ReportParcel:
    directory = carrier("directory")
    return ReportParcel(
        key="shipped-while-opening",
        by=directory,
        event=ParcelEvent.SHIPPED,
        carrier=directory.id,
        tracking_no="unknown",
        happened_at=at,
    )
