"""What nobody should send, by Temporal's own client: no workflow task fails, and each case ends as if nobody had.

The long form is ``make proofs``: ``PROOFS_INPUTS`` says how many inputs each case gets.
"""

import asyncio
import dataclasses
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.privacy.codec import OpeningCodec
from starter.client import Case
from starter.errors import RefusedRequest
from starter.settings import Settings
from starter.vault import key_provider
from tests.patience import PATIENCE
from tests.proofs.hostile_reading import Door, Refused, doors, wrong_refusal
from tests.proofs.hostile_values import MARK, Sender
from tests.workflow.world import World
from workflows.messages.actors import Role, merchant
from workflows.messages.cases import Refusal
from workflows.messages.commands import Approve, Command, PayOut, RefundDirectly
from workflows.messages.converter import SEALED, UNOPENED, data_converter
from workflows.messages.problems import UNREADABLE
from workflows.messages.stages import StageName

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "90"))
AT_ONCE: Final = 6
COMMANDS: Final = {door.kind: door for door in doors() if door.name.startswith("command ")}
STARTS: Final = tuple(door for door in doors() if door.name.startswith("child "))
"""What even a workflow of ours may not start another one with."""
NAMES: Final = (
    "",
    " ",
    "a" * 2_000,
    MARK,
    "\x00",
    "__temporal_x",
    "__stack",
    "__init__",
    "view",
    "run",
    "key\n",
    "😀" * 50,
)
ENCODINGS: Final[tuple[dict[str, bytes], ...]] = (
    {},
    {"encoding": b""},
    {"encoding": b"binary/null"},
    {"encoding": b"binary/plain"},
    {"encoding": b"json/protobuf", "messageType": b"shop.Refund"},
    {"encoding": b"binary/protobuf", "messageType": b"\xff"},
    {"encoding": b"binary/aes-256-gcm"},
    {"encoding": b"binary/aes-256-gcm", "encryption-key-id": b"\xff/../..", "encryption-case": b"\xff"},
    {"encoding": b"\xff\xfe"},
    {"encoding": UNOPENED},
    {"encoding": b"json/plain", SEALED: b"\xff"},
)


async def refund(world: World) -> Case:
    return await waiting(world, await world.refund(), StageName.MERCHANT_REVIEW)


async def goods_back(world: World) -> Case:
    return await waiting(world, await world.returned(), StageName.RETURN_REVIEW)


async def withdrawal(world: World) -> Case:
    return await waiting(world, await world.withdrawal(await world.allowance(spent=1_000)), StageName.RETENTION)


async def waiting(world: World, case: Case, stage: StageName) -> Case:
    await world.at(case, stage)
    return case


CASES: Final[dict[str, tuple[Callable[[World], Awaitable[Case]], type[Command]]]] = {
    "Refund": (refund, Approve),
    "Return": (goods_back, RefundDirectly),
    "Withdrawal": (withdrawal, PayOut),
}


class _InClear(OpeningCodec):
    """Seals nothing, and reads the answers."""

    def with_context(self, context: object) -> "_InClear":
        del context
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


@pytest.fixture
def stranger(world: World, settings: Settings) -> Client:
    """Somebody whose payloads reach the server as they are."""
    config = world.aftersales.temporal.config()
    config["data_converter"] = dataclasses.replace(data_converter, payload_codec=_InClear(key_provider(settings)))
    return Client(**config)


@dataclass
class Told:
    """What was sent, by how it was answered, and what is not as it must be."""

    answers: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])


class Attacker:
    """Sends a case whatever may come into somebody's mind, but nothing that it has to obey."""

    def __init__(self, client: Client, case: Case, dice: random.Random, told: Told) -> None:
        self._handle = client.get_workflow_handle(case.id)
        self._commands = [(kind, door) for kind, door in COMMANDS.items() if issubclass(kind, Command)]
        self._dice, self._sender, self._told = dice, Sender(dice), told

    async def send(self) -> None:
        """One input: as an update, as a signal, or as a query."""
        kind, door = self._dice.choice(self._commands)
        name = self._dice.choice(NAMES) if self._dice.random() < 0.1 else kind.command_name()
        values = [RawValue(self._payload(door)) for _ in range(self._dice.choice((0, 1, 1, 1, 1, 1, 1, 2, 3)))]
        way = self._dice.choice((self._update, self._update, self._signal, self._signal, self._query))
        try:
            self._told.answers[await asyncio.wait_for(way(name, values), PATIENCE)] += 1
        except TimeoutError:
            self._told.wrong.append(f"{way.__name__} {name!r} is not answered: {values!r:.300}")
        except RPCError as error:
            self._told.answers[f"refused by the server: {error.status.name}"] += 1
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                self._told.wrong.append(f"{way.__name__} {name!r}: {error.message}")

    def _payload(self, door: Door) -> Payload:
        metadata = {"encoding": b"json/plain"} if self._dice.random() < 0.8 else self._dice.choice(ENCODINGS)
        while True:
            text = self._sender.text(self._dice.choice(door.examples))
            read = door.take(text)
            if isinstance(read, Refused) or (
                isinstance(read, Command) and read.by.role in {Role.BUYER, Role.MERCHANT}  # of another shop
            ):
                return Payload(metadata=metadata, data=text)

    async def _update(self, name: str, values: list[RawValue]) -> str:
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await self._handle.execute_update(name, args=values)  # pyright: ignore[reportUnknownMemberType]
        cause = failed.value.cause
        assert isinstance(cause, ApplicationError)
        if not (cause.type or "").startswith("Refused.") or not cause.details:
            self._told.wrong.append(f"update {name!r}: {cause.type} {cause.message}: {values!r:.300}")
            return "wrong"
        refusal = Refusal.model_validate(cause.details[0])
        if wrong := wrong_refusal(refusal.field, refusal.rule, refusal.explanation):
            self._told.wrong.append(f"update {name!r}: {wrong}")
        return f"update {refusal.code}"

    async def _signal(self, name: str, values: list[RawValue]) -> str:
        await self._handle.signal(name, args=values)
        return "signal"

    async def _query(self, name: str, values: list[RawValue]) -> str:
        with suppress(WorkflowQueryFailedError):
            await self._handle.query(self._dice.choice((name, "view")), args=values, result_type=RawValue)
        return "query"


async def failed_tasks(case: Case) -> list[str]:
    """What workflow tasks of a case have failed with."""
    kind = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return [
        each.workflow_task_failed_event_attributes.failure.message
        async for each in case.handle.fetch_history_events()
        if each.event_type == kind
    ]


@pytest.mark.parametrize("kind", CASES)
async def test_a_case_that_is_sent_anything_ends_as_if_it_had_not(
    world: World, stranger: Client, record_property: Callable[[str, object], None], kind: str
) -> None:
    begin, ends = CASES[kind]
    case, clean = await begin(world), await begin(world)
    told = Told()
    attackers = [Attacker(stranger, case, random.Random(f"{kind}/{each}"), told) for each in range(AT_ONCE)]

    async def keep_on(attacker: Attacker) -> None:
        for _ in range(INPUTS // AT_ONCE):
            await attacker.send()

    await asyncio.gather(*map(keep_on, attackers))
    record_property("inputs", sum(told.answers.values()))
    assert told.wrong == []
    outcomes = [await each.act_and_wait(ends(key="end", by=merchant(world.merchant))) for each in (case, clean)]

    assert await failed_tasks(case) == []
    assert outcomes[0].outcome is outcomes[1].outcome
    assert [each.amount for each in outcomes[0].legs] == [each.amount for each in outcomes[1].legs]
    log = [each for each in await world.events(case) if each not in {"command_refused", "more_refused"}]
    assert log == await world.events(clean)
    assert {"update malformed", "signal", "query"} <= set(told.answers)


async def test_a_start_that_is_anything_ends_with_an_error_that_names_the_field(
    world: World, stranger: Client, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random("starts")
    sender = Sender(dice)

    async def start(door: Door) -> str:
        text, refused = b"", object()
        while not isinstance(refused, Refused):  # and nothing that could be opened
            text = sender.text(dice.choice(door.examples))
            refused = door.take(text)
        metadata = {"encoding": b"json/plain"} if dice.random() < 0.7 else dice.choice(ENCODINGS)
        identifier = f"{world.fresh('w')}/{dice.choice(NAMES[3:])}".replace("\x00", "")
        handle = await stranger.start_workflow(
            door.name.removeprefix("child "),
            RawValue(Payload(metadata=metadata, data=text)),
            id=identifier,
            task_queue="aftersales",
        )
        try:
            with pytest.raises(WorkflowFailureError) as failed:
                await asyncio.wait_for(handle.result(), PATIENCE)
        except TimeoutError:
            await handle.terminate("it hangs")
            raise
        cause = failed.value.cause
        assert isinstance(cause, ApplicationError)
        assert MARK not in cause.message
        return f"{cause.type} {'section' in cause.message or '(' in cause.message}"

    answers = Counter[str]()
    for number in range(0, INPUTS, AT_ONCE):
        doors_now = [STARTS[(number + each) % len(STARTS)] for each in range(AT_ONCE)]
        answers.update(await asyncio.gather(*map(start, doors_now)))

    record_property("inputs", sum(answers.values()))
    assert set(answers) == {f"{UNREADABLE} True"}


async def test_whatever_is_asked_for_on_a_real_order_is_refused_or_could_be_opened(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """R8, R13: the same checks as an opening's, on what the database knows; nothing is opened."""
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 5_000}, freight=500)
    whole = world.refund_request(order_no).model_dump(mode="json")
    asked: dict[str, dict[str, Any]] = {
        "refund": whole,
        "return": world.return_request(order_no).model_dump(mode="json"),
        "merchant-refund": {name: value for name, value in whole.items() if name not in {"buyer_id", "evidence"}},
        "resend": whole,
        "repair": whole,
        "dispute": {**whole, "dispute_reason": "other"},
        "late-shipment": {"order_no": order_no},
        "withdrawal": {"request_key": "k", "allowance_id": await world.allowance(), "merchant_id": world.merchant}
        | {"buyer_id": world.buyer},
    }
    dice = random.Random("asked")
    sender, answers, wrong = Sender(dice), Counter[str](), list[str]()

    async def ask(word: str) -> None:
        document = {**sender.odd({**asked[word], "request_key": world.fresh("k")}), "request": word}
        try:
            await world.aftersales.check(document)
        except RefusedRequest as error:
            refusal = error.refusal
            answers[refusal.code] += 1
            if problem := wrong_refusal(refusal.field, refusal.rule, refusal.explanation):
                wrong.append(f"{problem}: {document}")
        else:
            answers["could be opened"] += 1

    for _ in range(0, INPUTS, AT_ONCE):
        await asyncio.gather(*(ask(dice.choice(sorted(asked))) for _ in range(AT_ONCE)))

    record_property("inputs", sum(answers.values()))
    assert wrong == []
    assert len(answers) > 4, answers
    assert answers["could be opened"] > 3, answers
    count = "SELECT count(*) FROM casebook.cases WHERE merchant_id = $1"
    assert await world.pool.fetchval(count, world.merchant) == 0
