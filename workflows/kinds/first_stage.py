"""Where a request about an order goes first (R1, R2, R3, R9, T1, D2)."""

from collections.abc import Mapping

from workflows.kinds.cancellation import INTERCEPTING, OUTBOUND_REVIEW, WAREHOUSE_REVIEW
from workflows.kinds.dispute_stages import NEGOTIATION
from workflows.kinds.merchant_refund import OFFICER_REVIEW
from workflows.kinds.payment_stages import PAYING
from workflows.kinds.price_protection import PRICE_REVIEW
from workflows.kinds.refund import MERCHANT_REVIEW, SHIPPED_REVIEW
from workflows.kinds.repair_stages import REPAIR_REVIEW
from workflows.kinds.resend_stages import RESEND_REVIEW
from workflows.kinds.return_stages import RETURN_REVIEW
from workflows.kinds.stage import Stage
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    DisputeRequest,
    MerchantRefundRequest,
    OrderApplication,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind
from workflows.rules.reasons import goods_at_fault
from workflows.rules.shipping import is_outbound, is_shipped


def first_stage(
    request: OrderApplication | DisputeRequest,
    order: OrderFacts,
    policy: Policy,
    unsent: Mapping[str, int] | None = None,
    *,
    at_once: int = 0,
) -> tuple[CaseKind, Stage]:
    """The kind of the case and the stage that it opens in.

    ``unsent``: how many pieces of a line other cases want back, or had paid back, before they were sent (R7).
    ``at_once``: what the merchant has been given on the order without an officer, in minor units (R16).
    """
    if isinstance(request, DisputeRequest):
        return CaseKind.DISPUTE, NEGOTIATION  # D2
    if isinstance(request, PriceProtectionRequest):
        return CaseKind.PRICE_PROTECTION, PRICE_REVIEW  # B3
    if isinstance(request, ResendRequest):
        return CaseKind.RESEND, RESEND_REVIEW  # C2
    if isinstance(request, RepairRequest):
        return CaseKind.REPAIR, REPAIR_REVIEW  # M2
    if isinstance(request, ReturnRequest):
        return CaseKind.EXCHANGE if request.exchange else CaseKind.RETURN, RETURN_REVIEW  # T1
    if isinstance(request, MerchantRefundRequest):
        small = at_once + request.amount <= policy.merchant_refund.at_once_up_to
        return CaseKind.MERCHANT_REFUND, PAYING if small else OFFICER_REVIEW  # R9, R16
    shipped = is_shipped(order, request, policy, unsent)
    if policy.operated_by == "platform" and not (shipped and _refund_only(request, policy)):
        return CaseKind.CANCELLATION, cancellation_stage(order, request, policy, unsent)  # R3
    if shipped:
        return CaseKind.SHIPPED_REFUND, SHIPPED_REVIEW  # R2
    return CaseKind.UNSHIPPED_REFUND, MERCHANT_REVIEW  # R1


def _refund_only(request: RefundRequest, policy: Policy) -> bool:
    """A fault of goods that are out for delivery is no cancellation, and neither is a wish for the freight alone."""
    return goods_at_fault(request, policy) or not request.lines


def cancellation_stage(
    order: OrderFacts, request: RefundRequest, policy: Policy, unsent: Mapping[str, int] | None = None
) -> Stage:
    """R3: by how far the goods have gone."""
    if is_shipped(order, request, policy, unsent):
        return INTERCEPTING
    return OUTBOUND_REVIEW if is_outbound(order, request, unsent) else WAREHOUSE_REVIEW
