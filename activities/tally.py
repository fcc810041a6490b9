"""What a transaction has written for the first time: kept until the commit, and counted then."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from workflows.messages.actors import Role
from workflows.messages.cases import Step
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import StageName

SILENCE: Final = "silence"
"""Who decided where nobody did until the deadline."""

_TIMER_SLACK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Written:
    """A step, and how the case stood before it."""

    step: Step
    stage: StageName
    since: datetime
    """When the stage began."""
    due: datetime | None

    @property
    def by(self) -> str | None:
        """Who left the stage: a role, or silence; None where the case is still in it."""
        entries = self.step.entries
        if self.step.stage is self.stage or not entries:
            return None
        role = entries[-1].by.role
        over = self.due is not None and self.step.at + _TIMER_SLACK >= self.due
        return SILENCE if role is Role.CLOCK and over else role.value


@dataclass(frozen=True)
class Moved:
    """A leg of a payout that has come to another state. The amount is in minor units."""

    state: LegState
    paid_by: PaidBy | None
    currency: str
    amount: int


@dataclass(frozen=True)
class Tally:
    """Filled inside a transaction; what is rolled back is thrown away with it."""

    steps: list[Written] = field(default_factory=list[Written])
    moves: list[Moved] = field(default_factory=list[Moved])
