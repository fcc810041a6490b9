"""Histories that the release before has written where today's code decides otherwise: open cases go on as they did.

Each was recorded with the code of that release, and cannot be recorded anew. It stays as long as such a case can be
open.
"""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from starter.worker.runner import runner_for
from tests.replay import recorded
from worker import WORKFLOWS
from workflows.messages.converter import data_converter

FILES = sorted((recorded.FOLDER / "earlier").glob("*.json"))
CASES = {
    "unshipped_signed_first",  # R7: the carrier's first word, which was noted and decided nothing
    "unshipped_refused_first",
    "unshipped_scanned_first",
    "cancellation_scanned_first",  # R3
    "exchange_at_fault",  # T10: the freight was not owed
    "return_at_fault_granted",
    "return_at_fault_received_after_ruling",  # T10, D8: it was owed
    "return_underway_ruled_out",  # T15: the case ended with the ruling
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def failures() -> Mapping[str, Exception]:
    """What today's code does otherwise, by run."""

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for file in FILES:
            yield recorded.read(file.read_text(encoding="utf-8"))

    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner_for(sandboxed=False, versioned=False),
        data_converter=data_converter,
        debug_mode=True,
    )
    results = await replayer.replay_workflows(histories(), raise_on_replay_failure=False)
    return results.replay_failures


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_that_the_release_before_has_decided_goes_on(file: Path, failures: Mapping[str, Exception]) -> None:
    if failure := failures.get(recorded.read(file.read_text(encoding="utf-8")).run_id):
        raise failure


def test_each_is_kept() -> None:
    assert {file.stem for file in FILES} == CASES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_none_of_them_has_come_past_a_mark(file: Path) -> None:
    """Else it would be replayed as a case of today's."""
    events: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["events"]
    assert not [each for each in events if each["eventType"] == "EVENT_TYPE_MARKER_RECORDED" and "patch" in str(each)]
