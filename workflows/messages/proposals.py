"""What both sides of a case propose to each other before one of them decides, and what they say (N1 to N5)."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.messages.actors import Actor
from workflows.messages.message import Code, Input, Instant, Message, Reference
from workflows.messages.money import Minor, PositiveMinor
from workflows.messages.pieces import LineQuantity
from workflows.messages.requests import Lines, PartOfPiece
from workflows.messages.words import Word


class ProposalKind(Word):
    """What is proposed (N1)."""

    AMOUNT = "another_amount"
    COMPENSATION = "compensation"
    RETURN = "return_goods"
    REFUND = "refund_only"
    KEEP_GOODS = "keep_goods"
    SEND_AGAIN = "send_again"
    MORE_PROOF = "more_proof"


class ProposalEnd(Word):
    """How a proposal has ended (N1, N2)."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    CLOSED = "closed"
    """Something else was decided, or applied for."""


class AnotherAmount(Input):
    """Another amount than what is asked for, lower or higher; what happens to the goods stays as it is."""

    kind: Literal["another_amount"] = "another_amount"
    lines: Lines = ()
    freight: Minor = 0
    """In minor units."""

    @property
    def amount(self) -> int:
        """All of it, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight


class AnotherCompensation(Input):
    """So much for late shipment, at most what is owed (L1)."""

    kind: Literal["compensation"] = "compensation"
    amount: PositiveMinor
    """In minor units."""


class ReturnInstead(Input):
    """The goods come back, and all that is asked for is paid then: instead of a refund only, or of an exchange."""

    kind: Literal["return_goods"] = "return_goods"


class RefundInstead(Input):
    """All that is asked for is paid at once, and the goods stay with the buyer: instead of a return or exchange."""

    kind: Literal["refund_only"] = "refund_only"


class KeepGoods(Input):
    """The buyer keeps the goods and gets a part of the money."""

    kind: Literal["keep_goods"] = "keep_goods"
    lines: Lines = ()
    freight: Minor = 0
    """In minor units."""

    @property
    def amount(self) -> int:
        """All of it, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight


class SendAgain(Input):
    """The merchant sends the goods, or a missing part of them, again; no money moves."""

    kind: Literal["send_again"] = "send_again"
    pieces: Annotated[tuple[LineQuantity, ...], Field(max_length=200)] = ()
    """Pieces of lines that the application names; all of them where none are named."""
    parts: Annotated[tuple[PartOfPiece, ...], Field(max_length=200)] = ()
    """What of each piece is sent, for each of these lines; whole pieces where nothing is named (C6)."""


class MoreProof(Input):
    """The buyer shows more: the merchant says of what."""

    kind: Literal["more_proof"] = "more_proof"
    wanted: Code
    """A code, such as ``photo_of_the_label``; words go into the proposal."""


Terms = Annotated[
    AnotherAmount | AnotherCompensation | ReturnInstead | RefundInstead | KeepGoods | SendAgain | MoreProof,
    Field(discriminator="kind"),
]
"""What a proposal is made of."""


class Proposal(Message):
    """One side's offer, which the other may accept until its end. It never changes: another has another number."""

    number: Annotated[int, Field(ge=1)]
    """Counts the proposals of a case, of both sides. Whoever accepts names it (R11)."""
    by: Actor
    terms: Terms
    version: Annotated[int, Field(ge=1)]
    """Of the application that it was made against; another version ends it."""
    amount: Minor | None = None
    """What is paid at most if it is accepted, in minor units; None where no money moves by that."""
    words: Reference | None = None
    """Where it is kept what was written with it."""
    made_at: Instant
    until: Instant
    """When it lapses, in UTC, unless it was answered: at the stage's deadline at the latest."""


class Talk(Message):
    """What is open between both sides, and how much was said (N1, N5)."""

    proposals: tuple[Proposal, ...] = ()
    """At most one of each side."""
    messages: int = 0
    """How many messages the thread has; whoever may read them reads them in the case book."""
