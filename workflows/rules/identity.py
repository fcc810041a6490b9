"""The id of a case comes from what it is about: asking twice gives the same case (section 11)."""

import hashlib
import json

from workflows.messages.requests import (
    CompensationCause,
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.rules.compensation import freight_insurance_fund, return_freight_fund

LATE_SHIPMENTS = "late-shipment/"
"""With what the ids of late shipments begin; the order's number follows."""
PRICE_PROTECTIONS = "price-protection/"
"""With what the ids of price protection begin."""


def case_id(request: Request) -> str:
    """The workflow id of the case that ``request`` opens."""
    match request:
        case RefundRequest():
            return f"refund/{request.order_no}/{request.request_key}"
        case MerchantRefundRequest():
            return f"merchant-refund/{request.order_no}/{request.request_key}"
        case ReturnRequest():
            return f"{'exchange' if request.exchange else 'return'}/{request.order_no}/{request.request_key}"
        case PriceProtectionRequest():
            return f"{PRICE_PROTECTIONS}{request.order_no}/{request.request_key}"
        case ResendRequest():
            return f"resend/{request.order_no}/{request.request_key}"
        case RepairRequest():
            return f"repair/{request.order_no}/{request.request_key}"
        case DisputeRequest():
            return f"dispute/{request.about or f'order/{request.order_no}'}/{request.request_key}"
        case LateShipmentRequest():
            return f"{LATE_SHIPMENTS}{request.order_no}"
        case CompensationRequest():
            return compensation_fund(request)
        case WithdrawalRequest():
            return f"withdrawal/{request.allowance_id}/{request.request_key}"
        case ExpiryRequest():
            return f"expiry/{request.allowance_id}"


def case_it_is_about(case: str) -> str | None:
    """The case that a dispute or what is owed beside a refund is about, by its id; None for all other cases."""
    kind, _, rest = case.partition("/")
    match kind:
        case "freight-insurance" | "return-freight":
            return rest
        case "dispute":
            about = rest.rpartition("/")[0]
            return None if about.startswith("order/") else about
        case _:
            return None


def request_digest(request: Request) -> str:
    """The same for the same request, another for another body under its key (section 11).

    What a request leaves out does not count: a field that a later release adds changes no digest.
    """
    said = json.dumps(request.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def subject(request: Request) -> str:
    """The order number or allowance id that the case is about."""
    match request:
        case WithdrawalRequest() | ExpiryRequest():
            return request.allowance_id
        case _:
            return request.order_no


def workflow_name(request: Request) -> str:
    """The workflow type that carries ``request`` out."""
    match request:
        case RefundRequest():
            return "Refund"
        case MerchantRefundRequest():
            return "MerchantRefund"
        case ReturnRequest():
            return "Return"
        case PriceProtectionRequest():
            return "PriceProtection"
        case ResendRequest():
            return "Resend"
        case RepairRequest(wants="repair"):
            return "Repair"
        case DisputeRequest():
            return "Dispute"
        case LateShipmentRequest():
            return "LateShipment"
        case CompensationRequest():
            return "Compensation"
        case WithdrawalRequest():
            return "AllowanceWithdrawal"
        case ExpiryRequest():
            return "AllowanceExpiry"


def order_fund(order_no: str) -> str:
    """The ledger's name for what was paid on an order."""
    return f"order/{order_no}"


def order_of_fund(fund: str) -> str | None:
    """The order that a fund is of; None for an allowance's, and for one of compensation."""
    kind, _, number = fund.partition("/")
    return number if kind == "order" else None


def allowance_fund(allowance_id: str) -> str:
    """The ledger's name for what was paid into an allowance."""
    return f"allowance/{allowance_id}"


def compensation_fund(request: CompensationRequest) -> str:
    """The ledger's name for what is owed beside a refund (T10)."""
    match request.cause:
        case CompensationCause.FREIGHT_INSURANCE:
            return freight_insurance_fund(request.about)
        case CompensationCause.RETURN_FREIGHT:
            return return_freight_fund(request.about)
