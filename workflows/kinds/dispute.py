"""Disputes 纠纷: negotiation, intervention with evidence, and a ruling (D1 to D9).

A dispute about an open case is that case's child: its ruling is its result, and the case carries it out. One about an
ended case, or about an order without a case, carries its ruling out itself; so does one whose case was stopped from
outside.
"""

from dataclasses import replace

from workflows.kinds import demanding, negotiating
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.dispute_end import charge, claimed, end, told_of_intervention
from workflows.kinds.dispute_stages import (
    EVIDENCE,
    EVIDENCE_OF_BUYER,
    EVIDENCE_WORKING_HOURS,
    NEGOTIATION,
    RULING,
    RULING_OVERDUE,
    RULING_PROPOSED,
)
from workflows.kinds.open_proposals import proposal_of
from workflows.kinds.order_money import PAID_BACK
from workflows.kinds.order_money import table as paying_back
from workflows.kinds.process import Goal, On, Process, hears, silence, takes
from workflows.kinds.stage import BUYER, MERCHANT, PARTIES, PLATFORM, Stage
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import NoticeTemplate, Refusal
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    CaseSettled,
    Command,
    ConfirmProposal,
    DemandEvidence,
    OfferSettlement,
    Resolve,
    Rule,
    SubmitEvidence,
)
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import Attention, OutcomeKind
from workflows.rules.dispute import (
    refused_acceptance,
    refused_evidence_after_final,
    refused_offer,
    refused_ruling,
    resolved,
    ruled,
    settled,
    upheld,
)
from workflows.rules.negotiation import as_offer


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
                takes(SubmitEvidence, PARTIES, demanding.take_evidence),
                *negotiating.talks(_accept_proposal, OutcomeKind.SETTLED, *PAID_BACK),
                hears(CaseSettled, _settled_itself, dispute_resolved=OutcomeKind.RESOLVED),
                silence(_intervene, intervened=(EVIDENCE, EVIDENCE_WORKING_HOURS, RULING)),
            ),
            EVIDENCE: (
                *_intervened(agreed, demanded=(EVIDENCE_OF_BUYER,), evidence_submitted=RULING),
                silence(_uphold, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK), evidence_closed=RULING),
            ),
            EVIDENCE_WORKING_HOURS: (
                *_intervened(agreed, demanded=(EVIDENCE_OF_BUYER,), evidence_submitted=RULING),
                silence(_propose, fault_proposed=RULING_PROPOSED, evidence_closed=RULING),
            ),
            EVIDENCE_OF_BUYER: (
                *_intervened(
                    agreed,
                    demanded=demanding.OF_MERCHANT,
                    evidence_submitted=(RULING, RULING_PROPOSED, *demanding.OF_MERCHANT),
                ),
                silence(demanding.buyer_silent, evidence_closed=(RULING, RULING_PROPOSED, *demanding.OF_MERCHANT)),
            ),
            RULING: (
                *_intervened(agreed, demanded=demanding.DEMANDED),
                silence(_ruling_overdue, ruling_overdue=RULING_OVERDUE),
            ),
            RULING_PROPOSED: (
                *_intervened(agreed, demanded=(EVIDENCE_WORKING_HOURS, EVIDENCE_OF_BUYER)),
                takes(ConfirmProposal, PLATFORM, _confirm, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK)),
                silence(_ruling_overdue, ruling_overdue=RULING_OVERDUE),
            ),
            RULING_OVERDUE: (
                *_intervened(agreed, demanded=demanding.DEMANDED),
                takes(ConfirmProposal, PLATFORM, _confirm, dispute_upheld=(OutcomeKind.RULED, *PAID_BACK)),
            ),
            **paying_back(rest=True, also_compensates=True),
        },
    )


def _intervened(
    agreed: tuple[On, ...], *, demanded: tuple[Stage, ...], **evidence_leads: Goal | tuple[Goal, ...]
) -> tuple[On, ...]:
    """What is open once the platform has stepped in: it rules, unless the parties agree before (D2, D6, D8)."""
    return (
        *agreed,
        takes(SubmitEvidence, PARTIES, demanding.take_evidence, **evidence_leads),
        takes(DemandEvidence, PLATFORM, demanding.demand, evidence_demanded=demanded),
        negotiating.says(),
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


def _accept_proposal(case: Case, command: AcceptProposal) -> Decision:
    """N3, D2: either side's amount, which the other accepts, settles it as an offer does."""
    proposal, agreed = proposal_of(case, command.number), negotiating.agreed_amount(case, command)
    offer = as_offer(proposal.terms, command.key, proposal.by)
    return end(agreed.case, settled(offer, command), None, said=(agreed.entry,))


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
        return demanding.close(case, case.silent("evidence_closed"))
    return end(case, upheld(claimed(case), CLOCK), None, charge(case, ScoreCause.EVIDENCE_TIMEOUT))


def _ruling_overdue(case: Case) -> Decision:
    return case.enter(RULING_OVERDUE, case.silent("ruling_overdue"), attention=Attention.RULING_OVERDUE)


def _intervene(case: Case) -> Decision:
    """D3, D4, D5, D9: the case is locked, evidence is demanded, and it costs the merchant points."""
    entry, charges = case.silent("intervened"), charge(case, ScoreCause.INTERVENTION)
    asked = case.asked
    both = case.notice_to_both(NoticeTemplate.INTERVENED, amount=asked.amount, currency=asked.currency)
    # D6: who has said its last word has nothing to add.
    if Role.MERCHANT in case.state.claim.finals or not case.policy.dispute.evidence_at_intervention:
        intervened = case.enter(RULING, entry, notices=both, charges=charges)
    else:
        notices = (*both, *demanding.demanded_notices(case, MERCHANT))
        intervened = case.enter(demanding.stage_of(case, MERCHANT), entry, notices=notices, charges=charges)
    return replace(intervened, first=told_of_intervention(case))


def _offered(case: Case, command: OfferSettlement) -> Decision:
    """D2: the offer stands from now on, and the buyer is told of it."""
    return case.but(claim=case.state.claim.but(offer=command)).stay(
        case.obeyed(command, "settlement_offered", amount=command.amount),
        notices=case.notice(
            NoticeTemplate.SETTLEMENT_OFFERED, case.buyer, amount=command.amount, currency=case.asked.currency
        ),
    )


def _propose(case: Case) -> Decision:
    """D5, D6: the merchant's fault is proposed, and an officer confirms; a draft counts as given."""
    if Role.MERCHANT in case.state.claim.gave:
        return demanding.close(case, case.silent("evidence_closed"))
    claim = case.state.claim.but(proposal=upheld(claimed(case), CLOCK), evidence_ended=case.due)
    charges = charge(case, ScoreCause.EVIDENCE_TIMEOUT)
    return case.but(claim=claim).enter(RULING_PROPOSED, case.silent("fault_proposed"), charges=charges)


def refused_content(case: Case, command: Command) -> Refusal | None:
    """D2, D5, D6, D8: offers, acceptances, evidence and rulings must fit the claim."""
    claim = case.state.claim
    match command:
        case OfferSettlement():
            return refused_offer(command, claimed(case))
        case AcceptSettlement():
            return refused_acceptance(command, claim.offer)
        case SubmitEvidence() if command.by.role in claim.finals and not demanding.is_late(case, command.by.role):
            return refused_evidence_after_final()
        case Rule():
            return refused_ruling(command, claimed(case))
        case ConfirmProposal() if claim.proposal is None:
            return Refusal(
                code="nothing_proposed", field="command", rule="D5", explanation="the merchant was not silent"
            )
        case _:
            return None
