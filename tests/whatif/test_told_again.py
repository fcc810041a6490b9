"""Every story that the repository has comes to the same when it is told again under its own rules (G7)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from activities.postgres.past_cases import PastStory
from starter.interpreter.interpreter import Interpreter
from starter.whatif.comparing import compared, why_not_the_same
from starter.whatif.telling import AS_THEY_WERE, CannotBeToldError, Rules, told_again
from tests.processes import telling
from tests.replay.in_memory import told_in_memory
from tests.replay.paths import PATHS
from tests.whatif.remembered import past_of
from tests.whatif.worlds import declared_in, world_of_path, world_of_story
from workflows.rules.admission import fingerprint
from workflows.rules.told_again import command_of

_FILE: Final = Path(telling.__file__).with_name("stories.json")
_STORIES: Final[list[dict[str, list[str]]]] = json.loads(_FILE.read_text(encoding="utf-8"))
_BREAKS: Final = frozenset({"hold", "release", "stop", "forget"})
"""Turns in which something of ours fails: no worker, a workflow that is terminated, an order that is away."""
_TO_THE_SECOND: Final = "late_shipment_disproved"
"""A path in which a parcel leaves in the very moment in which it has to."""
_SHARES: Final = 8


def _breaks(story: dict[str, list[str]]) -> bool:
    return any(turn.split()[0] in _BREAKS for turn in story["turns"])


def _same_again(world: Interpreter) -> Iterator[PastStory]:
    """Each story of a world, once it has been told again under its own rules to the same end."""
    for story in past_of(world):
        if any(case.opened.order and case.opened.order.allowances for case in story.cases):  # A7
            with pytest.raises(CannotBeToldError, match="paid with an allowance"):
                told_again(story, declared_in(world), AS_THEY_WERE, world.now)
            continue
        was = told_again(story, declared_in(world), AS_THEY_WERE, world.now)
        assert why_not_the_same(story, was) == ""
        assert not was.unheard
        assert not was.assumed - _superseded(world)
        yield story


def _superseded(world: Interpreter) -> set[str]:
    """Refunds that were never sent, because something else came of them."""
    funds = world.ledger.funds.values()
    return {number for fund in funds for number, leg in fund.legs.items() if leg.standing.submitted_at is None}


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_story_of_the_processes_comes_to_what_it_came_to(share: int) -> None:
    told = [story for story in _STORIES[share::_SHARES] if not _breaks(story)]
    assert len(told) > 50
    for each in told:
        world = world_of_story(str(each["world"]), each["turns"])
        for story in _same_again(world):
            _trying_the_same_changes_nothing(world, story)


@pytest.mark.parametrize("name", [name for name in PATHS if told_in_memory(name) and name != _TO_THE_SECOND])
def test_a_path_comes_to_what_it_came_to(name: str) -> None:
    world = world_of_path(name)
    for story in _same_again(world):
        _trying_the_same_changes_nothing(world, story)
        _commands_are_what_they_were(story)


def test_a_story_in_which_something_of_ours_fails_is_set_apart() -> None:
    """It comes to what it came to, or is said not to; it never fails."""
    apart = 0
    for each in _STORIES:
        if _breaks(each):
            world = world_of_story(str(each["world"]), each["turns"])
            for story in past_of(world):
                was = told_again(story, declared_in(world), AS_THEY_WERE, world.now)
                apart += bool(why_not_the_same(story, was))
    assert apart > 100


def _trying_the_same_changes_nothing(world: Interpreter, story: PastStory) -> None:
    """A property of every story: the profile that it had, tried on it, leaves everything as it is."""
    policy = story.cases[0].opened.policy
    moved = any(answer.policy for case in story.cases for answer in case.answers.values())
    if moved or any(case.opened.policy != policy for case in story.cases):
        return
    was = told_again(story, declared_in(world), AS_THEY_WERE, world.now)
    would = told_again(story, declared_in(world), Rules(policy), world.now)
    for case in story.cases:
        found = compared(story, case, was, would)
        assert not found.otherwise
        assert found.parts_at is None
        assert not found.unheard
        assert not found.later


def _commands_are_what_they_were(story: PastStory) -> None:
    for case in story.cases:
        for line in case.lines:
            assert bool(line.command) == bool(line.entry.command_key)
            kept_apart = {
                "evidence",
                "account",
                "refund_account",
            }  # T4: the log keeps where money goes to from its readers
            if line.command and not any(kept_apart & said.keys() for said in line.command.values()):
                command = command_of(line.entry, line.command)
                assert command
                assert fingerprint(command) == line.entry.command_digest
