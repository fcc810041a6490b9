"""Stories told again, to see what a lost run has changed: what is wrong in a story, and the shortest that is."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from starter.interpreter.interpreter import UnansweredError
from tests.proofs.invariants import broken, shown
from tests.proofs.proof_story import ProofStory
from tests.proofs.standing import all_of, came_to, changed, in_flight

Turns = tuple[str, ...]

_LOSSES: Final = frozenset({"lose", "crash"})


def tell(world: str, turns: Sequence[str]) -> ProofStory:
    """A story from its beginning."""
    story = ProofStory(world)
    story.tell(turns)
    return story


def tell_and_look(world: str, turns: Turns, way: Turns) -> tuple[ProofStory, str]:
    """Tell a story, and look at what its last turns have come to; what is wrong, if anything is."""
    story = tell(world, turns)
    for turn in way:
        before = shown(story.told)
        try:
            story.turn(turn)
        except UnansweredError:
            return story, f"answer: {turn} is not answered"
        except Exception as error:
            return story, f"failure: {error!r}"
        for wrong in broken(story.told, before):
            return story, wrong
    return story, ""


class Same:
    """How a story stands in which nothing was lost; where money is on its way, how it stands once that has arrived."""

    def __init__(self, plain: ProofStory, turns: Turns) -> None:
        # Where the gateway's answer was lost, another run hears of the money at another moment.
        unheard = any(turn.startswith("gateway lose") for turn in turns)
        self._plain = plain
        self._stands = all_of(plain.told)
        self._flying = unheard or in_flight(plain.told)
        self._came_to: dict[str, Any] = {}

    def differs(self, lost: ProofStory) -> str:
        """Where a story stands otherwise in which something was lost."""
        if self._flying or in_flight(lost.told):
            self._came_to = self._came_to or _end_of(self._plain)
            return changed(self._came_to, _end_of(lost))
        return changed(self._stands, all_of(lost.told))


def wrong_in(world: str, turns: Turns) -> str:
    """What is wrong in a story, held also against itself without its losses; empty where nothing is."""
    plain = tuple(turn for turn in turns if not _is_loss(turn))
    story, wrong = tell_and_look(world, (), plain)
    if wrong or plain == turns:
        return wrong
    try:
        lost = tell(world, turns)
        lost.told.crash_after = None
    except UnansweredError:
        return "loss: a command is not answered"
    except (IndexError, KeyError):  # a turn about a case that there is not
        raise
    except Exception as error:
        return f"loss: failure: {error!r}"
    difference = Same(story, plain).differs(lost)
    return f"loss: {difference}" if difference else ""


def shrunk(world: str, turns: Turns) -> Turns:
    """A shorter story in which the same sort of thing is wrong."""
    sort = _sort(wrong_in(world, turns))
    if not sort:
        return turns
    smaller = True
    while smaller:
        smaller = False
        for fewer in _without_one(turns):
            try:
                found = wrong_in(world, fewer)
            except (IndexError, KeyError):
                continue
            if _sort(found) == sort:
                turns, smaller = fewer, True
                break
    return turns


def _without_one(turns: Turns) -> Iterator[Turns]:
    for number in range(len(turns) - 1, -1, -1):
        yield (*turns[:number], *turns[number + 1 :])


def _sort(wrong: str) -> str:
    return wrong.partition(":")[0]


def _is_loss(turn: str) -> bool:
    return turn.split(maxsplit=1)[0] in _LOSSES


def _end_of(story: ProofStory) -> dict[str, Any]:
    story.tell(("wait", "wait"))
    return came_to(story.told)
