"""What is owed beside refunds once: freight insurance once an order, return freight once a parcel (R16, T10).

Whoever takes a claim first has it; claims are never given back. So of two returns in one parcel, or of one order, one
is paid.
"""

from collections.abc import Mapping

from workflows.messages.orders import OrderFacts
from workflows.messages.requests import CompensationCause, CompensationRequest
from workflows.rules.compensation import return_freight_owed


def claims_of(request: CompensationRequest, parcel: str | None) -> dict[str, str]:
    """The claims that ``request`` takes, unless another return was quicker, each with who has it then.

    ``parcel`` is the one in which the goods of its return come back, as ``<carrier>/<number>``; None where none was
    named. Freight from which insurance is taken off claims the insurance as well: for which parcel it is paid is known
    then.
    """
    claims: dict[str, str] = {}
    if request.cause is CompensationCause.FREIGHT_INSURANCE or request.insured:
        claims[_insurance(request)] = parcel or request.about
    if request.cause is CompensationCause.RETURN_FREIGHT and parcel:
        claims[_freight(parcel)] = request.about
    return claims


def claims_to_read(request: CompensationRequest, parcel: str | None) -> tuple[str, ...]:
    """The claims that say what is owed."""
    return (_insurance(request), *((_freight(parcel),) if parcel else ()))


def owed_once(
    request: CompensationRequest,
    order: OrderFacts,
    parcel: str | None,
    claimed: Mapping[str, str],
    *,
    paid_elsewhere: bool,
) -> int:
    """What is owed for this return, in minor units: less what the insurance pays for its parcel (T10, R16).

    ``claimed`` says who has which claim; ``paid_elsewhere`` whether the insurance of the order is paid for another of
    its returns.
    """
    claimant = claimed.get(_insurance(request))
    insured = None if claimant is None else claimant == (parcel or request.about)
    if request.cause is CompensationCause.FREIGHT_INSURANCE:
        return 0 if paid_elsewhere or insured is False else request.amount
    if parcel and claimed.get(_freight(parcel)) not in (None, request.about):
        return 0
    paid = order.freight_insured if insured else request.insured if insured is None else 0
    return return_freight_owed(request.amount, request.amount, paid)


def _insurance(request: CompensationRequest) -> str:
    return f"freight-insurance/{request.order_no}"


def _freight(parcel: str) -> str:
    return f"return-freight/{parcel}"
