"""Looks for stories that take every arrow that is drawn, and keeps those that are enough (``stories.json``).

``python -m tests.processes.exploring MINUTES`` tells the stories that are kept. Where arrows are left, it goes on from
wherever a story comes to the stage of one, in every way: each command that is open, each word of a carrier or a
gateway, each deadline, each end of a dispute. Situations that differ in nothing that decides count as one. A stage that
no story comes to needs a first one, which is written into the file by hand.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.host import MemoryHost
from tests.processes.observing import REMARKS
from tests.processes.telling import PARCELS, Story
from workflows.kinds.kind import PROCESSES
from workflows.kinds.process import Move
from workflows.messages.actors import Role
from workflows.messages.cases import Step, Stepped
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.parcels import ParcelEvent, ParcelPurpose
from workflows.messages.proposals import ProposalKind
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.dispute import DECIDED
from workflows.rules.negotiation import OPEN_TERMS

STORIES: Final = Path(__file__).with_name("stories.json")
Arrow = tuple[CaseKind, Move]
Tale = tuple[str, tuple[str, ...]]
"""A story that is written down: its world, and its turns."""

PAYING: Final = frozenset(DECIDED) - {StageName.CLOSED, StageName.AWAITING_ACCOUNT}
TO_THE_BUYER: Final = (
    ParcelEvent.OUTBOUND,
    ParcelEvent.SHIPPED,
    ParcelEvent.ON_DELIVERY_RUN,
    ParcelEvent.REFUSED,
    ParcelEvent.RETURNED_TO_WAREHOUSE,
    ParcelEvent.SIGNED,
)
ENDS: Final = (ParcelEvent.SIGNED, ParcelEvent.REFUSED, ParcelEvent.RETURNED_TO_WAREHOUSE)
_HOW: Final = {
    "rule": ("full", "nothing", "partial"),
    "submit_evidence": ("", "final"),
    "demand_evidence": ("merchant", "buyer"),
    "retry_payment": ("", "partly"),
    "enter_tracking": ("0", "1"),
}
"""What is to be said beside a command's name."""
_ANSWERS: Final = ("accept_proposal", "decline_proposal", "withdraw_proposal")
_LEADS_NOWHERE: Final = frozenset({"move_deadline", "move_policy", "look_at_book", "say", *_ANSWERS})


def drawn() -> set[Arrow]:
    """Every arrow of every kind."""
    return {(kind, move) for kind, process in PROCESSES.items() for move in process.moves()}


@contextmanager
def observed() -> Generator[set[Arrow]]:
    """The moves that cases in memory make meanwhile, each with the kind that its case was before."""
    made: set[Arrow] = set()
    open_it, write_it = MemoryBook.write_opening, MemoryBook.write_step

    def opening(book: MemoryBook, opening: OpenCase, opened: Opened, *rest: Any, **named: Any) -> CaseRow:
        row = open_it(book, opening, opened, *rest, **named)
        made.add((row.kind, Move(StageName.OPENING, "opened", row.stage)))
        return row

    def step(book: MemoryBook, step: Step) -> Stepped:
        row = book.cases[step.case.case_id]
        kind, stage = row.kind, row.stage
        stepped = write_it(book, step)
        if row.stage is not stage:
            events = [each.event for each in step.entries if each.event not in REMARKS] or [step.entries[0].event]
            made.add((kind, Move(stage, events[0], row.stage, row.outcome if row.closed_at else None)))
        return stepped

    with patch.object(MemoryBook, "write_opening", opening), patch.object(MemoryBook, "write_step", step):
        yield made


def told(world: str, turns: Sequence[str]) -> tuple[Story, set[Arrow]]:
    """A story, and the arrows that it takes."""
    with observed() as made:
        story = Story(world)
        story.tell(turns)
    return story, made


def name(arrow: Arrow) -> str:
    """An arrow in print."""
    kind, move = arrow
    return f"{kind}: {move.come_from} --{move.event}--> {move.end or move.to}"


# Looking for stories ------------------------------------------------------------------------------------


def goes_on(story: Story) -> Iterator[tuple[str, ...]]:
    """Whatever may happen next, in a few turns each."""
    hosts = [story.world.host(each) for each in story.world.cases()]
    if not story.world.shop.orders:
        return
    for number, host in enumerate(hosts):
        if not host.over and (host.parent is None or host.run.running.state.kind is not CaseKind.DISPUTE):
            yield from _commands(story, number, host)
            yield from _dispute(hosts, number, host)
            yield from _carrier(story, number, host)
            yield from _time_and_gateway(story, number, host)
    for number, parcel in enumerate(PARCELS):
        if any((each.parcel, each.purpose) == (parcel, ParcelPurpose.ORDER) for each in story.world.shop.watches):
            yield from ((f"parcel {number} {event}",) for event in TO_THE_BUYER)


def _commands(story: Story, number: int, host: MemoryHost) -> Iterator[tuple[str, ...]]:
    is_dispute = host.run.running.state.kind is CaseKind.DISPUTE
    for each in story.world.view(host.case_id).commands:
        roles = sorted(each.roles) if each.name == "convert_to_refund" else sorted(each.roles)[:1]
        if each.name == "submit_evidence":
            asked = Role.BUYER if host.run.running.state.stage is StageName.EVIDENCE_OF_BUYER else Role.MERCHANT
            roles = [asked] if is_dispute else []
        if each.name in _LEADS_NOWHERE:
            continue
        if each.name == "propose":
            yield from _agreements(number, host)
            continue
        for role in roles:
            yield from ((f"{number} {each.name} {role} {how}".strip(),) for how in _HOW.get(each.name, ("",)))
        if each.name == "open_dispute":
            yield "forget order", f"{number} open_dispute buyer"
        if each.name == "agree_return":
            yield "address", f"{number} agree_return merchant"


def _agreements(number: int, host: MemoryHost) -> Iterator[tuple[str, ...]]:
    """What both sides may agree on (N1, N3)."""
    state = host.run.running.state
    for terms in sorted(OPEN_TERMS.get((state.kind, state.stage), ()) if state.kind else ()):
        proof = " proof" if terms is ProposalKind.MORE_PROOF else ""
        yield f"{number} propose merchant {terms}", f"{number} accept_proposal buyer{proof}"


def _dispute(hosts: list[MemoryHost], number: int, host: MemoryHost) -> Iterator[tuple[str, ...]]:
    """What comes of a dispute about the case; also where the case hears of it all at once (section 11)."""
    state = host.run.running.state
    dispute = next((each for each in hosts if each.case_id == state.dispute.current), None)
    if dispute is None or dispute.over or state.stage in DECIDED:
        return
    its = hosts.index(dispute)
    yield (f"stop {its}",)
    yield (f"{its} resolve buyer",)
    rulings = ("full buyer", "full merchant", "nothing buyer")
    if state.stage is StageName.LOCKED:
        yield from ((f"{its} rule platform {ruling}",) for ruling in rulings)
        return
    yield (f"hurry {its}",)
    yield f"{its} offer_settlement merchant", f"{its} accept_settlement buyer"
    yield from (
        (f"hold {number}", f"hurry {its}", f"{its} rule platform {ruling}", f"release {number}") for ruling in rulings
    )


def _carrier(story: Story, case: int, host: MemoryHost) -> Iterator[tuple[str, ...]]:
    state, view = host.run.running.state, story.world.view(host.case_id)
    if state.kind not in (
        CaseKind.RETURN,
        CaseKind.EXCHANGE,
        CaseKind.SHIPPED_REFUND,
        CaseKind.RESEND,
        CaseKind.REPAIR,
    ):
        return
    comes_back = state.kind in (CaseKind.RETURN, CaseKind.EXCHANGE, CaseKind.REPAIR)
    back = state.goods.parcel or PARCELS[0] if comes_back else None
    for parcel in (back, state.goods.outgoing):
        if parcel:
            number = PARCELS.index(parcel)
            yield from ((f"parcel {number} {event}",) for event in ENDS)
            if view.due:
                yield from ((f"unheard {number} {event}", f"wait {case}") for event in ENDS)


def _time_and_gateway(story: Story, number: int, host: MemoryHost) -> Iterator[tuple[str, ...]]:
    view = story.world.view(host.case_id)
    if view.due:
        yield (f"wait {number}",)
    if view.stage in PAYING:
        yield ("wait",)
        yield from ((f"{number} callback {result}",) for result in ("processing", "succeeded", "failed"))


def situation(story: Story) -> object:
    """What decides how a story goes on."""
    return tuple(_stands(story.world.host(each)) for each in story.world.cases()), not story.world.shop.orders


def _stands(host: MemoryHost) -> object:
    state = host.run.running.state
    goods, stood = state.goods, state.dispute.standstill
    if host.over:
        return state.kind, state.outcome, host.stopped
    last = {each.parcel: each.event for each in goods.told}
    return (
        (state.kind, state.stage, state.attention, host.held),
        (bool(state.dispute.current), bool(state.ruling), stood.stage if stood else None),
        tuple(sorted({type(each).__name__ for each in state.dispute.kept})),
        (goods.exchange, goods.received, goods.confirmed, goods.with_merchant, bool(goods.agreed_at)),
        (last.get(goods.parcel) if goods.parcel else None, last.get(goods.outgoing) if goods.outgoing else None),
        (bool(goods.parcel), bool(goods.out), bool(goods.back), tuple(sorted(goods.wants_money))),
        (bool(state.account), state.retained, bool(state.amended), tuple(each.state for each in state.legs)),
        (Role.MERCHANT in state.claim.gave, bool(state.claim.offer), bool(state.claim.proposal)),
    )


class Search:
    """What was told so far, and the arrows that are left."""

    def __init__(self) -> None:
        self.drawn = drawn()
        self.left = set(self.drawn)
        self.useful: dict[Tale, set[Arrow]] = {}
        self.strange: set[Arrow] = set()

    def look(self, world: str, turns: tuple[str, ...]) -> Story:
        """Tell a story, and keep it where there is something new in it."""
        story, made = told(world, turns)
        for arrow in made - self.drawn - self.strange:
            self.strange.add(arrow)
            print("not drawn:", name(arrow), "|", world, turns)
        if made & self.left:
            self.left -= made
            self.useful[world, turns] = made
        return story

    def explore(self, world: str, first: tuple[str, ...], until: float) -> None:
        """Go on from a beginning in every way, the shortest first, as long as something is left."""
        seen: set[object] = set()
        queue = deque([first])
        while queue and self.left and time.monotonic() < until:
            turns = queue.popleft()
            story = self.look(world, turns)
            if (where := situation(story)) not in seen:
                seen.add(where)
                queue.extend((*turns, *each) for each in goes_on(story))

    def enough(self) -> list[Tale]:
        """As few stories as are enough for what was found."""
        wanted = {arrow for made in self.useful.values() for arrow in made}
        chosen: list[Tale] = []
        while wanted:
            best = max(self.useful, key=lambda each: len(self.useful[each] & wanted))
            chosen.append(best)
            wanted -= self.useful[best]
        return sorted(chosen)


def kept() -> list[Tale]:
    """The stories that are kept."""
    return [(each["world"], tuple(each["turns"])) for each in json.loads(STORIES.read_text(encoding="utf-8"))]


def beginnings(stories: Sequence[Tale], left: set[Arrow]) -> Iterator[Tale]:
    """How those stories begin that come to where an arrow is left."""
    wanted = {(kind, move.come_from) for kind, move in left}
    for world, turns in stories:
        for number in range(1, len(turns)):
            story = told(world, turns[:number])[0]
            states = [host.run.running.state for host in map(story.world.host, story.world.cases())]
            if any((each.kind, each.stage) in wanted for each in states):
                yield world, turns[:number]


def main(minutes: float) -> None:
    """Look for what is left for so long, and keep the stories that are enough."""
    search, stories = Search(), kept()
    for world, turns in stories:
        search.look(world, turns)
    before, until = len(search.left), time.monotonic() + minutes * 60
    if search.left:
        found = list(beginnings(stories, search.left))
        for number, (world, turns) in enumerate(found):
            now = time.monotonic()
            search.explore(world, turns, now + (until - now) / (len(found) - number))
    chosen = [{"world": world, "turns": list(turns)} for world, turns in search.enough()]
    lines = ",\n".join(json.dumps(each) for each in chosen)
    STORIES.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(chosen)} stories; {len(search.left)} arrows are left of {before}, and {len(search.drawn)} are drawn")
    for arrow in sorted(search.left, key=name):
        print(" ", name(arrow))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)
