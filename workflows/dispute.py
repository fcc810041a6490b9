"""Disputes 纠纷: negotiation, intervention with evidence, and a ruling (D1 to D9).

A dispute about an open case is that case's child: its ruling is its result, and the case carries it out. One about an
ended case, or about an order without a case, carries its ruling out itself; so does one whose case was stopped from
outside.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.case import Happening
from workflows.compensation import owe
from workflows.handlers import takes
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Outcome, Refusal, Stepped
from workflows.messages.commands import (
    AcceptSettlement,
    CaseSettled,
    CloseCase,
    Command,
    ConfirmProposal,
    DisputeIntervened,
    GiveRefundAccount,
    OfferSettlement,
    PayInAdvance,
    RecordManualTransfer,
    Resolve,
    RetryPayment,
    Rule,
    SubmitEvidence,
)
from workflows.messages.payouts import Remainder
from workflows.messages.requests import CompensationCause, DisputeRequest
from workflows.messages.rulings import Fault, FreightBearer, Ruling, Verdict
from workflows.messages.scores import ScoreCause, ScoreChange
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.messages.statements import EvidenceGiven
from workflows.payable import OrderCase
from workflows.rules.compensation import return_freight_owed
from workflows.rules.dispute import (
    given_facts,
    intervention_key,
    refused_acceptance,
    refused_evidence_after_final,
    refused_offer,
    refused_ruling,
    resolved,
    ruled,
    settled,
    upheld,
)
from workflows.rules.evidence import evidence_facts
from workflows.rules.refund import ruled_parts
from workflows.rules.returns import is_whole_order
from workflows.rules.stages import EVIDENCE, EVIDENCE_WORKING_HOURS, RULING, RULING_OVERDUE, RULING_PROPOSED
from workflows.versions import LASTS_WEEKS

ENDS = {
    Verdict.RESOLVED: OutcomeKind.RESOLVED,
    Verdict.SETTLED: OutcomeKind.SETTLED,
    Verdict.UPHELD: OutcomeKind.RULED,
    Verdict.RULED: OutcomeKind.RULED,
}
"""How a dispute ends whose ruling somebody else carries out, or that pays nothing."""

RULES = {Verdict.RESOLVED: "D2", Verdict.SETTLED: "D2", Verdict.RULED: "D8"}
"""Under which rule a dispute ends; what silence comes to ends it under the rule of its stage (D4, D5)."""


@workflow.defn(name="Dispute", versioning_behavior=LASTS_WEEKS)
@takes(
    Resolve,
    OfferSettlement,
    AcceptSettlement,
    SubmitEvidence,
    Rule,
    ConfirmProposal,
    GiveRefundAccount,
    CloseCase,
    RetryPayment,
    PayInAdvance,
    RecordManualTransfer,
    CaseSettled,
)
class Dispute(OrderCase):
    """One dispute, from the negotiation to its end."""

    @workflow.init
    def __init__(self, request: DisputeRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._claim = request
        self._evidence_ended: datetime | None = None
        """When the time for evidence was over; None where it is not, or was never asked for."""
        self._gave: set[Role] = set()
        self._finals: set[Role] = set()
        self._offer: OfferSettlement | None = None
        self._proposal: Ruling | None = None

    @workflow.run
    async def run(self, request: DisputeRequest) -> Outcome:
        """Carry the dispute from its opening to its ruling, and the ruling out where no case does."""
        del request
        return await self.conduct(self._dispute())

    async def _dispute(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        while True:
            event = await self.next(CaseSettled)
            match event:
                case Resolve():  # D2
                    return await self._end(resolved(event.by, "resolved_by_buyer"), event)
                case CaseSettled():  # D2
                    return await self._end(resolved(CLOCK, "case_decided_itself"), event)
                case OfferSettlement():  # D2
                    await self._offered(event)
                case AcceptSettlement() if self._offer:  # D2
                    return await self._end(settled(self._offer, event), event)
                case SubmitEvidence():  # D6
                    await self._take_evidence(event)
                case Rule():  # D8
                    return await self._end(ruled(event, self._claim), event)
                case ConfirmProposal() if self._proposal:  # D5
                    confirmed = self._proposal.model_copy(update={"by": event.by, "reason": event.reason})
                    return await self._end(confirmed, event)
                case Happening.SILENCE if self.stage.name is StageName.NEGOTIATION:  # D2
                    await self._intervene()
                case Happening.SILENCE if self._demanded() and Role.MERCHANT in self._gave:  # D6: the draft counts
                    await self._close_evidence(self.silent("evidence_closed"))
                case Happening.SILENCE if self.stage is EVIDENCE:  # D4
                    return await self._end(upheld(self._claim, CLOCK), None, self._charge(ScoreCause.EVIDENCE_TIMEOUT))
                case Happening.SILENCE if self.stage is EVIDENCE_WORKING_HOURS:  # D5
                    await self._propose()
                case Happening.SILENCE:  # D8
                    await self.enter(RULING_OVERDUE, self.silent("ruling_overdue"), attention=Attention.RULING_OVERDUE)
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def _intervene(self) -> None:
        """D3, D4, D5, D9: the case is locked, evidence is demanded, and it costs the merchant points."""
        parent = workflow.info().parent
        if parent:
            await self._tell_intervened(parent.workflow_id)
        entry, charges = self.silent("intervened"), self._charge(ScoreCause.INTERVENTION)
        if Role.MERCHANT in self._finals:  # D6: it has nothing to add
            await self.enter(RULING, entry, charges=charges)
            return
        upholds = self.policy.dispute.evidence_silence == "uphold"
        await self.enter(
            EVIDENCE if upholds else EVIDENCE_WORKING_HOURS,
            entry,
            notices=self.notice(NoticeTemplate.EVIDENCE_DEMANDED, self.merchant),
            charges=charges,
        )

    async def _offered(self, command: OfferSettlement) -> None:
        """D2: the offer stands from now on, and the buyer is told of it."""
        self._offer = command
        await self.enter(
            self.stage,
            self.obeyed(command, "settlement_offered", amount=command.amount),
            notices=self.notice(
                NoticeTemplate.SETTLEMENT_OFFERED,
                self.buyer,
                amount=command.amount,
                currency=self.asked.currency,
            ),
            keep_deadline=True,
            attention=self.attention,
        )

    async def _take_evidence(self, command: SubmitEvidence) -> None:
        """D6: a draft until the deadline or the final word; what comes later is kept, and marked late."""
        role, late = command.by.role, self._is_late()
        given = EvidenceGiven(
            key=f"step-{self.steps + 1}",
            by=command.by,
            attachments=command.evidence,
            statement=command.statement,
            amount=command.amount,
            currency=self.asked.currency if command.amount is not None else None,
            final=command.final,
            late=late,
        )
        entry = self.obeyed(command, "evidence_submitted", **given_facts(given), **evidence_facts(command.evidence))
        if command.final and role is Role.MERCHANT and self._demanded():
            stepped = await self._close_evidence(entry, given)
        else:
            stepped = await self.enter(self.stage, entry, evidence=given, keep_deadline=True, attention=self.attention)
        if stepped.refusal:
            self.answer(command, stepped.refusal)
            return
        self.count_evidence(command)
        if not late:
            self._gave.add(role)
            if command.final:
                self._finals.add(role)

    async def _close_evidence(self, entry: LogEntry, given: EvidenceGiven | None = None) -> Stepped:
        """D6, D8: the merchant has given what it has, and the platform rules; the buyer has the time that was set."""
        ends = self.due
        stepped = await self.enter(RULING, entry, evidence=given)
        if stepped.refusal is None:
            self._evidence_ended = ends
        return stepped

    async def _propose(self) -> None:
        """D5: ruled on what is there; the merchant's fault is proposed, and an officer confirms."""
        self._proposal = upheld(self._claim, CLOCK)
        self._evidence_ended = self.due
        await self.enter(
            RULING_PROPOSED,
            self.silent("fault_proposed"),
            charges=self._charge(ScoreCause.EVIDENCE_TIMEOUT),
        )

    async def _end(self, ruling: Ruling, command: Command | None, charges: tuple[ScoreChange, ...] = ()) -> Outcome:
        """D8, D9: told to whoever carries it out, or carried out; a lost ruling costs points."""
        self.ruling = ruling
        if ruling.fault in (Fault.MERCHANT, Fault.BOTH):
            charges = (*charges, *self._charge(ScoreCause.RULING_LOST))
        rule = RULES.get(ruling.verdict, self.stage.rule)
        entry = self.entry(
            f"dispute_{ruling.verdict}",
            ruling.by,
            rule,
            command,
            fault=ruling.fault,
            award=ruling.award,
            amount=ruling.amount,
            reason=ruling.reason,
        )
        entries = [entry]
        own = workflow.info().parent is None
        if await self._is_orphaned():
            own = True
            entries.append(self.entry("disputed_case_stopped", CLOCK, "D8"))
        if own and ruling.return_freight is FreightBearer.MERCHANT:
            await self._owe_return_freight()
        if own and ruling.amount:
            return await self.refund(
                *entries,
                by=ruling.by,
                rule=rule,
                wanted=ruled_parts(ruling),
                remainder=Remainder(counts=self.opened.counts if self.opened else None),
                charges=charges,
                notices=self._told(ruling),
            )
        return await self.close(
            OutcomeKind.DISMISSED if own and ruling.verdict is Verdict.RULED else ENDS[ruling.verdict],
            *entries,
            rule=rule,
            by=ruling.by,
            notices=self._told(ruling),
            charges=charges,
        )

    async def _is_orphaned(self) -> bool:
        """Whether the case that was to carry the ruling out runs no more, so that nobody would pay (D8).

        The server asks for the cancellation of a dispute whose case has been stopped; others may ask for it as well.
        Only then the case is looked for, by a word that it knows already.
        """
        parent = workflow.info().parent
        if parent is None or not self.cancellations:
            return False
        return not await self._tell_intervened(parent.workflow_id)

    async def _tell_intervened(self, case: str) -> bool:
        """D3: tell the case that the platform has stepped in; False where it has ended."""
        told = DisputeIntervened(key=intervention_key(self.case_id), by=CLOCK)
        try:
            await workflow.get_external_workflow_handle(case).signal(told.command_name(), told)
        except FailureError:
            return False
        return True

    async def _owe_return_freight(self) -> None:
        """D8, T10: what sending the goods of an ended return back has cost."""
        if self.opened is None or self._claim.about is None:
            return
        owed = return_freight_owed(self.opened.return_freight, self.policy.returns.most_return_freight, 0)
        insured = self.opened.insurance_paid
        if owed > insured or (owed and not is_whole_order(self._claim, self.order)):  # R16: see ReturningCase
            await owe(self.order, self._claim.about, CompensationCause.RETURN_FREIGHT, owed, insured)

    def _told(self, ruling: Ruling) -> tuple[Notice, ...]:
        return self.notice_to_both(
            NoticeTemplate.DISPUTE_RULED,
            verdict=ruling.verdict,
            fault=ruling.fault,
            amount=ruling.amount,
            currency=self.asked.currency,
        )

    def _charge(self, cause: ScoreCause) -> tuple[ScoreChange, ...]:
        """D9: what it costs by the policy."""
        dispute = self.policy.dispute
        points = {
            ScoreCause.INTERVENTION: dispute.points_for_intervention,
            ScoreCause.RULING_LOST: dispute.points_for_lost_ruling,
            ScoreCause.EVIDENCE_TIMEOUT: dispute.points_for_timeout,
        }[cause]
        return (ScoreChange(merchant_id=self.parties.merchant_id, cause=cause, points=points),)

    def _demanded(self) -> bool:
        return self.stage in (EVIDENCE, EVIDENCE_WORKING_HOURS)

    def _is_late(self) -> bool:
        """D6: not before the deadline has been acted on, however late it is looked at (section 11)."""
        return self._evidence_ended is not None and workflow.now() >= self._evidence_ended

    @property
    def dispute(self) -> str | None:
        """The case that is disputed."""
        return self._claim.about

    def content_refusal(self, command: Command) -> Refusal | None:
        """D2, D5, D6, D8: offers, acceptances, evidence and rulings must fit the claim."""
        refusal: Refusal | None = None
        match command:
            case OfferSettlement():
                refusal = refused_offer(command, self._claim)
            case AcceptSettlement():
                refusal = refused_acceptance(command, self._offer)
            case SubmitEvidence() if command.by.role in self._finals and not self._is_late():
                refusal = refused_evidence_after_final()
            case Rule():
                refusal = refused_ruling(command, self._claim)
            case ConfirmProposal() if self._proposal is None:
                refusal = Refusal(
                    code="nothing_proposed", field="command", rule="D5", explanation="the merchant was not silent"
                )
            case _:
                pass
        return refusal or super().content_refusal(command)
