"""A payment that an officer had given up with its case, and that was made after all (A5, A6, D8, section 10)."""

import pytest

from tests.processes.telling import ALLOWANCE, Story
from workflows.messages.actors import officer
from workflows.messages.cases import Outcome, Refusal
from workflows.messages.stages import OutcomeKind
from workflows.rules.balances import Account, Spending, spent

GIVEN_UP = ("gateway decline", "open withdrawal", "0 pay_out merchant", "0 close_case platform")
AGAIN = (*GIVEN_UP, "open withdrawal")
DECLINED_AGAIN = (*GIVEN_UP, "gateway decline", "open withdrawal", "1 pay_out merchant")
AFTER_ALL = "0 callback succeeded"


def account(story: Story) -> Account:
    return story.world.shop.accounts[ALLOWANCE]


def in_hand(story: Story) -> int:
    """What the buyer has of the principal as money."""
    return story.world.ledger.refunded(f"allowance/{ALLOWANCE}")


def outcome(story: Story, case: str) -> Outcome:
    found = story.world.outcome(story.case(case))
    assert found
    return found


def told(*turns: str) -> Story:
    story = Story("spent")
    story.tell(turns)
    story.world.pass_time(hours=1)
    return story


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ((*DECLINED_AGAIN, AFTER_ALL, "1 retry_payment platform"), OutcomeKind.COVERED),
        ((*DECLINED_AGAIN, AFTER_ALL, "1 close_case platform"), OutcomeKind.CLOSED_BY_OFFICER),
        ((*AGAIN, AFTER_ALL, "1 withdraw buyer"), OutcomeKind.COVERED),
        ((*AGAIN, AFTER_ALL, "1 retain merchant", "1 withdraw buyer"), OutcomeKind.COVERED),
        ((*AGAIN, AFTER_ALL, "1 pay_out merchant"), OutcomeKind.COVERED),
    ],
)
def test_the_balance_is_void_however_the_next_request_ends(turns: tuple[str, ...], expected: OutcomeKind) -> None:
    """A5, A6: the buyer has 72.00 in hand, and no balance beside it."""
    story = told(*turns)

    ended, now = outcome(story, "1"), story.world.now
    assert ended.outcome is expected
    assert in_hand(story) == 7_200
    assert (account(story).balance, account(story).withdrawable) == (0, 0)
    assert spent(account(story), 1, now)[0] is Spending.VOID
    if expected is OutcomeKind.COVERED:
        assert ended.rule in {"A5", "A6"}, "D8 is about rulings"
        assert ended.bonus_voided
        assert ended.bonus_voided.amount == 1_800


def test_an_officer_who_is_told_to_retry_or_close_loses_nothing_by_it() -> None:  # A5, R14
    story = told(*DECLINED_AGAIN, AFTER_ALL)
    refused = story.world.act(story.case("1"), story.transferred(officer("f-1"), story.case("1")))
    story.turn("1 retry_payment platform")

    assert isinstance(refused, Refusal)
    assert refused.code == "no_room"
    assert outcome(story, "1").outcome is OutcomeKind.COVERED
    assert account(story).balance == 0


def test_where_nothing_was_paid_the_balance_thaws_as_before() -> None:  # A5
    for turns in ((*DECLINED_AGAIN, "1 close_case platform"), (*AGAIN, "1 withdraw buyer")):
        story = told(*turns)

        assert in_hand(story) == 0
        assert account(story).balance == 9_000
        assert account(story).frozen_by is None


def test_the_end_of_validity_that_is_declined_and_closed_voids_it_as_well() -> None:  # A6
    story = Story("spent")
    story.tell(GIVEN_UP)
    story.world.pass_time(hours=41)
    story.tell(("gateway decline", "open expiry"))
    story.world.pass_time(hours=2)
    story.tell((AFTER_ALL, "1 close_case platform"))

    assert outcome(story, "1").outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert (in_hand(story), account(story).balance) == (7_200, 0)
