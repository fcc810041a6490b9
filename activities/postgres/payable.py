"""What the payment provider is known not to take is refused before a case promises it (X6)."""

from datetime import datetime

from activities.gateways.limits import NO_LIMITS, Considered, Limits, objection
from activities.postgres import orders
from activities.postgres.connection import Connection
from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts
from workflows.messages.requests import Application, BankTransfer


async def refused_by_provider(
    connection: Connection, limits: Limits, wanted: Application, order: OrderFacts, at: datetime
) -> Refusal | None:
    """Why what is asked cannot be paid by the provider, whatever is decided; None where it may be, or costs nothing.

    How often the payment was refunded counts only when money is sent: refunds may fail, or be paid by hand.
    """
    if limits is NO_LIMITS or not wanted.amount:
        return None
    original = not (isinstance(wanted.method, BankTransfer) or order.cash_on_delivery)
    considered = Considered(
        amount=wanted.amount,
        currency=order.currency,
        original_route=original,
        charge_known=not (limits.needs_charge and original) or await orders.payments_known(connection, order.order_no),
        paid_at=order.paid_at,
    )
    against = objection(limits, considered, at)
    if against is None:
        return None
    return Refusal(code="not_payable", field="lines", rule="X6", explanation=against.explanation)
