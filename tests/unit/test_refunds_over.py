"""G2: nothing is asked for on an order from the moment on of which the order system says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from activities.policies import Policies
from workflows.kinds.opening_checks import About, look_at_application, look_at_dispute
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import (
    DisputeReason,
    DisputeRequest,
    LineAmount,
    MerchantRefundRequest,
    OrderApplication,
    PriceProtectionRequest,
    RefundReason,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.windows import refused_for_good

PAID = datetime(2026, 11, 20, tzinfo=UTC)
OVER = datetime(2026, 11, 23, tzinfo=UTC)
ORDER = OrderFacts(
    order_no="o",
    marketplace="douyin",
    merchant_id="m",
    buyer_id="b",
    currency="CNY",
    freight=0,
    lines=(OrderLine(line="1", sku="s", quantity=1, paid=1_000),),
    tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=1_000),),
    paid_at=PAID,
    refundable_until=OVER,
)
ASKED: dict[str, Any] = {
    "request_key": "k",
    "order_no": "o",
    "merchant_id": "m",
    "buyer_id": "b",
    "lines": (LineAmount(line="1", quantity=1, amount=1_000),),
    "reason": RefundReason.DAMAGED,
}
MOMENTS = st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=400)).map(OVER.__add__)
AT_ONCE = st.sampled_from([OVER - timedelta(microseconds=1), OVER, OVER + timedelta(microseconds=1)])
APPLICATIONS = st.sampled_from(
    [RefundRequest, ReturnRequest, MerchantRefundRequest, PriceProtectionRequest, ResendRequest, RepairRequest]
)


@given(asked=APPLICATIONS, at=MOMENTS | AT_ONCE)
def test_an_application_is_refused_from_then_on(asked: type[OrderApplication], at: datetime) -> None:
    policy = Policies().get("douyin")
    assert policy
    request = asked.model_construct(**ASKED)

    refusal = refused_for_good(ORDER, at)
    if at < OVER:
        assert refusal is None
        return
    assert refusal == look_at_application(request, ORDER, policy, at, settled={}, holders=(), others=()).refusal
    assert refusal
    assert (refusal.code, refusal.field, refusal.rule) == ("refunds_over", "order_no", "G2")
    assert OVER.isoformat() in refusal.explanation


class Ended:
    """A case of the order that was rejected."""

    kind, stage, order_no, closed_at = CaseKind.SHIPPED_REFUND, StageName.CLOSED, "o", PAID
    return_freight, outcome, asked, pieces = 0, OutcomeKind.REJECTED, 1_000, None


@given(at=MOMENTS | AT_ONCE, about=st.booleans(), carries_out=st.booleans())
def test_a_dispute_is_refused_from_then_on_unless_an_open_case_carries_it_out(
    at: datetime, *, about: bool, carries_out: bool
) -> None:
    policy = Policies().get("douyin")
    assert policy
    request = DisputeRequest(
        request_key="k",
        order_no="o",
        merchant_id="m",
        buyer_id="b",
        lines=(LineAmount(line="1", quantity=1, amount=1_000),),
        reason=RefundReason.DAMAGED,
        dispute_reason=DisputeReason.OTHER,
        about="refund/o/k" if about else None,
    )
    case = About(case=Ended(), carries_out=carries_out) if about else None

    refusal = look_at_dispute(request, ORDER, policy, at, holders=(), others=(), about=case).refusal

    over = refusal is not None and (refusal.code, refusal.field, refusal.rule) == ("refunds_over", "order_no", "G2")
    assert over == (at >= OVER and not (about and carries_out))
