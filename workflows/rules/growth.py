"""How much a case takes in, so that its history has an end and no side can lock the other out (R16).

Temporal takes 2,000 updates and 51,200 events of one run. Well before that, a case goes on in another run, as soon as
all is quiet (``shell.case``). Evidence has a limit by the policy (``rules.evidence``); here
is that of a run for everything else.
"""

from collections.abc import Mapping
from typing import Final

from workflows.messages.actors import Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    Command,
    ConvertToRefund,
    DeclineProposal,
    DemandEvidence,
    EnterTracking,
    GiveRefundAccount,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    Propose,
    ReportParcel,
    Retain,
    Say,
    SubmitEvidence,
    WithdrawProposal,
)
from workflows.messages.stages import StageName

MOST_FROM_A_ROLE: Final = 150
"""Commands that a case takes from one role before it becomes choosy [G]. Six roles stay far below 2,000."""

REFUSED_LINES: Final = 20
"""Refused signals that the log tells of one by one; those that come after them are told of by their number."""

MAY_LEAVE_ALL_AS_IT_IS: Final[Mapping[type[Command], frozenset[StageName]]] = {
    SubmitEvidence: frozenset(),
    Propose: frozenset(),
    DeclineProposal: frozenset(),
    WithdrawProposal: frozenset(),
    Say: frozenset(),
    Retain: frozenset(),
    OfferSettlement: frozenset(),
    ConvertToRefund: frozenset(),
    DemandEvidence: frozenset({StageName.RULING, StageName.RULING_PROPOSED, StageName.RULING_OVERDUE}),
    MovePolicy: frozenset(),
    MoveDeadline: frozenset(),
    EnterTracking: frozenset({StageName.AWAITING_RETURN}),
    GiveRefundAccount: frozenset({StageName.AWAITING_ACCOUNT}),
}
"""Commands after which a case may stand where it stood, and can be sent another; and where they do lead on."""


class Heard:
    """What a run has been sent. Its state follows from the history alone."""

    def __init__(self) -> None:
        self._from: dict[Role, int] = {}
        self._reports: frozenset[tuple[str, str, str]] = frozenset()
        self._lines = 0
        self.left_out = 0
        """Refused signals and repeated reports that no line of the log tells of yet."""

    def refusal(self, command: Command, stage: StageName, *, repeated: bool, busy: bool) -> Refusal | None:
        """Why no more is taken from this role, or None. What leads on is always taken, once the case can look at it."""
        if command.fact or self._from.get(command.by.role, 0) < MOST_FROM_A_ROLE:
            return None
        leads_on = stage in MAY_LEAVE_ALL_AS_IT_IS.get(type(command), {stage})
        if leads_on and not repeated and not busy:
            return None
        return Refusal(
            code="too_many_commands",
            field="command",
            rule="R16",
            explanation=f"the {command.by.role} has sent this case {MOST_FROM_A_ROLE} commands: it takes only those "
            "that lead on, each once, and none while it carries another out",
        )

    def takes(self, command: Command) -> bool:
        """Count a command that comes in. False where it is a report of a flood that tells what is known already."""
        self._from[command.by.role] = self._from.get(command.by.role, 0) + 1
        if not isinstance(command, ReportParcel):
            return True
        report = (command.event, command.carrier, command.tracking_no)
        known = report in self._reports
        self._reports |= {report}
        if known and self._from[command.by.role] > MOST_FROM_A_ROLE:
            self.left_out += 1
            return False
        return True

    def tells(self) -> bool:
        """Whether one more refused signal gets a line of its own; if not, it is counted."""
        self._lines += 1
        if self._lines > REFUSED_LINES:
            self.left_out += 1
            return False
        return True

    def marker_of(self, digest: str) -> str:
        """The history's marker of a signal that could not be opened; a flood of them has one for all."""
        return f"unopened-{digest if self._lines < REFUSED_LINES else 'more'}"
