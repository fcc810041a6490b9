"""Every order of what may happen to a case, told in memory: ``python -m tests.proofs.interleavings --minutes N``.

From each beginning, and from each stage that a kept story comes to, all orders of commands, facts, deadlines and lost
runs are told, the shortest first. Situations that differ in nothing that decides are gone on from once. After each
step it is looked whether all is as it must be (``invariants``); whether what has to be refused is, and changes
nothing; whether a repeated command changes nothing; and whether losing the run that carries the case, before the step
or after an activity in it, changes nothing. An order in which something is wrong is shrunk, and printed as a story:

    python -m tests.proofs.interleavings --story "shipped douyin" "open return; 0 agree_return merchant; lose 0"
"""

import argparse
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from starter.interpreter.interpreter import UnansweredError
from tests.proofs.beginnings_of_orders import BEGINNINGS, Beginning, also_from
from tests.proofs.invariants import broken, broken_offers, shown
from tests.proofs.proof_story import ProofStory
from tests.proofs.retelling import Same, Turns, shrunk, tell, tell_and_look, wrong_in
from tests.proofs.standing import all_of, changed, in_flight, situation
from tests.proofs.ways import refused_ways, ways_on
from workflows.messages.stages import StageName

_REFUSALS: Final = 12
"""How many of the commands that are not open are tried in one situation, drawn anew for each."""
_MOST_ACTIVITIES: Final = 8
"""After how many activities of a step its run is lost, at most."""


@dataclass(frozen=True)
class Wrong:
    """An order in which something is not as it must be."""

    beginning: str
    world: str
    turns: Turns
    what: str

    def __str__(self) -> str:
        command = f'python -m tests.proofs.interleavings --story "{self.world}" "{"; ".join(self.turns)}"'
        return "\n    ".join([f"{self.beginning}: {self.what}", *self.turns, f"=> {command}"])


@dataclass
class Told:
    """What was told from one beginning."""

    name: str
    situations: int = 0
    """Situations that were gone on from in every way."""
    steps: int = 0
    """Events that were told and looked at."""
    unchanged: int = 0
    """Refused and repeated commands that were told."""
    lost: int = 0
    """Runs that were lost, before a step or in it."""
    depth: int = 0
    """N: all orders of so many events were told, from the beginning and from each stage that a kept story comes to."""
    stages: set[StageName] = field(default_factory=set[StageName])
    arrows: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """From each situation the situations that an event leads to, one for each event."""
    first: list[int] = field(default_factory=list[int])

    def orders(self) -> int:
        """How many orders of up to ``depth`` events, those left out that change nothing, what was told covers."""
        here, total = Counter(self.first), 0
        for _ in range(self.depth):
            following = Counter[int]()
            for where, ways in here.items():
                for to in self.arrows.get(where, ()):
                    following[to] += ways
            total += sum(following.values())
            here = following
        return total

    def __str__(self) -> str:
        return (
            f"{self.name}: N={self.depth}, {len(self.first)} beginnings, {self.situations} situations, "
            f"{self.steps} events, {self.unchanged} refused or repeated, {self.lost} runs lost, "
            f"{self.orders():,} orders"
        )


class Search:
    """Tells all orders from one beginning."""

    def __init__(self, beginning: Beginning, dice: random.Random, *, every_loss: bool = False) -> None:
        """``every_loss``: of each step, the run is lost before it and after each activity; else in one way, drawn."""
        self._beginning = beginning
        self._dice = dice
        self._every_loss = every_loss
        self.told = Told(beginning.name)
        self.wrong: list[Wrong] = []

    def run(self, *, deepest: int, until: float | None = None, from_stages: bool = True) -> None:
        """Go on, the shortest orders first, to ``deepest`` events, or until a moment of the monotonic clock."""
        begun = tell(self._beginning.world, self._beginning.turns).told
        if all(begun.host(each).over for each in begun.cases()):
            raise ValueError(f"{self._beginning.name} opens nothing")
        seen = set[int]()
        queue = deque[tuple[Turns, int]]()
        for turns in (self._beginning.turns, *(also_from(self._beginning) if from_stages else ())):
            try:
                where = situation(tell(self._beginning.world, turns).told)
            except (IndexError, KeyError, UnansweredError):  # a story that goes otherwise under this profile
                continue
            if where not in seen:
                seen.add(where)
                self.told.first.append(where)
                queue.append((turns, 0))
        deepened = 0
        while queue and queue[0][1] < deepest and len(self.wrong) < 6:
            if until is not None and time.monotonic() > until:
                break
            turns, depth = queue.popleft()
            deepened = depth + 1
            for following, to in self._expand(turns):
                if to not in seen:
                    seen.add(to)
                    queue.append((following, depth + 1))
        self.told.depth = queue[0][1] if queue else deepened

    def _expand(self, turns: Turns) -> Iterator[tuple[Turns, int]]:
        told, world = self.told, self._beginning.world
        story = tell(world, turns)
        where, over = situation(story.told), all(story.told.host(each).over for each in story.told.cases())
        told.situations += 1
        told.stages |= {story.told.host(each).run.running.state.stage for each in story.told.cases()}
        for wrong in broken_offers(story.told):
            self._note(turns, wrong)
        ways = list(ways_on(story, self._beginning.opens))
        try:
            self._change_nothing(story, turns)
        except Exception as error:
            self._note(turns, f"failure: of what has to change nothing here: {error!r}")
        leads = told.arrows[where] = []
        for way in ways:
            following = (*turns, *way)
            told.steps += len(way)
            story, wrong = tell_and_look(world, turns, way)
            if wrong:
                self._note(following, wrong)
                continue
            to = situation(story.told)
            leads.append(to)
            if to != where:
                self._lose(turns, way, story)
            yield following, to
        if not over and all(to == where for to in leads):
            self._note(turns, "way out: nothing that may happen leads on from here")

    def _change_nothing(self, story: ProofStory, turns: Turns) -> None:
        """Refused and repeated commands, and runs that are lost while nothing happens."""
        before = all_of(story.told)
        ways = list(refused_ways(story))
        for number, turn in self._dice.sample(ways, min(_REFUSALS, len(ways))):
            sent = len(story.sent)
            try:
                story.turn(turn)
            except (UnansweredError, IndexError):
                continue
            self.told.unchanged += 1
            if any(refusal is None for _, _, refusal in story.sent[sent:]):
                self._note((*turns, turn), f"refusal: {turn} is not open in case {number}, and is carried out")
        if difference := changed(before, all_of(story.told)):
            self._note(turns, f"refusal: one changes something here: {difference}")
        before = all_of(story.told)
        for number, case in enumerate(story.told.cases()):
            self.told.unchanged += 1
            if story.repeat(case) is not None:
                self._note((*turns, f"{number} again"), "repetition: it is refused")
        if difference := changed(before, all_of(story.told)):
            self._note(turns, f"repetition: one changes something here: {difference}")
        if in_flight(story.told):  # another run asks the gateway first, and may hear something
            return
        losses = tuple(f"lose {number}" for number in range(len(story.told.cases())))
        story.tell(losses)
        self.told.lost += len(losses)
        if difference := changed(before, all_of(story.told)):
            self._note((*turns, *losses), f"loss: {difference}")

    def _lose(self, turns: Turns, way: Turns, plain: ProofStory) -> None:
        """Lose every run before ``way``, and the run that does it after an activity: it comes to the same."""
        world = self._beginning.world
        story = tell(world, turns)
        if in_flight(story.told):  # another run asks the gateway first, and goes on with what it hears
            return
        same = Same(plain, turns)
        cases = range(len(story.told.cases()))
        chosen = cases if self._every_loss else self._dice.choice((cases, (self._dice.choice(cases),)))
        losses = tuple(f"lose {number}" for number in chosen)
        for number in range(_MOST_ACTIVITIES + 1) if self._every_loss else (self._dice.randrange(_MOST_ACTIVITIES),):
            lossy = (*turns, f"crash {number}", *way) if number else (*turns, *losses, *way)
            try:
                story = tell(world, lossy)
                if number and not story.told.crashed:
                    break
                story.told.crash_after = None
                difference = same.differs(story)
            except Exception as error:
                difference = f"failure: {error!r}"
            self.told.lost += 1 if number else len(losses)
            if difference:
                self._note(lossy, f"loss: {difference}")

    def _note(self, turns: Turns, what: str) -> None:
        sort = what.partition(":")[0]
        if any(each.what.partition(":")[0] == sort for each in self.wrong):
            return
        world = self._beginning.world
        self.wrong.append(Wrong(self._beginning.name, world, shrunk(world, turns), what))


def search(minutes: float, seed: str, only: str = "", *, every_loss: bool = False) -> tuple[list[Told], list[Wrong]]:
    """Tell for so long, the same share of it from each beginning; what was told, and what is wrong."""
    chosen = [each for each in BEGINNINGS if only in each.name]
    began, told, wrong = time.monotonic(), list[Told](), list[Wrong]()
    for number, beginning in enumerate(chosen):
        now = time.monotonic()
        left = began + minutes * 60 - now
        found = Search(beginning, random.Random(f"{seed}/{beginning.name}"), every_loss=every_loss)
        found.run(deepest=20, until=now + left / (len(chosen) - number))
        told.append(found.told)
        wrong += found.wrong
        print(found.told, *found.wrong, sep="\n", flush=True)
    return told, wrong


def retold(world: str, turns: Turns) -> int:
    """Tell one story, turn by turn, and what is wrong in it."""
    story = ProofStory(world)
    for turn in turns:
        before = shown(story.told)
        story.turn(turn)
        print(turn)
        for number, case in enumerate(story.told.cases()):
            if row := story.told.book.cases.get(case):
                stands = (row.kind, row.stage, row.outcome, row.due, row.attention, row.refunded)
                print(f"    {number}", *(each for each in stands if each))
        print(*(f"    => {wrong}" for wrong in broken(story.told, before)), sep="\n", end="")
    for case in story.told.cases():
        print(
            case,
            *(f"{each.at} {each.by.role} {each.event} {each.facts}" for each in story.told.log(case)),
            sep="\n    ",
        )
    wrong = wrong_in(world, turns)
    print("=>", wrong or "nothing is wrong")
    return 1 if wrong else 0


def main() -> int:
    """Search for so long, or tell one story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", help="beginnings with this in their name")
    parser.add_argument("--every-loss", action="store_true", help="lose the run after each activity of each step")
    parser.add_argument("--story", nargs=2, metavar=("WORLD", "TURNS"), help="tell one story")
    given = parser.parse_args()
    if given.story:
        return retold(given.story[0], tuple(each.strip() for each in given.story[1].split(";")))
    told, wrong = search(given.minutes, given.seed, given.only, every_loss=given.every_loss)
    print(f"{sum(each.orders() for each in told):,} orders; {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
