"""What cases in memory make of commands and requests that can be read, and that nobody should send.

Each kept story is told up to somewhere; then its cases are sent odd commands as updates and as signals, the carrier
and the gateway tell odd things, and odd requests open others. Each is carried out, and then all is as it must be
(``invariants``), or is refused with field and rule, and then nothing has changed. Afterwards time passes, and every
case goes on.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.exceptions import ApplicationError

from starter.interpreter.interpreter import UnansweredError
from tests.processes.exploring import kept
from tests.processes.telling import COMMANDS
from tests.proofs.hostile_reading import wrong_refusal
from tests.proofs.hostile_values import Document, Sender, examples
from tests.proofs.invariants import broken, shown
from tests.proofs.proof_story import ProofStory
from tests.proofs.standing import all_of, changed
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.requests import Request
from workflows.rules import admission
from workflows.rules.identity import case_id
from workflows.starts import read_start

_PER_STORY: Final = 60
_UNUSUAL: Final = frozenset({"forget", "hold"})
"""Turns after which a case waits for ever, or the world is not as it should be."""
_KINDS: Final = tuple(Command.__subclasses__())
_IDS: Final = {
    Role.BUYER: "B-1",
    Role.MERCHANT: "M-1",
    Role.PLATFORM: "f-1",
    Role.CARRIER: "sf",
    Role.GATEWAY: "gateway",
}
_REQUESTS: Final[tuple[Callable[[ProofStory], Request], ...]] = (
    ProofStory.refund,
    ProofStory.cancellation,
    ProofStory.merchant_refund,
    ProofStory.goods_back,
    ProofStory.price_protection,
    ProofStory.resend,
    ProofStory.repair,
    ProofStory.dispute,
    ProofStory.late_shipment,
    ProofStory.withdrawal,
    ProofStory.expiry,
)


@dataclass
class Sent:
    """What was sent, and what became of it."""

    inputs: int = 0
    unreadable: int = 0
    refused: int = 0
    obeyed: int = 0
    opened: int = 0
    wrong: list[str] = field(default_factory=list[str])


class _Case:
    """One story, and who sends odd things into it."""

    def __init__(self, dice: random.Random, stories: Sequence[tuple[str, Sequence[str]]], told: Sent) -> None:
        self._dice, self._sender, self._told = dice, Sender(dice), told
        world, turns = dice.choice(stories)
        self._turns = [world, *turns[: dice.randrange(1, len(turns) + 1)]]
        self.story = ProofStory(world)
        self.story.tell(self._turns[1:])
        self._numbers = iter(range(1, 10_000))
        self._keys: list[str] = [command.key for _, command, _ in self.story.sent]

    def play(self) -> None:
        """Send some, and see that all goes on."""
        for _ in range(_PER_STORY):
            if self._dice.random() < 0.1:
                self._open()
            else:
                self._send()
            self._told.inputs += 1
            if self._told.wrong and self._told.wrong[-1].startswith(repr(self._turns)):
                return
        self._look({}, "the end", lambda: self.story.told.pass_time(days=400))

    def _send(self) -> None:
        case = self._dice.choice(self.story.told.cases())
        kind = self._dice.choice(_KINDS)
        document = self._sender.odd(self._example(kind, case))
        fresh = f"h-{next(self._numbers)}"
        if self._dice.random() < 0.8:
            document["key"] = self._dice.choice(self._keys) if self._keys and self._dice.random() < 0.2 else fresh
        command = admission.read((document,), kind)
        if isinstance(command, Refusal):
            self._told.unreadable += 1
            self._refused(command, document)
            return
        self._keys.append(command.key)
        if self._dice.random() < 0.2:
            self._look(shown(self.story.told), document, lambda: self.story.told.tell(case, command))
            self._told.obeyed += 1
            return
        self._act(case, command, document)

    def _act(self, case: CaseId, command: Command, document: Document) -> None:
        world = self.story.told
        before, stood = shown(world), all_of(world)
        answers: list[Refusal | None] = []

        def act() -> None:
            answers.append(world.act(case, command))

        self._look(before, document, act)
        if not answers or answers[0] is None:
            self._told.obeyed += 1
            return
        self._told.refused += 1
        self._refused(answers[0], document)
        if difference := changed(stood, all_of(world)):
            self._wrong(document, f"it is refused ({answers[0].code}), and {difference}")

    def _open(self) -> None:
        try:
            request = self._dice.choice(_REQUESTS)(self.story)
        except Exception:  # the order has been forgotten, or there is nothing to dispute
            return
        document = self._sender.odd(request.model_dump(mode="json"))
        try:
            read: Any = read_start((document,), type(request))
        except ApplicationError:
            self._told.unreadable += 1
            return
        world, identifier = self.story.told, case_id(read)
        known = identifier in world.cases()
        self._look(shown(world), document, lambda: world.open(read))
        self._told.opened += 1
        if known:
            return
        outcome = world.outcome(identifier)
        if outcome and outcome.refusal:
            self._refused(outcome.refusal, document)

    def _example(self, kind: type[Command], case: CaseId) -> Document:
        by = Actor(role=self._dice.choice((Role.BUYER, Role.MERCHANT, Role.PLATFORM)), id="x")
        by = by.model_copy(update={"id": _IDS[by.role]})
        if (make := COMMANDS.get(kind.command_name())) and self._dice.random() < 0.9:
            how = {"rule": ("partial",), "propose": ("another_amount",), "enter_tracking": ("0",)}
            command = make(self.story, by, case, *how.get(kind.command_name(), ()))
            return command.model_dump(mode="json", exclude_unset=True)
        role = {"report_parcel": Role.CARRIER, "gateway_callback": Role.GATEWAY}.get(kind.command_name(), by.role)
        return {**self._dice.choice(examples(kind)), "by": {"role": role, "id": _IDS[role]}}

    def _look(self, before: dict[CaseId, int], sent: object, do: Callable[[], object]) -> None:
        try:
            do()
        except UnansweredError:
            pass  # money is on its way: it is answered later
        except Exception as error:
            self._wrong(sent, f"{type(error).__name__}: {error}")
            return
        for wrong in broken(self.story.told, before) if before else ():
            self._wrong(sent, wrong)
            return

    def _refused(self, refusal: Refusal, document: Document) -> None:
        if wrong := wrong_refusal(refusal.field, refusal.rule, refusal.explanation):
            self._wrong(document, f"{refusal.code}: {wrong}")

    def _wrong(self, sent: object, what: str) -> None:
        self._told.wrong.append(f"{self._turns!r}: {what}\n    {sent}")


def send(inputs: int, seed: str, until: float | None = None) -> Sent:
    """Send so many, in stories that the seed draws, or fewer where a moment of the monotonic clock comes before."""
    told, number = Sent(), 0
    stories = [(world, turns) for world, turns in kept() if not _UNUSUAL & {turn.split()[0] for turn in turns}]
    while told.inputs < inputs and (until is None or time.monotonic() < until):
        number += 1
        try:
            case = _Case(random.Random(f"{seed}/{number}"), stories, told)
        except (IndexError, KeyError, UnansweredError):  # a story that goes otherwise under this profile
            continue
        if case.story.told.cases():
            case.play()
    return told
