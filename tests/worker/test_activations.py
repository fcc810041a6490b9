"""What a workflow in the worker's cache keeps of what it was told."""

import gc
from collections import deque
from collections.abc import AsyncIterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from google.protobuf.message import Message
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails

from starter.worker.activations import Activation, ApartFromActivations, HeadersApart
from starter.worker.runner import Unsandboxed
from tests.benchmarks.parked import until_it_waits
from tests.replay import recorded
from worker import WORKFLOWS
from workflows.messages.converter import data_converter

OF_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType)
OF_ITS_OWN = {"WorkerDeploymentVersion", "Payloads", "WorkflowActivationCompletion", "UserMetadata"}
"""Copies, and what the workflow itself has made: its last answer, and the summary of a timer that runs."""


class Keeping(Unsandboxed):
    """Holds on to the workflows that it makes, and to what each was given."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[WorkflowInstance] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        made = super().create_instance(det)
        self.made.append(made)
        return made


def messages_reached_from(start: object) -> set[str]:
    """The types of all protobuf objects that are kept alive by it."""
    seen, found, ahead = {id(start)}, set[str](), deque[object]([start])
    while ahead:
        each = ahead.popleft()
        if isinstance(each, OF_CODE):
            continue
        if isinstance(each, Message) or type(each).__module__.startswith("google."):
            found.add(type(each).__name__)
        else:
            ahead += [one for one in gc.get_referents(each) if id(one) not in seen]
            seen |= {id(one) for one in gc.get_referents(each)}
    return found


async def test_a_case_that_waits_keeps_no_part_of_an_activation() -> None:
    history = until_it_waits(recorded.read(recorded.file_of("unshipped_approved").read_text(encoding="utf-8")))
    runner = Keeping()
    replayer = Replayer(
        workflows=WORKFLOWS, workflow_runner=runner, data_converter=data_converter, interceptors=[HeadersApart()]
    )

    async def once() -> AsyncIterator[WorkflowHistory]:
        yield history

    await replayer.replay_workflows(once(), raise_on_replay_failure=False)
    (case,) = runner.made
    assert isinstance(case, ApartFromActivations)
    assert messages_reached_from(case) <= OF_ITS_OWN


def test_what_is_kept_of_an_activation_is_a_copy() -> None:
    act = WorkflowActivation(run_id="r", available_internal_flags=[3, 4])
    act.deployment_version_for_current_task.build_id = "b-1"
    part: Any = act.deployment_version_for_current_task
    given: Any = Activation(act)
    assert (given.run_id, given.available_internal_flags) == ("r", (3, 4))
    assert given.deployment_version_for_current_task == part
    part.build_id = "b-2"
    assert given.deployment_version_for_current_task.build_id == "b-1"
