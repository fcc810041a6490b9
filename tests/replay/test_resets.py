"""Cases whose workflow is terminated and reset, as docs/operations.md tells operators to: the case book goes on.

Every path is stopped and reset wherever it rests, and must end as it always does. Once it has ended, it is reset to
each of its workflow tasks: its run then goes on where the book stands, which is the same end, and changes nothing. One
that waits for a moment that is over by the book is asked to look there. Without ``--every-reset`` some paths are
walked, with some of their tasks.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, ResetWorkflowExecutionRequest
from temporalio.client import Client

from starter.client import Case
from starter.errors import UnknownCase
from tests.patience import PATIENCE
from tests.processes.observing import undeclared
from tests.replay import registry
from tests.replay.ground import Ground, ground
from tests.replay.paths import PATHS
from tests.replay.registry import merchant_of
from tests.workflow.world import World, until
from workflows.messages.actors import officer
from workflows.messages.cases import LogEntry, Outcome
from workflows.messages.commands import LookAtBook

SOME = (
    "unshipped_approved",
    "unshipped_by_silence",
    "unshipped_became_return",
    "shipped_amended_approved",
    "return_by_silence",
    "late_shipment_by_silence",
    "disputed_case_upheld",
    "withdrawal_retained",
    "expiry_postponed",
    "settled_by_polling",
    "attention_paid_in_advance",
)
ALL = tuple(name for name, path in PATHS.items() if path.ends and path.counted)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("--every-reset")
    metafunc.parametrize("name", ALL if every else SOME)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here(state_dirs: Path) -> AsyncIterator[Ground]:
    async with ground(state_dirs / "resets") as here:
        yield here
        assert await undeclared(here.pool) == {}


@pytest.fixture
def every(request: pytest.FixtureRequest) -> bool:
    """Whether each workflow task is reset, and not the first, the middle and the last one only."""
    return bool(request.config.getoption("--every-reset"))


async def finished_tasks(client: Client, case_id: str, run_id: str | None = None) -> list[int]:
    """The events with which a run's workflow tasks were finished: what a reset is told to go back to."""
    history = await client.get_workflow_handle(case_id, run_id=run_id).fetch_history()
    completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id for event in history.events if event.event_type == completed]


async def reset(client: Client, case_id: str, run_id: str, task: int) -> None:
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=case_id, run_id=run_id),
            reason="a test",
            workflow_task_finish_event_id=task,
            request_id=f"{run_id}-{task}-{datetime.now(UTC).timestamp()}",
        )
    )


async def described(client: Client, case_id: str) -> DescribeWorkflowExecutionResponse:
    return (await client.get_workflow_handle(case_id).describe()).raw_description


def at_rest(raw: DescribeWorkflowExecutionResponse) -> bool:
    return not raw.HasField("pending_workflow_task") and not raw.pending_activities


class Operator:
    """Terminates a case wherever it rests, and resets it to its last workflow task."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.resets = 0

    async def interfere(self, case: Case) -> None:
        client, skipper = self._world.aftersales.temporal, self._world.skipper
        raw = await until(lambda: described(client, case.id), at_rest)
        if raw.workflow_execution_info.status != Status.WORKFLOW_EXECUTION_STATUS_RUNNING:
            return
        tasks = await finished_tasks(client, case.id)
        if not tasks:
            return  # it has not begun yet
        stood_at = await case.now()
        if not case.id.startswith("dispute/"):  # its case would go on without it (D1): it is reset while it runs
            await case.handle.terminate("by an operator")
        await reset(client, case.id, raw.workflow_execution_info.execution.run_id, tasks[-1])
        self.resets += 1
        await until(lambda: described(client, case.id), at_rest)
        # The new run's clock is moved only as far as its task's was; in the world outside it would be as late as ever.
        if (behind := stood_at - await case.now()) > timedelta(seconds=1):
            await skipper.fast_forward(case.handle, behind)
            await until(lambda: described(client, case.id), at_rest)


async def how_it_ended(world: World, case_id: str) -> Outcome:
    handle = world.aftersales.temporal.get_workflow_handle(case_id, result_type=Outcome)
    return await handle.result()


async def books(world: World) -> list[tuple[object, ...]]:
    """What the merchant's cases came to in the case book, the ledger and at the gateway."""
    rows = await world.pool.fetch(
        """
        SELECT case_id, stage, outcome, refunded, compensated, closed_at,
               (SELECT coalesce(sum(amount), 0) FROM ledger.legs
                WHERE legs.case_id = cases.case_id AND state = 'succeeded') AS paid,
               (SELECT count(*) FROM gateway.refunds WHERE merchant_id = $1) AS refunds,
               (SELECT coalesce(sum(amount), 0) FROM gateway.refunds
                WHERE merchant_id = $1 AND result = 'succeeded') AS moved
        FROM casebook.cases WHERE merchant_id = $1 ORDER BY case_id
        """,
        world.merchant,
    )
    return [tuple(row.values()) for row in rows]


async def written(world: World, case_id: str) -> list[LogEntry]:
    """The case's log; of one that has opened nothing there is none."""
    try:
        return await world.aftersales.case(case_id).log()
    except UnknownCase:
        return []


async def test_a_case_that_is_reset_ends_as_it_always_does(
    name: str, here: Ground, every: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, world = PATHS[name], here.world(merchant_of(name))
    client, operator, rest = world.aftersales.temporal, Operator(world), registry.quiet

    async def interrupted(case: Case) -> None:
        await rest(case)
        await operator.interfere(case)

    monkeypatch.setattr(registry, "quiet", interrupted)
    case_id = (await path.walk(world)).id
    first = await how_it_ended(world, case_id)
    assert first.outcome is path.ends
    before, log = await books(world), await written(world, case_id)

    run_id = (await described(client, case_id)).workflow_execution_info.execution.run_id
    tasks = await finished_tasks(client, case_id, run_id)
    for task in tasks if every else sorted({tasks[0], tasks[len(tasks) // 2], tasks[-1]}):
        await reset(client, case_id, run_id, task)
        raw = await until(lambda: described(client, case_id), lambda raw: ended(raw) or at_rest(raw))
        if not ended(raw) and first.kind is None:
            continue  # nothing was opened, and the run waits for the moment to open it
        if not ended(raw):
            asked = LookAtBook(key=f"look-{task}", by=officer("op-1"))
            await client.get_workflow_handle(case_id).signal(asked.command_name(), asked)
        async with asyncio.timeout(PATIENCE):
            again = await how_it_ended(world, case_id)
        # What was done before is told with the moment at which it was done again.
        assert again.model_copy(update={"closed_at": first.closed_at}) == first, f"reset to {task}"
        assert await books(world) == before, f"reset to {task}"
        assert (await written(world, case_id))[: len(log)] == log, f"reset to {task}"


def ended(raw: DescribeWorkflowExecutionResponse) -> bool:
    return raw.workflow_execution_info.status == Status.WORKFLOW_EXECUTION_STATUS_COMPLETED
