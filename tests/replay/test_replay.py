"""Recorded histories of every kind of ending, replayed against today's code.

A difference here means that cases which are open while this code is deployed would come to a halt: keep the old
order of commands behind a patch, or pin the workers' versions. Where no case of the old kind can be open,
``make histories`` records anew.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from starter.worker.runner import runner_for
from tests.replay import recorded
from tests.replay.ground import IDENTITY
from tests.replay.paths import PATHS
from worker import WORKFLOWS
from workflows.messages.converter import data_converter

Event = dict[str, Any]

BY_SERVER = "history-service"
"""Who carries a signal from one workflow to another."""
FILES = sorted(recorded.FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def replayer() -> Replayer:
    """Replays as a worker would: the same workflows, sandbox and encoding."""
    return Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner_for(sandboxed=True, versioned=False),
        data_converter=data_converter,
        debug_mode=True,  # two seconds without an answer are no deadlock on a machine with too much to do
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def failures(replayer: Replayer) -> Mapping[str, Exception]:
    """What today's code does otherwise, by run. All histories in one go: each go loads every kind of workflow first."""
    replayed: list[str] = []

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for file in FILES:
            history = recorded.read(file.read_text(encoding="utf-8"))
            replayed.append(history.run_id)
            yield history

    results = await replayer.replay_workflows(histories(), raise_on_replay_failure=False)
    assert len(set(replayed)) == len(FILES)
    return results.replay_failures


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_todays_code_goes_the_recorded_way(file: Path, failures: Mapping[str, Exception]) -> None:
    if failure := failures.get(recorded.read(file.read_text(encoding="utf-8")).run_id):
        raise failure


def test_every_path_is_recorded() -> None:
    assert {file.stem for file in FILES} == set(PATHS)


def call_another_activity(events: list[Event]) -> None:
    scheduled = next(event for event in events if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED")
    scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "open_case"


def start_no_timer(events: list[Event]) -> None:
    upsert = next(event for event in events if event["eventType"] == "EVENT_TYPE_TIMER_STARTED")
    upsert["eventType"] = "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"
    del upsert["timerStartedEventAttributes"]
    upsert["upsertWorkflowSearchAttributesEventAttributes"] = {"searchAttributes": {}}


@pytest.mark.parametrize("alter", [call_another_activity, start_no_timer])
async def test_another_way_is_found_out(alter: Callable[[list[Event]], None], replayer: Replayer) -> None:
    history = json.loads(recorded.file_of("unshipped_approved").read_text(encoding="utf-8"))
    alter(history["events"])
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(recorded.read(json.dumps(history)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_history_tells_nothing_of_the_machine_it_was_recorded_on(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    identities: set[str] = set()
    sticky_queues: set[str] = set()

    def look(found: dict[str, Any]) -> None:
        identities.update({found["identity"]} if "identity" in found else ())
        sticky_queues.update({found["name"]} if found.get("normalName") else ())

    json.loads(text, object_hook=look)
    assert identities <= {IDENTITY, BY_SERVER}
    assert all(name.startswith(f"{IDENTITY}-") for name in sticky_queues)
    assert "stackTrace" not in text
    assert str(Path.home()) not in text
