"""How a case goes on that an earlier run has carried: after a reset, a terminate, or on another server.

Everything that follows a step can be decided from the state that was written with it and the book's answer to it.
"""

from collections.abc import Mapping
from typing import Final

from workflows.kinds import disputed, incoming, money, refund, returning, withdrawal
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, Then
from workflows.kinds.payment_stages import WHILE_PAYING
from workflows.kinds.state import State
from workflows.kinds.steps import answered
from workflows.messages.cases import Resumed, StepAnswer
from workflows.messages.reading import read_own


def _open_again(case: Case, _: StepAnswer) -> Decision:
    return disputed.dispute_opened(case)


FOLLOW_UPS: Final[Mapping[str, Then]] = {
    incoming.TRACKING_ENTERED: returning.once_tracked,
    withdrawal.GIVEN_BACK: withdrawal.given_back,
    refund.PROVED: refund.hear_of_proof,
    disputed.DISPUTE_OPENED: _open_again,
}
"""What is decided on the answer to a step, by the name that is kept in the state."""


def resumed_state(resumed: Resumed) -> State:
    """The state from which a case goes on."""
    state = answered(read_own(State, resumed.state), resumed.last, resumed.steps)
    if state.payout and resumed.legs:
        state = state.but(legs=resumed.legs)
    if resumed.closed_at:
        state = state.but(refunded=resumed.refunded, compensated=resumed.compensated, outcome=resumed.outcome)
    return state


def go_on(case: Case, last: StepAnswer) -> Decision:
    """What follows the last step, where nobody knows whether it was followed up."""
    if case.state.stage in WHILE_PAYING and case.state.payout:
        return money.go_on_paying(case, last)
    follow_up = FOLLOW_UPS.get(case.state.follow_up)
    return follow_up(case, last) if follow_up else Decision()
