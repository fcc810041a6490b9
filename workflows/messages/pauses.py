"""What the platform declares: windows in which clocks stand still (section 9), and exemptions (L2)."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.message import Identifier, Input, Instant, Message, Moment
from workflows.messages.stages import CaseKind
from workflows.messages.words import Word

LONGEST_PAUSE: Final = timedelta(days=60)


class PauseReason(Word):
    """Why the clocks stand still."""

    SPRING_FESTIVAL = "spring_festival"
    PROMOTION_PEAK = "promotion_peak"
    EPIDEMIC_CLOSURE = "epidemic_closure"
    OUTAGE = "outage"
    OTHER = "other"


class ExemptionReason(Word):
    """Why a merchant is excused from shipping late (L2)."""

    EPIDEMIC_CLOSURE = "epidemic_closure"
    PROMOTION_PEAK = "promotion_peak"


def _of_the_platform(actor: Actor) -> Actor:
    if actor.role is not Role.PLATFORM:
        raise ValueError("only the platform declares (section 9, L2)")
    return actor


Officer = Annotated[Actor, AfterValidator(_of_the_platform)]
"""A member of the platform's staff."""


class Declaration(Input):
    """What every declaration says: its id, from when to when it holds, and which officer makes it.

    The same id is the same declaration, however often it is sent.
    """

    id: Identifier
    starts_at: Moment
    ends_at: Moment
    by: Officer

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise ValueError("starts_at must be before ends_at")
        return self


class DeclarePause(Declaration):
    """Let the clocks of these kinds of cases stand still; also afterwards, for an outage say (section 9)."""

    reason: PauseReason
    kinds: Annotated[tuple[CaseKind, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.ends_at - self.starts_at > LONGEST_PAUSE:
            raise ValueError(f"a pause is at most {LONGEST_PAUSE.days} days long")
        return self


class LiftPause(Input):
    """End a pause before its time, or call it off."""

    id: Identifier
    by: Officer


class PauseWindow(Message):
    """A window in which the clocks of some kinds of cases stand still (section 9)."""

    id: Identifier
    reason: PauseReason
    kinds: tuple[CaseKind, ...]
    starts_at: Instant
    ends_at: Instant
    """As declared."""
    declared_by: Actor
    declared_at: Instant
    lifted_by: Actor | None = None
    lifted_at: Instant | None = None

    @property
    def resumes_at(self) -> datetime:
        """The moment at which the clocks go on: not after ``starts_at`` where the pause was called off before."""
        return min(self.ends_at, self.lifted_at) if self.lifted_at else self.ends_at


class DeclareExemption(Declaration):
    """Excuse merchants from shipping late (L2)."""

    reason: ExemptionReason
    merchants: tuple[Identifier, ...] = ()
    """Empty for all."""


class Exemption(Message):
    """Merchants are excused from shipping late in this time (L2)."""

    id: Identifier
    reason: ExemptionReason
    merchants: tuple[Identifier, ...]
    """Empty for all."""
    starts_at: Instant
    ends_at: Instant
    declared_by: Actor
    declared_at: Instant
