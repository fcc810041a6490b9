"""Both sides talk before one of them decides: proposals, their answers, and the thread (N1 to N6).

A proposal is open beside whatever the case waits for, and changes neither its stage nor its clock. What is accepted
becomes the next version of the application, and each kind carries that out by its own means (``Agreed``).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.open_proposals import (
    facts,
    other_side,
    proposal_of,
    told_of,
    told_of_end,
    without,
    words_fact,
)
from workflows.kinds.order_money import refund, tell_settled
from workflows.kinds.process import Goal, Handler, On, takes
from workflows.kinds.stage import PARTIES, PLATFORM, Stage
from workflows.messages.actors import Role
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Refusal, Span, StepAnswer
from workflows.messages.commands import (
    AcceptProposal,
    Amend,
    Command,
    DeclineProposal,
    Propose,
    Say,
    WithdrawProposal,
)
from workflows.messages.message import Reference
from workflows.messages.pieces import PieceUse
from workflows.messages.proposals import AnotherAmount, KeepGoods, Proposal, ProposalEnd
from workflows.messages.requests import Application
from workflows.messages.statements import EvidenceGiven
from workflows.rules import admission
from workflows.rules.applications import version_facts, version_of
from workflows.rules.evidence import evidence_facts
from workflows.rules.negotiation import (
    amount_of,
    terms_facts,
)
from workflows.rules.pieces import pieces_of

TALKERS = PARTIES | PLATFORM
AGREED = "agreed"
_SECOND = timedelta(seconds=1)


def says() -> On:
    """The line of a stage in which words and pictures may be left (N5)."""
    return takes(Say, TALKERS, say)


def talks(accept: Handler, *agreed: Goal) -> tuple[On, ...]:
    """The lines of a stage in which both sides may propose, and answer; ``accept`` leads to what is ``agreed``."""
    return (
        takes(Propose, PARTIES, propose),
        takes(AcceptProposal, PARTIES, accept, proposal_accepted=agreed),
        takes(DeclineProposal, PARTIES, decline),
        takes(WithdrawProposal, PARTIES, take_back),
        says(),
    )


# N1, N2: proposing ------------------------------------------------------------------------------------------


def propose(case: Case, command: Propose) -> Decision:
    """N1, N2, N6: told to the other side, with its end and what silence does then."""
    talk, role = case.state.talk, command.by.role
    number = talk.numbered + 1
    replaced = [each for each in talk.proposals if each.by.role is role]
    until = case.now + timedelta(hours=case.policy.negotiation.answer_hours)
    lengthens = _lengthens(case) and case.due is not None and case.due < until
    if case.due and not lengthens:
        until = min(until, case.due)
    proposal = Proposal.made_of(
        number=number,
        by=command.by,
        terms=command.terms,
        version=case.version,
        amount=amount_of(command.terms, case.asked.amount),
        words=command.words,
        made_at=case.now,
        until=until,
    )
    entry = case.entry(
        "proposed",
        command.by,
        "N1",
        command,
        **facts(proposal),
        **terms_facts(command.terms),
        version=case.version,
        until=until.isoformat(),
        **({"replaces": replaced[0].number} if replaced else {}),
    )
    talk = talk.but(
        about=case.version if role is Role.MERCHANT else talk.about,
        proposals=(*(each for each in talk.proposals if each not in replaced), proposal),
        made={**talk.made, role: talk.made.get(role, 0) + 1},
        lengthened=case.version if lengthens else talk.lengthened,
    )
    told = told_of(case, proposal)
    proposing, given = case.but(talk=talk), _with_words(case, command, "proposed", command.words)
    if not lengthens:
        return proposing.stay(entry, evidence=given, notices=told)
    span = _longer(case, until)
    return proposing.enter(case.stage, entry, span=span, evidence=given, notices=told, attention=case.state.attention)


def _longer(case: Case, until: datetime) -> Span:
    """The same clock, which ends at ``until`` by what is known now: pauses move it as before (section 9)."""
    clock, running = case.state.clock, case.running
    near = clock.span.reminder_minutes if clock.span and not clock.reminded else 0
    if running is None or case.due is None or not (running.minutes or running.seconds):
        return Span(until=until, since=clock.began_at, reminder_minutes=near)
    length = timedelta(minutes=running.minutes, seconds=running.seconds) + (until - case.due)
    seconds = -(-length // _SECOND)
    began_at = clock.began_at + length - seconds * _SECOND  # a span has whole seconds; what is added has not
    return Span(seconds=seconds, since=began_at, reminder_minutes=near)


def decline(case: Case, command: DeclineProposal) -> Decision:
    """N1: the case goes on as it stands; N4: a rejection may follow what the buyer has refused."""
    proposal = proposal_of(case, command.number)
    entry = case.entry(
        "proposal_declined", command.by, "N1", command, **{**facts(proposal), **words_fact(command.words)}
    )
    return without(case, proposal, in_vain=proposal.by.role is Role.MERCHANT).stay(
        entry,
        evidence=_with_words(case, command, "proposal_declined", command.words),
        notices=told_of_end(case, proposal, ProposalEnd.DECLINED, proposal.by),
    )


def take_back(case: Case, command: WithdrawProposal) -> Decision:
    """N1: a side's own proposal."""
    proposal = proposal_of(case, command.number)
    entry = case.entry("proposal_withdrawn", command.by, "N1", command, **facts(proposal))
    other = other_side(case, proposal.by)
    return without(case, proposal).stay(entry, notices=told_of_end(case, proposal, ProposalEnd.WITHDRAWN, other))


def _lengthens(case: Case) -> bool:
    """N2: once for each version of the application, so that nobody puts a decision off for ever."""
    return case.policy.negotiation.lengthens_stage and case.state.talk.lengthened < case.version


# N3: accepting ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreed:
    """What both sides have agreed on, to be carried out at once."""

    case: Case
    """With the agreed version as what is applied for, and without the proposal."""
    proposal: Proposal
    command: AcceptProposal
    amendment: Amend
    version: ApplicationVersion
    entry: LogEntry


def agreed(case: Case, command: AcceptProposal) -> Agreed:
    """N3: the next version of the application, and the log line that says who proposed and who accepted it."""
    proposal, before = proposal_of(case, command.number), case.application
    # Whatever else the buyer has said stands: whether it has the goods decides what silence does (G3).
    says: dict[str, object] = {name: getattr(before, name) for name in Application.model_fields}
    match proposal.terms:
        case AnotherAmount(lines=lines, freight=freight) | KeepGoods(lines=lines, freight=freight):
            says |= {"lines": lines, "freight": freight}
        case _:  # the same, in another way
            pass
    applied = case.state.applied
    shown = command.evidence or (applied.evidence if applied else ())
    amendment = Amend.made_of(key=command.key, by=command.by, evidence=shown, **says)
    version = version_of(amendment, case.now, applied, proposal=proposal.number)
    entry = case.entry(
        "proposal_accepted",
        command.by,
        "N3",
        command,
        # Both may have words: the version's are those of the request, which goes on.
        **{**facts(proposal), "proposed_by": proposal.by.role, **version_facts(version)},
    )
    return Agreed(without(case, proposal).but(amended=amendment), proposal, command, amendment, version, entry)


def pay_as_agreed(what: Agreed, use: PieceUse = PieceUse.REFUND) -> Decision:
    """N3: the agreed amount goes back, within what is left (R14); no goods come back any more."""
    paid = refund(
        what.case,
        what.entry,
        by=what.command.by,
        rule="N3",
        pieces=pieces_of(what.amendment, use),
        notices=accepted_notice(what),
    )
    return as_version(what, paid)


def go_on_as_agreed(what: Agreed, decision: Decision) -> Decision:
    """N3: a step that carries out what was agreed on, with the version; an open dispute about it is settled (D2)."""
    return as_version(what, settling(what.case, decision))


def settling(case: Case, decision: Decision) -> Decision:
    """D2: the same, be it written or what is written instead; nothing stands still, and an open dispute is told."""
    if case.state.dispute.current is None:
        return decision
    instead = decision.if_refused

    def refused_step(case: Case, refusal: Refusal) -> Decision:
        assert instead is not None
        return settling(case, instead(case, refusal))

    state = decision.state
    if state:
        state = state.but(dispute=state.dispute.but(standstill=None))
    return replace(
        decision, state=state, then=tell_dispute, follow_up=AGREED, if_refused=refused_step if instead else None
    )


def tell_dispute(case: Case, _: StepAnswer) -> Decision:
    """D2: what was disputed has been agreed on, and is written down."""
    told = tell_settled(case)
    if told is None:
        return Decision()
    return Decision(aside=told, state=case.but(dispute=case.state.dispute.but(told_settled=True)).state)


def show_more(what: Agreed, review: Stage, apply_again: Callable[[Case, Amend, Stage], Decision]) -> Decision:
    """N3, R6, R12: what the buyer shows besides stands in the next version; what was rejected is reviewed again.

    N4: the merchant has asked, and has its answer. Else whoever answers late would take the rejection from it.
    """
    given = what.case.given(what.command, "proposal_accepted")
    shown = what.case.but(talk=what.case.state.talk.but(in_vain=what.version.version))
    what = replace(what, case=shown)
    if what.case.stage is review:
        return as_version(what, what.case.stay(what.entry, evidence=given, notices=accepted_notice(what)))
    again = apply_again(what.case, what.amendment, review)
    step = replace(again.step, entries=(what.entry,), evidence=given) if again.step else None
    return as_version(what, replace(again, step=step))


def accepted_notice(what: Agreed) -> tuple[Notice, ...]:
    """N6: to whoever had proposed it."""
    return told_of_end(what.case, what.proposal, ProposalEnd.ACCEPTED, what.proposal.by)


def as_version(what: Agreed, decision: Decision) -> Decision:
    """N3: the same, with what was agreed on as the next version of the application."""
    step = replace(decision.step, application=what.version) if decision.step else None
    instead = decision.if_refused

    def refused_step(case: Case, refusal: Refusal) -> Decision:
        assert instead is not None
        with_it = without(case, what.proposal).but(amended=what.amendment)
        return as_version(what, instead(with_it, refusal))

    return replace(decision, step=step, if_refused=refused_step if instead else None)


@dataclass(frozen=True)
class AgreedAmount:
    """An amount that both sides have agreed on where nothing is applied for: the case without it, and its log line."""

    case: Case
    amount: int
    entry: LogEntry
    notices: tuple[Notice, ...]


def agreed_amount(case: Case, command: AcceptProposal) -> AgreedAmount:
    """N3, L2, D2: so much is paid for late shipment, or ends a dispute."""
    proposal = proposal_of(case, command.number)
    told = facts(proposal) | terms_facts(proposal.terms)
    entry = case.entry("proposal_accepted", command.by, "N3", command, **told, proposed_by=proposal.by.role)
    notices = told_of_end(case, proposal, ProposalEnd.ACCEPTED, proposal.by)
    return AgreedAmount(without(case, proposal), proposal.amount or 0, entry, notices)


# N5: the thread ---------------------------------------------------------------------------------------------


def say(case: Case, command: Say) -> Decision:
    """N5, N6: words and pictures stand in the thread as references, and the other side is told."""
    talk, role = case.state.talk, command.by.role
    saying = case.but(talk=talk.but(said={**talk.said, role: talk.said.get(role, 0) + 1}))
    entry = case.entry(
        "said", command.by, "N5", command, **words_fact(command.words), **evidence_facts(command.evidence)
    )
    others = (to for to in (case.buyer, case.merchant) if to and to.role is not role)
    notices = [notice for to in others for notice in case.notice(NoticeTemplate.MESSAGE_LEFT, to, by=role)]
    return saying.stay(
        entry, evidence=_with_words(case, command, "said", command.words, command.evidence), notices=tuple(notices)
    )


def _with_words(
    case: Case, command: Command, event: str, words: Reference | None, attachments: tuple[object, ...] = ()
) -> EvidenceGiven | None:
    """Words and pictures of a move, kept beside it: the words must be there, and their writer's own."""
    key = f"command-{admission.fingerprint(command)}"
    if not (words or attachments) or key in case.state.kept_evidence:
        return None
    return EvidenceGiven.made_of(
        key=key, by=command.by, attachments=attachments, statement=words, adds=True, event=event
    )
