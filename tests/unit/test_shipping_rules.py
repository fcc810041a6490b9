"""R15: how far the goods have gone that a case is about, by lines, pieces and parcels."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.policies import Policies
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.pieces import LinePieces, LineQuantity
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.rules.parcels import refused_contents
from workflows.rules.shipping import (
    concerned,
    is_outbound,
    is_shipped,
    parcel_concerns,
    refused_unsent,
    shipped_by,
    shipped_since,
)

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def _policy() -> Policy:
    found = Policies().get("douyin")
    assert found is not None
    return found


POLICY = _policy()


def order(*lines: dict[str, Any], **moments: Any) -> OrderFacts:
    """An order of lines 1, 2, ... of ten pieces each, as far as nothing else is said."""
    return OrderFacts(
        order_no="o",
        marketplace="douyin",
        merchant_id="m",
        buyer_id="b",
        currency="CNY",
        lines=tuple(
            OrderLine.model_validate({"line": str(number), "sku": "s", "quantity": 10, "paid": 100, **each})
            for number, each in enumerate(lines, start=1)
        ),
        freight=0,
        tenders=(),
        paid_at=NOON,
        **moments,
    )


def request(lines: dict[str, int], reason: RefundReason = RefundReason.OTHER) -> RefundRequest:
    return RefundRequest(
        request_key="k",
        order_no="o",
        merchant_id="m",
        buyer_id="b",
        lines=tuple(LineAmount(line=line, quantity=pieces, amount=1) for line, pieces in lines.items()),
        freight=0 if lines else 1,
        reason=reason,
    )


SENT: dict[str, Any] = {"pieces_sent": 10, "sent_at": NOON}
UNSENT: dict[str, Any] = {}


def test_a_line_is_shipped_whatever_happens_to_the_others() -> None:  # R15
    of = order(SENT, UNSENT)

    assert is_shipped(of, request({"1": 1}), POLICY)
    assert not is_shipped(of, request({"2": 10}), POLICY)
    assert is_shipped(of, request({"1": 1, "2": 1}), POLICY)


@pytest.mark.parametrize("moment", ["shipped_at", "on_delivery_run_at"])
def test_what_names_no_lines_stands_for_all(moment: str) -> None:  # R15
    of = order(UNSENT, UNSENT, **{moment: NOON})

    assert is_shipped(of, request({"2": 1}), POLICY)
    assert shipped_since(of, request({"2": 1})) == NOON


def test_as_long_as_enough_pieces_are_here_a_request_is_about_those() -> None:  # R15
    of = order({"pieces_sent": 4, "sent_at": NOON})

    assert not is_shipped(of, request({"1": 6}), POLICY)
    assert is_shipped(of, request({"1": 7}), POLICY)
    assert is_shipped(of, request({"1": 6}), POLICY, {"1": 1}), "another case wants one of those that are here"


def test_others_wishes_do_not_ship_anything() -> None:  # R15
    assert not is_shipped(order(UNSENT), request({"1": 10}), POLICY, {"1": 10})


def test_a_fault_is_one_of_goods_that_were_sent() -> None:  # R2, R15
    of = order({"pieces_sent": 4, "sent_at": NOON}, UNSENT)

    assert is_shipped(of, request({"1": 4}, RefundReason.DAMAGED), POLICY)
    assert not is_shipped(of, request({"2": 1}, RefundReason.DAMAGED), POLICY)


def test_freight_is_about_all_of_an_order() -> None:  # R4, R13
    assert is_shipped(order(SENT, UNSENT), request({}), POLICY)
    assert not is_shipped(order(UNSENT, UNSENT), request({}), POLICY)


def test_the_shelf_is_left_line_by_line() -> None:  # R3, R15
    of = order({"pieces_outbound": 10}, UNSENT, SENT)

    assert [is_outbound(of, request({line: 1})) for line in "123"] == [True, False, True]
    assert not is_shipped(of, request({"1": 1}), POLICY)
    assert is_outbound(order(UNSENT, outbound_at=NOON), request({"1": 1}))


@given(bought=st.integers(1, 20), data=st.data())
def test_unsent_refunds_never_cover_a_piece_that_has_gone(bought: int, data: st.DataObject) -> None:
    """R7, R15: cases that stay unshipped never want more pieces in all than are still here."""
    wishes = data.draw(st.lists(st.integers(1, bought), min_size=1, max_size=6))
    gone = data.draw(st.integers(1, bought))
    all_wanted = sum(wishes)

    untouched = [asked for asked in wishes if not concerned(asked, bought, gone, all_wanted - asked)]

    assert sum(untouched) <= bought - gone or not untouched


def held(**lines: int) -> list[LinePieces]:
    return [LinePieces(line=name.removeprefix("line_"), quantity=pieces) for name, pieces in lines.items()]


def test_a_parcel_concerns_cases_about_what_is_in_it() -> None:  # R15
    of = order(SENT, SENT, UNSENT)

    assert parcel_concerns(held(line_1=1), of, {"1": 10}, {})
    assert not parcel_concerns(held(line_2=1), of, {"1": 10}, {})
    assert not parcel_concerns(held(line_3=1), of, {"1": 10}, {})
    assert not parcel_concerns(held(), of, {"1": 10}, {})
    assert parcel_concerns(held(line_3=1), of, {}, {}), "one that names none stands for all"


def test_a_parcel_that_leaves_enough_pieces_behind_concerns_nobody() -> None:  # R15
    of = order({"pieces_sent": 4, "pieces_outbound": 8})

    assert not parcel_concerns(held(line_1=6), of, {"1": 4}, {})
    assert parcel_concerns(held(line_1=6), of, {"1": 4}, {"1": 1})
    assert parcel_concerns(held(line_1=6), of, {"1": 4}, {}, outbound=True)


def test_only_what_was_sent_can_come_back() -> None:  # T1, R15
    def refused(lines: dict[str, int], of: OrderFacts) -> str:
        found = refused_unsent(request(lines).lines, of)
        return f"{found.code} {found.field}" if found else ""

    assert refused({"1": 1}, order(UNSENT)) == "not_shipped order_no"
    assert refused({"1": 1, "2": 1}, order(SENT, UNSENT)) == "not_shipped lines.1.quantity"
    assert refused({"1": 5}, order({"pieces_sent": 4})) == "not_shipped lines.0.quantity"
    assert (
        refused({"1": 4}, order({"pieces_sent": 4})) == refused({"2": 10}, order(UNSENT, UNSENT, shipped_at=NOON)) == ""
    )


def test_an_order_has_shipped_when_all_of_its_lines_have() -> None:  # L1, R15
    until, late = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    too_late = {"pieces_sent": 10, "sent_at": late}

    assert shipped_by(order(SENT, SENT), until, {})
    assert not shipped_by(order(SENT, UNSENT), until, {})
    assert not shipped_by(order(SENT, too_late), until, {})
    assert not shipped_by(order({"pieces_sent": 9, "sent_at": NOON}), until, {})
    assert shipped_by(order(UNSENT, UNSENT, shipped_at=until), until, {})
    assert not shipped_by(order(UNSENT, UNSENT, shipped_at=late), until, {})
    assert shipped_by(order(UNSENT, UNSENT, shipped_at=late, on_delivery_run_at=until), until, {})
    assert not shipped_by(order(UNSENT, UNSENT, on_delivery_run_at=late), until, {})


def test_what_was_paid_back_is_not_waited_for(  # L1
) -> None:
    of = order(SENT, {"pieces_sent": 6, "sent_at": NOON})

    assert shipped_by(of, NOON, {"2": 4})
    assert not shipped_by(of, NOON, {"2": 3})
    assert not shipped_by(order(UNSENT), NOON, {"1": 10}), "nothing has shipped: see what is owed"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), None),
        ((("1", 1), ("2", 1)), None),
        ((("1", 0),), "nothing_in_it"),
        ((("1", 1), ("1", 2)), "line_twice"),
    ],
)
def test_a_parcel_names_what_is_in_it_once(lines: tuple[tuple[str, int], ...], code: str | None) -> None:  # R15
    found = refused_contents([LineQuantity(line=line, quantity=pieces) for line, pieces in lines])

    assert (found.code if found else None) == code
