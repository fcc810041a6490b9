"""The id of a case comes from what it is about: asking twice gives the same case (SPEC section 11)."""

from workflows.messages.requests import (
    ExpiryRequest,
    MerchantRefundRequest,
    RefundRequest,
    Request,
    WithdrawalRequest,
)


def case_id(request: Request) -> str:
    """The workflow id of the case that ``request`` opens."""
    match request:
        case RefundRequest():
            return f"refund/{request.order_no}/{request.request_key}"
        case MerchantRefundRequest():
            return f"merchant-refund/{request.order_no}/{request.request_key}"
        case WithdrawalRequest():
            return f"withdrawal/{request.allowance_id}/{request.request_key}"
        case ExpiryRequest():
            return f"expiry/{request.allowance_id}"


def subject(request: Request) -> str:
    """The order number or allowance id that the case is about."""
    match request:
        case RefundRequest() | MerchantRefundRequest():
            return request.order_no
        case WithdrawalRequest() | ExpiryRequest():
            return request.allowance_id


def workflow_name(request: Request) -> str:
    """The workflow type that carries ``request`` out."""
    match request:
        case RefundRequest():
            return "Refund"
        case MerchantRefundRequest():
            return "MerchantRefund"
        case WithdrawalRequest():
            return "AllowanceWithdrawal"
        case ExpiryRequest():
            return "AllowanceExpiry"


def order_fund(order_no: str) -> str:
    """The ledger's name for what was paid on an order."""
    return f"order/{order_no}"


def allowance_fund(allowance_id: str) -> str:
    """The ledger's name for what was paid into an allowance."""
    return f"allowance/{allowance_id}"
