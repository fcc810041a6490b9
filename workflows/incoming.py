"""Goods on their way back to the merchant: which parcel, and whether it has arrived (T3, T6, T7, T14)."""

from datetime import datetime

from temporalio import workflow

from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, NamedAccount, ParcelWatch, Span
from workflows.messages.commands import EnterTracking, ExtendReceipt, ReportParcel
from workflows.messages.parcels import AskCarrier, Parcel, ParcelPurpose, ask_carrier
from workflows.messages.requests import RefundRequest, ReturnRequest
from workflows.messages.stages import Attention
from workflows.outgoing import OutgoingCase
from workflows.rules.parcels import came_back, signed_at
from workflows.rules.returns import extended
from workflows.rules.stages import (
    ADDRESS_MISSING,
    AWAITING_RETURN,
    GOODS_HELD,
    RESHIP_FAILED,
    RESHIP_OVERDUE,
    RESHIPMENT,
    RETURN_DELAYED,
    RETURN_EXTENDED,
    RETURN_IN_TRANSIT,
    RETURN_OVERDUE,
    RETURN_RECEIVED,
    RETURN_REFUSED,
    RETURN_REVIEW,
    Stage,
)

UNDERWAY = (RETURN_IN_TRANSIT, RETURN_DELAYED, RETURN_EXTENDED)
"""The goods are with the carrier, and time is left (T6, T7)."""

NOT_SENT = (RETURN_REVIEW, ADDRESS_MISSING, AWAITING_RETURN)
"""The buyer is to send goods back, and has not yet (T1, T3)."""

WITH_MERCHANT = (RESHIPMENT, RESHIP_OVERDUE, RESHIP_FAILED)
"""The merchant has the goods of an exchange and owes others (T8)."""


class IncomingCase(OutgoingCase):
    """A case in which the buyer may send goods to the merchant."""

    def __init__(self, request: RefundRequest | ReturnRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._parcel: Parcel | None = None
        self._agreed_at: datetime | None = None
        self._extended = False
        self._freight_paid = 0
        self._received = False
        """The merchant has got the goods, by the carrier's word or its own."""
        self._confirmed = False
        """By its own (T14)."""
        self._has_goods = False
        """The merchant has goods that are the buyer's until they are paid for (T15)."""

    async def goods_signed(self, entry: LogEntry, happened_at: datetime) -> None:
        """The merchant has signed for the goods."""
        raise NotImplementedError

    async def enter_tracking(self, command: EnterTracking) -> None:
        """T3, T4: which parcel it is; the carrier may have told of it before."""
        before = self._parcel
        stepped = await self.enter(
            self.stage if self.stage in UNDERWAY else RETURN_IN_TRANSIT,
            self.obeyed(
                command,
                "tracking_entered",
                carrier=command.parcel.carrier,
                tracking_no=command.parcel.tracking_no,
                freight_paid=command.freight_paid,
            ),
            keep_deadline=self.stage in UNDERWAY,
            watch=ParcelWatch(
                parcel=command.parcel,
                purpose=ParcelPurpose.RETURN,
                instead_of=before if before != command.parcel else None,
                freight_paid=command.freight_paid,
            ),
            account=_named(command),
        )
        if stepped.refusal:
            self.answer(command, stepped.refusal)
            return
        self._parcel = command.parcel
        self._freight_paid = command.freight_paid
        self.account = command.refund_account or self.account
        self.hear_of_parcels(*stepped.parcel_events)  # the carrier was quicker than the buyer
        number = {"tracking_no": command.parcel.tracking_no}
        if self._came_back():
            await self._not_received(self.entry("goods_came_back", CLOCK, "T14", **number))
        elif signed := self._signed_at():
            await self.goods_signed(self.entry("goods_signed", CLOCK, "T6", **number), signed)

    async def carrier_tells(self, report: ReportParcel) -> None:
        """T6, T14: what the carrier says may come late, repeated, out of order, or before the tracking number."""
        self.hear_of_parcels(report)
        if self.stage in NOT_SENT and came_back([report], report.parcel, None):
            await self._not_with_the_buyer(report)
            return
        if report.parcel == self._parcel:
            awaited = self.stage in (*UNDERWAY, RETURN_OVERDUE)
            if self._came_back():
                if awaited or self._received_by_sign_off():
                    await self._not_received(self.parcel(report))
                    return
            elif awaited and (signed := self._signed_at()):
                await self.goods_signed(self.parcel(report), signed)
                return
        if not await self.told_of_outgoing(report):
            await self.note(self.parcel(report))
        self._has_goods |= self.stage in (RESHIP_FAILED, GOODS_HELD)

    async def extend_receipt(self, command: ExtendReceipt) -> None:
        """T7: the time that is left goes on, and more is added to it."""
        self._extended = True
        more = self.policy.returns.extension_days
        span = extended(self.running, more) if self.running else None
        await self.enter(RETURN_EXTENDED, self.obeyed(command, "receipt_extended"), span=span)

    async def ask_for_return(self) -> None:
        """Before a person is called: the carrier may have told nobody of a sign-off (T6)."""
        if self._parcel:
            asking = AskCarrier(parcel=self._parcel, at=workflow.now())
            history = await self.outside(ask_carrier, asking, seconds=30, summary="ask the carrier for the parcel")
            self.hear_of_parcels(*history.events)
            if self._came_back():
                await self._not_received(self.silent("goods_came_back"))
                return
            if signed := self._signed_at():
                await self.goods_signed(self.silent("goods_signed"), signed)
                return
        await self.enter(RETURN_OVERDUE, self.silent("return_overdue"), attention=Attention.RETURN_OVERDUE)

    def _signed_at(self) -> datetime | None:
        """When the merchant has signed for the goods, once the return was agreed on (T6, T14)."""
        return signed_at(self._told, self._parcel, self._agreed_at) if self._agreed_at else None

    def _came_back(self) -> bool:
        return self._agreed_at is not None and came_back(self._told, self._parcel, self._agreed_at)

    def _received_by_sign_off(self) -> bool:
        """The merchant counts as having the goods by a sign-off alone, and not by its own word (T14)."""
        return not self._confirmed and self.stage in (RETURN_RECEIVED, *WITH_MERCHANT)

    async def _not_received(self, entry: LogEntry) -> None:
        """T14: refused, or back with the buyer: silence decides nothing, and a person finds out who has the goods."""
        self._has_goods = self._received = False
        await self.enter(RETURN_REFUSED, entry, attention=Attention.RETURN_REFUSED)

    async def _not_with_the_buyer(self, report: ReportParcel) -> None:
        """T14, T15: the buyer has not taken what it is to send back, and whoever has it must not keep the money too."""
        self._agreed_at = self._agreed_at or workflow.now()
        await self._not_received(self.parcel(report))

    def span_from(self, stage: Stage, happened_at: datetime) -> Span | None:
        """The stage's time counts from what happened, however late it was told (T6, T8)."""
        span = stage.span(self.policy) if stage.span else None
        # A carrier's clock may be ahead of ours.
        return span.model_copy(update={"since": min(happened_at, workflow.now())}) if span else None


def _named(command: EnterTracking) -> NamedAccount | None:
    """R17: what the buyer names with the tracking number must be its own."""
    return NamedAccount(account=command.refund_account, field="refund_account") if command.refund_account else None
