"""How a case goes on that an earlier run has carried: after a reset, a terminate, or on another server.

Everything that follows a step can be decided from the state that was written with it and the book's answer to it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from workflows.kinds import dispute_end, disputed, incoming, money, negotiating, refund, returning, withdrawal
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, Then
from workflows.kinds.kind import APPLIED_AGAIN, applied_again, beginning
from workflows.kinds.payment_stages import WHILE_PAYING
from workflows.kinds.stage import OPENING, STAGES
from workflows.kinds.state import State
from workflows.kinds.steps import answered, begun, kept
from workflows.messages.cases import LogEntry, Resumed, StepAnswer
from workflows.messages.commands import Command
from workflows.messages.openings import Opened
from workflows.messages.reading import read_own
from workflows.messages.requests import Request, opener
from workflows.messages.stages import StageName
from workflows.rules.applications import opening_facts
from workflows.rules.identity import case_id
from workflows.rules.pauses import last_told_of


def _open_again(case: Case, _: StepAnswer) -> Decision:
    return disputed.dispute_opened(case)


FOLLOW_UPS: Final[Mapping[str, Then]] = {
    incoming.TRACKING_ENTERED: returning.once_tracked,
    negotiating.AGREED: negotiating.tell_dispute,
    withdrawal.GIVEN_BACK: withdrawal.given_back,
    refund.PROVED: refund.hear_of_proof,
    disputed.DISPUTE_OPENED: _open_again,
    APPLIED_AGAIN: applied_again,
}
"""What is decided on the answer to a step, by the name that is kept in the state."""


def opened_state(state: State, opened: Opened, at: datetime) -> State:
    """The state of a case that has just been opened, from the one with which its opening began."""
    if opened.stage is None or opened.policy is None:
        raise ValueError("nothing was opened")
    stage = STAGES[opened.stage]
    span = stage.span(opened.policy) if stage.span else None
    return state.but(kind=opened.kind, stage=stage.name, clock=begun(span, at, opened.due))


def just_opened(request: Request, opened: Opened, at: datetime) -> Resumed:
    """How far a case has come that has taken no step since its opening."""
    opened_at = opened.opened_at or at
    state = opened_state(beginning(request, opened_at), opened, opened_at)
    facts = opening_facts(request, opened_at)
    entry = LogEntry(event="opened", by=opener(request), rule=OPENING.rule, at=opened_at, facts=facts)
    return Resumed(state=kept(state), last=StepAnswer(step=0), steps=0, log=(entry,))


def resumed_state(resumed: Resumed) -> State:
    """The state from which a case goes on."""
    state = answered(read_own(State, resumed.state), resumed.last, resumed.steps)
    if state.payout and resumed.legs:
        state = state.but(legs=resumed.legs)
    if resumed.closed_at:
        state = state.but(refunded=resumed.refunded, compensated=resumed.compensated, outcome=resumed.outcome)
    return state


def missed(case: Case) -> tuple[Command, ...]:
    """What nobody could tell while no run carried the case, and the book knows."""
    opening = case.state.dispute.opening
    dispute = case_id(opening) if opening else case.state.dispute.current
    locks = case.opened.dispute_intervened and case.state.stage is not StageName.LOCKED
    intervened = (dispute_end.intervention(dispute),) if dispute and locks else ()
    return (*refund.gone_meanwhile(case), *intervened, *(last_told_of(window) for window in case.opened.pauses))


def go_on(case: Case, last: StepAnswer) -> Decision:
    """What follows the last step, where nobody knows whether it was followed up."""
    if case.state.stage in WHILE_PAYING and case.state.payout:
        return money.go_on_paying(case, last)
    follow_up = FOLLOW_UPS.get(case.state.follow_up)
    return follow_up(case, last) if follow_up else Decision()
