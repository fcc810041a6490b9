"""What the payment provider is known not to take is refused before a case promises it (X6)."""

from datetime import datetime

from activities.gateways.limits import NO_LIMITS, Considered, Limits, Objection, objection
from activities.postgres import allowances, order_payments
from activities.postgres.connection import Connection
from workflows.messages.cases import Refusal
from workflows.messages.openings import Payable
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import Application, BankTransfer, DisputeRequest
from workflows.rules.payable import NOT_PAYABLE
from workflows.rules.refusals import refused


def payable_in(limits: Limits, currency: str) -> Payable | None:
    """What a case in this currency keeps to whenever an amount is named; None where any amount can be paid."""
    known = Payable(step=limits.steps.get(currency, 1), least=limits.least)
    return None if known == Payable() else known


async def refused_by_provider(
    connection: Connection, limits: Limits, wanted: Application, order: OrderFacts, at: datetime
) -> Refusal | None:
    """Why what is asked cannot be paid by the provider, whatever is decided; None where it may be, or costs nothing.

    How often the payment was refunded counts only when money is sent: refunds may fail, or be paid by hand. A dispute
    can be opened and ruled on however old the payment is: an officer can pay by hand.
    """
    unknown = await order_payments.payments_unknown(connection, [order.order_no]) if limits.needs_charge else ()
    return not_taken(limits, wanted, order, at, charge_known=not unknown)


def goes_through_provider(order: OrderFacts) -> bool:
    """Whether any of what was paid goes back through the payment provider (A7)."""
    return not all(tender.kind is TenderKind.ALLOWANCE for tender in order.tenders)


def not_taken(
    limits: Limits, wanted: Application, order: OrderFacts, at: datetime, *, charge_known: bool
) -> Refusal | None:
    """The same, where it is known whether the order tells the provider's id of each payment."""
    if limits is NO_LIMITS or not wanted.amount or not goes_through_provider(order):
        return None
    disputed = isinstance(wanted, DisputeRequest)
    original = not (isinstance(wanted.method, BankTransfer) or order.cash_on_delivery)
    considered = Considered(
        amount=wanted.amount,
        currency=order.currency,
        original_route=original or disputed,
        charge_known=charge_known or disputed,
        paid_at=None if disputed else order.paid_at,
    )
    return _refusal(objection(limits, considered, at), "lines")


async def refused_withdrawal(
    connection: Connection, limits: Limits, allowance: AllowanceFacts, amount: int, at: datetime
) -> Refusal | None:
    """The same of an allowance's principal, which goes back to what it was paid with (A2)."""
    if limits is NO_LIMITS or not amount:
        return None
    known = not limits.needs_charge or bool(await allowances.payment_of(connection, allowance.allowance_id))
    considered = Considered(amount=amount, currency=allowance.currency, charge_known=known)
    return _refusal(objection(limits, considered, at), "allowance_id")


def _refusal(against: Objection | None, field: str) -> Refusal | None:
    return refused(NOT_PAYABLE, field, "X6", against.explanation) if against else None
