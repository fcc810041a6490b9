"""What the officer who rules has before it (D8, R10)."""

from typing import Final

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry
from workflows.messages.flags import Colour, Remark
from workflows.messages.message import CaseId, Identifier, Instant, Message
from workflows.messages.money import Currency, Minor
from workflows.messages.place import TimeZone
from workflows.messages.proposals import Proposal
from workflows.messages.reasons import Reason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.messages.statements import GivenEvidence
from workflows.messages.threads import ThreadItem

DOSSIER: Final = "dossier:"
"""Before a case's id: where its dossier is, for whoever may look at it."""


class OtherCase(Message):
    """Another case of the same buyer with the same merchant, or on the same order."""

    case_id: CaseId
    kind: CaseKind
    stage: StageName
    outcome: OutcomeKind | None
    """None while it is open."""
    order_no: Identifier | None
    asked: Minor
    refunded: Minor
    currency: Currency
    opened_at: Instant


class CaseCount(Message):
    """How many cases of a kind have ended so."""

    kind: CaseKind
    outcome: OutcomeKind | None
    """None for those that are open."""
    cases: int


class Dossier(Message):
    """A case, what was said about it on both sides, and what else there is between these two.

    Of a dispute about another case it has that case's application, rejections and evidence as well. Texts and
    attachments are references, which are read where they are kept; remarks alone stand here in words.
    """

    case_id: CaseId
    about: CaseId | None
    """Of a dispute: the case that it is about."""
    currency: Currency | None = None
    """Of what is asked for."""
    time_zone: TimeZone | None = None
    """In which people read its moments, by its profile (G6); None for Asia/Shanghai. All are in UTC here."""
    claimed: ApplicationVersion | None
    """What the case itself asks for, in its current version."""
    applied: ApplicationVersion | None
    """What the case that it is about asks for; the same where it is about none."""
    reason: Reason | None = None
    """Why that is asked for, with its labels, as the case's profile has it (G1)."""
    proposals: tuple[Proposal, ...] = ()
    """What is open between both sides: in the case that it is about first, then in the dispute (N1)."""
    rejections: tuple[LogEntry, ...]
    """Lines of the log by which the application was rejected, oldest first: reason, evidence, when."""
    thread: tuple[ThreadItem, ...] = ()
    """What both sides have said and proposed: in the case that it is about first, then in the dispute (N5)."""
    evidence: tuple[GivenEvidence, ...]
    """What was given in the case that it is about, or itself where it is no dispute: with the application, with a
    rejection, and besides."""
    evidence_in_dispute: tuple[GivenEvidence, ...]
    """What was given in the dispute, late and replaced ones marked as such (D6)."""
    counts: tuple[CaseCount, ...]
    """All other cases of this buyer with this merchant."""
    earlier: tuple[OtherCase, ...]
    """The newest of these."""
    on_order: tuple[OtherCase, ...]
    """Other cases on the same order or allowance, whoever opened them, oldest first."""
    flag: Colour | None
    remarks: tuple[Remark, ...]
    """At the case, at the one that it is about, and at their order or allowance, oldest first; each says where."""
