"""What may be asked back on an order, and where a request goes first (R1, R2, R3, R4, R8, R9)."""

from collections.abc import Mapping

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    Application,
    DisputeRequest,
    MerchantRefundRequest,
    RefundReason,
    RefundRequest,
    ReturnRequest,
)
from workflows.messages.rulings import Ruling
from workflows.messages.stages import CaseKind
from workflows.rules.refusals import refused
from workflows.rules.stages import (
    INTERCEPTING,
    MERCHANT_REVIEW,
    NEGOTIATION,
    OFFICER_REVIEW,
    OUTBOUND_REVIEW,
    PAYING,
    RETURN_REVIEW,
    SHIPPED_REVIEW,
    WAREHOUSE_REVIEW,
    Stage,
)

QUALITY_FAULTS = frozenset(
    {
        RefundReason.QUALITY_FAULT,
        RefundReason.DAMAGED,
        RefundReason.NOT_AS_DESCRIBED,
        RefundReason.WRONG_GOODS,
    }
)
"""Reasons that put the freight on the merchant (R4)."""


def is_shipped(order: OrderFacts) -> bool:
    """Whether the goods are on their way to the buyer."""
    return order.shipped_at is not None or order.on_delivery_run_at is not None


def first_stage(
    request: RefundRequest | MerchantRefundRequest | ReturnRequest | DisputeRequest, order: OrderFacts, policy: Policy
) -> tuple[CaseKind, Stage]:
    """The kind of the case and the stage that it opens in."""
    if isinstance(request, DisputeRequest):
        return CaseKind.DISPUTE, NEGOTIATION  # D2
    if isinstance(request, ReturnRequest):
        return CaseKind.EXCHANGE if request.exchange else CaseKind.RETURN, RETURN_REVIEW  # T1
    if isinstance(request, MerchantRefundRequest):
        small = request.amount <= policy.merchant_refund.at_once_up_to
        return CaseKind.MERCHANT_REFUND, PAYING if small else OFFICER_REVIEW  # R9
    if policy.operated_by == "platform" and not _delivered_or_refund_only(order, request):
        return CaseKind.CANCELLATION, cancellation_stage(order)  # R3
    if is_shipped(order):
        return CaseKind.SHIPPED_REFUND, SHIPPED_REVIEW  # R2
    return CaseKind.UNSHIPPED_REFUND, MERCHANT_REVIEW  # R1


def _delivered_or_refund_only(order: OrderFacts, request: RefundRequest) -> bool:
    """A fault of goods that are out for delivery is no cancellation: the buyer has seen them."""
    return is_shipped(order) and request.reason in QUALITY_FAULTS


def cancellation_stage(order: OrderFacts) -> Stage:
    """R3: by how far the goods have gone."""
    if is_shipped(order):
        return INTERCEPTING
    if order.outbound_at is not None:
        return OUTBOUND_REVIEW
    return WAREHOUSE_REVIEW


def freight_is_refundable(application: Application, order: OrderFacts) -> bool:
    """R4: once shipped, freight is the buyer's unless the goods were at fault."""
    return (
        isinstance(application, MerchantRefundRequest | DisputeRequest)
        or not is_shipped(order)
        or application.reason in QUALITY_FAULTS
    )


def refused_application(application: Application, order: OrderFacts, refunded: Mapping[str, int]) -> Refusal | None:
    """Why ``application`` cannot be asked on ``order``, or None (R4, R8).

    ``refunded`` is what has been paid back for good, by part, in minor units.
    """
    lines = {line.line: line for line in order.lines}
    for number, asked in enumerate(application.lines):
        line = lines.get(asked.line)
        if line is None:
            return refused("unknown_line", f"lines.{number}.line", "R8", f"the order has no line {asked.line}")
        if asked.quantity > line.quantity:
            return refused(
                "quantity_too_high",
                f"lines.{number}.quantity",
                "R8",
                f"line {line.line} has {line.quantity} pieces",
            )
        left = line.paid - refunded.get(f"line:{line.line}", 0)
        if asked.amount > left:
            return refused(
                "amount_too_high",
                f"lines.{number}.amount",
                "R8",
                f"line {line.line} has {left} left to refund",
            )
    if application.freight and not freight_is_refundable(application, order):
        return refused(
            "freight_not_refundable", "freight", "R4", "freight is the buyer's unless the goods were at fault"
        )
    left = order.freight - refunded.get("freight", 0)
    if application.freight > left:
        return refused("amount_too_high", "freight", "R8", f"the freight has {left} left to refund")
    return None


def wanted_parts(application: Application) -> tuple[Part, ...]:
    """What a refund uses up of its order (R8); nothing for lines that cost nothing (R13)."""
    lines = tuple(Part(name=f"line:{each.line}", amount=each.amount) for each in application.lines if each.amount)
    freight = (Part(name="freight", amount=application.freight),) if application.freight else ()
    return lines + freight


def ruled_parts(ruling: Ruling) -> tuple[Part, ...]:
    """What a ruling lets the buyer have of the order, in all (D8)."""
    lines = tuple(Part(name=f"line:{each.line}", amount=each.amount) for each in ruling.lines if each.amount)
    return lines + ((Part(name="freight", amount=ruling.freight),) if ruling.freight else ())
