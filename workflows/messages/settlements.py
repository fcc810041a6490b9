"""Paying: what the payment activities are given, and how the legs stand afterwards (section 10)."""

from datetime import timedelta

from workflows.messages.actors import Actor
from workflows.messages.cases import Refusal, Resumed, Step
from workflows.messages.commands import GatewayCallback, NumberHolds
from workflows.messages.message import Code, Instant, Message, Reference
from workflows.messages.money import Minor
from workflows.messages.payouts import Ask, LegStatus, PaidBy, Payout
from workflows.messages.policy import PaymentPolicy


class Settle(Message):
    """What the payment activity is given. Once all legs have succeeded, ``closing`` is recorded with the result."""

    payout: Payout
    ask: Ask
    at: Instant
    arrival: PaymentPolicy
    closing: Step
    partly: bool = False
    """Of a retry: pay what there is room for now, and give up what payments in flight hold (R14)."""
    account: Reference | None = None
    """Of a retry: where money goes on to that is stranded with the gateway; None where nobody has said so."""


class SettleManually(Message):
    """An officer's word on how the legs that have not succeeded were paid (section 10)."""

    payout: Payout
    paid_by: PaidBy
    officer: Actor
    reason: Code
    proof: Reference
    at: Instant
    transferred_at: Instant | None = None
    """When the money was sent, as the officer tells; what is told is booked (R18)."""
    closing: Step
    amount: Minor | None = None
    """What was transferred, where the officer has said so (R14)."""
    number_holds: NumberHolds | None = None
    """What the officer has seen that the provider has under a number of ours, and whose it is."""


class EnterCallback(Message):
    """A gateway's callback, to be entered into the ledger; a repeated one changes nothing.

    Its refund number says which payout it is about. One that comes after the case has ended has neither
    ``arrival`` nor ``closing``.
    """

    callback: GatewayCallback
    at: Instant
    arrival: PaymentPolicy | None = None
    closing: Step | None = None
    late: bool = False
    """Whether the case's workflow has ended: what comes back then opens the case again."""


class Settled(Message):
    """How a payout's legs stand after an activity."""

    ahead: Resumed | None = None
    """The book has come further than the run that asks, and the closing step was not written."""
    fenced: bool = False
    """Another run has taken the case over."""
    legs: tuple[LegStatus, ...]
    """Without those that were retired; none where nothing is left to pay (R14)."""
    closed: bool = False
    """All legs have succeeded, and the closing step was recorded in the same transaction."""
    ask_again_after: timedelta | None = None
    """The gateway has said that asking makes no sense before."""
    number: int | None = None
    """That of this step, as in ``Stepped``."""
    refusal: Refusal | None = None
    """A manual settlement that must not be: ``outcome_open`` while the gateway's answer is, ``already_paid``
    where the gateway has paid every leg, ``number_in_use`` where it has another refund under a number,
    ``no_room`` or ``amount_differs`` for what others have or hold. Then nothing was paid by hand and ``closed`` is
    False."""
