"""Proposals that are open in a case: how they end when nobody answers them, or something else is decided (N1, N2)."""

from datetime import timedelta
from typing import Final

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, StepPlan
from workflows.kinds.state import TalkState
from workflows.messages.actors import CLOCK, Actor, Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate
from workflows.messages.message import Reference
from workflows.messages.proposals import Proposal, ProposalEnd, Talk

_HAIR: Final = timedelta(milliseconds=1)
"""Timers are kept in whole milliseconds: a deadline may be told a hair early."""


def lapse(case: Case) -> Decision:
    """N2, N4: silence says neither yes nor no; the case goes on as it stands."""
    first = min(case.state.talk.proposals, key=lambda each: each.until)
    return without(case, first, in_vain=first.by.role is Role.MERCHANT).stay(
        case.entry("proposal_lapsed", CLOCK, "N2", None, **facts(first)),
        notices=told_of_end(case, first, ProposalEnd.LAPSED, case.buyer, case.merchant),
    )


def fallen(case: Case, plan: StepPlan) -> tuple[LogEntry, ...]:
    """N1, R10: the log lines of proposals that a step ends: what was proposed was about something else.

    That is each step that decides, amends, intervenes or converts: the stage or the application is another one then.
    One whose time is over with the stage's has lapsed (N2).
    """
    if not falls(case, plan):
        return ()
    why = plan.entries[0].event if plan.entries else plan.stage.name
    return tuple(
        case.entry("proposal_lapsed", CLOCK, "N2", None, **facts(each))
        if _is_over(case, each)
        else case.entry("proposal_closed", CLOCK, "N1", None, **facts(each), because=why)
        for each in case.state.talk.proposals
    )


def talk_fallen(case: Case) -> TalkState:
    """N1, N4: without proposals; a merchant whose own has lapsed with the stage may reject in the next one."""
    talk = case.state.talk
    lapsed = [each.version for each in talk.proposals if each.by.role is Role.MERCHANT and _is_over(case, each)]
    return talk.but(proposals=(), in_vain=max(talk.in_vain, *lapsed)) if lapsed else talk.but(proposals=())


def _is_over(case: Case, proposal: Proposal) -> bool:
    return proposal.until <= case.now + _HAIR


def falls(case: Case, plan: StepPlan) -> bool:
    """Whether a step ends the open proposals."""
    return bool(case.state.talk.proposals) and (plan.stage.name is not case.state.stage or plan.application is not None)


def talk_after(case: Case, plan: StepPlan) -> Talk | None:
    """What is open once a step is written, for lists; None where nobody has said anything yet."""
    talk = case.state.talk
    if not (talk.made or talk.said):
        return None
    return Talk.made_of(proposals=() if falls(case, plan) else talk.proposals, messages=talk.messages)


def told_of_fallen(case: Case, plan: StepPlan) -> tuple[Notice, ...]:
    """N6: to whoever had made them, and to both of what has lapsed."""
    if not falls(case, plan):
        return ()
    ended = case.state.talk.proposals
    return tuple(notice for each in ended for notice in _told_of_fall(case, each))


def _told_of_fall(case: Case, proposal: Proposal) -> tuple[Notice, ...]:
    if _is_over(case, proposal):
        return told_of_end(case, proposal, ProposalEnd.LAPSED, case.buyer, case.merchant)
    return told_of_end(case, proposal, ProposalEnd.CLOSED, proposal.by)


def proposal_of(case: Case, number: int) -> Proposal:
    """The open proposal of this number."""
    return next(each for each in case.state.talk.proposals if each.number == number)


def without(case: Case, proposal: Proposal, *, in_vain: bool = False) -> Case:
    """The case without an open proposal; ``in_vain`` where the merchant may reject now (N4)."""
    talk = case.state.talk
    left = tuple(each for each in talk.proposals if each.number != proposal.number)
    return case.but(talk=talk.but(proposals=left, in_vain=proposal.version if in_vain else talk.in_vain))


def facts(proposal: Proposal) -> dict[str, str | int]:
    """A proposal for the case log; amounts in minor units."""
    amount = {} if proposal.amount is None else {"proposed_amount": proposal.amount}
    return {
        "number": proposal.number,
        "terms": proposal.terms.kind,
        **amount,
        **words_fact(proposal.words),
    }


def words_fact(words: Reference | None) -> dict[str, str | int]:
    """Where words are kept, for the case log."""
    return {"words": words} if words else {}


def other_side(case: Case, by: Actor) -> Actor | None:
    """Who answers what this one has proposed."""
    return case.buyer if by.role is Role.MERCHANT else case.merchant


def told_of(case: Case, proposal: Proposal) -> tuple[Notice, ...]:
    """N6: what was proposed, until when it stands, and what the stage's silence does if nothing is done then."""
    return case.notice(
        NoticeTemplate.PROPOSAL_MADE,
        other_side(case, proposal.by),
        number=proposal.number,
        by=proposal.by.role,
        terms=proposal.terms.kind,
        amount=proposal.amount or 0,
        currency=case.asked.currency,
        until=proposal.until.isoformat(),
        on_silence=case.on_silence,
    )


def told_of_end(case: Case, proposal: Proposal, how: ProposalEnd, *to: Actor | None) -> tuple[Notice, ...]:
    """N6: how a proposal has ended; what silence does from here on is said with the step that it is told of."""
    return tuple(
        notice
        for each in to
        for notice in case.notice(
            NoticeTemplate.PROPOSAL_ENDED,
            each,
            number=proposal.number,
            terms=proposal.terms.kind,
            how=how,
        )
    )
