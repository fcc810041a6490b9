"""Section 12: what a case offers is open, and its example is obeyed; what would always be refused is not offered."""

from starter.interpreter.interpreter import UnansweredError
from tests.processes.exploring import kept
from tests.processes.telling import Story
from tests.proofs.invariants import broken_offers
from workflows.messages.actors import Role

_EACH = 5
"""Of so many kept stories one is told; `tests.proofs.interleavings` looks at every situation."""


def test_whatever_is_offered_in_a_kept_story_is_obeyed() -> None:
    wrong: list[str] = []
    for world, turns in kept()[::_EACH]:
        story = Story(world)
        for turn in turns:
            try:
                story.turn(turn)
            except (IndexError, KeyError, UnansweredError):
                break
            wrong += broken_offers(story.world)

    assert wrong == []


def offered(world: str, *turns: str, case: str = "0") -> dict[str, set[Role]]:
    story = Story(world)
    story.tell(turns)
    return {each.name: set(each.roles) for each in story.world.view(story.case(case)).commands}


RETURN = ("open return", "0 agree_return merchant", "0 enter_tracking buyer 0")
EXCHANGE = ("open return exchange", *RETURN[1:])
DISPUTED = ("open refund", "0 reject merchant", "0 open_dispute buyer")


def test_only_an_exchange_is_turned_into_a_refund_by_who_has_not_said_so() -> None:  # T9
    assert "convert_to_refund" not in offered("shipped", *RETURN)
    assert offered("shipped", *EXCHANGE)["convert_to_refund"] == {Role.BUYER, Role.MERCHANT}
    assert offered("shipped", *EXCHANGE, "0 convert_to_refund buyer")["convert_to_refund"] == {Role.MERCHANT}


def test_a_receipt_is_extended_once() -> None:  # T7
    assert "extend_receipt" in offered("shipped", *RETURN, "wait 0")
    assert "extend_receipt" not in offered("shipped", *RETURN, "wait 0", "0 extend_receipt merchant")


def test_a_settlement_is_accepted_once_one_is_offered() -> None:  # D2
    assert "accept_settlement" not in offered("shipped", *DISPUTED, case="1")
    assert "accept_settlement" in offered("shipped", *DISPUTED, "1 offer_settlement merchant", case="1")


def test_the_platform_confirms_what_was_proposed() -> None:  # D5
    given = (*DISPUTED, "wait 1", "1 submit_evidence merchant final")

    assert "confirm_proposal" not in offered("shipped jd-pop", *given, case="1")
    assert "confirm_proposal" in offered("shipped jd-pop", *DISPUTED, "wait 1", "wait 1", case="1")


def test_an_account_is_named_for_cash_on_delivery_alone() -> None:  # T4
    assert "give_refund_account" not in offered("shipped", *RETURN)
    assert "give_refund_account" in offered("shipped cash", *RETURN)


def test_who_has_not_entered_the_parcel_does_not_correct_it_but_the_buyer() -> None:  # T13
    assert offered("shipped", *RETURN)["enter_tracking"] == {Role.BUYER, Role.PLATFORM}


def test_a_merchant_rejects_once_it_may() -> None:  # N4, R6
    assert "reject" not in offered("shipped talks-first", "open refund")
    told = ("0 propose merchant another_amount", "0 decline_proposal buyer")
    assert "reject" in offered("shipped talks-first", "open refund", *told)
    again = ("0 reject merchant", "0 amend buyer")
    assert "amend" not in offered("shipped", "open refund", *again * 2, "0 reject merchant")
