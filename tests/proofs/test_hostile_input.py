"""What nobody should send is taken or refused, and nothing else: ``hostile_input`` in short, and what it notices."""

import json
import random
from typing import Any

import pytest

from tests.proofs import hostile_cases, hostile_reading
from tests.proofs.hostile_reading import Door, Refused, doors, wrong_with
from tests.proofs.hostile_values import MARK, Document, Sender
from workflows.kinds import admission
from workflows.messages.cases import Refusal
from workflows.rules import admission as reading
from workflows.shell.mailbox import Mailbox

SEED = "short"


def test_every_message_is_read_or_refused_with_field_and_rule() -> None:  # section 11, P6
    told = hostile_reading.read(6_000, SEED)

    assert told.wrong == []
    assert set(told.taken) == set(told.refused) == {"command", "start", "child", "line", "input", "own", "operation"}
    assert sum(told.taken.values()) > 300
    assert sum(told.refused.values()) > 3_000


def test_every_command_and_request_is_carried_out_or_refused_and_changes_nothing() -> None:  # section 11
    told = hostile_cases.send(900, SEED)

    assert told.wrong == []
    assert min(told.refused, told.obeyed, told.opened, told.unreadable) > 20


def test_most_messages_have_an_example_that_fits() -> None:
    """Or else what is sent is refused for what was never right."""
    without = [door.name for door in doors() if not any(_taken(door, each) for each in door.examples)]

    assert len(without) < 15, without


def _taken(door: Door, example: Document) -> bool:
    return not isinstance(door.take(json.dumps(example).encode()), Refused)


# What is wrong is noticed ------------------------------------------------------------------------------------


def test_that_an_error_is_none_of_ours_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reading, "_malformed", fails)

    assert any("ZeroDivisionError" in each for each in hostile_reading.read(1_000, SEED).wrong)


def test_that_a_refusal_repeats_what_was_sent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:  # P6
    def quotes(field: str, explanation: str) -> Refusal:
        return Refusal(code="malformed", field=field, rule="section 11", explanation=f"{explanation}: {MARK}")

    monkeypatch.setattr(reading, "_malformed", quotes)

    assert any("repeats" in each for each in hostile_reading.read(1_000, SEED).wrong)


def test_that_a_refused_command_is_carried_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = Mailbox.answered

    async def late(self: Mailbox, command: Any) -> Refusal | None:
        await answered(self, command)
        return (
            admission.refused_stranger(command, reading.Parties("nobody", None)) if command.by.role == "buyer" else None
        )

    monkeypatch.setattr(Mailbox, "answered", late)

    assert any("is refused" in each for each in hostile_cases.send(900, SEED).wrong)


def test_the_same_seed_sends_the_same() -> None:
    (door, *_) = doors()
    first, second = (Sender(random.Random("1")).text(door.examples[-1]) for _ in range(2))

    assert first == second
    assert wrong_with(door, first) == wrong_with(door, second)
