"""Rulings about goods that somebody has, or that cost nothing (D8, R13, T15)."""

from datetime import timedelta

import pytest

from tests.processes.telling import ORDER, Story
from workflows.messages.actors import Role
from workflows.messages.cases import NoticeTemplate
from workflows.messages.pieces import PieceUse
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName

RECEIVED = ("open return", "0 agree_return merchant", "0 enter_tracking buyer 0", "parcel 0 signed")
HELD = (*RECEIVED, "0 reject merchant", "0 send_back merchant", "wait 0")
"""Sent back, and the carrier cannot say who has the goods."""
DISPUTED = ("0 open_dispute buyer", "hurry 1")


def came_to(story: Story) -> OutcomeKind | None:
    outcome = story.world.outcome(story.case("0"))
    return outcome.outcome if outcome else None


def test_goods_that_the_buyer_has_signed_for_are_not_to_be_sent_back_again() -> None:  # T15
    story = Story("shipped")
    story.tell((*HELD, "parcel 3 signed", *DISPUTED, "1 rule platform nothing"))

    assert came_to(story) is OutcomeKind.DISMISSED


def test_goods_that_the_merchant_still_has_are_to_be_sent_back() -> None:  # T15
    story = Story("shipped")
    story.tell((*HELD, *DISPUTED, "1 rule platform nothing"))

    assert story.world.view(story.case("0")).stage is StageName.RECEIPT_REJECTED


ON_THE_WAY = ("open return", "0 agree_return merchant", "0 enter_tracking buyer 0", "wait 0", "wait 0")
"""Nobody has signed for the goods in time."""
NOTHING_FOR_THEM = (*ON_THE_WAY, *DISPUTED, "1 rule platform nothing")


def test_goods_that_arrive_after_a_ruling_that_gives_nothing_are_to_be_sent_back() -> None:  # T15, D8
    story = Story("shipped")
    story.tell(NOTHING_FOR_THEM)
    waits = story.world.view(story.case("0"))
    story.turn("parcel 0 signed")
    arrived = story.world.view(story.case("0"))
    story.tell(("0 send_back merchant", "parcel 3 signed", "wait 0"))

    assert (waits.stage, waits.attention) == (StageName.RETURN_OVERDUE, Attention.RETURN_OVERDUE)
    assert (arrived.stage, arrived.on_silence) == (StageName.RECEIPT_REJECTED, Silence.ESCALATE)
    assert came_to(story) is OutcomeKind.DISMISSED
    assert story.world.ledger.refunded(f"order/{ORDER}") == 0


def test_a_merchant_that_keeps_what_arrived_after_such_a_ruling_is_called_for() -> None:  # T15
    story = Story("shipped")
    story.tell((*NOTHING_FOR_THEM, "parcel 0 signed", "wait 0"))

    view = story.world.view(story.case("0"))

    assert (view.stage, view.attention) == (StageName.GOODS_HELD, Attention.GOODS_HELD)


def test_goods_on_their_way_go_on_with_the_time_that_was_left() -> None:  # T15, D3
    story = Story("shipped")
    story.tell((*ON_THE_WAY, "0 open_dispute buyer", "0 enter_tracking buyer 1"))
    left = story.world.view(story.case("0")).due
    story.turn("hurry 1")
    locked_at = story.world.now
    story.world.pass_time(hours=5)
    story.turn("1 rule platform nothing")

    view = story.world.view(story.case("0"))

    assert left
    assert view.stage is StageName.RETURN_IN_TRANSIT
    assert view.due
    assert abs(view.due - left - (story.world.now - locked_at)) < timedelta(minutes=5)


def test_goods_that_came_back_to_the_buyer_under_the_lock_end_the_case() -> None:  # T14, D8
    story = Story("shipped")
    story.tell((*ON_THE_WAY, *DISPUTED, "parcel 0 returned_to_warehouse", "1 rule platform nothing"))

    assert came_to(story) is OutcomeKind.DISMISSED


@pytest.mark.parametrize(
    ("agreed", "stage"),
    [
        pytest.param((), StageName.RECEIPT_REJECTED, id="the-ruling-stands"),
        pytest.param(("0 convert_to_refund merchant",), StageName.RECEIPT_REJECTED, id="one-side-is-not-enough"),
        pytest.param(
            ("0 convert_to_refund merchant", "0 convert_to_refund buyer"), StageName.RETURN_RECEIVED, id="both-agree"
        ),
    ],
)
def test_after_such_a_ruling_both_sides_may_still_agree_on_money(agreed: tuple[str, ...], stage: StageName) -> None:
    story = Story("shipped")  # T9, T15
    asked = ("open return exchange", *ON_THE_WAY[1:], "0 convert_to_refund buyer")
    story.tell((*asked, *DISPUTED, "1 rule platform nothing", *agreed, "parcel 0 signed"))

    assert story.world.view(story.case("0")).stage is stage


def test_a_claim_to_what_cost_nothing_is_granted_by_a_ruling_and_not_dismissed() -> None:  # R13, D8
    story = Story("shipped free")
    story.tell((*RECEIVED, *DISPUTED, "1 rule platform full"))

    assert came_to(story) is OutcomeKind.NOTHING_TO_PAY


# D10, T8, M3: what the merchant takes after a ruling ----------------------------------------------------------


@pytest.mark.parametrize("asked", ["open return exchange", "open repair"])
@pytest.mark.parametrize(
    "arrives", [("0 confirm_receipt merchant",), ("parcel 0 signed", "0 confirm_receipt merchant")]
)
def test_nobody_is_promised_an_intervention_after_a_ruling_nor_keeps_goods_and_money(
    asked: str, arrives: tuple[str, ...]
) -> None:  # T8, T15, D10, N6
    story = Story("shipped")
    story.tell((asked, *NOTHING_FOR_THEM[1:], *arrives, "0 confirm_receipt merchant"))
    taken = story.world.view(story.case("0"))
    told = len(story.world.book.cases[story.case("0")].notices)
    story.turn("wait 0")
    late = story.world.view(story.case("0"))
    templates = {each.template for each in story.world.book.cases[story.case("0")].notices[told:]}
    story.turn("0 refund_directly platform")
    pieces = story.world.book.cases[story.case("0")].pieces

    assert taken.stage in (StageName.RESHIPMENT, StageName.REPAIRING)
    assert taken.on_silence is Silence.RAISE_ATTENTION
    assert late.stage in (StageName.RESHIP_OVERDUE, StageName.REPAIR_OVERDUE)
    assert late.attention
    assert not {"open_dispute"} & {each.name for each in late.commands}
    assert not {NoticeTemplate.INTERVENTION_OPEN, NoticeTemplate.REPAIR_LATE} & templates
    assert NoticeTemplate.STAGE_CHANGED in templates
    assert came_to(story) is OutcomeKind.REFUNDED
    assert story.world.ledger.refunded(f"order/{ORDER}") == 30_000
    assert pieces
    assert pieces.use is PieceUse.BACK, "the merchant has them (R13)"


@pytest.mark.parametrize("asked", ["open return exchange", "open repair"])
def test_a_merchant_that_is_late_leaves_the_buyer_its_right_where_nothing_was_ruled(asked: str) -> None:  # T8, M3
    story = Story("shipped")
    story.tell((asked, *RECEIVED[1:]))
    before = story.world.view(story.case("0"))
    story.turn("wait 0")
    late = story.world.view(story.case("0"))

    assert before.on_silence is Silence.RIGHT_TO_INTERVENTION
    assert {each.name: each.roles for each in late.commands}["open_dispute"] == (Role.BUYER,)
    assert {each.name: each.roles for each in late.commands}["refund_directly"] == (Role.PLATFORM,)
