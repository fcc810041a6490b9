"""What a worker keeps of a case that waits, in bytes (``python -m tests.benchmarks.parked``).

A recorded history is replayed up to where the case waits for a person, many times over, and what the worker has of each
is not let go. What Python has allocated meanwhile is counted, and so is the same on a busy machine: no sandbox, no
server, no core. The core of the SDK, which is not Python, has as much again for whatever workflow.
"""

import asyncio
import gc
import os
import sys
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from tests.replay import recorded
from worker import WORKFLOWS
from workflows.messages.converter import data_converter


class Kept(WorkflowInstance):
    """An instance that its worker is told to forget, and which is kept."""

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: Any) -> Any:
        """See base class."""
        from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

        if any(job.HasField("remove_from_cache") for job in act.jobs):
            forgotten = WorkflowActivationCompletion(run_id=act.run_id)
            forgotten.successful.SetInParent()
            return forgotten
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        """See base class."""
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """See base class."""
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Any:
        """See base class."""
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        """See base class."""
        return self._instance.get_thread_id()


class KeepingRunner(WorkflowRunner):
    """Runs workflows without a sandbox, and keeps all of them."""

    def __init__(self) -> None:
        self._runner = UnsandboxedWorkflowRunner()
        self.kept: list[Kept] = []

    def prepare_workflow(self, defn: Any) -> None:
        """See base class."""
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        kept = Kept(self._runner.create_instance(det))
        self.kept.append(kept)
        return kept


def until_it_waits(history: WorkflowHistory) -> WorkflowHistory:
    """Its events up to what the first workflow task has come to: a timer runs, and nothing is heard yet."""
    events = history.events
    second = [number for number, each in enumerate(events) if each.HasField("workflow_task_scheduled_event_attributes")]
    end = second[1] if len(second) > 1 else len(events)
    first = next(n for n, each in enumerate(events) if n < end and each.HasField("timer_started_event_attributes"))
    return WorkflowHistory(workflow_id=history.workflow_id, events=events[: max(first + 1, end)])


async def bytes_of_parked(name: str, cases: int, *, show: bool = False) -> float:
    """Bytes that Python has of each of so many cases of this history that wait."""
    history = until_it_waits(recorded.read(recorded.file_of(name).read_text(encoding="utf-8")))
    runner = KeepingRunner()
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=runner, data_converter=data_converter)

    async def repeated(times: int) -> AsyncIterator[WorkflowHistory]:
        for _ in range(times):
            yield history

    await replayer.replay_workflows(repeated(20), raise_on_replay_failure=False)
    del runner.kept[:]
    gc.collect()
    tracemalloc.start(8 if show else 1)
    before = tracemalloc.take_snapshot()
    await replayer.replay_workflows(repeated(cases), raise_on_replay_failure=False)
    gc.collect()
    after = tracemalloc.take_snapshot()
    kept = len(runner.kept)
    difference = [each for each in after.compare_to(before, "lineno") if each.size_diff > 0]
    if show:
        for each in sorted(difference, key=lambda each: -each.size_diff)[:60]:
            print(f"{each.size_diff / kept:8,.0f} {each.count_diff / kept:6.1f}  {each.traceback}")
    tracemalloc.stop()
    return sum(each.size_diff for each in difference) / kept


def main(show: str) -> None:
    """Print it."""
    each = asyncio.run(bytes_of_parked("unshipped_approved", 200, show=bool(show)))
    print(f"{each / 1000:,.1f} kB of Python's for each case that waits")
    sys.stdout.flush()
    os._exit(0)  # the interpreter may abort at its end, after a worker


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
