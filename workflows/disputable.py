"""A case that the buyer may have decided by the platform: how a dispute moves it (D1 to D3, D8).

The dispute is a workflow of its own. While it is in negotiation the case goes on as before; from intervention on the
case is locked and its clock stands still; then it goes on with what was ruled, or where it stood.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle

from workflows.case import DisputeEnded, Event
from workflows.children import start_case
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import LogEntry, NamedAccount, Notice, NoticeTemplate, Outcome, ParcelWatch, Refusal, Span
from workflows.messages.commands import (
    Amend,
    CaseSettled,
    Command,
    ConfirmReceipt,
    DisputeIntervened,
    GiveRefundAccount,
    OpenDispute,
    Reject,
    ReportParcel,
)
from workflows.messages.parcels import Parcel, ParcelPurpose
from workflows.messages.payouts import Part, Remainder
from workflows.messages.pieces import PieceUse
from workflows.messages.requests import BankTransfer, DisputeRequest, RefundRequest, ReturnRequest
from workflows.messages.rulings import Ruling, Verdict
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, CaseKind, OutcomeKind
from workflows.payable import OrderCase
from workflows.rules.applications import version_facts, version_of
from workflows.rules.dispute import ANSWERED_BY_DISPUTE, DECIDED, intervention_key
from workflows.rules.evidence import evidence_facts, is_ours
from workflows.rules.identity import case_id
from workflows.rules.pieces import pieces_of
from workflows.rules.refund import refused_application, refused_worthless, ruled_parts
from workflows.rules.shipping import refused_unsent
from workflows.rules.stages import DISPUTED, LOCKED, REJECTED, Stage

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Standstill:
    """Where a case stood when a dispute stopped its clock, and what it goes back to (D3)."""

    stage: Stage
    left: timedelta | None
    """What was left of the clock; None where none ran."""
    reminder_minutes: int
    """When the notice near the deadline goes; 0 where it has gone."""
    attention: Attention | None


class DisputableCase(OrderCase):
    """A buyer's case about an order."""

    def __init__(self, request: RefundRequest | ReturnRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._disputant = request.buyer_id
        self._disputes = 0
        self._dispute: ChildWorkflowHandle[Any, Outcome] | None = None
        self._ended: DisputeEnded | None = None
        self._settled = False
        """The dispute has been told that there is nothing left to decide."""
        self._following: asyncio.Task[None] | None = None
        self._standstill: Standstill | None = None
        self._kept: deque[Command] = deque()

    # What processes call ------------------------------------------------------------------------------

    async def next(self, *facts: type[Command], poll: timedelta | None = None) -> Event:
        """As CaseWorkflow.next; what a dispute brings is seen to here, until it decides the case."""
        while True:
            if self._kept and self._standstill is None and self.stage.name not in DECIDED:
                return self._kept.popleft()
            event = await super().next(*facts, DisputeIntervened, poll=poll)
            match event:
                case OpenDispute():
                    await self._open_dispute(event)
                case DisputeIntervened():
                    await self._lock(event)
                case DisputeEnded(ruling=Ruling(verdict=Verdict.RESOLVED, by=by)):
                    await self._go_on(self.entry("dispute_resolved", by, "D2"))
                case DisputeEnded(refused=True):  # D10: another dispute about the same was quicker
                    await self._go_on(self.entry("dispute_refused", CLOCK, "D10"))
                case DisputeEnded(ruling=None):
                    await self._go_on(self.entry("dispute_broken_off", CLOCK, "D1"), Attention.DISPUTE_BROKEN_OFF)
                case DisputeEnded():
                    self._standstill = None
                    return event
                case GiveRefundAccount() if self.stage is LOCKED:
                    await self.take_account(event)
                case ConfirmReceipt() if self.stage is LOCKED:  # D3: recorded now, looked at when the case goes on
                    if await self.keeps_evidence(event, "receipt_confirmed"):
                        await self.note(self.obeyed(event, "receipt_confirmed"))
                        self._kept.append(event)
                case ReportParcel() if self.stage is LOCKED:
                    await self.note(self.parcel(event))
                    self._kept.append(event)
                case _:
                    return event

    async def carry_out(self, ruling: Ruling) -> Outcome:
        """D8: what was ruled, counting what has been paid already."""
        self.ruling = ruling
        entry = self.ruling_entry(ruling)
        if not ruling.amount:
            return await self.close(
                OutcomeKind.DISMISSED,
                entry,
                rule="D8",
                by=ruling.by,
                notices=self.closed_notices(OutcomeKind.DISMISSED),
            )
        return await self.refund(
            entry,
            by=ruling.by,
            rule="D8",
            wanted=ruled_parts(ruling),
            remainder=Remainder(counts=self.case_id),
        )

    def ruling_entry(self, ruling: Ruling) -> LogEntry:
        """The log line of a ruling that is carried out."""
        return self.entry(
            "ruling_carried_out", ruling.by, "D8", verdict=ruling.verdict, fault=ruling.fault, amount=ruling.amount
        )

    async def refund(
        self,
        *decided: LogEntry,
        by: Actor,
        rule: str,
        wanted: tuple[Part, ...] | None = None,
        remainder: Remainder | None = None,
        charges: tuple[ScoreChange, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> Outcome:
        """As OrderCase.refund; a dispute that is still open learns of it, without the money waiting for that."""
        telling = asyncio.create_task(self._tell_settled())
        outcome = await super().refund(
            *decided, by=by, rule=rule, wanted=wanted, remainder=remainder, charges=charges, notices=notices
        )
        await telling
        return outcome

    async def reject(self, command: Reject, stage: Stage = REJECTED) -> None:
        """R2, T1, T6: a reason and evidence; the buyer may apply again or dispute it within the window (R6)."""
        self.bring(command, "rejected")
        stepped = await self.enter(
            stage,
            self.rejection(command),
            watch=self.proven(command),
            notices=self.notice(
                NoticeTemplate.REQUEST_REJECTED,
                self.buyer,
                reason=command.reason,
                window_days=self.policy.refund.escalation_window_days,
            ),
        )
        if stepped.refusal:
            self.answer(command, stepped.refusal)

    async def apply_again(self, command: Amend, stage: Stage) -> None:
        """R6, R12, R13: told to the merchant, who decides with a new clock; refused where its pieces are not left."""
        named: NamedAccount | None = None
        if isinstance(command.method, BankTransfer):
            named = NamedAccount(account=command.method.account, field="method.account")
        version = version_of(command, workflow.now(), self.applied)
        self.pieces, self.claims = pieces_of(command, self.use), True
        self.bring(command, "amended")
        stepped = await self.enter(
            stage,
            self.obeyed(command, "amended", **version_facts(version)),
            application=version,
            account=named,
            notices=self.notice(
                NoticeTemplate.REQUEST_AMENDED,
                self.merchant,
                version=version.version,
                amount=version.amount,
                currency=self.asked.currency,
                on_silence=stage.silence,
            ),
        )
        if stepped.refusal:  # R13, R17, D6
            self.pieces, self.claims = None, False
            self.answer(command, stepped.refusal)
            return
        self.application = command

    async def close_as_rejected(self, outcome: OutcomeKind = OutcomeKind.REJECTED) -> Outcome:
        """R6: the window has passed. T15: or the buyer has the goods back that were rejected, or ruled on."""
        return await self.close(
            outcome,
            self.silent("closed_as_rejected"),
            rule="R6" if self.stage is REJECTED else self.stage.rule,
            by=CLOCK,
            notices=self.closed_notices(outcome),
        )

    @property
    def use(self) -> PieceUse:
        """What the case does with the pieces that it names (R13)."""
        return {CaseKind.RETURN: PieceUse.RETURN, CaseKind.EXCHANGE: PieceUse.EXCHANGE}.get(
            self.kind or CaseKind.DISPUTE, PieceUse.REFUND
        )

    def proven(self, command: Reject) -> ParcelWatch | None:
        """R15: what becomes of the parcel that a rejection names as proof is told to the case."""
        proof = command.shipping
        parcel = Parcel(carrier=proof.carrier, tracking_no=proof.tracking_no) if proof else None
        if proof is None or parcel is None:
            return None
        return ParcelWatch(parcel=parcel, purpose=ParcelPurpose.ORDER, shipped_at=proof.shipped_at)

    def rejection(self, command: Reject) -> LogEntry:
        """The log line of a rejection."""
        facts: dict[str, str | int] = {"reason": command.reason, **evidence_facts(command.evidence)}
        if command.shipping:
            facts["carrier"] = command.shipping.carrier
            facts["tracking_no"] = command.shipping.tracking_no
            facts["shipped_at"] = command.shipping.shipped_at.isoformat()
        return self.obeyed(command, "rejected", **facts)

    # What the base asks -------------------------------------------------------------------------------

    def content_refusal(self, command: Command) -> Refusal | None:
        """D1: one dispute at a time. R6, R8: an amended request must fit the order, and there is an end to it."""
        match command:
            case OpenDispute() if self.ruling:
                return Refusal(
                    code="ruled_before", field="command", rule="D10", explanation="the case has been ruled on"
                )
            case OpenDispute() if self._dispute:
                return Refusal(
                    code="dispute_open",
                    field="command",
                    rule="D1",
                    explanation=f"{self._dispute.id} is open on this case",
                )
            case ConfirmReceipt() if self._standstill and ConfirmReceipt not in self._standstill.stage.accepts:
                return Refusal(
                    code="nothing_to_receive",
                    field="command",
                    rule="D3",
                    explanation="where the case stood when it was locked, no goods were to be received",
                )
            case ConfirmReceipt() if any(isinstance(each, ConfirmReceipt) for each in self._kept):
                return Refusal(
                    code="said_before",
                    field="command",
                    rule="D3",
                    explanation="a receipt is recorded already, and counts once the case goes on",
                )
            case Amend() if self.applied.version >= (most := self.policy.refund.most_applications):
                return Refusal(
                    code="too_many_applications",
                    field="command",
                    rule="R6",
                    explanation=f"a case can be applied for {most} times",
                )
            case Amend() if (refusal := self._refused_amendment(command)) is not None:
                return refusal
            case _:
                return super().content_refusal(command)

    def _refused_amendment(self, command: Amend) -> Refusal | None:
        by_pieces = self.policy.refund.by_pieces
        if refusal := refused_application(command, self.order, {}, use=self.use, by_pieces=by_pieces):
            return refusal
        if self.use is PieceUse.REFUND:
            return refused_worthless(command, CaseKind.SHIPPED_REFUND)
        if not command.lines:
            return Refusal(
                code="nothing_sent_back", field="lines", rule="T1", explanation="what is sent back must be named"
            )
        return refused_unsent(command.lines, self.order)

    def own_event(self) -> DisputeEnded | None:
        """The end of the dispute, where the case has not been decided otherwise meanwhile."""
        if self._ended is None or self.stage.name in DECIDED:
            return None
        ended, self._ended, self._dispute = self._ended, None, None
        return ended

    def _stirred(self) -> bool:
        return super()._stirred() or (self._ended is not None and self.stage.name not in DECIDED)

    @property
    def dispute(self) -> str | None:
        """The open dispute about this case."""
        return self._dispute.id if self._dispute else None

    # Inside -------------------------------------------------------------------------------------------

    async def _open_dispute(self, command: OpenDispute) -> None:
        """D1: on the case as it was last applied for. A case that waits for the buyer waits on; others go on (D2)."""
        if any(is_ours(each) for each in command.evidence) and not await self.keeps_evidence(command, "dispute_opened"):
            return
        self._disputes += 1
        request = DisputeRequest(
            request_key=f"d{self._disputes}",
            order_no=self.order.order_no,
            merchant_id=self.parties.merchant_id,
            buyer_id=self._disputant,
            about=self.case_id,
            lines=self.application.lines,
            freight=self.application.freight,
            reason=self.application.reason,
            method=self.application.method,
            dispute_reason=command.reason,
            evidence=command.evidence,
        )
        entry = self.obeyed(command, "dispute_opened", reason=command.reason, dispute=case_id(request))
        waiting = self.hold_answer()  # until the dispute is there
        refusal = await self._written_as_disputed(entry)
        if refusal is None:
            try:
                self._dispute = await start_case(request)
            except WorkflowAlreadyStartedError:
                await self._go_on(self.entry("dispute_broken_off", CLOCK, "D1"), Attention.DISPUTE_BROKEN_OFF)
            else:
                self._following = asyncio.create_task(self._follow(self._dispute))
        if waiting:
            self.answer(waiting, refusal)

    async def _written_as_disputed(self, entry: LogEntry) -> Refusal | None:
        """D1, D10: nothing of it is written where the same has been disputed otherwise."""
        if self.stage.silence in ANSWERED_BY_DISPUTE:
            return await self._stand_still(DISPUTED, entry, disputes=True)
        stepped = await self.enter(self.stage, entry, keep_deadline=True, attention=self.attention, disputes=True)
        return stepped.refusal

    async def _follow(self, dispute: ChildWorkflowHandle[Any, Outcome]) -> None:
        try:
            outcome = await dispute
        except FailureError:
            self._ended = DisputeEnded(None)
        else:
            self._ended = DisputeEnded(outcome.ruling, refused=outcome.refusal is not None)

    async def _lock(self, told: DisputeIntervened) -> None:
        """D3: the platform has stepped in; what is being paid already is finished (section 11).

        The word may come after the dispute has ended, and must not lock the case for ever then.
        """
        if self.stage.name in DECIDED or self._dispute is None or told.key != intervention_key(self._dispute.id):
            await self.note(self.entry("dispute_intervened", CLOCK, "D3"))
            self.answer(told)
            return
        await self._stand_still(LOCKED, self.entry("locked", CLOCK, "D3"))
        self.answer(told)

    async def _stand_still(self, stage: Stage, entry: LogEntry, *, disputes: bool = False) -> Refusal | None:
        """D3: the clock stops, and what is left of it is kept; one that stands still already stays as it is."""
        stood = self._standstill or Standstill(
            self.stage,
            left=None,
            reminder_minutes=self._span.reminder_minutes if self._span and not self._reminded else 0,
            attention=self.attention,
        )
        stepped = await self.enter(stage, entry, stops=self.running, disputes=disputes)
        if stepped.refusal:
            return stepped.refusal
        self._standstill = replace(stood, left=stepped.left) if stepped.left is not None else stood
        return None

    async def _go_on(self, entry: LogEntry, attention: Attention | None = None) -> None:
        """Where the case stood, with the time that was left (D3)."""
        stood, self._standstill = self._standstill, None
        if stood is None:
            await self.enter(self.stage, entry, keep_deadline=True, attention=attention or self.attention)
            return
        span: Span | None = None
        if stood.left is not None:
            seconds = -(-stood.left // SECOND)
            began_at = workflow.now() + stood.left - seconds * SECOND  # a span has whole seconds; what was left has not
            span = Span(seconds=seconds, since=began_at, reminder_minutes=stood.reminder_minutes)
        await self.enter(stood.stage, entry, span=span, attention=attention or stood.attention)

    async def _tell_settled(self) -> None:
        """D2: the case has been decided; there is nothing left to dispute."""
        if self._dispute is None or self._following is None or self._following.done() or self._settled:
            return
        self._settled = True
        settled = CaseSettled(key=f"settled-{self._disputes}", by=CLOCK)
        with suppress(FailureError):  # it has ended by itself meanwhile
            await self._dispute.signal(settled.command_name(), settled)

    async def _leave_nothing_behind(self) -> None:
        """Section 11: a case does not end before its dispute."""
        await self._tell_settled()
        if self._following:
            await workflow.wait_condition(self._following.done)
        ruling = self._ended.ruling if self._ended else None
        if ruling and ruling.verdict is not Verdict.RESOLVED:
            self._unwritten.append(self.entry("ruling_after_end", ruling.by, "D8", amount=ruling.amount))
        self._ended = self._dispute = None
        await super()._leave_nothing_behind()
