"""What the parties of a case write and give as evidence (D6, D7).

The words themselves are `SecretStr`: they are shown to those who may read the case, and become stars wherever
else a message ends up, in a log or in Temporal (P6). There a statement is its reference.
"""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.evidence import EvidenceList
from workflows.messages.message import CaseId, Code, Identifier, Input, Instant, Message, Reference
from workflows.messages.money import Currency, Minor
from workflows.messages.words import Word

_WRITERS = frozenset({Role.BUYER, Role.MERCHANT, Role.PLATFORM})


def legible(text: SecretStr) -> SecretStr:
    """A person's text, unchanged.

    Raises:
        ValueError: it is blank, or holds what is not text and could not be stored.
    """
    plain = text.get_secret_value()
    if not plain.strip():
        raise ValueError("a text must not be blank")
    # A lone surrogate, which JSON can smuggle in, has no UTF-8; PostgreSQL has no NUL.
    if any(each == "\0" or "\ud800" <= each <= "\udfff" for each in plain):
        raise ValueError("a text must not hold characters that are none")
    return text


StatementText = Annotated[SecretStr, Field(min_length=1, max_length=2000), AfterValidator(legible)]


def _party(by: Actor) -> Actor:
    if by.role not in _WRITERS:
        raise ValueError("only the buyer, the merchant and the platform write and give evidence (D6)")
    return by


class Purpose(Word):
    """What a statement is for."""

    REPLY = "reply"
    """An answer to the other side. A merchant's to the buyer in a dispute must name a concrete time (D7)."""
    EVIDENCE = "evidence"
    """What is so, for whoever decides: it needs no time."""


class WriteStatement(Input):
    """Somebody writes down what a case needs to know (D6). The same key is the same statement."""

    case_id: CaseId
    by: Actor
    text: StatementText
    key: Identifier
    purpose: Purpose = Purpose.REPLY

    _by_a_party = field_validator("by")(_party)


class Statement(Message):
    """What somebody wrote about a case."""

    reference: Reference
    """``statement:<id>``; under it the statement travels."""
    case_id: CaseId
    by: Actor
    text: SecretStr | None
    """None once the person whom it tells of was forgotten."""
    at: Instant


class VagueStatement(Message):
    """A merchant's statement that was refused: it puts the buyer off instead of naming a time (D7)."""

    words: tuple[str, ...]
    """The vague words in it, as our list has them, in their order; none where only the time is missing."""
    names_a_time: bool


class EvidenceGiven(Message):
    """What a party gives in a case: attachments, a statement, an amount; at least one of them (R2, R10, D6)."""

    key: Identifier
    """The command's; the same key is the same giving."""
    by: Actor
    attachments: EvidenceList = ()
    statement: Reference | None = None
    amount: Minor | None = None
    """What the party holds to be right, in minor units of ``currency``."""
    currency: Currency | None = None
    """Set if, and only if, there is an amount."""
    final: bool = False
    """The party has said all it has to say: no draft."""
    late: bool = False
    """It came after the deadline: kept, and replaces nothing."""

    adds: bool = False
    """It stands beside what was given before and replaces nothing: all evidence but a dispute's (R10)."""
    event: Code = "evidence_submitted"
    """The line of the case log that it came with: ``opened``, ``amended``, ``rejected`` and so on."""

    _by_a_party = field_validator("by")(_party)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.attachments and self.statement is None and self.amount is None:
            raise ValueError("evidence, a statement or an amount must be given (D6)")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount needs its currency, and nothing else has one (section 10)")
        return self


class EvidenceStanding(Word):
    """What one giving counts for (D6)."""

    DRAFT = "draft"
    """The party's last word so far; it may be replaced until the deadline, and counts if it is not."""
    FINAL = "final"
    """It counts for good: what the party has called final, and whatever adds up instead of replacing (``adds``)."""
    LATE = "late"
    REPLACED = "replaced"
    """A later one of the same party counts instead."""


class GivenEvidence(EvidenceGiven):
    """What a party gave, as it is kept and as the officer sees it (D6)."""

    seq: int
    """Counts a case's givings from 1."""
    standing: EvidenceStanding
    replaced_by: int | None = None
    """The ``seq`` of the one that counts instead."""
    at: Instant
