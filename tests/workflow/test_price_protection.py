"""B1 to B3: what a fall of the price owes, once, never above what is left, and what silence does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.policies import Policies
from starter.errors import RefusedRequest
from tests.workflow.disputes import apart, request, ruling
from tests.workflow.price_protection import fallen
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, OpenDispute, Reject, RejectReason, Withdraw
from workflows.messages.orders import OrderLine
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount, PriceFall, RefundReason
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.price_protection import owed

LINE_OF_TWO: dict[str, Any] = {"lines": {"1": 20_000}, "pieces": 2}


async def refused(world: World, order_no: str, **changes: Any) -> tuple[str, str, str]:
    with pytest.raises(RefusedRequest) as caught:
        await fallen(world, order_no, **changes)
    refusal = caught.value.refusal
    return refusal.code, refusal.field, refusal.rule


async def test_silence_of_24_hours_pays_the_difference_times_pieces(world: World) -> None:  # B2, B3
    order_no = await world.order(**LINE_OF_TWO)
    case = await fallen(world, order_no, pieces=2)
    await world.at(case, StageName.PRICE_REVIEW)

    await world.forward(case, hours=23)
    assert (await case.view()).stage is StageName.PRICE_REVIEW
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "B3")
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 2_000


async def test_of_a_further_fall_only_what_it_adds_is_owed(world: World) -> None:  # B2
    order_no = await world.order(**LINE_OF_TWO)
    first = await fallen(world, order_no, pieces=2)
    await world.at(first, StageName.PRICE_REVIEW)

    assert await refused(world, order_no, pieces=2) == ("amount_too_high", "lines", "B2")  # while the first is open
    await first.act(Approve(key="a", by=merchant(world.merchant)))
    await first.outcome()
    assert await refused(world, order_no, pieces=2) == ("amount_too_high", "lines", "B2")  # and once it is paid
    further = await fallen(world, order_no, to=8_500, pieces=2, amount=1_000)
    await world.at(further, StageName.PRICE_REVIEW)
    await further.act(Approve(key="a", by=merchant(world.merchant)))
    await further.outcome()

    assert await world.refunded(order_no) == 3_000


async def test_what_was_rejected_or_taken_back_can_be_asked_for_again(world: World) -> None:  # B2
    order_no = await world.order(**LINE_OF_TWO)
    case = await fallen(world, order_no)
    await world.at(case, StageName.PRICE_REVIEW)
    await case.act(Withdraw(key="w", by=buyer(world.buyer)))
    await case.outcome()

    again = await fallen(world, order_no)

    await world.at(again, StageName.PRICE_REVIEW)


async def test_never_more_than_what_is_left_on_the_line(world: World) -> None:  # B2, R14
    order_no = await world.order()
    case = await fallen(world, order_no, to=1_000)  # 90.00
    await world.at(case, StageName.PRICE_REVIEW)
    refund = await world.refund(9_500, order_no=order_no)
    await world.at(refund, StageName.MERCHANT_REVIEW)
    await refund.act(Approve(key="a", by=merchant(world.merchant)))
    await refund.outcome()

    await case.act(Approve(key="a", by=merchant(world.merchant)))
    outcome = await case.outcome()

    assert outcome.refunded is not None
    assert outcome.refunded.amount == 500
    assert await world.paid_by_gateway(order_no) == 10_000


async def test_pieces_that_were_paid_back_are_not_protected(world: World) -> None:  # B2
    order_no = await world.order(**LINE_OF_TWO)
    refund = await world.refund(10_000, order_no=order_no)
    await world.at(refund, StageName.MERCHANT_REVIEW)
    await refund.act(Approve(key="a", by=merchant(world.merchant)))
    await refund.outcome()

    assert await refused(world, order_no, pieces=2) == ("quantity_too_high", "lines", "B2")


@pytest.mark.parametrize("days", [-1, 8])
async def test_a_price_counts_for_seven_days_after_the_payment(world: World, days: int) -> None:  # B1
    paid_at = datetime.now(UTC) - timedelta(days=20)
    order_no = await world.order(paid_at=paid_at)
    falls = (PriceFall(line="1", price=9_000, fell_at=paid_at + timedelta(days=days)),)

    assert await refused(world, order_no, falls=falls) == ("not_protected_then", "falls.0.fell_at", "B1")


async def test_a_rejection_can_be_disputed_and_the_ruling_is_paid(world: World) -> None:  # B3, D1, D8
    order_no = await world.order()
    case = await fallen(world, order_no)
    await world.at(case, StageName.PRICE_REVIEW)
    await case.act(Reject(key="r", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))
    await case.act(OpenDispute(key="d", by=buyer(world.buyer), reason=DisputeReason.REFUND_REJECTED))
    dispute = world.aftersales.case(str((await case.view()).dispute))
    await world.at(dispute, StageName.NEGOTIATION)
    await world.forward(dispute, hours=25)
    await world.at(dispute, StageName.EVIDENCE)
    await dispute.act(ruling())
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "D8")
    assert await world.paid_by_gateway(order_no) == 1_000


async def test_what_a_dispute_has_paid_of_a_fall_is_not_owed_again(world: World) -> None:  # B2, D8
    order_no = await world.order()
    case = await fallen(world, order_no)
    await world.at(case, StageName.PRICE_REVIEW)
    await case.act(Reject(key="r", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))
    await world.forward(case, hours=7 * 24, minutes=1)
    assert (await case.outcome()).outcome is OutcomeKind.REJECTED
    dispute = await apart(
        world, request(world, order_no, about=case, amount=1_000, reason=RefundReason.PRICE_ADJUSTMENT)
    )
    await dispute.act(ruling())
    await dispute.outcome()
    assert await world.paid_by_gateway(order_no) == 1_000

    assert await refused(world, order_no) == ("amount_too_high", "lines", "B2")
    further = await fallen(world, order_no, to=8_500, amount=500)
    await world.at(further, StageName.PRICE_REVIEW)


@pytest.mark.parametrize("paid", [True, False])
async def test_nor_does_a_dispute_pay_what_another_case_has_been_paid_of_it(  # B2, D8
    world: World,
    paid: bool,
) -> None:
    order_no = await world.order()
    rejected = await fallen(world, order_no)
    await world.at(rejected, StageName.PRICE_REVIEW)
    rejection = Reject(key="r", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE)
    await rejected.act(rejection)
    await world.forward(rejected, hours=7 * 24, minutes=1)
    again = await fallen(world, order_no, amount=600)
    await world.at(again, StageName.PRICE_REVIEW)
    if paid:
        await again.act(Approve(key="a", by=merchant(world.merchant)))
        await again.outcome()

    def disputed(amount: int) -> DisputeRequest:
        return request(world, order_no, about=rejected, amount=amount, reason=RefundReason.PRICE_ADJUSTMENT)

    with pytest.raises(RefusedRequest) as caught:
        await (await world.aftersales.open_dispute(disputed(401))).outcome()
    rest = await apart(world, disputed(400))
    await rest.act(ruling())
    await rest.outcome()

    refusal = caught.value.refusal
    assert (refusal.code, refusal.field, refusal.rule) == ("amount_too_high", "lines", "B2")
    assert await world.paid_by_gateway(order_no) == (1_000 if paid else 400)


async def test_a_fall_that_was_paid_before_leaves_the_further_one_to_be_disputed(world: World) -> None:  # B2, D1
    order_no = await world.order()
    first = await fallen(world, order_no)
    await world.at(first, StageName.PRICE_REVIEW)
    await first.act(Approve(key="a", by=merchant(world.merchant)))
    await first.outcome()
    further = await fallen(world, order_no, to=8_500, amount=500)
    await world.at(further, StageName.PRICE_REVIEW)
    rejection = Reject(key="r", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE)
    await further.act(rejection)
    await world.forward(further, hours=7 * 24, minutes=1)
    dispute = await apart(
        world, request(world, order_no, about=further, amount=500, reason=RefundReason.PRICE_ADJUSTMENT)
    )
    await dispute.act(ruling())
    await dispute.outcome()

    assert await world.paid_by_gateway(order_no) == 1_500


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"freight": 100}, "freight"),
        ({"reason": RefundReason.DAMAGED}, "reason"),
        ({"falls": []}, "falls"),
        ({"falls": [{"line": "2", "price": 1, "fell_at": "2026-05-01T00:00:00Z"}]}, "falls"),
    ],
)
async def test_a_request_that_does_not_fit_itself_names_the_field(
    world: World, body: dict[str, Any], field: str
) -> None:  # B1
    whole = {
        "request_key": "k",
        "order_no": "o",
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "lines": [{"line": "1", "quantity": 1, "amount": 1_000}],
        "falls": [{"line": "1", "price": 9_000, "fell_at": "2026-05-01T00:00:00Z"}],
    }

    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_price_protection(whole | body)

    assert caught.value.refusal.field == field


def test_profiles_say_what_is_not_protected() -> None:  # B1
    for name in ("douyin", "jd-pop", "jd-self"):
        policy = Policies().get(name)
        assert policy is not None
        assert (policy.price_protection.days, policy.price_protection.review_hours) == (7, 24)


@given(
    paid=st.integers(1, 10**6),
    quantity=st.integers(1, 20),
    falls=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
)
def test_all_falls_together_come_to_the_lowest_price(paid: int, quantity: int, falls: list[int]) -> None:  # B2
    line = OrderLine(line="1", sku="s", quantity=quantity, paid=paid)
    given_back = 0
    for price in falls:
        given_back += owed(line, quantity, price, given_back)

    assert given_back == max(paid - min(falls) * quantity, 0)
    assert LineAmount(line="1", quantity=quantity, amount=given_back).amount <= paid
