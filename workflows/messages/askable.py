"""Lists of what can be asked for, and of what can be disputed (G5, D1)."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from workflows.messages.actors import Role
from workflows.messages.cases import Refusal
from workflows.messages.message import CaseId, Code, Identifier, Instant, Message
from workflows.messages.money import Currency, Minor
from workflows.messages.place import TimeZone
from workflows.messages.quotes import Asking, QuotedAllowance
from workflows.messages.reasons import Reason
from workflows.messages.requests import LineAmount
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

PageKeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,400}$")]
"""Where the next page begins, in one word: for the same query once more."""


class Askable(Asking):
    """What can be asked for with each of some reasons alike; or, with ``refusal``, with none of them."""

    reasons: tuple[Code, ...]
    """Codes of the profile's catalogue."""


class AskableOrder(Message):
    """An order, and what can be asked for on it at one moment: its quote, alike reasons together (G5)."""

    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    policy: str
    """Name and version of the profile: ``douyin/1``."""
    currency: Currency
    paid_at: Instant
    time_zone: TimeZone | None = None
    """In which people read its moments (G6); None for Asia/Shanghai. All are in UTC here."""
    ways: tuple[Askable, ...]
    allowances: tuple[QuotedAllowance, ...] = ()
    """Those that have paid for it, and where a refund of that goes (A7)."""


class AskablePage(Message):
    """Some orders, the latest paid first."""

    at: Instant
    """The moment that all of it is about."""
    orders: tuple[AskableOrder, ...]
    reasons: dict[str, tuple[Reason, ...]]
    """The catalogue of each profile that the orders go by, by its name and version: labels, and which need evidence."""
    unknown: tuple[Identifier, ...] = ()
    """Orders that could not be looked at, for there is no profile for them."""
    next: PageKeyText | None
    """The key of the page after this one; None where this is the last."""


class DisputableCase(Message):
    """A case, and whether it can be disputed now; ``refusal`` says why not (D1)."""

    case_id: CaseId
    order_no: Identifier
    kind: CaseKind
    stage: StageName
    outcome: OutcomeKind | None
    by: Literal[Role.BUYER] = Role.BUYER
    """Who can: a merchant disputes nothing (D1)."""
    how: Literal["open_dispute", "dispute_request"]
    """By the command, as long as the case is open; by a request of its own once it has been decided."""
    until: Instant | None = None
    """Until when, in UTC: of an open case the end of its stage. None where that has no end yet, or nothing is open."""
    time_zone: TimeZone | None = None
    """As above (G6)."""
    refusal: Refusal | None = None


class DisputableOrder(Message):
    """An order on which nothing was asked for, and whether it can be disputed now; ``refusal`` says why not (D1)."""

    order_no: Identifier
    currency: Currency
    by: Literal[Role.BUYER] = Role.BUYER
    """As above."""
    how: Literal["dispute_request"] = "dispute_request"
    lines: tuple[LineAmount, ...] = ()
    """What can be claimed at most: pieces, and what they cost in minor units."""
    freight: Minor = 0
    """The same of the freight, in minor units."""
    until: Instant | None = None
    """Until when, in UTC; None with a refusal."""
    time_zone: TimeZone | None = None
    """As above (G6)."""
    refusal: Refusal | None = None


class DisputablePage(Message):
    """Some cases and orders, the latest first: of a case when it was opened, of an order when it was paid."""

    at: Instant
    cases: tuple[DisputableCase, ...]
    orders: tuple[DisputableOrder, ...] = ()
    """Those on which nothing was asked for; what became of a late shipment is no matter here."""
    next: PageKeyText | None
