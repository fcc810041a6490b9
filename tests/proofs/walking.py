"""Random stories for the model: ``python -m tests.proofs.walking --commands N --seed S`` tells them in memory."""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from tests.proofs.moves import DECIDING, SETTINGS, WORDS
from tests.proofs.telling_both import DisagreementError, Telling
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.world import World
from workflows.messages.actors import Role

Found = TypeVar("Found")
ROLES: Final = (Role.BUYER, Role.MERCHANT, Role.PLATFORM)
EVENTS: Final = ("signed", "refused", "shipped", "returned_to_warehouse")
MODES: Final = ("settle_later", "decline", "account_short")


async def step(telling: Telling, dice: random.Random) -> str:
    """One move, and what it was."""
    kind = dice.choices(
        ("open", "any", "again", "stranger", "wait", "hours", "carrier", "gateway"), (8, 5, 1, 1, 2, 1, 2, 1)
    )[0]
    match kind:
        case "open" if words := telling.words():
            word, role = dice.choice(words)
            seen = dice.choice(("", "", "right", "stale")) if word in DECIDING else ""
            await telling.send(word, role, seen=seen)
        case "any" | "open":
            word, role = dice.choice(WORDS), dice.choice(ROLES)
            if telling.says(word, role):
                await telling.send(word, role)
        case "again":
            await telling.again()
        case "stranger":
            await telling.stranger("approve")
        case "wait":
            await telling.wait()
        case "hours":
            await telling.hours(dice.choice((1, 13, 25)))
        case "carrier":
            await telling.carrier(dice.choice(EVENTS))
        case _:
            await telling.gateway(dice.choice(MODES))
    return kind


async def walk(world: World, name: str, dice: random.Random, *, longest: int = 30) -> Telling:
    """One story, until its case has ended and a few moves beyond."""
    telling = Telling(world, name)
    await telling.begin()
    after = 0
    for _ in range(longest):
        await step(telling, dice)
        after += telling.over
        if after > 3:
            break
    return telling


def in_memory(name: str, seed: str) -> Telling:
    """A story in memory."""
    return at_once(walk(cast("World", WorldInMemory()), name, random.Random(seed)))


def at_once(coroutine: Coroutine[Any, Any, Found]) -> Found:
    """What comes of something that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something that does not happen in memory")


@dataclass
class Stories:
    """What was told in memory."""

    stories: int = 0
    commands: int = 0
    ends: Counter[str] = field(default_factory=Counter[str])
    """How often each setting came to which end, or stage."""
    wrong: dict[str, str] = field(default_factory=dict[str, str])
    """The shortest story of each disagreement."""


def told(commands: int, seed: str, only: str = "") -> Stories:
    """Stories of all settings in turn, until so many commands were sent."""
    so_far, names = Stories(), [each for each in SETTINGS if only in each]
    while so_far.commands < commands and len(so_far.wrong) < 20:
        name = names[so_far.stories % len(names)]
        try:
            telling = in_memory(name, f"{seed}/{so_far.stories}")
        except DisagreementError as error:
            story, _, why = str(error).rpartition("=>")
            known = so_far.wrong.setdefault(f"{name} {why[:60]}", str(error))
            if len(story) < len(known):
                so_far.wrong[f"{name} {why[:60]}"] = str(error)
            so_far.commands += 1
        else:
            so_far.commands += telling.commands
            ended = telling.model.ended
            so_far.ends[f"{name}: {ended.outcomes[0] if ended else telling.model.stage}"] += 1
        so_far.stories += 1
    return so_far


def main() -> int:
    """Tell stories until so many commands were sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", help="settings with this in their name")
    given = parser.parse_args()
    stories = told(given.commands, given.seed, given.only)
    for wrong in sorted(stories.wrong.values(), key=len):
        print(wrong, end="\n\n")
    for end, often in sorted(stories.ends.items()):
        print(f"  {often:6} {end}")
    print(f"{stories.stories} stories, {stories.commands} commands, {len(stories.wrong)} disagreements")
    return 1 if stories.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
