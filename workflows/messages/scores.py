"""Score points that a merchant loses (D9)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import CaseId, Identifier, Instant, Message
from workflows.messages.words import Word

Points = Annotated[int, Field(strict=True, ge=-100_000, le=100_000)]
"""Points lost; negative ones are given back."""


class ScoreCause(Word):
    """What costs points (D9)."""

    INTERVENTION = "intervention"
    """The platform had to step in."""
    RULING_LOST = "ruling_lost"
    EVIDENCE_TIMEOUT = "evidence_timeout"
    """The merchant gave no evidence in time (D4, D5)."""


class ScoreChange(Message):
    """What a case costs its merchant, and why; how many points is a matter of the case's policy (D9)."""

    merchant_id: Identifier
    cause: ScoreCause
    points: Points


class ChargedScore(ScoreChange):
    """A change as it was recorded (D9)."""

    position: int
    """Grows with each change of any merchant; to page on from."""
    case_id: CaseId
    at: Instant
