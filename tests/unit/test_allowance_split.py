"""A1: what is paid back of an allowance, and what is lost."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflows.rules.allowance import Split, split

amounts = st.integers(min_value=0, max_value=10**12)
principals = st.integers(min_value=1, max_value=10**12)


@st.composite
def allowances(draw: st.DrawFn) -> tuple[int, int, int]:
    principal = draw(principals)
    bonus = draw(amounts)
    return principal, bonus, draw(st.integers(min_value=0, max_value=principal + bonus))


def test_the_guides_example() -> None:
    # Pay 80.00, get 100.00, spend 10.00: 72.00 back, and 18.00 lost (the 8 in the guide is a misprint).
    assert split(8000, 2000, 1000) == Split(principal_spent=800, bonus_spent=200, withdrawable=7200, bonus_lost=1800)


def test_nothing_spent_pays_everything_back() -> None:
    assert split(8000, 2000, 0) == Split(principal_spent=0, bonus_spent=0, withdrawable=8000, bonus_lost=2000)


@pytest.mark.parametrize(
    ("principal", "bonus", "spent", "principal_spent"),
    [
        pytest.param(1, 1, 1, 1, id="half-goes-to-the-principal"),
        pytest.param(1, 2, 1, 0, id="a-third-is-rounded-down"),
        pytest.param(2, 1, 1, 1, id="two-thirds-are-rounded-up"),
        pytest.param(8000, 2000, 1, 1, id="the-first-fen"),
        pytest.param(8000, 2000, 9999, 7999, id="all-but-one-fen"),
        pytest.param(5000, 0, 1234, 1234, id="no-bonus"),
    ],
)
def test_rounds_half_up(principal: int, bonus: int, spent: int, principal_spent: int) -> None:
    assert split(principal, bonus, spent).principal_spent == principal_spent


@given(allowances())
def test_all_parts_stay_within_what_there_was_and_sum_exactly(allowance: tuple[int, int, int]) -> None:
    principal, bonus, spent = allowance
    parts = split(principal, bonus, spent)
    assert min(parts.principal_spent, parts.bonus_spent, parts.withdrawable, parts.bonus_lost) >= 0
    assert parts.principal_spent + parts.bonus_spent == spent
    assert parts.principal_spent + parts.withdrawable == principal
    assert parts.bonus_spent + parts.bonus_lost == bonus


@given(allowances())
def test_the_share_is_the_exact_one_rounded_half_up(allowance: tuple[int, int, int]) -> None:
    principal, bonus, spent = allowance
    exact = Fraction(spent * principal, principal + bonus)
    off = split(principal, bonus, spent).principal_spent - exact
    assert -Fraction(1, 2) < off <= Fraction(1, 2)


@given(principals, amounts)
def test_the_last_spending_empties_both(principal: int, bonus: int) -> None:
    parts = split(principal, bonus, principal + bonus)
    assert (parts.withdrawable, parts.bonus_lost) == (0, 0)


@given(allowances())
def test_spending_more_never_leaves_more(allowance: tuple[int, int, int]) -> None:
    principal, bonus, spent = allowance
    assume(spent < principal + bonus)
    before, after = split(principal, bonus, spent), split(principal, bonus, spent + 1)
    assert after.withdrawable <= before.withdrawable
    assert after.bonus_lost <= before.bonus_lost


@given(principals, amounts, st.lists(st.integers(min_value=1, max_value=10**12), max_size=8))
def test_the_order_of_spendings_does_not_matter(principal: int, bonus: int, spendings: list[int]) -> None:
    left = principal + bonus
    taken: list[int] = []
    for spending in spendings:
        taken.append(min(spending, left))
        left -= taken[-1]

    def consumed(order: list[int]) -> tuple[int, int]:
        principal_gone = bonus_gone = running = 0
        for spending in order:
            before, after = split(principal, bonus, running), split(principal, bonus, running + spending)
            principal_gone += after.principal_spent - before.principal_spent
            bonus_gone += after.bonus_spent - before.bonus_spent
            running += spending
        return principal_gone, bonus_gone

    assert consumed(taken) == consumed(taken[::-1]) == consumed(sorted(taken))


@pytest.mark.parametrize("arguments", [(0, 100, 0), (100, -1, 0), (100, 0, -1), (100, 50, 151)])
def test_impossible_allowances_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="allowance"):
        split(*arguments)
