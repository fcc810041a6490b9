"""What the officer who rules has before it (D8, R10)."""

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry
from workflows.messages.flags import Colour, Remark
from workflows.messages.message import CaseId, Identifier, Instant, Message
from workflows.messages.money import Currency, Minor
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.messages.statements import GivenEvidence
from workflows.messages.threads import ThreadItem


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
    claimed: ApplicationVersion | None
    """What the case itself asks for, in its current version."""
    applied: ApplicationVersion | None
    """What the case that it is about asks for; the same where it is about none."""
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
    """At the order or allowance, oldest first."""
