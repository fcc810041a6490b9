"""What a return owes the buyer beside the refund: freight insurance and return freight (T10).

A case of its own, booked apart: trouble with it does not hold up the refund, nor the other way round.
"""

from workflows.messages.orders import OrderFacts
from workflows.messages.requests import CompensationCause, CompensationRequest


def compensation_of(
    order: OrderFacts, about: str, cause: CompensationCause, amount: int, insured: int = 0
) -> CompensationRequest:
    """The request for what the case ``about`` owes beside its refund, in minor units.

    What it comes to is settled when it opens: insurance is paid once an order, freight once a parcel (R16), less what
    is ``insured`` if that is paid for this parcel.
    """
    return CompensationRequest(
        about=about,
        order_no=order.order_no,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        cause=cause,
        amount=amount,
        insured=insured,
    )
