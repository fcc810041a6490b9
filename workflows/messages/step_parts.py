"""What goes with a step: a balance given back, an address chosen, a parcel to watch, a claim to check."""

from workflows.messages.actors import Actor
from workflows.messages.message import Identifier, Instant, Message, Reference
from workflows.messages.money import Minor
from workflows.messages.parcels import Parcel, ParcelPurpose
from workflows.messages.words import Word


class Thaw(Word):
    """What came of giving a frozen balance back (A5, A6)."""

    THAWED = "thawed"
    VALIDITY_ENDED = "validity_ended"
    """It stays frozen: the validity ended meanwhile, and the principal must be paid back."""
    PAID_BACK = "paid_back"
    """It is void: another case has paid the principal back meanwhile."""


class BalanceChange(Word):
    """What a step does to an allowance's balance (A2, A5)."""

    THAW = "thaw"
    VOID = "void"
    """The principal has been paid back; the bonus is void."""


class AddressChoice(Message):
    """The return address that a step needs: this one, or the merchant's default (T2)."""

    address_id: Identifier | None


class ParcelWatch(Message):
    """The parcel whose events a step asks to be told of from now on (R15, T3, T8)."""

    parcel: Parcel
    purpose: ParcelPurpose
    instead_of: Parcel | None = None
    """The one that was entered by mistake."""
    freight_paid: Minor = 0
    """What sending it has cost the buyer, in minor units (T10)."""
    shipped_at: Instant | None = None
    """Of one that is to prove that the goods have left: when, as is claimed (R1). What is known stands against it."""


class ShipmentClaim(Message):
    """With which parcel, and when, a merchant says that an order has shipped (L2).

    A parcel that is known to carry a part of it does not show that (R15), nor does a moment that contradicts what the
    carrier or the order system has told before (R18).
    """

    parcel: Parcel
    shipped_at: Instant


class NamedAccount(Message):
    """An account that somebody names for a refund to go to: it must be the buyer's own (R17)."""

    account: Reference
    field: str = "account"
    """In which field of the command it stands, for the refusal."""


class NamedStatement(Message):
    """A text that somebody refers to: it must be what they themselves have written about the case (D4, R10)."""

    statement: Reference
    by: Actor
    field: str
    """In which field of the command it stands, for the refusal."""
