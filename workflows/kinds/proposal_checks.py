"""What a proposal, its answer, a message or a rejection must fit (N1 to N5, R11, R13, R16)."""

from collections.abc import Iterable

from workflows.kinds.case import Case
from workflows.kinds.open_proposals import proposal_of
from workflows.kinds.outgoing import merchant_has
from workflows.kinds.rejecting import use_of
from workflows.messages.actors import Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    AcceptProposal,
    Command,
    DeclineProposal,
    Propose,
    Reject,
    Say,
    WithdrawProposal,
)
from workflows.messages.pieces import PieceUse
from workflows.messages.proposals import AnotherAmount, AnotherCompensation, KeepGoods, MoreProof, Proposal, Terms
from workflows.messages.requests import Application, DisputeRequest
from workflows.rules.dispute import refused_offer
from workflows.rules.negotiation import (
    as_offer,
    is_proposable,
    refused_answer,
    refused_compensation,
    refused_kind,
    refused_more,
    refused_rejection,
    refused_terms,
    rejects_after_talk,
)
from workflows.rules.payable import refused_amount
from workflows.rules.refund import refused_application
from workflows.rules.refusals import refused


def refused_content(case: Case, command: Command) -> Refusal | None:
    """N1, N3, N4, R11, R13, R16: what a proposal, its answer, a message or a rejection must fit."""
    talk, numbers = case.state.talk, case.policy.negotiation
    match command:
        case Propose():
            return _refused_more(case, command) or _refused(case, command)
        case AcceptProposal():
            return _refused_acceptance(case, command)
        case DeclineProposal():
            return refused_answer(command.number, command.by, _standing(case), own=False)
        case WithdrawProposal():
            return refused_answer(command.number, command.by, _standing(case), own=True)
        case Say():
            return refused_more(talk.said.get(command.by.role, 0), numbers.most_messages, "messages")
        case Reject() if rejects_after_talk(case.kind, case.stage.name):
            return _refused_rejection(case)
        case _:
            return None


def _refused_more(case: Case, command: Propose) -> Refusal | None:
    """R16; but one about each version is always open to a merchant that may not reject without it (N4)."""
    talk, numbers, role = case.state.talk, case.policy.negotiation, command.by.role
    needs_one = numbers.rejection_needs_proposal and max(talk.about, talk.in_vain) < case.version
    if role is Role.MERCHANT and needs_one:
        return None
    return refused_more(talk.made.get(role, 0), numbers.most_proposals, "proposals")


def _refused_rejection(case: Case) -> Refusal | None:
    clock, least = case.state.clock, case.opened.payable.least if case.opened.payable else 1
    return refused_rejection(
        case.version,
        case.state.talk.in_vain,
        case.policy.negotiation,
        lasts=clock.due.at - clock.began_at - case.state.late_by if clock.due else None,
        proposable=is_proposable(case.kind, case.stage.name, case.asked.amount, least),
    )


def _refused(case: Case, command: Propose) -> Refusal | None:
    terms = command.terms
    if refusal := refused_kind(terms, command.by, case.kind, case.state.stage):
        return refusal
    if isinstance(case.request, DisputeRequest):
        return _refused_in_dispute(case.request, command)
    if isinstance(terms, AnotherCompensation):
        return refused_compensation(terms, case.asked.amount) or refused_amount(
            case.opened.payable, terms.amount, "terms.amount"
        )
    application = case.application
    if refusal := _refused_terms(case, terms):
        return refusal
    if not isinstance(terms, AnotherAmount | KeepGoods):
        return None
    if refusal := refused_amount(case.opened.payable, terms.amount, "terms.lines"):  # X6
        return refusal
    wanted = Application.made_of(
        lines=terms.lines, freight=terms.freight, reason=application.reason, method=application.method
    )
    refusal = refused_application(wanted, case.order, case.policy, {}, use=use_of(case))
    return refusal.model_copy(update={"field": f"terms.{refusal.field}"}) if refusal else None


def _refused_terms(case: Case, terms: Terms) -> Refusal | None:
    comes_back = use_of(case) in (PieceUse.RETURN, PieceUse.EXCHANGE, PieceUse.REPAIR)
    held = comes_back and merchant_has(case.state.goods)  # what was to be sent again, the buyer has not sent in
    return refused_terms(terms, case.application, case.order, comes_back=comes_back, held=held)


def _refused_in_dispute(claim: DisputeRequest, command: Propose) -> Refusal | None:
    """D2, L5: it must fit the claim, as an offer must."""
    offer = as_offer(command.terms, command.key, command.by)
    if not offer.amount:
        return refused("nothing_offered", "terms.lines", "N1", "an amount must be proposed")
    refusal = refused_offer(offer, claim)
    if refusal is None:
        return None
    field = "amount" if refusal.field == "compensation" else refusal.field
    return refusal.model_copy(update={"field": f"terms.{field}"})


def _refused_acceptance(case: Case, command: AcceptProposal) -> Refusal | None:
    if refusal := refused_answer(command.number, command.by, _standing(case), own=False):
        return refusal
    asks_for_proof = isinstance(proposal_of(case, command.number).terms, MoreProof)
    if asks_for_proof and not command.evidence:
        return refused("proof_missing", "evidence", "N3", "the proposal asks for more proof: show it")
    if command.evidence and not asks_for_proof:
        return refused("no_proof_wanted", "evidence", "N3", "the proposal asks for no proof")
    return _refused_now(case, command)


def _refused_now(case: Case, command: AcceptProposal) -> Refusal | None:
    """T15: the goods may have moved since it was proposed."""
    terms = proposal_of(case, command.number).terms
    if isinstance(terms, AnotherCompensation) or isinstance(case.request, DisputeRequest):
        return None
    refusal = _refused_terms(case, terms)
    return refusal.model_copy(update={"field": "number"}) if refusal else None


def _standing(case: Case) -> Iterable[Proposal]:
    """Those that have not come to their end, be it that it has not been written down yet (N2)."""
    return [each for each in case.state.talk.proposals if case.now < each.until]
