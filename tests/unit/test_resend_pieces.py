"""C6, R13: what is sent again, whole or in part, and what can be asked about the same pieces besides."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_piece_rules import Lines, asked, holder, order
from workflows.messages.pieces import PieceUse
from workflows.messages.proposals import SendAgain
from workflows.messages.requests import Application, LineAmount, PartOfPiece
from workflows.messages.stages import CaseKind, OutcomeKind
from workflows.rules.pieces import PAID, Holder, named, refused_pieces
from workflows.rules.resending import agreed_pieces

U, O = PieceUse, OutcomeKind  # noqa: E741
TWO: Lines = {"1": (2, 2_000)}
ONE: Lines = {"1": (1, 1_000)}
CHARGER = (PartOfPiece(line="1", sku="charger"),)


def resend(lines: Lines, outcome: OutcomeKind | None = None, part: str = "") -> Holder:
    use, parts = (U.RESEND_PART, (PartOfPiece(line="1", sku=part),)) if part else (U.RESEND, ())
    held = holder(use, lines, outcome=outcome, kind=CaseKind.RESEND)
    return replace(held, pieces=named(asked(lines), use, parts))


def refused(use: PieceUse, wanted: Lines, *others: Holder, part: str = "", of_merchant: bool = False) -> bool:
    parts = (PartOfPiece(line="1", sku=part),) if part else ()
    lines = named(asked(wanted), use, parts).lines
    found = refused_pieces(lines, use, order(TWO), others, of_merchant=of_merchant)
    assert found is None or found.code == "quantity_too_high"
    return found is not None


@pytest.mark.parametrize("use", [U.REFUND, U.RETURN, U.EXCHANGE, U.RESEND])
def test_what_is_being_sent_again_is_nobody_elses(use: PieceUse) -> None:  # C6
    assert refused(use, TWO, resend(ONE))
    assert not refused(use, ONE, resend(ONE))
    assert not refused(use, TWO, resend(ONE, O.WITHDRAWN))


@pytest.mark.parametrize(("use", "gone"), [(U.REFUND, True), (U.RESEND, True), (U.RETURN, False), (U.EXCHANGE, False)])
def test_what_was_sent_again_can_come_back_and_is_not_paid_for_without(use: PieceUse, gone: bool) -> None:  # C6
    assert refused(use, TWO, resend(ONE, O.RESENT)) is gone


def test_money_without_goods_is_the_merchants_to_give_once_it_has_been_sent() -> None:  # C6
    assert refused(U.REFUND, TWO, resend(ONE), of_merchant=True)
    assert not refused(U.REFUND, TWO, resend(ONE, O.RESENT), of_merchant=True)


@pytest.mark.parametrize("outcome", [None, O.RESENT])
def test_a_part_leaves_its_piece_as_it_is(outcome: OutcomeKind | None) -> None:  # C6
    others = (resend(TWO, outcome, part="charger"),)

    assert not any(refused(use, TWO, *others) for use in (U.REFUND, U.RETURN, U.EXCHANGE, U.RESEND))
    assert refused(U.RESEND_PART, ONE, *others, part="charger")
    assert not refused(U.RESEND_PART, TWO, *others, part="manual")


def test_a_part_of_what_came_back_or_was_paid_back_is_not_sent() -> None:  # C6
    assert refused(U.RESEND_PART, TWO, holder(U.BACK, ONE, outcome=O.REFUNDED), part="charger")
    assert refused(U.RESEND_PART, TWO, holder(U.REFUND, ONE, outcome=O.REFUNDED), part="charger")


@pytest.mark.parametrize(("part", "whole"), [("", True), ("charger", False)])
def test_one_that_became_a_refund_counts_as_that(part: str, whole: bool) -> None:  # C5, C6
    few: Lines = {"1": (1, 300)}
    others = (resend(few, O.REFUNDED, part),)

    assert refused(U.EXCHANGE, TWO, *others) is whole
    assert not refused(U.RETURN, TWO, *others)


@given(
    st.lists(
        st.tuples(
            st.sampled_from((U.REFUND, U.EXCHANGE, U.RESEND, U.RESEND_PART)),
            st.integers(1, 3),
            st.booleans(),
            st.sampled_from(("charger", "manual")),
        ),
        max_size=12,
    )
)
def test_nobody_gets_more_than_was_bought(wishes: list[tuple[PieceUse, int, bool, str]]) -> None:  # C6, R13
    """Whatever is asked for, and granted or not: a piece is paid back, exchanged or sent again, and its part once."""
    ends = {U.REFUND: O.REFUNDED, U.EXCHANGE: O.EXCHANGED, U.RESEND: O.RESENT, U.RESEND_PART: O.RESENT}
    others: list[Holder] = []
    for use, pieces, granted, sku in wishes:
        lines: Lines = {"1": (pieces, 1_000 * pieces)}
        part = sku if use is U.RESEND_PART else ""
        if pieces <= 2 and not refused(use, lines, *others, part=part):
            parts = (PartOfPiece(line="1", sku=part),) if part else ()
            held = holder(use, lines, outcome=ends[use] if granted else O.REJECTED)
            others.append(replace(held, pieces=named(asked(lines), use, parts)))

    got = [each for each in others if each.outcome in (*PAID, O.EXCHANGED, O.RESENT)]
    quantities = {use: [each.pieces.lines[0].quantity for each in got if each.pieces.use is use] for use in ends}
    refunded = max(quantities[U.REFUND], default=0)  # several about one piece share its price (R8)
    assert sum(quantities[U.RESEND]) + refunded <= 2
    assert sum(quantities[U.EXCHANGE]) + refunded <= 2
    for sku in ("charger", "manual"):
        sent = [each.pieces.lines[0] for each in got]
        assert sum(each.quantity for each in sent if sku in each.parts) <= 2


@given(st.integers(1, 9), st.integers(0, 10_000), st.integers(1, 9), st.booleans())
def test_what_is_agreed_on_is_no_more_than_was_asked_about(asks: int, amount: int, agrees: int, part: bool) -> None:
    # C6, N3
    application = Application(lines=(LineAmount(line="1", quantity=asks, amount=amount),), reason="damaged", freight=1)
    terms = SendAgain.model_validate(
        {"pieces": [{"line": "1", "quantity": min(agrees, asks)}], "parts": CHARGER if part else ()}
    )
    pieces = agreed_pieces(terms, application)

    assert pieces.use is (U.RESEND_PART if part else U.RESEND)
    assert [(each.quantity, each.parts) for each in pieces.lines] == [(min(agrees, asks), ("charger",) if part else ())]
    assert bool(amount) <= pieces.lines[0].amount <= amount
