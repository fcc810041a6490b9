"""Disputes 纠纷: negotiation, intervention with evidence, and a ruling (D1 to D9).

A dispute about an open case is that case's child: its ruling is its result, and the case carries it out. One about an
ended case, or about an order without a case, carries its ruling out itself; so does one whose case was stopped from
outside.
"""

from dataclasses import replace

from workflows.kinds import evidence
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.dispute_end import charge, claimed, end, told_of_intervention
from workflows.kinds.order_money import PAID_BACK
from workflows.kinds.order_money import table as paying_back
from workflows.kinds.process import On, Process, hears, silence, takes
from workflows.kinds.stage import BUYER, MERCHANT, PARTIES, PLATFORM, Stage, hours
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal, Span
from workflows.messages.commands import (
    AcceptSettlement,
    CaseSettled,
    Command,
    ConfirmProposal,
    OfferSettlement,
    Resolve,
    Rule,
    SubmitEvidence,
)
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList
from workflows.messages.statements import EvidenceGiven
from workflows.rules.dispute import (
    given_facts,
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

NEGOTIATION = Stage(
    StageName.NEGOTIATION,
    "D2",
    "纠纷协商期 · negotiation between buyer and merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.GO_TO_PLATFORM,
    span=lambda policy: hours(policy.dispute.negotiation_hours),
    work_list=WorkList.NEGOTIATIONS,
)

EVIDENCE = Stage(
    StageName.EVIDENCE,
    "D4",
    "待商家举证 · the platform demands evidence from the merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.UPHOLD,
    span=lambda policy: hours(policy.dispute.evidence_hours, policy.dispute.evidence_reminder_hours),
    work_list=WorkList.EVIDENCE_DUE,
)

EVIDENCE_WORKING_HOURS = Stage(
    StageName.EVIDENCE_WORKING_HOURS,
    "D5",
    "待商家举证（工作时间） · the platform demands evidence within working hours",
    waits_for=Role.MERCHANT,
    silence=Silence.PROPOSE_FAULT,
    span=lambda policy: Span(working_minutes=policy.dispute.evidence_working_hours * 60),
    work_list=WorkList.EVIDENCE_DUE,
)

RULING = Stage(
    StageName.RULING,
    "D8",
    "待平台判责 · the platform rules on what is there",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    span=lambda policy: hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_PROPOSED = Stage(
    StageName.RULING_PROPOSED,
    "D5",
    "拟判商家责任，待确认 · the merchant was silent: its fault is proposed, an officer confirms",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    span=lambda policy: hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_OVERDUE = Stage(
    StageName.RULING_OVERDUE,
    "D8",
    "判责超时 · the ruling is overdue",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="判责已超时并通知专员，只能由人决定"
    " · the time for the ruling is over and an officer has been called: only a person may decide",
    work_list=WorkList.ATTENTION,
)


def process() -> Process:
    """D2 to D8. One about an open case ends with its ruling, which that case carries out; any other pays by itself."""
    agreed = (
        takes(Resolve, BUYER, _resolve, dispute_resolved=OutcomeKind.RESOLVED),
        takes(OfferSettlement, MERCHANT, _offered),
        takes(AcceptSettlement, BUYER, _accept, dispute_settled=(OutcomeKind.SETTLED, *PAID_BACK)),
    )
    return Process(
        "Dispute 纠纷 (D1 to D8)",
        opens=(NEGOTIATION,),
        table={
            NEGOTIATION: (
                *agreed,
                takes(SubmitEvidence, PARTIES, _take_evidence),
                hears(CaseSettled, _settled_itself, dispute_resolved=OutcomeKind.RESOLVED),
                silence(_intervene, intervened=(EVIDENCE, EVIDENCE_WORKING_HOURS, RULING)),
            ),
            EVIDENCE: (
                *_intervened(agreed, evidence_submitted=RULING),
                silence(_uphold, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK), evidence_closed=RULING),
            ),
            EVIDENCE_WORKING_HOURS: (
                *_intervened(agreed, evidence_submitted=RULING),
                silence(_propose, fault_proposed=RULING_PROPOSED, evidence_closed=RULING),
            ),
            RULING: (*_intervened(agreed), silence(_ruling_overdue, ruling_overdue=RULING_OVERDUE)),
            RULING_PROPOSED: (
                *_intervened(agreed),
                takes(ConfirmProposal, PLATFORM, _confirm, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK)),
                silence(_ruling_overdue, ruling_overdue=RULING_OVERDUE),
            ),
            RULING_OVERDUE: (
                *_intervened(agreed),
                takes(ConfirmProposal, PLATFORM, _confirm, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK)),
            ),
            **paying_back(rest=True),
        },
    )


def _intervened(agreed: tuple[On, ...], **evidence_leads: Stage) -> tuple[On, ...]:
    """What is open once the platform has stepped in: it rules, unless the parties agree before (D2, D6, D8)."""
    return (
        *agreed,
        takes(SubmitEvidence, PARTIES, _take_evidence, **evidence_leads),
        takes(Rule, PLATFORM, _rule, dispute_ruled=(OutcomeKind.RULED, OutcomeKind.DISMISSED, *PAID_BACK)),
        hears(CaseSettled, _settled_itself, dispute_resolved=OutcomeKind.RESOLVED),
    )


# What is done ---------------------------------------------------------------------------------------------


def _resolve(case: Case, command: Resolve) -> Decision:
    return end(case, resolved(command.by, "resolved_by_buyer"), command)


def _settled_itself(case: Case, told: CaseSettled) -> Decision:
    """D2: the case has been decided, and there is nothing left to dispute."""
    return end(case, resolved(CLOCK, "case_decided_itself"), told)


def _accept(case: Case, command: AcceptSettlement) -> Decision:
    offer = case.state.claim.offer
    if offer is None:
        raise ValueError("only what is offered is accepted")
    return end(case, settled(offer, command), command)


def _rule(case: Case, command: Rule) -> Decision:
    return end(case, ruled(command, claimed(case)), command)


def _confirm(case: Case, command: ConfirmProposal) -> Decision:
    """D5: an officer confirms what silence has proposed."""
    proposal = case.state.claim.proposal
    if proposal is None:
        raise ValueError("only what is proposed is confirmed")
    return end(case, proposal.model_copy(update={"by": command.by, "reason": command.reason}), command)


def _uphold(case: Case) -> Decision:
    """D4, D6: silence upholds the claim; a draft counts as given."""
    if Role.MERCHANT in case.state.claim.gave:
        return _close_evidence(case, case.silent("evidence_closed"))
    return end(case, upheld(claimed(case), CLOCK), None, charge(case, ScoreCause.EVIDENCE_TIMEOUT))


def _ruling_overdue(case: Case) -> Decision:
    return case.enter(RULING_OVERDUE, case.silent("ruling_overdue"), attention=Attention.RULING_OVERDUE)


def _intervene(case: Case) -> Decision:
    """D3, D4, D5, D9: the case is locked, evidence is demanded, and it costs the merchant points."""
    entry, charges = case.silent("intervened"), charge(case, ScoreCause.INTERVENTION)
    if Role.MERCHANT in case.state.claim.finals:  # D6: it has nothing to add
        intervened = case.enter(RULING, entry, charges=charges)
    else:
        upholds = case.policy.dispute.evidence_silence == "uphold"
        demanded = case.notice(NoticeTemplate.EVIDENCE_DEMANDED, case.merchant)
        stage = EVIDENCE if upholds else EVIDENCE_WORKING_HOURS
        intervened = case.enter(stage, entry, notices=demanded, charges=charges)
    return replace(intervened, first=told_of_intervention(case))


def _offered(case: Case, command: OfferSettlement) -> Decision:
    """D2: the offer stands from now on, and the buyer is told of it."""
    return case.but(claim=case.state.claim.but(offer=command)).stay(
        case.obeyed(command, "settlement_offered", amount=command.amount),
        notices=case.notice(
            NoticeTemplate.SETTLEMENT_OFFERED, case.buyer, amount=command.amount, currency=case.asked.currency
        ),
    )


def _take_evidence(case: Case, command: SubmitEvidence) -> Decision:
    """D6: a draft until the deadline or the final word; what comes later is kept, and marked late."""
    role, late, claim = command.by.role, _is_late(case), case.state.claim
    given = EvidenceGiven(
        key=f"step-{case.state.steps + 1}",
        by=command.by,
        attachments=command.evidence,
        statement=command.statement,
        amount=command.amount,
        currency=case.asked.currency if command.amount is not None else None,
        final=command.final,
        late=late,
    )
    entry = case.obeyed(command, "evidence_submitted", **given_facts(given), **evidence_facts(command.evidence))
    case = evidence.counted(case, command)
    if not late:
        finals = claim.finals | {role} if command.final else claim.finals
        case = case.but(claim=claim.but(gave=claim.gave | {role}, finals=finals))
    if command.final and role is Role.MERCHANT and _demanded(case):
        return _close_evidence(case, entry, given)
    return case.stay(entry, evidence=given)


def _close_evidence(case: Case, entry: LogEntry, given: EvidenceGiven | None = None) -> Decision:
    """D6, D8: the merchant has given what it has, and the platform rules; the buyer has the time that was set."""
    closed = case.but(claim=case.state.claim.but(evidence_ended=case.due))
    return closed.enter(RULING, entry, evidence=given)


def _propose(case: Case) -> Decision:
    """D5, D6: the merchant's fault is proposed, and an officer confirms; a draft counts as given."""
    if Role.MERCHANT in case.state.claim.gave:
        return _close_evidence(case, case.silent("evidence_closed"))
    claim = case.state.claim.but(proposal=upheld(claimed(case), CLOCK), evidence_ended=case.due)
    charges = charge(case, ScoreCause.EVIDENCE_TIMEOUT)
    return case.but(claim=claim).enter(RULING_PROPOSED, case.silent("fault_proposed"), charges=charges)


def _demanded(case: Case) -> bool:
    return case.stage in (EVIDENCE, EVIDENCE_WORKING_HOURS)


def _is_late(case: Case) -> bool:
    """D6: not before the deadline has been acted on, however late it is looked at (section 11)."""
    ended = case.state.claim.evidence_ended
    return ended is not None and case.now >= ended


def refused_content(case: Case, command: Command) -> Refusal | None:
    """D2, D5, D6, D8: offers, acceptances, evidence and rulings must fit the claim."""
    claim = case.state.claim
    match command:
        case OfferSettlement():
            return refused_offer(command, claimed(case))
        case AcceptSettlement():
            return refused_acceptance(command, claim.offer)
        case SubmitEvidence() if command.by.role in claim.finals and not _is_late(case):
            return refused_evidence_after_final()
        case Rule():
            return refused_ruling(command, claimed(case))
        case ConfirmProposal() if claim.proposal is None:
            return Refusal(
                code="nothing_proposed", field="command", rule="D5", explanation="the merchant was not silent"
            )
        case _:
            return None
