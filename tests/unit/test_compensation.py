"""What is owed beside refunds, and where it is booked (L1, L3, T10)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.rules.compensation import (
    freight_insurance_fund,
    is_compensation,
    late_shipment_fund,
    late_shipment_owed,
    return_freight_fund,
    return_freight_owed,
)
from workflows.rules.identity import allowance_fund, order_fund

amounts = st.integers(min_value=0, max_value=10**12)
percents = st.integers(min_value=0, max_value=100)
identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", fullmatch=True)
case_ids = st.builds("{}/{}/{}".format, st.sampled_from(["refund", "return"]), identifiers, identifiers)


@pytest.mark.parametrize(
    ("goods_paid", "owed"),
    [
        pytest.param(10_000, 3_000, id="the-rule"),
        pytest.param(1, 0, id="less-than-half-rounds-down"),
        pytest.param(2, 1, id="more-than-half-rounds-up"),
        pytest.param(5, 2, id="half-rounds-up"),
        pytest.param(15, 5, id="half-rounds-up-not-to-even"),
        pytest.param(0, 0, id="nothing-paid"),
    ],
)
def test_late_shipment_owes_a_share_of_the_goods(goods_paid: int, owed: int) -> None:
    # L1
    assert late_shipment_owed(goods_paid, 30, None) == owed


def test_late_shipment_owes_five_yuan_where_the_platform_sells() -> None:
    # L1
    assert late_shipment_owed(10_000, None, 500) == late_shipment_owed(1, None, 500) == 500


@pytest.mark.parametrize(
    ("goods_paid", "percent", "fixed"), [(1, None, None), (1, 30, 500), (-1, 30, None), (1, -1, None), (1, None, -1)]
)
def test_late_shipment_has_one_measure(goods_paid: int, percent: int | None, fixed: int | None) -> None:
    with pytest.raises(ValueError, match="percent or by a fixed"):
        late_shipment_owed(goods_paid, percent, fixed)


@given(amounts, percents)
def test_the_share_is_the_exact_one_rounded_half_up(goods_paid: int, percent: int) -> None:
    off = late_shipment_owed(goods_paid, percent, None) - Fraction(goods_paid * percent, 100)
    assert -Fraction(1, 2) < off <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("stated", "most", "insured", "owed"),
    [(1_200, 2_000, 0, 1_200), (2_500, 2_000, 0, 2_000), (2_500, 2_000, 800, 1_200), (700, 2_000, 800, 0)],
)
def test_return_freight_is_capped_and_the_insurance_pays_first(stated: int, most: int, insured: int, owed: int) -> None:
    # T10
    assert return_freight_owed(stated, most, insured) == owed


@given(amounts, amounts, amounts)
def test_merchant_and_insurance_together_pay_no_more_than_is_owed(stated: int, most: int, insured: int) -> None:
    # T10
    owed = return_freight_owed(stated, most, insured)
    assert owed >= 0
    assert owed + insured == max(min(stated, most), insured)


@given(order=identifiers, case=case_ids, other=case_ids)
def test_each_owed_sum_has_a_fund_of_its_own(order: str, case: str, other: str) -> None:
    # L3: apart from refunds, and from each other
    funds = [
        late_shipment_fund(order),
        return_freight_fund(case),
        freight_insurance_fund(case),
        order_fund(order),
        order_fund(case),
        allowance_fund(order),
    ]
    assert len(set(funds)) == len(funds)
    assert (return_freight_fund(case) == return_freight_fund(other)) is (case == other)
    assert [is_compensation(fund) for fund in funds] == [True, True, True, False, False, False]


def test_the_funds_have_the_names_that_people_look_for() -> None:
    assert late_shipment_fund("2001") == "late-shipment/2001"
    assert return_freight_fund("return/2001/k1") == "return-freight/return/2001/k1"
    assert freight_insurance_fund("return/2001/k1") == "freight-insurance/return/2001/k1"
