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
from workflows.messages.cases import LogEntry, NoticeTemplate, Outcome, ParcelWatch, Stepped
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
    ShippingProof,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.orders import OrderLine
from workflows.messages.parcels import Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.requests import RefundRequest
from workflows.messages.rulings import Ruling
from workflows.messages.stages import Attention, CaseKind
from workflows.returning import RETURN_COMMANDS, ReturningCase
from workflows.rules.parcels import DIRECTORY, handed_on, report_of
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
        self.sent_in(*opened.underway)
        if opened.kind is CaseKind.CANCELLATION:
            return await cancellation(self)
        while self.kind is not CaseKind.RETURN:
            event = await self.next(ReportParcel)
            if isinstance(event, ReportParcel):
                self.follow(event)
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
                    if await self.keeps_evidence(event, "rejected"):
                        await self._prove(event, event.shipping)
                case Reject():  # R2
                    await self.reject(event)
                case Amend():  # R6
                    await self.apply_again(event, SHIPPED_REVIEW)
                case ReportParcel() if self._has_left(event):  # R7
                    await self._convert(event, self.parcel(event), min(event.happened_at, workflow.now()))  # R18
                case ReportParcel() if self._stopped_parcel() and self._is_back(event):
                    return await self.refund_back(event, "R7")
                case ReportParcel() if self._stopped_parcel() and self.contradicted(event):  # T14
                    await self.ask_who_has_the_goods(event)
                case ReportParcel() if self._stopped_parcel() and event.event is ParcelEvent.SIGNED:
                    await self._come_back(event, self.parcel(event))  # R7: not stopped; the buyer has the goods
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

    async def _prove(self, command: Reject, shipping: ShippingProof) -> None:
        """R1, R15, R18: what is known of the parcel must not stand against what the merchant says of it."""
        if await self._convert(command, self.rejection(command), shipping.shipped_at, self.proven(command)):
            self.sent_in(Parcel(carrier=shipping.carrier, tracking_no=shipping.tracking_no))

    async def _convert(
        self, told: Reject | ReportParcel, entry: LogEntry, shipped_at: datetime, watch: ParcelWatch | None = None
    ) -> bool:
        """R1, R7: the goods are on their way, so nothing is refunded blindly, and nothing asked for is lost.

        False where the proof does not count, and nothing has changed.
        """
        before = self.order
        asked = {each.line for each in self.application.lines}
        lines = tuple(_sent(line, shipped_at) if line.line in asked else line for line in self.order.lines)
        self.order = self.order.model_copy(update={"lines": lines})
        self.kind = CaseKind.SHIPPED_REFUND
        match self.policy.refund.shipped_meanwhile:
            case "return" if asked:
                stepped = await self._come_back(told, entry, watch)
            case "intercept" if asked:
                notices = self.notice_to_both(NoticeTemplate.GOODS_UNDERWAY)
                stepped = await self.enter(PARCEL_INTERCEPT, entry, notices=notices, watch=watch)
            case _:  # freight alone cannot be sent back or stopped
                stepped = await self.enter(SHIPPED_REVIEW, entry, watch=watch)
        if stepped.refusal:
            self.order, self.kind = before, CaseKind.UNSHIPPED_REFUND
            self.answer(told, stepped.refusal)
            return False
        for each in stepped.parcel_events:  # of the parcel that is proof: it may have gone further by now
            # R18: what happened before the payment is another parcel's, under the same number.
            if handed_on(ParcelPurpose.ORDER, each.event) and each.happened_at >= self.order.paid_at:
                self.hear(report_of(each))
        return True

    async def _come_back(
        self, told: Reject | ReportParcel, entry: LogEntry, watch: ParcelWatch | None = None
    ) -> Stepped:
        """R7; what comes back in another case already cannot come back here: the merchant decides on the money (R2)."""
        stepped = await self.become_return(entry, watch)
        if stepped.refusal is None:
            return stepped
        if isinstance(told, Reject):  # what came with it was to be kept with the step that was refused
            self.bring(told, "rejected")
        return await self.enter(SHIPPED_REVIEW, entry, watch=watch)

    async def _escalate(self) -> None:
        await self.enter(ESCALATED, self.silent("escalated"), attention=Attention.INTERCEPT_OVERDUE)

    def _has_left(self, report: ReportParcel) -> bool:
        return self.stage is MERCHANT_REVIEW and report.event in HAS_LEFT and bool(self.application.lines)

    def _is_back(self, report: ReportParcel) -> bool:
        return report.event is ParcelEvent.RETURNED_TO_WAREHOUSE and self.all_back

    def _stopped_parcel(self) -> bool:
        return self.stage in (PARCEL_INTERCEPT, ESCALATED)


def _sent(line: OrderLine, at: datetime) -> OrderLine:
    return line.model_copy(update={"pieces_sent": line.quantity, "sent_at": line.sent_at or at})


def _shipped(at: datetime) -> ReportParcel:
    directory = carrier(DIRECTORY)
    return ReportParcel(
        key="shipped-while-opening",
        by=directory,
        event=ParcelEvent.SHIPPED,
        carrier=directory.id,
        tracking_no="unknown",
        happened_at=at,
    )
