"""A payment that an officer had given up with its case, and that was made after all (A5, A6, D8, section 10)."""

import pytest

from tests.processes.telling import ALLOWANCE, ORDER, Story
from workflows.messages.actors import GATEWAY, officer
from workflows.messages.cases import CaseView, Outcome, Refusal
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.balances import Account, Spending, spent
from workflows.rules.legs import AlertKind

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


# It comes back ------------------------------------------------------------------------------------------


def came_back(story: Story) -> CaseView:
    """What the gateway had paid after all comes back; how its case stands then."""
    case = story.case("0")
    number = story.world.ledger.booked_of(case)[0].leg.refund_no
    at = story.world.now
    back = GatewayCallback(key="back", by=GATEWAY, refund_no=number, result=GatewayResult.RETURNED, settled_at=at)
    story.world.gateway_calls_back(back)
    story.world.pass_time(hours=1)
    return story.world.view(case)


def counted(by: str) -> Story:
    story = Story("spent")
    story.tell((*GIVEN_UP, AFTER_ALL))
    if by == "withdrawal":
        story.tell(("open withdrawal", "1 pay_out merchant"))
    else:
        story.world.pass_time(hours=41)
        story.turn("open expiry")
    story.world.pass_time(hours=1)
    assert outcome(story, "1").outcome is OutcomeKind.COVERED
    return story


@pytest.mark.parametrize("by", ["withdrawal", "expiry"])
@pytest.mark.parametrize("paid", ["retry_payment", "pay_in_advance", "record_manual_transfer"])
def test_what_another_case_has_counted_is_owed_again_when_it_comes_back(by: str, paid: str) -> None:  # A5, A6, A2
    story = counted(by)

    view = came_back(story)
    nothing, void = in_hand(story), account(story).balance
    story.turn(f"0 {paid} platform")
    story.world.pass_time(hours=1)

    assert (view.stage, view.attention) == (StageName.PAYMENT_ATTENTION, Attention.REFUND_RETURNED)
    assert [leg.amount for leg in view.legs] == [7_200]
    assert (nothing, void) == (0, 0)
    assert in_hand(story) == 7_200, "the principal, and no balance beside it"
    assert account(story).balance == 0
    assert account(story).paid_back_at
    assert AlertKind.BALANCE_NOT_HELD not in {each.kind for each in story.world.ledger.alerts}


DISPUTED = ("gateway decline", "open refund", "0 approve merchant", "0 close_case platform")


def test_so_is_what_a_ruling_has_counted() -> None:  # D8
    story = Story("small shipped")
    story.tell((*DISPUTED, AFTER_ALL, "open dispute 0", "hurry 1", "1 rule platform full"))
    story.world.pass_time(hours=1)
    ruled = outcome(story, "1").outcome

    view = came_back(story)
    nothing = story.world.ledger.refunded(f"order/{ORDER}")
    story.turn("0 retry_payment platform")
    story.world.pass_time(hours=1)

    assert ruled is OutcomeKind.COVERED
    assert (view.stage, view.attention) == (StageName.PAYMENT_ATTENTION, Attention.REFUND_RETURNED)
    assert (nothing, story.world.ledger.refunded(f"order/{ORDER}")) == (0, 10_000)


def test_what_nobody_has_counted_stays_given_up() -> None:  # section 10
    story = told(*GIVEN_UP, AFTER_ALL)

    view = came_back(story)

    assert view.stage is StageName.CLOSED
    assert (in_hand(story), account(story).balance) == (0, 9_000)


def test_what_a_case_has_paid_that_counted_nothing_is_not_paid_once_more() -> None:  # D8, R8
    """The dispute had paid all of it before the gateway paid what was given up."""
    story = Story("shipped")
    story.tell((*DISPUTED, "open dispute 0", "hurry 1", "1 rule platform full"))
    story.world.pass_time(hours=1)
    paid = story.world.ledger.refunded(f"order/{ORDER}")
    story.turn(AFTER_ALL)

    view = came_back(story)

    assert view.stage is StageName.CLOSED
    assert paid == story.world.ledger.refunded(f"order/{ORDER}")
