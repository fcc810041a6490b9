"""Who acts on a case."""

from workflows.messages.message import Identifier, Input
from workflows.messages.words import Word


class Role(Word):
    """The four actors of section 1, and the two that act without being asked."""

    BUYER = "buyer"
    MERCHANT = "merchant"
    PLATFORM = "platform"
    CARRIER = "carrier"
    GATEWAY = "gateway"
    """The payment gateway, through its callbacks and answers."""
    CLOCK = "clock"
    """Silence: a deadline passed and the rulebook decided."""


class Actor(Input):
    """One actor: the role, and who of that role (an id, never a name)."""

    role: Role
    id: Identifier


CLOCK = Actor(role=Role.CLOCK, id="clock")
GATEWAY = Actor(role=Role.GATEWAY, id="gateway")


def buyer(buyer_id: str) -> Actor:
    """The buyer with this id."""
    return Actor(role=Role.BUYER, id=buyer_id)


def merchant(merchant_id: str) -> Actor:
    """The merchant with this id."""
    return Actor(role=Role.MERCHANT, id=merchant_id)


def officer(officer_id: str) -> Actor:
    """A member of the platform's staff."""
    return Actor(role=Role.PLATFORM, id=officer_id)


def carrier(carrier_id: str) -> Actor:
    """A carrier, reporting what happened to a parcel."""
    return Actor(role=Role.CARRIER, id=carrier_id)
