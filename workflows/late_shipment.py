"""Compensation for late shipment 延迟发货赔付 (L1 to L3)."""

from temporalio import workflow

from workflows.case import ClosingRefusedError, Happening
from workflows.handlers import takes
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import LogEntry, NoticeTemplate, Outcome, Refusal, ShipmentClaim
from workflows.messages.commands import (
    Approve,
    ClaimCompensation,
    CloseCase,
    Command,
    PayInAdvance,
    ProveExemption,
    ProveShipment,
    RecordManualTransfer,
    ReportParcel,
    RetryPayment,
    Withdraw,
)
from workflows.messages.payouts import Part
from workflows.messages.requests import LateShipmentRequest, OriginalRoute
from workflows.messages.stages import OutcomeKind
from workflows.rules.allocation import COMPENSATION
from workflows.rules.compensation import late_shipment_fund
from workflows.rules.evidence import evidence_facts
from workflows.rules.stages import CLAIM_REVIEW, CLAIMABLE
from workflows.sleeping import SleepingCase
from workflows.versions import LASTS_WEEKS


@workflow.defn(name="LateShipment", versioning_behavior=LASTS_WEEKS)
@takes(
    ClaimCompensation,
    ProveShipment,
    ProveExemption,
    Approve,
    Withdraw,
    CloseCase,
    RetryPayment,
    PayInAdvance,
    RecordManualTransfer,
)
class LateShipment(SleepingCase):
    """One order that may ship late: started with its payment, delayed until it must have shipped (L1)."""

    opens_by_rule = "L1"

    @workflow.init
    def __init__(self, request: LateShipmentRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request, request.ships_until)
        self._late = request

    @workflow.run
    async def run(self, request: LateShipmentRequest) -> Outcome:
        """Let the buyer claim what is owed, unless the order has shipped in time."""
        del request
        return await self.conduct(self._late_shipment())

    async def _late_shipment(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.nothing_owed:  # L1: quietly
            return self.unopened(OutcomeKind.SHIPPED_IN_TIME, rule="L1")
        while True:
            event = await self.next(ReportParcel)
            match event:
                case ClaimCompensation():  # L2
                    await self._review(event)
                case ProveShipment():  # L2
                    if ended := await self._prove(event):
                        return ended
                case ProveExemption():  # L2
                    if ended := await self._refer_to(event):
                        return ended
                case Approve():
                    return await self._compensate(self.obeyed(event, "approved"), event.by)
                case Withdraw():
                    return await self.withdrawn(event, "L2")
                case Happening.SILENCE if self.stage is CLAIMABLE:
                    return await self._unclaimed()
                case Happening.SILENCE:  # L2: otherwise paid
                    return await self._compensate(self.silent("compensated_by_silence"), CLOCK)
                case ReportParcel():  # late is late
                    await self.note(self.parcel(event))
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def _review(self, command: ClaimCompensation) -> None:
        owed = self.asked
        await self.enter(
            CLAIM_REVIEW,
            self.obeyed(command, "compensation_claimed", amount=owed.amount),
            notices=self.notice(
                NoticeTemplate.COMPENSATION_CLAIMED, self.merchant, amount=owed.amount, currency=owed.currency
            ),
        )

    async def _prove(self, command: ProveShipment) -> Outcome | None:
        """L2, R15, R18: the parcel must not be known to have left a part behind, nor to have left later."""
        facts: dict[str, str | int] = {
            "carrier": command.parcel.carrier,
            "tracking_no": command.parcel.tracking_no,
            "shipped_at": command.shipped_at.isoformat(),
            **evidence_facts(command.evidence),
        }
        self.bring(command, "shipment_proved")
        return await self._exempt(self.obeyed(command, "shipment_proved", **facts), command, proof=_proof_of(command))

    async def _refer_to(self, command: ProveExemption) -> Outcome | None:
        """L2: the declaration must be there, and cover the time in which the order was to ship."""
        facts = {"exemption": command.exemption, **evidence_facts(command.evidence)}
        entry = self.obeyed(command, "exemption_shown", **facts)
        self.bring(command, "exemption_shown")
        return await self._exempt(entry, command, exemption=command.exemption)

    async def _exempt(
        self,
        entry: LogEntry,
        command: Command,
        *,
        proof: ShipmentClaim | None = None,
        exemption: str | None = None,
    ) -> Outcome | None:
        """The end of a claim that is not owed; None where what the merchant shows does not count."""
        try:
            return await self.close(
                OutcomeKind.EXEMPT,
                entry,
                rule="L2",
                by=entry.by,
                notices=self.closed_notices(OutcomeKind.EXEMPT),
                proof=proof,
                exemption=exemption,
            )
        except ClosingRefusedError as error:
            self.answer(command, error.refusal)
            return None

    async def _unclaimed(self) -> Outcome:
        return await self.close(OutcomeKind.UNCLAIMED, self.silent("unclaimed"), rule="L2", by=CLOCK)

    async def _compensate(self, decided: LogEntry, by: Actor) -> Outcome:
        """L3: booked apart from what was paid for the order."""
        return await self.pay(
            decided,
            fund=late_shipment_fund(self._late.order_no),
            wanted=(Part(name=COMPENSATION, amount=self.asked.amount),),
            method=OriginalRoute(),
            by=by,
            rule="L2",
            compensates=True,
        )

    def content_refusal(self, command: Command) -> Refusal | None:
        """L2: only shipping in time is a proof."""
        ships_until = self.opened.ships_until if self.opened else None
        if isinstance(command, ProveShipment) and ships_until and command.shipped_at > ships_until:
            return Refusal(
                code="shipped_late",
                field="shipped_at",
                rule="L2",
                explanation=f"the goods had to ship by {ships_until.isoformat()}",
            )
        return super().content_refusal(command)


def _proof_of(command: ProveShipment) -> ShipmentClaim:
    return ShipmentClaim(parcel=command.parcel, shipped_at=command.shipped_at)
