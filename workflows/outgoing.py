"""Goods that the merchant sends to the buyer: those of an exchange (T8), or back what it has rejected (T15).

Whether the buyer has them is the carrier's word. A parcel that was refused, went back or was never signed for has not
been received, whatever silence would come to: a person is called (T14).
"""

from dataclasses import dataclass

from temporalio import workflow

from workflows.disputable import DisputableCase
from workflows.messages.cases import LogEntry, NoticeTemplate, Outcome, ParcelWatch, Stepped
from workflows.messages.commands import ReportParcel, Reship, SendBack
from workflows.messages.parcels import AskCarrier, Parcel, ParcelEvent, ParcelPurpose, ask_carrier
from workflows.messages.requests import RefundRequest, ReturnRequest
from workflows.messages.stages import Attention, OutcomeKind
from workflows.rules.parcels import Told, came_back, signed_at
from workflows.rules.stages import EXCHANGE_UNDERWAY, GOODS_HELD, RESHIP_FAILED, SENT_BACK, Stage


@dataclass(frozen=True)
class Sending:
    """How goods go to the buyer, and where the case stands once they have not arrived."""

    underway: Stage
    failed: Stage
    attention: Attention


EXCHANGE = Sending(EXCHANGE_UNDERWAY, RESHIP_FAILED, Attention.RESHIP_FAILED)
BACK = Sending(SENT_BACK, GOODS_HELD, Attention.GOODS_HELD)


class OutgoingCase(DisputableCase):
    """A case in which the merchant may send goods to the buyer."""

    def __init__(self, request: RefundRequest | ReturnRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._outgoing: Parcel | None = None
        self._told: list[Told] = []
        """How journeys ended, of whatever parcel: its number may be entered later, or corrected (T3)."""

    def hear_of_parcels(self, *told: Told) -> None:
        """Keep what tells whether a parcel has arrived."""
        self._told.extend(told)

    async def reship(self, command: Reship) -> None:
        """T8: other goods, which the buyer is to confirm."""
        entry = self._sent(command, "reshipped")
        await self._send(command.parcel, entry, EXCHANGE_UNDERWAY, NoticeTemplate.EXCHANGE_SHIPPED)

    async def send_back(self, command: SendBack) -> None:
        """T15: the goods that the merchant does not take."""
        entry = self._sent(command, "sent_back")
        await self._send(command.parcel, entry, SENT_BACK, NoticeTemplate.GOODS_SENT_BACK)

    async def exchanged(self, entry: LogEntry) -> Outcome:
        """T8: the buyer has the other goods."""
        return await self.close(
            OutcomeKind.EXCHANGED,
            entry,
            rule="T8",
            by=entry.by,
            notices=self.closed_notices(OutcomeKind.EXCHANGED),
        )

    async def told_of_outgoing(self, report: ReportParcel) -> bool:
        """T14: whether the case has moved on what the carrier says of goods on their way to the buyer."""
        sending = self._sending()
        if sending is None or report.parcel != self._outgoing:
            return False
        if self.stage is sending.underway and self._outgoing_came_back():
            await self.enter(sending.failed, self.parcel(report), attention=sending.attention)
            return True
        if self.stage is sending.failed and report.event is ParcelEvent.SIGNED and self._buyer_signed():
            await self.enter(sending.underway, self.parcel(report))
            return True
        return False

    async def buyer_has_them(self, sending: Sending) -> bool:
        """T14: by all that the carrier knows, asked where it has told nothing; where not, a person is called."""
        if self._outgoing and not self._buyer_signed() and not self._outgoing_came_back():
            asking = AskCarrier(parcel=self._outgoing, at=workflow.now())
            history = await self.outside(ask_carrier, asking, seconds=30, summary="ask the carrier for the parcel")
            self.hear_of_parcels(*history.events)
        if self._buyer_signed():
            return True
        entry = self.silent("goods_came_back" if self._outgoing_came_back() else "goods_not_signed")
        await self.enter(sending.failed, entry, attention=sending.attention)
        return False

    async def _send(self, parcel: Parcel, entry: LogEntry, stage: Stage, template: NoticeTemplate) -> Stepped:
        stepped = await self.enter(
            stage,
            entry,
            watch=ParcelWatch(parcel=parcel, purpose=ParcelPurpose.RESHIPMENT),
            notices=self.notice(template, self.buyer),
        )
        if stepped.refusal:  # the parcel brought other goods
            self.answer_in_hand(stepped.refusal)
            return stepped
        self._outgoing = parcel
        self.hear_of_parcels(*stepped.parcel_events)
        return stepped

    def _sent(self, command: Reship | SendBack, event: str) -> LogEntry:
        parcel = command.parcel
        return self.obeyed(command, event, carrier=parcel.carrier, tracking_no=parcel.tracking_no)

    def _sending(self) -> Sending | None:
        return next((each for each in (EXCHANGE, BACK) if self.stage in (each.underway, each.failed)), None)

    def _buyer_signed(self) -> bool:
        return signed_at(self._told, self._outgoing, None) is not None

    def _outgoing_came_back(self) -> bool:
        return came_back(self._told, self._outgoing, None)
