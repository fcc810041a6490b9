"""Real messages fit the published schemas, and what does not fit is found out."""

import copy
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from starter.contract import refusals
from starter.contract.workflows import contracts
from tests.contract.schemas import bundle, named, type_of
from tests.replay import recorded
from workflows.messages.message import Input
from workflows.messages.problems import problems
from workflows.messages.reading import read_json

VIEWS = {"VirtualNumber": "NumberView"}
BY_OUR_CHECK = "value_error"
"""What pydantic calls an error that a check of ours has raised: schemas do not know those."""


@dataclass(frozen=True)
class Said:
    """A message as it stands in a history."""

    kind: str
    message: Any
    where: str


def payloads(found: Mapping[str, Any] | None) -> list[Any]:
    return [json.loads(b64decode(each.get("data", ""))) for each in (found or {}).get("payloads", [])]


def said_in(name: str, events: list[dict[str, Any]]) -> Iterator[Said]:
    started = events[0]["workflowExecutionStartedEventAttributes"]
    workflow = started["workflowType"]["name"]
    if f"{workflow}Workflow" not in bundle()["$defs"]:
        return
    view = VIEWS.get(workflow, "CaseView")
    for event in events:
        match event:
            case {"workflowExecutionStartedEventAttributes": said}:
                (message,) = payloads(said["input"])
                yield Said(type_of(workflow, "request"), message, name)
            case {"workflowExecutionUpdateAcceptedEventAttributes": {"acceptedRequest": {"input": said}}}:
                (message,) = payloads(said["args"])
                yield Said(type_of(workflow, "updates", said["name"]), message, name)
            case {"workflowExecutionSignaledEventAttributes": {"signalName": signal, "input": said}}:
                (message,) = payloads(said)
                yield Said(type_of(workflow, "signals", signal), message, name)
            case {"workflowExecutionUpdateCompletedEventAttributes": {"outcome": {"success": said}}}:
                (message,) = payloads(said)
                yield Said(view, message, name)
            case {"workflowExecutionUpdateCompletedEventAttributes": {"outcome": {"failure": said}}}:
                refusal, *shown = payloads(said["applicationFailureInfo"]["details"])
                assert said["applicationFailureInfo"]["type"] == f"Refused.{refusal['code']}"
                yield Said("Refusal", refusal, name)
                yield from (Said(view, each, name) for each in shown)
            case {"workflowExecutionCompletedEventAttributes": said}:
                (message,) = payloads(said["result"])
                yield Said(type_of(workflow, "result"), message, name)
            case _:
                pass


@cache
def everything_said() -> tuple[Said, ...]:
    files = sorted(recorded.FOLDER.glob("*.json"))
    events = ((file.stem, json.loads(file.read_text(encoding="utf-8"))["events"]) for file in files)
    return tuple(said for name, each in events for said in said_in(name, each))


@cache
def models() -> dict[str, type[BaseModel]]:
    """What the service itself reads requests and commands with."""
    found = (contract for contract in contracts())
    read = {each for one in found for each in (one.request, *(update.takes for update in one.updates.values()))}
    return {each.__name__: each for each in read if each}


def examples() -> dict[str, Any]:
    """One message of each type that histories hold, the one that says the most."""
    longest = sorted(everything_said(), key=lambda said: len(json.dumps(said.message)))
    return {said.kind: said.message for said in longest}


EXAMPLES = examples()


def test_every_recorded_message_fits_its_schema() -> None:
    wrong = [
        f"{said.where}: {said.kind}: {error.message}"
        for said in everything_said()
        for error in named(said.kind).iter_errors(said.message)
    ]

    assert wrong == []
    kinds = {said.kind for said in everything_said()}
    assert {"RefundRequest", "ReturnRequest", "Approve", "CaseView", "Outcome", "Refusal", "NumberView"} <= kinds


def test_every_recorded_refusal_is_published() -> None:
    codes = {said.message["code"] for said in everything_said() if said.kind == "Refusal"}

    assert codes
    assert codes <= set(refusals.codes())


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_what_does_not_fit_is_found_out(kind: str) -> None:
    schema, good = named(kind), EXAMPLES[kind]
    assert schema.is_valid(good)

    for name in bundle()["$defs"][kind].get("required", []):
        assert not schema.is_valid({key: each for key, each in good.items() if key != name}), f"without {name}"
    for name in good:
        assert not schema.is_valid(good | {name: 1.5}), f"with another {name}"
    surplus = schema.is_valid(good | {"surplus": 1})
    assert surplus is not (kind in models() and issubclass(models()[kind], Input)), "unknown fields: in what we tell"


@pytest.mark.parametrize("kind", sorted(set(EXAMPLES) & set(models())))
def test_what_the_schema_takes_is_taken(kind: str) -> None:
    schema, model = named(kind), models()[kind]
    tried = 0
    for changed in changes(EXAMPLES[kind]):
        if not schema.is_valid(changed):
            continue
        tried += 1
        assert objections(model, changed) <= {BY_OUR_CHECK}, changed
    assert tried


@pytest.mark.parametrize("kind", sorted(set(EXAMPLES) & set(models())))
def test_of_one_wrong_value_one_field_is_told(kind: str) -> None:
    model = models()[kind]
    one_wrong = [each for each in changes(EXAMPLES[kind]) if "{}" not in json.dumps(each)]
    told = [problems(error) for changed in one_wrong if (error := objection(model, changed))]

    assert told
    assert [each for each in told if len(each) != 1] == []


def objections(model: type[BaseModel], message: Any) -> set[str]:
    error = objection(model, message)
    return {each["type"] for each in error.errors()} if error else set()


def objection(model: type[BaseModel], message: Any) -> ValidationError | None:
    try:
        read_json(model, json.dumps(message))
    except ValidationError as error:
        return error
    return None


TEXTS = ("", "x", "a b", "vault:x/1", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "1")
VALUES: tuple[Any, ...] = (*TEXTS, 0, 1, -1, 10**16, 1.0, 1.5, True, None, [], {})


def changes(message: Any) -> Iterator[Any]:
    """The message, and others with one value in it replaced or taken away, at any depth."""
    yield message
    for place in places(message):
        *way, last = place
        for value in (*VALUES, ...):
            changed = copy.deepcopy(message)
            holder = changed
            for step in way:
                holder = holder[step]
            if value is ...:
                del holder[last]
            else:
                holder[last] = value
            yield changed


def places(message: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts: dict[Any, Any] = {}
    if isinstance(message, dict):
        parts = cast("dict[Any, Any]", message)
    elif isinstance(message, list):
        parts = dict(enumerate(cast("list[Any]", message)))
    for key, value in parts.items():
        yield (*way, key)
        yield from places(value, (*way, key))
