"""The names of stages, outcomes, silences, attentions and work lists: what people filter by."""

from enum import StrEnum


class CaseKind(StrEnum):
    """What a case is about."""

    UNSHIPPED_REFUND = "unshipped_refund"
    SHIPPED_REFUND = "shipped_refund"
    CANCELLATION = "cancellation"
    MERCHANT_REFUND = "merchant_refund"
    WITHDRAWAL = "withdrawal"
    EXPIRY = "expiry"


class StageName(StrEnum):
    """Where a case stands."""

    OPENING = "opening"
    MERCHANT_REVIEW = "merchant_review"
    SHIPPED_REVIEW = "shipped_review"
    REJECTED = "rejected"
    NEEDS_RETURN = "needs_return"
    WAREHOUSE_REVIEW = "warehouse_review"
    OUTBOUND_REVIEW = "outbound_review"
    INTERCEPTING = "intercepting"
    ESCALATED = "escalated"
    OFFICER_REVIEW = "officer_review"
    RETENTION = "retention"
    PAYING = "paying"
    SETTLING = "settling"
    AWAITING_ROOM = "awaiting_room"
    PAYMENT_ATTENTION = "payment_attention"
    CLOSED = "closed"


class Silence(StrEnum):
    """What happens when nobody acts until the deadline."""

    REFUND = "refund"
    PAY_PRINCIPAL = "pay_principal"
    APPROVE = "approve"
    CLOSE_AS_REJECTED = "close_as_rejected"
    ESCALATE = "escalate"
    ASK_GATEWAY = "ask_gateway"
    RAISE_ATTENTION = "raise_attention"
    NOTHING = "nothing"


class OutcomeKind(StrEnum):
    """How a case ended."""

    REFUNDED = "refunded"
    PAID_BY_PLATFORM = "paid_by_platform"
    PAID_MANUALLY = "paid_manually"
    WITHDRAWN = "withdrawn"
    RETAINED = "retained"
    REJECTED = "rejected"
    NOTHING_LEFT = "nothing_left"
    """Others have been refunded what this case asked for; nothing was paid (R8)."""
    HANDED_OVER = "handed_over"
    """Another case pays what this one was started for (A6)."""
    CLOSED_BY_OFFICER = "closed_by_officer"
    REFUSED = "refused"
    """The request did not fit the order or the rules; nothing was opened."""


class Attention(StrEnum):
    """Why a person must look at a case."""

    NEEDS_RETURN = "needs_return"
    REVIEW_OVERDUE = "review_overdue"
    INTERCEPT_OVERDUE = "intercept_overdue"
    REFUND_DECLINED = "refund_declined"
    MERCHANT_ACCOUNT_SHORT = "merchant_account_short"
    ARRIVAL_OVERDUE = "arrival_overdue"
    OUTCOME_UNKNOWN = "outcome_unknown"


class WorkList(StrEnum):
    """The lists of 售后工作台 (SPEC section 12)."""

    UNSHIPPED_REFUNDS = "unshipped_refunds"
    REFUND_ONLY = "refund_only"
    WITHDRAWALS = "withdrawals"
    PLATFORM_REVIEW = "platform_review"
    AWAITING_BUYER = "awaiting_buyer"
    PAYMENTS = "payments"
    ATTENTION = "attention"
