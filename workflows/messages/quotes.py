"""What may be asked for on an order, and what may not, and why (G5)."""

from typing import Literal

from workflows.messages.cases import Refusal
from workflows.messages.message import CaseId, Identifier, Instant, Message, Quantity
from workflows.messages.money import Currency, Minor
from workflows.messages.place import TimeZone
from workflows.messages.reasons import Reason
from workflows.messages.stages import CaseKind, Silence, StageName
from workflows.messages.standing_orders import ByStandingOrder

Asked = Literal["refund", "return", "exchange", "resend", "repair", "merchant_refund"]
"""A merchant asks for the last (R9), a buyer for all others (R4, T1, T8, C1, M1)."""
Way = Literal["allowance", "withdrawal_open", "as_money"]
"""Back to the allowance; not before an open withdrawal has ended; as money, by the route of the payout (A7)."""


class QuotedLine(Message):
    """One order line: so much of it can be asked for at most, or nothing, because of ``refusal``."""

    line: Identifier
    sku: Identifier
    pieces: Quantity
    """Where nothing can be asked for: what was tried."""
    amount: Minor
    """For all of these pieces, in minor units."""
    refusal: Refusal | None = None


class Asking(Message):
    """What can be asked for in one way. A request for all of its lines and freight opens, and is about as much."""

    asked: Asked
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
    standing_order: ByStandingOrder | None = None
    """The merchant's standing order that would decide a request for all of this at once (G4).

    Told to the merchant itself and the platform only: a buyer who knew would ask for just as much as nobody looks at.
    """

    @property
    def amount(self) -> int:
        """All that can be asked for, in minor units."""
        return sum(each.amount for each in self.lines if each.refusal is None) + self.freight


class Option(Asking):
    """What can be asked for with one reason."""

    reason: Reason
    """With whose fault it is, whether evidence is needed, and who bears which freight (G1)."""


class QuotedAllowance(Message):
    """What of an order was paid with an allowance, and where a refund of that goes now (A7). Minor units."""

    allowance_id: Identifier
    left: Minor
    """What of it can still be refunded."""
    way: Way
    principal: Minor
    """What of ``left`` is principal."""
    bonus: Minor
    """The rest: lost where the way is ``as_money``, because the allowance has been paid out or has expired."""
    held_by: CaseId | None = None
    """The open withdrawal that a refund waits for, where the way is ``withdrawal_open`` (A5)."""


class Quote(Message):
    """What may be asked for on an order at one moment (G5)."""

    order_no: Identifier
    policy: str
    """Name and version of the profile: ``douyin/1``."""
    currency: Currency
    at: Instant
    time_zone: TimeZone | None = None
    """In which people read its moments (G6); None for Asia/Shanghai. All are in UTC here."""
    options: tuple[Option, ...]
    allowances: tuple[QuotedAllowance, ...] = ()
    """Those that have paid for it: the rest goes back as it was paid (R4)."""
