"""What doors make of what nobody should send: a message, or a refusal that names field and rule and repeats nothing.

Each message of ours is read where it comes in: a command and a start as a workflow takes them from Temporal's payload,
a line of a bulk file and of an order feed, everything else that others state, and what our own processes write.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast, get_args, get_type_hints

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.gateways.order_records import OrderChange, OrderRecord
from starter.client import Aftersales
from starter.commands.request_lines import Line, request_in
from starter.errors import RefusedRequest
from starter.nexus import operations
from starter.stated_requests import KINDS, as_request, as_stated
from tests.contract.models import MODELS
from tests.proofs.hostile_values import MARK, Document, Sender, examples
from worker import WORKFLOWS
from workflows.messages.cases import Refusal
from workflows.messages.commands import Command
from workflows.messages.converter import MessageConverter, data_converter
from workflows.messages.message import Input
from workflows.messages.nexus import AftersalesNexus, CaseNamed, CommandTo
from workflows.messages.problems import problems
from workflows.messages.reading import read_json, read_own_json
from workflows.messages.requests import opener
from workflows.rules import admission
from workflows.rules.identity import case_id
from workflows.starts import read_start

_CONVERTER: Final = MessageConverter()
_FIELD: Final = re.compile(r"(?:[a-z0-9_]+|\?|\d+|-)(?:\.(?:[a-z0-9_]+|\?|\d+))*|\(an unknown field\)|")
_RULE: Final = re.compile(r"[A-Z]\d+|section \d+")
_LONGEST: Final = 20_000
"""Characters: forty findings, each with all the words of a closed list."""


@dataclass(frozen=True)
class Refused:
    """What somebody is told whose message is not taken."""

    field: str
    rule: str
    why: str


Outcome = BaseModel | Refused


@dataclass(frozen=True)
class Door:
    """Where messages of one kind come in."""

    name: str
    kind: type[BaseModel]
    take: Callable[[bytes], Outcome]
    like: Callable[[Document], Document] = dict

    @cached_property
    def examples(self) -> tuple[Document, ...]:
        """Messages that fit, or nearly do."""
        return tuple(self.like(each) for each in examples(self.kind))


class _NoOrders:
    """A client that looks nothing up."""

    async def request(self, stated: Mapping[str, object]) -> BaseModel:
        return as_stated(stated)


class _NoDoor:
    """A door of the Nexus service's that reads, and leads nowhere."""

    class temporal:  # noqa: N801 -- as the door names its client
        """The converter is all that is asked of it."""

        data_converter = data_converter


def _as_operation(read: Callable[[Mapping[str, object]], BaseModel]) -> Callable[[bytes], Outcome]:
    def take(text: bytes) -> Outcome:
        payload = Payload(metadata={"encoding": b"json/plain"}, data=text)
        try:
            door = cast("operations.Door", _NoDoor())
            return read(operations._stated(door, RawValue(payload)))  # pyright: ignore[reportPrivateUsage]
        except RefusedRequest as error:
            return Refused(error.refusal.field, error.refusal.rule, error.refusal.explanation)

    return take


def _opens(kind: type[BaseModel]) -> Callable[[Mapping[str, object]], BaseModel]:
    def read(stated: Mapping[str, object]) -> BaseModel:
        request: Any = as_request(kind, stated)
        opener(request)
        case_id(request)
        return request

    return read


def _acts(stated: Mapping[str, object]) -> BaseModel:
    return operations._command(as_request(CommandTo, stated))  # pyright: ignore[reportPrivateUsage]


def _sent_to(kind: type[Command]) -> Callable[[Document], Document]:
    return lambda example: {"case": "refund/O-1/k-1", "name": kind.command_name(), "command": example}


def _operations() -> Iterator[Door]:
    """Those of the Nexus service: what another namespace sends is read by the handler, and not by the SDK."""
    for name, operation in get_type_hints(AftersalesNexus, include_extras=True).items():
        kind = cast("type[BaseModel]", get_args(operation)[0])
        match name:
            case "act":
                for each in operations.COMMANDS.values():
                    yield Door(f"operation act {each.__name__}", each, _as_operation(_acts), _sent_to(each))
            case "view":
                yield Door("operation view", kind, _as_operation(lambda stated: as_request(CaseNamed, stated)))
            case _:
                yield Door(f"operation {name}", kind, _as_operation(_opens(kind)))


def _in_payload(text: bytes) -> object:
    (value,) = _CONVERTER.from_payloads([Payload(metadata={"encoding": b"json/plain"}, data=text)])
    return value


def _as_command(kind: type[Command]) -> Callable[[bytes], Outcome]:
    def take(text: bytes) -> Outcome:
        read = admission.read((_in_payload(text),), kind)
        if isinstance(read, Refusal):
            return Refused(read.field, read.rule, read.explanation)
        admission.fingerprint(read)
        return read

    return take


def _as_start(kind: type[BaseModel], *, own: bool) -> Callable[[bytes], Outcome]:
    def take(text: bytes) -> Outcome:
        try:
            return read_start((_in_payload(text),), kind, own=own)
        except ApplicationError as error:
            told, _, rule = error.message.rpartition(" (")
            return Refused(told.partition(":")[0].replace("the message", ""), rule.removesuffix(")"), told)

    return take


def _as_line(text: bytes) -> Outcome:
    try:
        return _at_once(request_in(Line(1, text), cast("Aftersales", _NoOrders())))
    except RefusedRequest as error:
        return Refused(error.refusal.field, error.refusal.rule, error.refusal.explanation)


def _at_once(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something")


def _as_input(kind: type[BaseModel]) -> Callable[[bytes], Outcome]:
    return lambda text: _read(lambda: read_json(kind, text))


def _as_our_own(kind: type[BaseModel]) -> Callable[[bytes], Outcome]:
    return lambda text: _read(lambda: cast("BaseModel", read_own_json(kind, text)))


def _read(read: Callable[[], BaseModel]) -> Outcome:
    try:
        return read()
    except ValidationError as error:
        first = problems(error)[0]
        return Refused(first.field, "section 11", first.reason)


def _line_of(word: str) -> Callable[[Document], Document]:
    return lambda example: {"request": word, **example}


def name_of(started: type[Any]) -> str:
    """A workflow's name."""
    return str(workflow._Definition.must_from_class(started).name)


def doors() -> tuple[Door, ...]:
    """All of them: a message that is new has one by itself."""
    starts: dict[str, type[BaseModel]] = {name_of(each): cast("Any", each).started_with for each in WORKFLOWS}
    others = (*MODELS, OrderRecord, OrderChange)
    return (
        *(Door(f"command {each.__name__}", each, _as_command(each)) for each in others if issubclass(each, Command)),
        *(Door(f"start {name}", each, _as_start(each, own=False)) for name, each in starts.items()),
        *(Door(f"child {name}", each, _as_start(each, own=True)) for name, each in starts.items()),
        *(Door(f"line {word}", each, _as_line, _line_of(word)) for word, each in KINDS.items()),
        *_operations(),
        *(
            Door(f"input {each.__name__}", each, _as_input(each))
            for each in others
            if issubclass(each, Input) and not issubclass(each, Command)
        ),
        *(Door(f"own {each.__name__}", each, _as_our_own(each)) for each in others if not issubclass(each, Input)),
    )


def wrong_with(door: Door, text: bytes) -> tuple[str, bool]:
    """What is not as it must be when this comes in at a door, empty where nothing is; and whether it was taken."""
    try:
        came = door.take(text)
        if isinstance(came, Refused):
            return wrong_refusal(came.field, came.rule, came.why), False
        if type(came) is not _again(came):
            return "it does not read what it has taken", True
    except Exception as error:
        return f"{type(error).__name__}: {error}", False
    return "", True


def _again(came: BaseModel) -> type[BaseModel]:
    """What has been taken can be written, and read by another process of ours."""
    again: BaseModel = read_own_json(type(came), came.model_dump_json())
    return type(again)


def wrong_refusal(field: str, rule: str, why: str) -> str:
    """What is wrong with what the sender of something is told: it names field and rule, and repeats nothing (P6)."""
    if not why or len(why) > _LONGEST:
        return f"a reason of {len(why)} characters"
    if MARK in why or MARK in field:
        return f"it repeats what was sent: {field}: {why}"
    if not _FIELD.fullmatch(field):
        return f"no field of ours: {field!r}"
    if not _RULE.fullmatch(rule):
        return f"no rule: {rule!r}"
    return ""


@dataclass
class Read:
    """What came in, and what became of it."""

    inputs: int = 0
    taken: Counter[str] = field(default_factory=Counter[str])
    """By the word before a door's name: messages that were taken all the same."""
    refused: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])


def read(inputs: int, seed: str, until: float | None = None) -> Read:
    """Send so many, to each door in turn, or fewer where a moment of the monotonic clock comes before."""
    told, through = Read(), doors()
    whole = [each for door in through for each in door.examples]
    for number in range(inputs):
        if until is not None and number % 100 == 0 and time.monotonic() > until:
            break
        dice = random.Random(f"{seed}/{number}")
        door = through[number % len(through)]
        others = (dice.choice(whole), dice.choice(whole))
        text = Sender(dice).text(dice.choice(door.examples), others)
        wrong, taken = wrong_with(door, text)
        (told.taken if taken else told.refused)[door.name.split()[0]] += 1
        told.inputs += 1
        if wrong:
            told.wrong.append(f"{door.name}: {wrong}\n    input {number} of seed {seed}: {text[:300]!r}")
    return told
