"""What the order directory and the allowance accounts tell of an order or an allowance."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Identifier, Instant, Message, Quantity
from workflows.messages.money import Currency, Minor, PositiveMinor
from workflows.messages.payouts import TenderKind
from workflows.messages.place import Language

Pieces = Annotated[int, Field(ge=0)]


class OrderLine(Message):
    """One line of an order and what was paid for all of its pieces, in minor units."""

    line: Identifier
    sku: Identifier
    quantity: Quantity
    paid: Minor
    pieces_outbound: Pieces = 0
    """Pieces that have left the warehouse's shelf in parcels that name them (R15)."""
    pieces_sent: Pieces = 0
    """Pieces that carriers have been given in parcels that name them (R15)."""
    sent_at: Instant | None = None
    """When the last of those was; None where there is none."""


class Tender(Message):
    """One means of payment and how much it paid. All tenders sum to all lines and the freight."""

    tender: Identifier
    kind: TenderKind
    paid: PositiveMinor
    allowance_id: Identifier | None = None
    """Which allowance it was spent of; None for all other kinds (A7)."""


class OrderFacts(Message):
    """An order as the directory knows it: ids, amounts and moments, nothing of a person."""

    order_no: Identifier
    marketplace: Identifier
    """The name of the policy profile."""
    merchant_id: Identifier
    buyer_id: Identifier
    currency: Currency
    lines: tuple[OrderLine, ...]
    freight: Minor
    tenders: tuple[Tender, ...]
    paid_at: Instant
    outbound_at: Instant | None = None
    """When all of it had left the warehouse's shelf; None while some of its lines are there (R15)."""
    shipped_at: Instant | None = None
    """When carriers had all of it; None while some of its lines have not shipped (R15)."""
    on_delivery_run_at: Instant | None = None
    """When all of it was out with carriers at the latest, by their first word of it on its way or at its end (R7)."""
    signed_at: Instant | None = None
    """When the last of its parcels was signed for that is known to have been; None where none is known to have (G2)."""
    completed_at: Instant | None = None
    """When it was completed; None before, and where the order system does not tell (G2)."""
    refundable_until: Instant | None = None
    """From then on nothing of it is paid back any more, by the order system; None as long as that does not say (G2)."""
    freight_insured: Minor = 0
    """What the freight insurance 运费险 pays for sending the goods back, in minor units; 0 without one (T10)."""
    language: Language | None = None
    """What the buyer reads, where the order system tells it; else it is told in the profile's language (G6)."""

    @property
    def cash_on_delivery(self) -> bool:
        """货到付款: the courier has the money, so that it cannot go back by the way it came (T4)."""
        return any(tender.kind is TenderKind.CASH for tender in self.tenders)

    @property
    def allowances(self) -> dict[str, str]:
        """The allowances that have paid for it, by tender (A7)."""
        return {each.tender: each.allowance_id for each in self.tenders if each.allowance_id}

    @property
    def goods_paid(self) -> int:
        """What was paid for the goods, freight excluded, in minor units."""
        return sum(line.paid for line in self.lines)

    @property
    def paid(self) -> int:
        """All that was paid, freight included, in minor units."""
        return sum(line.paid for line in self.lines) + self.freight


class AllowanceFacts(Message):
    """A shop allowance: what was paid in, what was granted on top, what is spent (A1). Minor units."""

    allowance_id: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    currency: Currency
    principal: PositiveMinor
    bonus: Minor
    spent: Minor
    """Out of principal and bonus together."""
    tender_kind: TenderKind
    """With what the principal was paid in."""
    valid_until: Instant
