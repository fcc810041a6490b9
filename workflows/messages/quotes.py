"""What may be asked for on an order, and what may not, and why (G5)."""

from typing import Literal

from workflows.messages.cases import Refusal
from workflows.messages.message import Identifier, Instant, Message, Quantity
from workflows.messages.money import Currency, Minor
from workflows.messages.reasons import Reason
from workflows.messages.stages import CaseKind, Silence, StageName

Asked = Literal["refund", "return", "exchange"]


class QuotedLine(Message):
    """One order line: so much of it can be asked for at most, or nothing, because of ``refusal``."""

    line: Identifier
    sku: Identifier
    pieces: Quantity
    """Where nothing can be asked for: what was tried."""
    amount: Minor
    """For all of these pieces, in minor units."""
    refusal: Refusal | None = None


class Option(Message):
    """What can be asked for with one reason. A request for all of its lines and freight opens, and is about as much."""

    asked: Asked
    reason: Reason
    """With whose fault it is, whether evidence is needed, and who bears which freight (G1)."""
    lines: tuple[QuotedLine, ...]
    freight: Minor = 0
    """What can be asked back of it, in minor units."""
    freight_refusal: Refusal | None = None
    """Why it cannot be asked for, where something of it is left."""
    refusal: Refusal | None = None
    """Why nothing of this can be asked for."""
    kind: CaseKind | None = None
    """What the case would be about; None where nothing can be asked for."""
    stage: StageName | None = None
    """Where it would open."""
    until: Instant | None = None
    """Until when this can be asked for (G2), in UTC; None where that has no end, or has not begun."""
    on_silence: Silence | None = None
    """What happens when nobody acts until the first deadline (G3)."""
    review_minutes: int | None = None
    """How long that is, pauses aside; None where there is no deadline, or it is counted in working time."""

    @property
    def amount(self) -> int:
        """All that can be asked for, in minor units."""
        return sum(each.amount for each in self.lines if each.refusal is None) + self.freight


class Quote(Message):
    """What may be asked for on an order at one moment (G5)."""

    order_no: Identifier
    policy: str
    """Name and version of the profile: ``douyin/1``."""
    currency: Currency
    at: Instant
    options: tuple[Option, ...]
