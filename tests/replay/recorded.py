"""Where recorded histories are kept, and how they are read and written."""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

FOLDER = Path(__file__).parents[1] / "histories"


def file_of(name: str) -> Path:
    """Where the history of the path of this name is kept."""
    return FOLDER / f"{name}.json"


def write(name: str, history: WorkflowHistory) -> None:
    """Keep a history, laid out for people who compare two of them."""
    events = json.loads(history.to_json(), object_hook=_without_paths)
    text = json.dumps(events, indent=1, ensure_ascii=False)
    file_of(name).write_text(f"{text}\n", encoding="utf-8")


def read(text: str) -> WorkflowHistory:
    """A history with the workflow id that it was recorded under."""
    unnamed = WorkflowHistory.from_json("", text)
    started = unnamed.events[0].workflow_execution_started_event_attributes
    return WorkflowHistory(workflow_id=started.workflow_id, events=unnamed.events)


def _without_paths(found: dict[str, Any]) -> dict[str, Any]:
    """Stack traces name the folders of the machine; replaying needs none."""
    found.pop("stackTrace", None)
    return found
