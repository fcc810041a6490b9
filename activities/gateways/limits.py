"""What a payment provider takes, known before it is asked: units, numbers, ages (X6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

_ANY: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one provider, as data: an adapter states them, and the service keeps to them."""

    currencies: frozenset[str] | None = None
    """ISO 4217 codes that it pays in; None for all."""
    steps: Mapping[str, int] = field(default_factory=lambda: _ANY)
    """Of currencies that it counts more coarsely than ISO 4217: the step in our minor units.

    ``{"KWD": 10, "MGA": 100}`` of one that takes dinars in tens of fils and ariary whole.
    """
    least: int = 1
    """The smallest refund, in minor units."""
    most_refunds: int | None = None
    """How many refunds one charge takes."""
    longest: timedelta | None = None
    """How long after the payment a charge can be refunded."""
    apart: timedelta | None = None
    """How far two refunds of one charge must lie apart; one that comes too early is answered with ``NotSent``."""
    per_second: float | None = None
    """How many calls a second one account at the provider takes; None where nothing is known of it."""
    needs_charge: bool = False
    """Whether the provider's own id of the payment must be known."""
    bank_transfers: bool = True
    """Whether it pays to bank accounts, too."""


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, kw_only=True)
class Considered:
    """A refund that is not promised yet, as far as limits ask."""

    amount: int
    """In minor units."""
    currency: str
    original_route: bool = True
    """Back to the charge; False for a bank transfer."""
    charge_known: bool = False
    """Whether the order tells the provider's id of the payment."""
    paid_at: datetime | None = None
    refunds: int = 0
    """Other refunds of the charge so far."""


@dataclass(frozen=True)
class Objection:
    """Why the provider will not take a refund: a code, and a sentence for people. Nothing was asked or sent."""

    code: str
    explanation: str


def objection(limits: Limits, refund: Considered, at: datetime) -> Objection | None:
    """Why the provider would not take ``refund`` at this moment; None where nothing is known against it (X6)."""
    currency, amount = refund.currency, refund.amount
    if limits.currencies is not None and currency not in limits.currencies:
        return Objection("currency_not_taken", f"the payment provider does not pay in {currency}")
    step = limits.steps.get(currency, 1)
    if amount % step:
        return Objection("amount_not_payable", f"the payment provider pays {currency} in steps of {step} minor units")
    if amount < limits.least:
        return Objection("amount_too_small", f"the payment provider pays {limits.least} minor units or more")
    if not refund.original_route:
        return None if limits.bank_transfers else Objection("no_bank_transfers", "the payment provider makes none")
    if limits.needs_charge and not refund.charge_known:
        return Objection("charge_unknown", "the order does not tell the payment provider's id of the payment")
    if limits.most_refunds is not None and refund.refunds >= limits.most_refunds:
        return Objection(
            "too_many_refunds", f"the payment was refunded {limits.most_refunds} times, and no more can be"
        )
    if limits.longest is not None and refund.paid_at is not None and at > refund.paid_at + limits.longest:
        return Objection(
            "charge_too_old", f"the payment provider refunds within {limits.longest.days} days of the payment"
        )
    return None
