"""What ``docs/operations.md`` and ``docs/alerts.md`` say of stopped cases and of the Web UI's buttons, done here."""

import json
import re
import shlex
from functools import partial

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import BatchOperationState, EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import (
    ListBatchOperationsRequest,
    ListWorkflowExecutionsRequest,
    PauseActivityRequest,
    PauseWorkflowExecutionRequest,
    ResetActivityRequest,
    ResetWorkflowExecutionRequest,
    UnpauseActivityRequest,
)

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.settings import Settings
from starter.stack import Stack
from tests import pages, temporals_command_line
from tests.workflow import disputes
from tests.workflow.world import EVIDENCE, World, until
from worker import running_worker
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, Command, Reject, RejectReason, SubmitEvidence
from workflows.messages.stages import OutcomeKind, StageName, Stopped
from workflows.rules.worker_roles import WorkerRole

VIEWS = dict(re.findall(r"^\| ([\w ]+) \| `(.*)` \|$", pages.text_of("operations"), re.MULTILINE))

NOTHING_AGAIN = (
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
)


def told(title: str) -> list[str]:
    """The command lines that a section of the page says to type."""
    section = re.search(rf"^### {title}\n(.*?)(?=^###? )", pages.text_of("operations"), re.DOTALL | re.MULTILINE)
    assert section, title
    lines: list[str] = re.findall(r"^\$ (.*)$", section[1], re.MULTILINE)
    return [line for line in lines if line.startswith("temporal ") and "--query" not in line]


async def typed(stack: Stack, line: str, case: Case) -> None:
    """A line of the page, typed for this case."""
    program, *words = shlex.split(line.replace("CASE", case.id))
    assert program == "temporal"
    code, said = await temporals_command_line.typed(stack.temporal_address, *words)
    assert code == 0, said


async def found(world: World, view: str) -> set[str]:
    """The workflows that a view of the page finds for this merchant."""
    query = f'{VIEWS[view]} AND MerchantId = "{world.merchant}"'
    request = ListWorkflowExecutionsRequest(namespace="default", query=query)
    listed = await world.aftersales.temporal.workflow_service.list_workflow_executions(request)
    return {each.execution.workflow_id for each in listed.executions}


def approve(world: World, key: str = "c1") -> Approve:
    return Approve(key=key, by=merchant(world.merchant))


async def test_a_stopped_case_is_taken_up_where_it_stopped(world: World, stack: Stack) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.handle.terminate("by mistake")
    await until(lambda: found(world, "stopped cases"), lambda cases: cases == {case.id})

    for line in told("A case was stopped"):
        await typed(stack, line, case)

    view = await case.view()
    assert (view.stage, view.stopped) == (StageName.MERCHANT_REVIEW, None)
    assert await until(lambda: world.aftersales.runs.stopped_of([case.id]), lambda stopped: not stopped) == {}
    assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED
    assert await world.events(case) == ["opened", "approved", "refund_succeeded"]


async def test_a_stopped_payment_is_followed_again_and_paid_once(world: World, stack: Stack) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.CALL_BACK_NEVER, order_no=order_no, settle_after_seconds=60))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    (leg,) = (await world.at(case, StageName.SETTLING)).legs
    await case.handle.terminate("by mistake")

    for line in told("A case was stopped"):
        await typed(stack, line, case)
    await world.forward(case, hours=3)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [each.refund_no for each in outcome.legs] == [leg.refund_no]
    assert await world.paid_by_gateway(order_no) == await world.refunded(order_no) == 10_000


async def test_a_stopped_case_that_is_reset_hears_that_the_platform_has_stepped_in(world: World, stack: Stack) -> None:
    """D3: its dispute has told it once, when nothing was there to hear it."""
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)
    await case.handle.terminate("by mistake")
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.EVIDENCE)

    for line in told("A case was stopped"):
        await typed(stack, line, case)

    assert (await world.at(case, StageName.LOCKED)).due is None
    assert (await world.events(case)).count("locked") == 1
    await world.forward(dispute, hours=24, minutes=1)
    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_stopped_cases_are_taken_up_many_at_once(world: World, stack: Stack) -> None:
    cases = [await world.refund(), await world.refund()]
    for case in cases:
        await world.at(case, StageName.MERCHANT_REVIEW)
        await case.handle.terminate("by mistake")
    ids = {case.id for case in cases}
    await until(lambda: found(world, "stopped cases"), lambda stopped: stopped == ids)
    (line,) = [each for each in pages.commands() if each.startswith("temporal workflow reset --query")]

    await typed(stack, line.replace("m-laurel", world.merchant), cases[0])
    await until(lambda: world.aftersales.runs.stopped_of(sorted(ids)), lambda stopped: not stopped)

    for case in cases:
        assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED
        assert await world.events(case) == ["opened", "approved", "refund_succeeded"]


async def test_a_paused_case_is_found_and_goes_on(world: World, stack: Stack) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await world.aftersales.temporal.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(namespace="default", workflow_id=case.id, identity="o-1", reason="looked_at")
    )
    await until(lambda: found(world, "paused cases"), lambda cases: cases == {case.id})
    assert (await case.view()).stopped is Stopped.PAUSED

    for line in told("A case is paused"):
        await typed(stack, line, case)

    assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED


async def test_a_payment_whose_activity_was_paused_and_reset_pays_once(
    shop: World, own_settings: Settings, database: str
) -> None:
    order_no = await shop.order()
    others = ",".join(each for each in WorkerRole if each is not WorkerRole.MONEY)
    without_money = own_settings.model_copy(update={"role": others})
    only_money = own_settings.model_copy(update={"role": WorkerRole.MONEY.value})
    client = shop.skipper.client
    async with running_worker(without_money, client, database):
        case = await shop.refund(order_no=order_no)
        await case.act(approve(shop))
        (waiting,) = await until(lambda: pending(case), bool)
        execution, service = WorkflowExecution(workflow_id=case.id), client.workflow_service
        await service.pause_activity(PauseActivityRequest(namespace="default", execution=execution, id=waiting))
        async with running_worker(only_money, client, database):
            await service.reset_activity(
                ResetActivityRequest(namespace="default", execution=execution, id=waiting, keep_paused=True)
            )
            assert await pending(case) == [waiting]
            assert await shop.paid_by_gateway(order_no) == 0
            await service.unpause_activity(UnpauseActivityRequest(namespace="default", execution=execution, id=waiting))
            outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await shop.paid_by_gateway(order_no) == await shop.refunded(order_no) == 10_000


async def pending(case: Case) -> list[str]:
    return [each.activity_id for each in (await case.handle.describe()).raw_description.pending_activities]


async def test_a_batch_of_signals_is_checked_like_each_of_them(world: World, stack: Stack) -> None:
    first, second = await world.refund(), await world.refund()
    for case in (first, second):
        await world.at(case, StageName.MERCHANT_REVIEW)
    await second.act(SubmitEvidence(key="batch-1", by=buyer(world.buyer), evidence=EVIDENCE))  # the key is taken there
    query = f'MerchantId = "{world.merchant}" AND ExecutionStatus = "Running"'
    await until(lambda: world.aftersales.temporal.count_workflows(query), lambda counted: counted.count == 2)
    command = json.dumps({"key": "batch-1", "by": {"role": "merchant", "id": world.merchant}})

    signal = shlex.join(["temporal", "workflow", "signal", "--name", "approve", "--input", command, "--query", query])
    await typed(stack, f"{signal} --reason agreed --yes", first)

    assert (await first.outcome()).outcome is OutcomeKind.REFUNDED
    await until(lambda: world.events(second), lambda events: "command_refused" in events)
    assert (await second.view()).stage is StageName.MERCHANT_REVIEW


async def test_a_batch_of_signals_that_is_sent_twice_is_one(world: World, stack: Stack) -> None:  # section 11
    order_no = await world.order()
    case, other = await world.refund(order_no=order_no), await world.refund()
    for each in (case, other):
        await world.at(each, StageName.MERCHANT_REVIEW)
    query = f'MerchantId = "{world.merchant}" AND ExecutionStatus = "Running"'
    await until(lambda: world.aftersales.temporal.count_workflows(query), lambda counted: counted.count == 2)

    async def batch(name: str, command: Command) -> None:
        await until(lambda: batches_of(world), lambda count: count == 0)  # the server takes one at a time
        signal = ["temporal", "workflow", "signal", "--name", name, "--input", command.model_dump_json()]
        await typed(stack, shlex.join([*signal, "--query", query, "--reason", "agreed", "--yes"]), case)

    evidence = SubmitEvidence(key="batch-1", by=buyer(world.buyer), evidence=EVIDENCE)
    for _ in range(2):
        await batch("submit_evidence", evidence)
    await until(lambda: signals_of(other), lambda count: count == 2)
    await batch("submit_evidence", evidence.model_copy(update={"final": True}))
    for each in (case, other):
        await until(partial(world.events, each), lambda events: "command_refused" in events)
        assert (await world.events(each)).count("evidence_submitted") == 1
        assert [line.facts["code"] for line in await each.log() if line.event == "command_refused"] == ["key_reused"]
    for _ in range(2):
        await batch("approve", approve(world, key="batch-2"))

    assert [(await each.outcome()).outcome for each in (case, other)] == [OutcomeKind.REFUNDED] * 2
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


async def batches_of(world: World) -> int:
    """How many batches are under way."""
    listed = await world.aftersales.temporal.workflow_service.list_batch_operations(
        ListBatchOperationsRequest(namespace="default")
    )
    return sum(each.state == BatchOperationState.BATCH_OPERATION_STATE_RUNNING for each in listed.operation_info)


async def signals_of(case: Case) -> int:
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    return sum([each.event_type == kind async for each in case.handle.fetch_history_events()])


# After a restore -----------------------------------------------------------------------------------------


async def test_a_case_book_that_was_restored_is_written_anew_from_the_history(world: World, stack: Stack) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    before = await world.at(case, StageName.SHIPPED_REVIEW)
    row = await world.pool.fetchrow("SELECT * FROM casebook.cases WHERE case_id = $1", case.id)
    assert row is not None
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    reject = Reject(
        key="r1", by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )
    await case.act(reject)
    whole = await case.log()
    await world.pool.execute("DELETE FROM notices.outbox WHERE case_id = $1 AND step > 0", case.id)
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # the log is append-only
        await connection.execute("DELETE FROM casebook.log WHERE case_id = $1 AND step > 0", case.id)
    await world.pool.execute(
        """
        UPDATE casebook.cases SET stage = $2, step = 0, log_length = 1, stepped = NULL, due_at = $3, work_list = $4
        WHERE case_id = $1
        """,
        case.id,
        before.stage,
        before.due,
        row["work_list"],
    )
    await world.forward(case, days=8)
    await until(lambda: out_of_order(case), bool)

    await typed(stack, "temporal workflow reset --workflow-id CASE --type FirstWorkflowTask --reason restored", case)
    await until(case.log, lambda log: len(log) > len(whole))

    # What silence decides by now, days later, may follow at any moment.
    log = [each for each in await case.log() if each.event != "book_behind"]
    written = [(each.event, each.command_key) for each in log]
    assert written[: len(whole)] == [(each.event, each.command_key) for each in whole]


async def out_of_order(case: Case) -> bool:
    raw = (await case.handle.describe()).raw_description
    return any(each.last_failure.application_failure_info.type == "StepOutOfOrder" for each in raw.pending_activities)


async def test_a_temporal_that_was_restored_is_told_the_commands_again(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    evidence = SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE)
    await case.act(evidence)
    restored = ResetWorkflowExecutionRequest(  # as if nothing had come since
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=case.id),
        reason="a test",
        workflow_task_finish_event_id=3,
        request_id=world.fresh("r"),
        reset_reapply_exclude_types=NOTHING_AGAIN,
    )
    await world.aftersales.temporal.workflow_service.reset_workflow_execution(restored)
    await world.at(case, StageName.SHIPPED_REVIEW)

    await case.act(evidence)
    outcome = await case.act_and_wait(approve(world))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.events(case) == ["opened", "evidence_submitted", "approved", "refund_succeeded"]


async def test_a_run_that_takes_another_way_than_its_book_goes_on_where_that_stands(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    log = await case.log()
    forgetting = ResetWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=case.id),
        reason="a test",
        workflow_task_finish_event_id=3,
        request_id=world.fresh("r"),
        reset_reapply_exclude_types=NOTHING_AGAIN,
    )
    await world.aftersales.temporal.workflow_service.reset_workflow_execution(forgetting)
    outcome = await case.act_and_wait(approve(world))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.events(case) == ["opened", "evidence_submitted", "approved", "refund_succeeded"]
    assert (await case.log())[: len(log)] == log


async def test_failing_workflow_tasks_can_be_asked_for(world: World) -> None:
    assert await found(world, "failing workflow tasks") == set()
