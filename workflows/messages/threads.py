"""The thread of a case: what both sides and the platform have said and proposed, in order (N5)."""

from workflows.messages.actors import Actor
from workflows.messages.evidence import EvidenceList
from workflows.messages.message import CaseId, Code, Instant, Message, Reference


class ThreadItem(Message):
    """One message, or one move of the negotiation. Words and pictures are references: they are read where they are
    kept, and each reading of words is recorded (P2).
    """

    case_id: CaseId
    at: Instant
    by: Actor
    event: Code
    """``said``, ``proposed``, ``proposal_accepted`` and so on: the line of the case log."""
    words: Reference | None = None
    attachments: EvidenceList = ()
    facts: dict[str, str | int]
    """Of a proposal: its number, terms, amounts in minor units, until when it stands."""
