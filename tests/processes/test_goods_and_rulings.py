"""Rulings about goods that somebody has, or that cost nothing (D8, R13, T15)."""

from tests.processes.telling import Story
from workflows.messages.stages import OutcomeKind, StageName

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


def test_a_claim_to_what_cost_nothing_is_granted_by_a_ruling_and_not_dismissed() -> None:  # R13, D8
    story = Story("shipped free")
    story.tell((*RECEIVED, *DISPUTED, "1 rule platform full"))

    assert came_to(story) is OutcomeKind.NOTHING_TO_PAY
