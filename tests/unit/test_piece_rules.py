"""R13: how many pieces of a line are left to ask about, and what they cost."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.policies import Policies
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import Part, TenderKind
from workflows.messages.pieces import CasePieces, LinePieces, PieceUse
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    LineAmount,
    MerchantRefundRequest,
    RefundReason,
    RefundRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.pieces import (
    Holder,
    accepted_pieces,
    named,
    not_to_ship,
    price,
    refused_pieces,
    taken_of,
    unsent_of,
    use_of,
)
from workflows.rules.refund import refused_application, refused_worthless

Lines = Mapping[str, tuple[int, int]]
"""Pieces and minor units by line."""

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def _policy() -> Policy:
    found = Policies().get("douyin")
    assert found is not None
    return found


POLICY = _policy()


def order(lines: Lines, freight: int = 0) -> OrderFacts:
    paid = sum(amount for _, amount in lines.values()) + freight
    return OrderFacts(
        order_no="o",
        marketplace="douyin",
        merchant_id="m",
        buyer_id="b",
        currency="CNY",
        lines=tuple(
            OrderLine(line=line, sku="s", quantity=many, paid=amount) for line, (many, amount) in lines.items()
        ),
        freight=freight,
        tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=paid),) if paid else (),
        paid_at=NOON,
        shipped_at=NOON,
    )


def asked(lines: Lines) -> tuple[LineAmount, ...]:
    return tuple(LineAmount(line=line, quantity=many, amount=amount) for line, (many, amount) in lines.items())


def holder(
    use: PieceUse,
    lines: Lines,
    *,
    outcome: OutcomeKind | None = None,
    kind: CaseKind = CaseKind.SHIPPED_REFUND,
    stage: StageName = StageName.SHIPPED_REVIEW,
) -> Holder:
    return Holder("case", kind, StageName.CLOSED if outcome else stage, outcome, named(asked(lines), use))


def refusal(
    use: PieceUse, wanted: Lines, of: Lines, *holders: Holder, of_merchant: bool = False, by_pieces: bool = True
) -> str:
    found = refused_pieces(asked(wanted), use, order(of), holders, of_merchant=of_merchant, by_pieces=by_pieces)
    return f"{found.code} {found.field}" if found else ""


# What pieces cost ----------------------------------------------------------------------------------------


@given(paid=st.integers(0, 10**6), groups=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_all_pieces_together_cost_exactly_what_was_paid(paid: int, groups: list[int]) -> None:
    """R13, R8: in whatever groups they come back, each asking for all that it may."""
    bought = sum(groups)
    even = paid // bought
    given_back = over = 0
    for pieces in groups:
        most = price(paid, bought, pieces, over)
        assert even * pieces <= most <= (even + 1) * pieces
        given_back += most
        over += most - even * pieces

    assert given_back == paid


@given(
    paid=st.integers(0, 10**6),
    bought=st.integers(1, 60),
    wishes=st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), max_size=30),
)
def test_whoever_asks_for_how_much_all_pieces_never_cost_more_than_was_paid(
    paid: int, bought: int, wishes: list[tuple[int, float]]
) -> None:
    """R13, R8: what others did not ask for stays theirs, and never makes another piece dearer."""
    line = OrderLine(line="1", sku="s", quantity=bought, paid=paid)
    open_returns: list[Holder] = []
    total = 0
    for pieces, share in wishes:
        most = price(paid, bought, pieces, taken_of(line, open_returns).over)
        amount = int(most * share)
        if refused_pieces(asked({"1": (pieces, amount)}), PieceUse.RETURN, order({"1": (bought, paid)}), open_returns):
            continue
        open_returns.append(holder(PieceUse.RETURN, {"1": (pieces, amount)}))
        total += amount
        assert amount <= (paid // bought + 1) * pieces

    assert total <= paid
    assert taken_of(line, open_returns).gone <= bought


def test_the_dearer_piece_may_come_first_or_last() -> None:  # R13
    third = {"1": (1, 3_334)}
    cheap = holder(PieceUse.RETURN, {"1": (1, 3_333)})
    dear = holder(PieceUse.RETURN, third)

    assert refusal(PieceUse.RETURN, third, {"1": (3, 10_000)}) == ""
    assert refusal(PieceUse.RETURN, third, {"1": (3, 10_000)}, cheap, cheap) == ""
    assert refusal(PieceUse.RETURN, third, {"1": (3, 10_000)}, dear) == "amount_too_high lines.0.amount"
    assert refusal(PieceUse.RETURN, {"1": (2, 6_666)}, {"1": (3, 10_000)}, dear) == ""


@pytest.mark.parametrize("use", list(PieceUse))
def test_one_of_ten_pieces_is_not_worth_all_ten(use: PieceUse) -> None:
    """R13: always on returns; on refunds without goods where the profile does not say otherwise."""
    wanted, of = {"1": (1, 10_000)}, {"1": (10, 10_000)}
    always = use in (PieceUse.RETURN, PieceUse.EXCHANGE, PieceUse.REPAIR)

    assert refusal(use, wanted, of) == "amount_too_high lines.0.amount"
    assert refusal(use, wanted, of, by_pieces=False) == ("amount_too_high lines.0.amount" if always else "")
    assert refusal(use, {"1": (10, 10_000)}, of) == refusal(use, {"1": (1, 1_000)}, of) == ""


# How many are left ---------------------------------------------------------------------------------------

ONE_LEFT: Any = [
    pytest.param(holder(PieceUse.RETURN, {"1": (2, 0)}), id="in an open return"),
    pytest.param(holder(PieceUse.EXCHANGE, {"1": (2, 0)}), id="in an open exchange"),
    pytest.param(holder(PieceUse.EXCHANGE, {"1": (2, 0)}, outcome=OutcomeKind.EXCHANGED), id="exchanged"),
    pytest.param(holder(PieceUse.BACK, {"1": (2, 0)}), id="accepted, and being paid"),
    pytest.param(holder(PieceUse.BACK, {"1": (2, 0)}, outcome=OutcomeKind.REFUNDED), id="back and paid"),
    pytest.param(holder(PieceUse.BACK, {"1": (2, 0)}, outcome=OutcomeKind.NOTHING_LEFT), id="back for nothing"),
]


@pytest.mark.parametrize("use", [PieceUse.RETURN, PieceUse.EXCHANGE, PieceUse.REFUND])
@pytest.mark.parametrize("other", ONE_LEFT)
def test_nobody_asks_for_more_pieces_than_are_left(use: PieceUse, other: Holder) -> None:  # R13
    of = {"1": (3, 3_000)}

    assert refusal(use, {"1": (1, 1_000)}, of, other) == ""
    assert refusal(use, {"1": (2, 2_000)}, of, other) == "quantity_too_high lines.0.quantity"


@pytest.mark.parametrize("use", [PieceUse.RETURN, PieceUse.EXCHANGE])
@pytest.mark.parametrize(
    "outcome", [OutcomeKind.WITHDRAWN, OutcomeKind.REJECTED, OutcomeKind.NOT_RETURNED, OutcomeKind.CLOSED_BY_OFFICER]
)
def test_what_a_case_has_let_go_can_be_asked_about_again(use: PieceUse, outcome: OutcomeKind) -> None:  # R13
    assert refusal(PieceUse.EXCHANGE, {"1": (1, 9)}, {"1": (1, 9)}, holder(use, {"1": (1, 9)}, outcome=outcome)) == ""


@pytest.mark.parametrize("outcome", [None, OutcomeKind.REFUNDED, OutcomeKind.PAID_MANUALLY])
def test_a_piece_is_refunded_or_exchanged_and_never_both(outcome: OutcomeKind | None) -> None:  # R13
    one = {"1": (1, 500)}
    of = {"1": (1, 1_000)}
    exchanged = OutcomeKind.EXCHANGED if outcome else None

    refunded_first = refusal(PieceUse.EXCHANGE, one, of, holder(PieceUse.REFUND, one, outcome=outcome))
    exchanged_first = refusal(PieceUse.REFUND, one, of, holder(PieceUse.EXCHANGE, one, outcome=exchanged))
    by_merchant = refusal(PieceUse.REFUND, one, of, holder(PieceUse.EXCHANGE, one, outcome=exchanged), of_merchant=True)

    assert {refunded_first, exchanged_first, by_merchant} == {"quantity_too_high lines.0.quantity"}


def test_a_refund_that_was_not_paid_leaves_the_piece_to_be_exchanged() -> None:  # R13
    one = {"1": (1, 500)}

    assert refusal(PieceUse.EXCHANGE, one, one, holder(PieceUse.REFUND, one, outcome=OutcomeKind.REJECTED)) == ""


def test_a_lower_price_is_no_refund_of_the_piece() -> None:
    """R13: part of the price goes back, and the piece can still come back; all of the price is a refund."""
    of = {"1": (1, 1_000)}
    part, whole = {"1": (1, 100)}, {"1": (1, 1_000)}
    adjusted = holder(PieceUse.PRICE_ADJUSTMENT, part, outcome=OutcomeKind.REFUNDED)
    refunded = holder(PieceUse.PRICE_ADJUSTMENT, whole, outcome=OutcomeKind.REFUNDED)
    exchanging = holder(PieceUse.EXCHANGE, part)

    assert refusal(PieceUse.EXCHANGE, part, of, adjusted) == ""
    assert refusal(PieceUse.EXCHANGE, part, of, refunded) == "quantity_too_high lines.0.quantity"
    assert refusal(PieceUse.PRICE_ADJUSTMENT, part, of, exchanging, of_merchant=True) == ""
    assert refusal(PieceUse.PRICE_ADJUSTMENT, whole, of, exchanging, of_merchant=True) != ""


def test_a_merchant_may_pay_back_what_is_in_a_return() -> None:
    """R13, R14: the return then pays what is left; a buyer asks in one case at a time."""
    of = {"1": (1, 1_000)}
    returning = holder(PieceUse.RETURN, of)

    assert refusal(PieceUse.REFUND, of, of, returning, of_merchant=True) == ""
    assert refusal(PieceUse.REFUND, of, of, returning) == "quantity_too_high lines.0.quantity"


def test_the_second_line_is_named_by_its_number() -> None:  # R13
    of = {"1": (1, 10), "2": (2, 20)}

    assert refusal(PieceUse.RETURN, {"1": (1, 10), "2": (2, 21)}, of) == "amount_too_high lines.1.amount"
    assert refusal(PieceUse.RETURN, {"1": (1, 10), "3": (1, 1)}, of) == "unknown_line lines.1.line"


# What cost nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [PieceUse.RETURN, PieceUse.EXCHANGE])
def test_a_gift_is_asked_about_for_nothing_and_what_was_paid_for_is_not(use: PieceUse) -> None:  # R13
    assert refusal(use, {"1": (1, 0)}, {"1": (1, 0)}) == ""
    assert refusal(use, {"1": (1, 1)}, {"1": (1, 0)}) == "amount_too_high lines.0.amount"
    assert refusal(use, {"1": (1, 0)}, {"1": (1, 1)}) == "amount_missing lines.0.amount"


def test_the_last_of_three_pieces_for_two_fen_costs_nothing() -> None:  # R13
    two = holder(PieceUse.RETURN, {"1": (2, 2)})

    assert refusal(PieceUse.RETURN, {"1": (1, 0)}, {"1": (3, 2)}, two) == ""
    assert refusal(PieceUse.RETURN, {"1": (1, 0)}, {"1": (3, 2)}) == "amount_missing lines.0.amount"


PARTIES = {"request_key": "k", "order_no": "o", "merchant_id": "m", "reason": RefundReason.DAMAGED}


def test_freight_is_asked_for_alone() -> None:  # R13, R4
    request = RefundRequest.model_validate(PARTIES | {"buyer_id": "b", "freight": 800})

    assert refused_application(request, order({"1": (1, 1_000)}, 800), POLICY, {}) is None
    left = refused_application(request, order({"1": (1, 1_000)}, 800), POLICY, {"freight": 1})
    assert left
    assert (left.code, left.field) == ("amount_too_high", "freight")


@pytest.mark.parametrize(
    ("model", "kind", "refused"),
    [
        (RefundRequest, CaseKind.UNSHIPPED_REFUND, False),
        (RefundRequest, CaseKind.CANCELLATION, False),
        (ReturnRequest, CaseKind.RETURN, False),
        (RefundRequest, CaseKind.SHIPPED_REFUND, True),
        (MerchantRefundRequest, CaseKind.MERCHANT_REFUND, True),
    ],
)
def test_nothing_is_cancelled_or_sent_back_and_never_paid(model: Any, kind: CaseKind, refused: bool) -> None:  # R13
    buyer = {} if model is MerchantRefundRequest else {"buyer_id": "b"}
    request = model.model_validate(PARTIES | buyer | {"lines": asked({"1": (1, 0)})})

    assert (refused_worthless(request, kind) is not None) is refused


# What requests and receipts make of pieces ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "changes", "use"),
    [
        (RefundRequest, {"buyer_id": "b"}, PieceUse.REFUND),
        (MerchantRefundRequest, {}, PieceUse.REFUND),
        (MerchantRefundRequest, {"reason": RefundReason.PRICE_ADJUSTMENT}, PieceUse.PRICE_ADJUSTMENT),
        (ReturnRequest, {"buyer_id": "b"}, PieceUse.RETURN),
        (ReturnRequest, {"buyer_id": "b", "exchange": True}, PieceUse.EXCHANGE),
    ],
)
def test_a_request_says_what_happens_to_its_pieces(model: Any, changes: dict[str, Any], use: PieceUse) -> None:  # R13
    assert use_of(model.model_validate(PARTIES | {"lines": asked({"1": (1, 1)})} | changes)) is use


def test_only_what_was_accepted_is_back() -> None:  # R13, T11
    request = ReturnRequest.model_validate(
        PARTIES | {"buyer_id": "b", "lines": asked({"1": (3, 9_000), "2": (1, 100), "3": (1, 0)})}
    )

    back = accepted_pieces(request, {"1": 2, "3": 1}, (Part(name="line:1", amount=6_000),))

    assert back == CasePieces(
        use=PieceUse.BACK,
        lines=(LinePieces(line="1", quantity=2, amount=6_000), LinePieces(line="3", quantity=1, amount=0)),
    )


# What never shipped --------------------------------------------------------------------------------------


def test_pieces_that_are_wanted_back_before_they_ship_are_told_from_those_on_their_way() -> None:  # R7
    one = {"1": (1, 100)}
    waiting = holder(PieceUse.REFUND, one, kind=CaseKind.UNSHIPPED_REFUND, stage=StageName.MERCHANT_REVIEW)
    paid = holder(PieceUse.REFUND, one, kind=CaseKind.CANCELLATION, outcome=OutcomeKind.REFUNDED)
    stopped = holder(PieceUse.REFUND, one, kind=CaseKind.CANCELLATION, stage=StageName.INTERCEPTING)
    back = holder(PieceUse.BACK, one, kind=CaseKind.CANCELLATION, outcome=OutcomeKind.REFUNDED)
    withdrawn = holder(PieceUse.REFUND, one, kind=CaseKind.UNSHIPPED_REFUND, outcome=OutcomeKind.WITHDRAWN)

    assert unsent_of([waiting, paid]) == {"1": 2}
    assert unsent_of([stopped, back, withdrawn]) == {}


def test_what_was_paid_back_need_not_ship_any_more() -> None:  # L1
    of = order({"1": (2, 200), "2": (1, 100), "3": (2, 0)})
    gift = holder(PieceUse.REFUND, {"3": (1, 0)}, kind=CaseKind.UNSHIPPED_REFUND, outcome=OutcomeKind.REFUNDED)
    undecided = holder(PieceUse.REFUND, {"1": (1, 100)}, kind=CaseKind.UNSHIPPED_REFUND)

    assert not_to_ship(of, {"line:1": 199, "line:2": 100}, [gift, undecided]) == {"1": 0, "2": 1, "3": 1}
