"""What a case asks for, as whoever decides sees it (R10)."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.messages.evidence import EvidenceList
from workflows.messages.message import Code, Instant, Message, Reference
from workflows.messages.money import Minor
from workflows.messages.requests import DisputeReason, LineAmount, PartOfPiece, Replacement


class ApplicationVersion(Message):
    """One version of what is asked for: the request is version 1, each amendment the next (R10)."""

    version: Annotated[int, Field(ge=1)]
    lines: tuple[LineAmount, ...]
    freight: Minor = 0
    """Asked back beside the lines, in minor units."""
    compensation: Minor = 0
    """Claimed for late shipment, in minor units: it is no refund (L3, L5)."""
    reason: Code
    route: Literal["original", "bank_transfer"]
    """How it is to be paid back. To which account is not shown (T4)."""
    goods_received: bool | None = None
    """Whether the buyer says that it has the goods (G1); None where it does not say."""
    replacements: tuple[Replacement, ...] = ()
    """What an exchange is to bring for its lines; the same goods for those that are not named (T8)."""
    parts: tuple[PartOfPiece, ...] = ()
    """What of each piece is to be sent again; none where whole pieces are, or where none is sent (C1)."""
    dispute_reason: DisputeReason | None = None
    """Why the platform is asked to decide, in a dispute (D1)."""
    evidence: EvidenceList = ()
    """What was given with it; more may have been given since (``evidence_submitted`` in the log)."""
    words: Reference | None = None
    """Where it is kept what was written about it; who may read the case reads it there, recorded (P2)."""
    proposal: Annotated[int, Field(ge=1)] | None = None
    """The proposal that was accepted: both sides have agreed on this version (N3). None where the buyer applied."""
    agreed: Annotated[int, Field(ge=0)] = 0
    """How many of the versions so far were agreed on (N3)."""
    at: Instant
    """When it was applied for, in UTC."""

    @property
    def applied_for(self) -> int:
        """How often it was applied for so far: what both sides agreed on does not count (R6, R16)."""
        return self.version - self.agreed

    @property
    def amount(self) -> int:
        """All that is asked for, freight included, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight + self.compensation
