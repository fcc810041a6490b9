"""What ends a dispute: a ruling of the platform, or what the parties agreed on (D2, D8)."""

from workflows.messages.actors import Actor
from workflows.messages.message import Code, Message
from workflows.messages.money import Minor
from workflows.messages.requests import LineAmount
from workflows.messages.words import Word


class Fault(Word):
    """判责: who is at fault."""

    BUYER = "buyer"
    MERCHANT = "merchant"
    BOTH = "both"
    NOBODY = "nobody"


class Award(Word):
    """How much of what is disputed goes back to the buyer."""

    FULL = "full"
    PARTIAL = "partial"
    NOTHING = "nothing"


class FreightBearer(Word):
    """Who bears what sending the goods back has cost (D8, T10)."""

    BUYER = "buyer"
    MERCHANT = "merchant"


class Verdict(Word):
    """How a dispute came to its end."""

    RESOLVED = "resolved"
    """The buyer said so, or the case under dispute decided itself (D2)."""
    SETTLED = "settled"
    """The merchant offered and the buyer accepted (D2)."""
    UPHELD = "upheld"
    """The merchant was silent (D4)."""
    RULED = "ruled"


class Ruling(Message):
    """What a dispute came to. Amounts are what the buyer is to have in all, in minor units (D8)."""

    verdict: Verdict
    fault: Fault
    award: Award
    lines: tuple[LineAmount, ...] = ()
    freight: Minor = 0
    compensation: Minor = 0
    """For late shipment: it is no refund (L3, L5)."""
    return_freight: FreightBearer = FreightBearer.BUYER
    reason: Code
    by: Actor

    @property
    def amount(self) -> int:
        """All that the buyer is to have, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight + self.compensation
