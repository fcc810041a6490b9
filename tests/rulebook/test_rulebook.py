"""The project's own rulebook: every rule has code that carries it out, and a test."""

import pytest

from tests.rulebook import where

NUMBERS = {"R": 9, "T": 12, "D": 9, "A": 7, "L": 5, "P": 8, "B": 3, "N": 6, "C": 6, "M": 5}
LATER = [
    "R10",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
    "R16",
    "R17",
    "R18",
    "T13",
    "T14",
    "T15",
    "D10",
    "X1",
    "X2",
    "X3",
    "X4",
    "X5",
    "X6",
    "G1",
    "G2",
    "G3",
    "G4",
    "G5",
    "G6",
    "G7",
]
"""Rules beyond the unbroken rows above."""
EVERY_RULE = [f"{letter}{number}" for letter, most in NUMBERS.items() for number in range(1, most + 1)] + LATER


def test_the_page_has_every_rule_once() -> None:
    found = where.rules()

    assert sorted(found) == sorted(EVERY_RULE)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_rule_is_carried_out(rule: str) -> None:
    assert where.standing_at(rule, where.code()), f"no code names {rule}"


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_rule_is_tested(rule: str) -> None:
    own = [file for file in where.tests() if file.parent.name != "rulebook"]

    assert where.standing_at(rule, own), f"no test names {rule}"


def test_the_page_tells_where_each_rule_stands() -> None:
    assert where.PAGE.read_text(encoding="utf-8") == where.page(), "`make docs` writes the table anew"
