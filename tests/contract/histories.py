"""What our own processes have written for each other, as it stands in recorded histories."""

import importlib
import inspect
import json
import pkgutil
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import BaseModel

import workflows.messages
from starter.contract.workflows import contracts
from worker import WORKFLOWS
from workflows.messages.cases import CaseView
from workflows.messages.virtual_numbers import NumberView

_VIEWS: Final[Mapping[str, type[BaseModel]]] = {"VirtualNumber": NumberView}


@dataclass(frozen=True)
class Written:
    """A value that one process of ours has written and another reads, and where."""

    type: Any
    value: Any
    where: str


@cache
def activities() -> dict[str, tuple[Any, Any]]:
    """What each activity takes and gives, by its name."""
    found: dict[str, tuple[Any, Any]] = {}
    for module in pkgutil.iter_modules(workflows.messages.__path__):
        for each in vars(importlib.import_module(f"workflows.messages.{module.name}")).values():
            if inspect.iscoroutinefunction(each):  # of a stub of ours the name is the activity's
                hints = get_type_hints(each)
                gives = hints.pop("return")
                (takes,) = hints.values()
                found[each.__name__] = (takes, gives)
    return found


@cache
def workflow_types() -> dict[str, tuple[Any, Any]]:
    """What each workflow is started with and gives, by its name."""
    found: dict[str, tuple[Any, Any]] = {}
    kinds: tuple[Any, ...] = tuple(WORKFLOWS)
    for kind in kinds:
        definition = kind.__temporal_workflow_definition
        found[definition.name] = (kind.started_with, definition.ret_type)
    return found


@cache
def commands() -> dict[str, type[BaseModel]]:
    """Every command's type, by its name."""
    return {name: each.takes for one in contracts() for name, each in one.updates.items() if each.takes}


def written_in(folder: Path) -> Iterator[Written]:
    """Every value in the histories of a folder."""
    for file in sorted(folder.glob("*.json")):
        events = json.loads(file.read_text(encoding="utf-8"))["events"]
        yield from (Written(each.type, each.value, file.stem) for each in _of(events))


def _of(events: Iterable[Mapping[str, Any]]) -> Iterator[Written]:
    started, *_ = events
    workflow = started["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]
    view = _VIEWS.get(workflow, CaseView)
    scheduled: dict[str, str] = {}
    for event in events:
        match event:
            case (
                {"workflowExecutionStartedEventAttributes": said}
                | {"startChildWorkflowExecutionInitiatedEventAttributes": said}
                | {"workflowExecutionContinuedAsNewEventAttributes": said}
            ):
                yield from _values(workflow_types()[said["workflowType"]["name"]][0], said["input"])
            case {"activityTaskScheduledEventAttributes": said}:
                scheduled[event["eventId"]] = said["activityType"]["name"]
                yield from _values(activities()[said["activityType"]["name"]][0], said["input"])
            case {"activityTaskCompletedEventAttributes": said}:
                yield from _values(activities()[scheduled[said["scheduledEventId"]]][1], said["result"])
            case {"markerRecordedEventAttributes": {"markerName": "core_local_activity", "details": said}}:
                (about,) = _payloads(said["data"])
                if "result" in said:
                    yield from _values(activities()[about["activity_type"]][1], said["result"])
            case {"workflowExecutionSignaledEventAttributes": said} | {
                "signalExternalWorkflowExecutionInitiatedEventAttributes": said
            }:
                if taken := commands().get(said["signalName"]):
                    yield from _values(taken, said["input"])
            case {"workflowExecutionUpdateAcceptedEventAttributes": {"acceptedRequest": {"input": said}}}:
                yield from _values(commands()[said["name"]], said["args"])
            case {"workflowExecutionUpdateCompletedEventAttributes": {"outcome": {"success": said}}}:
                yield from _values(view, said)
            case {"workflowExecutionCompletedEventAttributes": said}:
                yield from _values(workflow_types()[workflow][1], said["result"])
            case {"childWorkflowExecutionCompletedEventAttributes": said}:
                yield from _values(workflow_types()[said["workflowType"]["name"]][1], said["result"])
            case _:
                pass


def _values(kind: Any, said: Mapping[str, Any]) -> Iterator[Written]:
    yield from (Written(kind, each, "") for each in _payloads(said))


def _payloads(said: Mapping[str, Any]) -> list[Any]:
    """Those that hold something: an activity that gives nothing has one without data."""
    return [json.loads(b64decode(each["data"])) for each in said.get("payloads", ()) if each.get("data")]
