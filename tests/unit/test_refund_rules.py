"""R1 to R4, R8, R9: what may be asked back, and where a request goes first."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from activities.policies import Policies
from workflows.kinds.first_stage import first_stage
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason, RefundRequest
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.reasons import bears_freight
from workflows.rules.refund import refused_application, wanted_parts

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def policy(name: str) -> Policy:
    found = Policies().get(name)
    assert found is not None
    return found


POLICY = policy("douyin")


def order(
    paid: int = 10_000, freight: int = 800, moments: dict[str, datetime] | None = None, pieces: int = 1
) -> OrderFacts:
    return OrderFacts(
        order_no="o",
        marketplace="douyin",
        merchant_id="m",
        buyer_id="b",
        currency="CNY",
        lines=(OrderLine(line="1", sku="s", quantity=pieces, paid=paid),),
        freight=freight,
        tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=paid + freight),),
        paid_at=NOW,
    ).model_copy(update=moments or {})


def request(amount: int = 1, freight: int = 0, reason: RefundReason = RefundReason.OTHER) -> RefundRequest:
    return RefundRequest(
        request_key="k",
        order_no="o",
        merchant_id="m",
        buyer_id="b",
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        freight=freight,
        reason=reason,
    )


@given(paid=some.integers(1, 10**9), refunded=some.integers(0, 10**9), asked=some.integers(1, 2 * 10**9))
def test_a_line_gives_back_what_is_left_of_it_and_no_fen_more(paid: int, refunded: int, asked: int) -> None:  # R8
    refused = refused_application(request(asked), order(paid), POLICY, {"line:1": refunded})

    assert (refused is None) == (asked + refunded <= paid)


@given(freight=some.integers(0, 10**6), refunded=some.integers(0, 10**6), asked=some.integers(1, 2 * 10**6))
def test_freight_gives_back_what_is_left_of_it(freight: int, refunded: int, asked: int) -> None:  # R4, R8
    refused = refused_application(request(1, asked), order(10_000, freight), POLICY, {"freight": refunded})

    assert (refused is None) == (asked + refunded <= freight)


@pytest.mark.parametrize("reason", list(RefundReason))
def test_freight_of_shipped_goods_goes_back_for_faults_only(reason: RefundReason) -> None:  # R4
    refused = refused_application(request(1, 800, reason), order(moments={"shipped_at": NOW}), POLICY, {})

    assert (refused is None) == bears_freight(request(1, 800, reason), POLICY)


@given(amount=some.integers(1, 10**6), freight=some.integers(0, 10**6))
def test_what_is_wanted_sums_to_what_is_asked(amount: int, freight: int) -> None:  # R8
    asked = request(amount, freight)

    assert sum(part.amount for part in wanted_parts(asked)) == asked.amount == amount + freight


@pytest.mark.parametrize(
    ("profile", "moments", "kind", "stage"),
    [
        ("douyin", {}, CaseKind.UNSHIPPED_REFUND, StageName.MERCHANT_REVIEW),  # R1
        ("jd-pop", {"outbound_at": NOW}, CaseKind.UNSHIPPED_REFUND, StageName.MERCHANT_REVIEW),  # R1
        ("douyin", {"shipped_at": NOW}, CaseKind.SHIPPED_REFUND, StageName.SHIPPED_REVIEW),  # R2
        ("jd-self", {}, CaseKind.CANCELLATION, StageName.WAREHOUSE_REVIEW),  # R3
        ("jd-self", {"outbound_at": NOW}, CaseKind.CANCELLATION, StageName.OUTBOUND_REVIEW),  # R3
        ("jd-self", {"on_delivery_run_at": NOW}, CaseKind.CANCELLATION, StageName.INTERCEPTING),  # R3
    ],
)
def test_where_a_request_goes_first(
    profile: str, moments: dict[str, datetime], kind: CaseKind, stage: StageName
) -> None:
    found_kind, found_stage = first_stage(request(), order(moments=moments), policy(profile))

    assert (found_kind, found_stage.name) == (kind, stage)


@given(amount=some.integers(1, 10**6))
def test_the_platform_agrees_to_small_merchant_refunds_at_once(amount: int) -> None:  # R9
    asked = MerchantRefundRequest(
        request_key="k",
        order_no="o",
        merchant_id="m",
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )

    _, stage = first_stage(asked, order(10**6), policy("douyin"))

    assert (stage.name is StageName.PAYING) == (amount <= 20_000)
