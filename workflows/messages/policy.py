"""A policy profile: the rulebook's numbers as data (SPEC section 2). Each field names its unit."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.messages.message import Identifier, Input
from workflows.messages.money import Minor
from workflows.messages.payouts import TenderKind

Hours = Annotated[int, Field(ge=1, le=24 * 365)]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 365)]
Days = Annotated[int, Field(ge=1, le=365)]
WorkingDays = Annotated[int, Field(ge=0, le=60)]


class Arrival(Input):
    """When money arrives after the gateway accepted a refund, in working days (R5)."""

    earliest_working_days: WorkingDays
    latest_working_days: WorkingDays


class RefundPolicy(Input):
    """R1, R2, R6, R7 and R8."""

    unshipped_review_hours: Hours
    shipped_review_hours: Hours
    reminder_hours: Hours
    """The notice near a deadline goes when this much is left (R1)."""
    escalation_window_days: Days
    """How long a rejected buyer may amend, re-apply or escalate (R6)."""
    most_applications: Annotated[int, Field(ge=1, le=20)]
    """How often one case may be applied for, the first time included (R6)."""
    shipped_meanwhile: Literal["needs_return", "shipped_review"]
    """What an unshipped refund becomes when the goods ship while it is open (R1, R7)."""
    first_room_poll_seconds: Annotated[int, Field(ge=1, le=3600)]
    """When a case first looks again whether a leg in flight has given back its room; the wait then trebles (R8)."""
    longest_room_poll_minutes: Minutes


class CancellationPolicy(Input):
    """R3: cancellations of self-operated orders."""

    before_outbound_minutes: Minutes
    outbound_hours: Hours
    intercept_days: Days
    """After this long an intercepted parcel that is not back is flagged; the case stays open."""


class MerchantRefundPolicy(Input):
    """R9: refunds that the merchant opens."""

    at_once_up_to: Minor
    """In minor units: up to this the platform agrees at once."""
    officer_review_hours: Hours


class WithdrawalPolicy(Input):
    """A3."""

    retention_hours: Hours
    reminder_hours: Hours


class PaymentPolicy(Input):
    """Section 10 and R5."""

    tender_order: tuple[TenderKind, ...]
    """Back to which kind of tender first, when several paid. Kinds that are not named come last."""
    wallet: Arrival
    debit_card: Arrival
    credit_card: Arrival
    bank_transfer: Arrival
    arrival_grace_minutes: Minutes
    """How long after the latest arrival a person is called; the gateway is asked meanwhile."""
    first_poll_minutes: Minutes
    """When the gateway is first asked about a refund that it has not reported; the wait then trebles."""
    longest_poll_hours: Hours
    unknown_attention_hours: Hours
    """After this long without a known outcome a person is called; the asking goes on."""


class Policy(Input):
    """One profile. A case keeps the one that it was opened under."""

    name: Identifier
    version: Annotated[int, Field(ge=1)]
    operated_by: Literal["merchant", "platform"]
    """Who ships: ``platform`` sends unshipped refunds to R3 instead of R1."""
    refund: RefundPolicy
    cancellation: CancellationPolicy
    merchant_refund: MerchantRefundPolicy
    withdrawal: WithdrawalPolicy
    payment: PaymentPolicy
