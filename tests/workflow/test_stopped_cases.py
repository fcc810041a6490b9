"""Cases whose workflow does not run: stopped from outside, paused, or forgotten by Temporal (section 11).

What is written down stays true, and is told; nothing is offered that nobody would carry out.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    RegisterNamespaceRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres.pool import open_pool
from activities.postgres.work_lists import WorkQuery
from starter.client import Aftersales, Case
from starter.errors import (
    NotYours,
    RefusedCommand,
    RefusedRequest,
    Unanswered,
    UnknownCase,
    Unreachable,
    WorkflowStopped,
)
from starter.running import Runs
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, buyer, merchant, officer
from workflows.messages.commands import Approve, GatewayCallback, GatewayResult, MoveDeadline, PayOut, Withdraw
from workflows.messages.stages import OutcomeKind, StageName, Stopped
from workflows.rules.identity import case_id, workflow_name


def approve(world: World, key: str = "c1") -> Approve:
    return Approve(key=key, by=merchant(world.merchant))


async def waiting(world: World) -> Case:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


NAMESPACE = "forgetful"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forgetful(client: Client) -> Client:
    """Temporal after the retention of all cases: a namespace that has never heard of them."""
    retention = Duration(seconds=24 * 3600)
    register = RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=retention)
    await client.workflow_service.register_namespace(register)
    config = client.config()
    config["namespace"] = NAMESPACE
    elsewhere = Client(**config)

    async def known() -> bool:
        with suppress(RPCError):
            return not await Runs(elsewhere).exists("none")
        return False

    await until(known, bool)
    return elsewhere


def after_retention(world: World, forgetful: Client) -> Aftersales:
    return Aftersales(forgetful, world.task_queue, world.pool, world.aftersales.vault)


async def pause(world: World, case: Case) -> None:
    request = PauseWorkflowExecutionRequest(
        namespace="default", workflow_id=case.id, identity="o-1", reason="looked_at", request_id=world.fresh("p")
    )
    await world.aftersales.temporal.workflow_service.pause_workflow_execution(request)


async def unpause(world: World, case: Case) -> None:
    request = UnpauseWorkflowExecutionRequest(
        namespace="default", workflow_id=case.id, identity="o-1", reason="looked_at", request_id=world.fresh("u")
    )
    await world.aftersales.temporal.workflow_service.unpause_workflow_execution(request)


@asynccontextmanager
async def book_held(world: World) -> AsyncGenerator[None]:
    """No step can be written inside: a command that comes is taken, and not answered."""
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE casebook.cases IN EXCLUSIVE MODE")
        yield


async def pending(case: Case) -> bool:
    return bool((await case.handle.describe()).raw_description.pending_activities)


# Stopped from outside -------------------------------------------------------------------------------------


async def test_a_terminated_case_says_so_and_offers_nothing(world: World) -> None:
    case = await waiting(world)
    await case.handle.terminate("by an operator")

    view = await case.view()

    assert (view.stage, view.stopped, view.commands, view.due) == (
        StageName.MERCHANT_REVIEW,
        Stopped.TERMINATED,
        (),
        None,
    )
    with pytest.raises(RefusedCommand) as refused:
        await case.act(approve(world))
    assert (refused.value.refusal.code, refused.value.view) == ("workflow_stopped", view)
    with pytest.raises(RefusedCommand):
        await case.tell(approve(world))
    with pytest.raises(WorkflowStopped) as stopped:
        await case.outcome()
    assert (stopped.value.stopped, stopped.value.view) == (Stopped.TERMINATED, view)


async def test_a_command_that_a_terminated_case_obeyed_is_still_obeyed(world: World) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.tell(approve(world))
    await world.at(case, StageName.SETTLING)
    await case.handle.terminate("by an operator")

    again = await case.act(approve(world))

    assert (again.stage, again.stopped) == (StageName.SETTLING, Stopped.TERMINATED)
    assert [leg.amount for leg in again.legs] == [10_000]


async def test_a_stranger_is_told_nothing_of_a_case_that_does_not_run(world: World) -> None:  # section 12
    stopped, paused = await waiting(world), await waiting(world)
    await stopped.handle.terminate("by an operator")
    await pause(world, paused)

    for case in (stopped, paused):
        with pytest.raises(NotYours) as refused:
            await case.act(Approve(key="c1", by=merchant("another-shop")))
        assert refused.value.view is None
    view = await stopped.view()
    assert view.order_no is not None
    again = world.refund_request(view.order_no, request_key=stopped.id.rpartition("/")[2], merchant_id="another-shop")
    assert case_id(again) == stopped.id
    with pytest.raises(RefusedRequest) as other:
        await world.aftersales.open_refund(again)
    assert other.value.refusal.code == "not_yours", "and not that the key is used"


async def test_a_case_that_was_stopped_before_it_was_written_down(shop: World) -> None:
    case = await shop.refund()
    await case.handle.terminate("before any worker had it")

    for attempt in (case.view, case.outcome, lambda: case.act(approve(shop))):
        with pytest.raises(WorkflowStopped):
            await attempt()


async def test_a_command_in_a_case_that_is_terminated_meanwhile_is_unanswered(world: World) -> None:
    case = await waiting(world)
    async with book_held(world):
        asked = asyncio.create_task(case.act(approve(world)))
        await until(lambda: pending(case), bool)
        await case.handle.terminate("by an operator")
        with pytest.raises(Unanswered):
            await asked


async def test_a_command_in_a_case_that_is_reset_meanwhile_is_answered(world: World) -> None:
    case = await waiting(world)
    async with book_held(world):
        asked = asyncio.create_task(case.act(approve(world)))
        await until(lambda: pending(case), bool)
        await world.aftersales.temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=case.id),
                reason="a defect that was mended",
                workflow_task_finish_event_id=3,
                request_id=world.fresh("r"),
            )
        )

    assert "c1" in {entry.command_key for entry in (await asked).log}
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.events(case) == ["opened", "approved", "refund_succeeded"]


# Forgotten by Temporal ------------------------------------------------------------------------------------


async def test_a_case_that_temporal_has_forgotten_is_still_the_same_case(world: World, forgetful: Client) -> None:
    request = world.refund_request(await world.order())
    ended = await (await world.aftersales.open_refund(request)).act_and_wait(approve(world))
    aftersales = after_retention(world, forgetful)

    case = await aftersales.open_refund(request)
    await aftersales.check(request)

    assert case.id == ended.case_id
    assert not await aftersales.runs.exists(case.id), "no second run is started"
    view = await case.view()
    assert (view.stage, view.outcome, view.stopped) == (StageName.CLOSED, OutcomeKind.REFUNDED, None)
    assert await case.act(approve(world)) == view
    assert await case.outcome() == ended
    with pytest.raises(RefusedCommand) as refused:
        await case.act(Withdraw(key="c2", by=buyer(world.buyer)))
    assert (refused.value.refusal.code, refused.value.view) == ("not_open", view)
    with pytest.raises(RefusedRequest) as other:
        await aftersales.open_refund(request.model_copy(update={"freight": 100}))
    assert other.value.refusal.code == "request_key_reused"


async def test_a_case_from_before_digests_were_kept_is_the_same_case_too(world: World, forgetful: Client) -> None:
    request = world.refund_request(await world.order())
    case = await world.aftersales.open_refund(request)
    await case.act_and_wait(approve(world))
    await world.pool.execute("UPDATE casebook.cases SET request_digest = NULL WHERE case_id = $1", case.id)

    assert (await world.aftersales.open_refund(request)).id == case.id
    with pytest.raises(RefusedRequest):
        await world.aftersales.open_refund(request.model_copy(update={"freight": 100}))
    assert (await after_retention(world, forgetful).open_refund(request)).id == case.id
    assert not await Runs(forgetful).exists(case.id)


async def test_an_open_case_that_temporal_has_lost_says_so(world: World, forgetful: Client) -> None:
    case = after_retention(world, forgetful).case((await waiting(world)).id)

    view = await case.view()

    assert (view.stage, view.stopped, view.commands) == (StageName.MERCHANT_REVIEW, Stopped.FORGOTTEN, ())
    with pytest.raises(RefusedCommand) as refused:
        await case.act(approve(world))
    assert refused.value.refusal.code == "workflow_stopped"
    with pytest.raises(WorkflowStopped):
        await case.outcome()


async def test_a_second_run_that_somebody_else_starts_is_answered_from_the_book(world: World) -> None:
    request = world.refund_request(await world.order())
    case = await world.aftersales.open_refund(request)
    ended = await case.act_and_wait(approve(world))

    handle = await world.aftersales.temporal.start_workflow(
        workflow_name(request), request, id=case_id(request), task_queue="aftersales"
    )
    await handle.result()

    assert (await case.view()).outcome is OutcomeKind.REFUNDED
    assert await case.outcome() == ended
    assert await world.refunded(request.order_no) == 10_000


# Paused ---------------------------------------------------------------------------------------------------


async def test_a_paused_case_says_so_and_takes_no_command(world: World) -> None:
    case = await waiting(world)
    before = await case.view()
    await pause(world, case)

    view = await case.view()

    assert (view.stage, view.stopped, view.commands, view.due) == (before.stage, Stopped.PAUSED, (), before.due)
    with pytest.raises(RefusedCommand) as refused:
        await case.act(approve(world))
    assert (refused.value.refusal.code, refused.value.view) == ("paused", view)
    assert await until(lambda: world.aftersales.runs.stopped_of([case.id]), bool) == {case.id: Stopped.PAUSED}

    await unpause(world, case)
    assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED
    assert (await world.events(case)).count("approved") == 1, "what was refused was not carried out later"


async def test_what_is_signalled_to_a_paused_case_comes_before_its_silence(world: World) -> None:
    case = await waiting(world)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await case.act(MoveDeadline(key="m1", by=officer("o-1"), until=soon, reason="to_be_paused"))
    await pause(world, case)
    waits = asyncio.create_task(case.outcome())
    await case.tell(Withdraw(key="w1", by=buyer(world.buyer)))
    await until(lambda: asyncio.sleep(0, datetime.now(UTC)), lambda now: now > soon)
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW

    await unpause(world, case)

    assert (await waits).outcome is OutcomeKind.WITHDRAWN


async def test_a_deadline_that_passes_while_a_case_is_paused_is_decided_afterwards(
    world: World,
) -> None:  # R1
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await case.act(MoveDeadline(key="m1", by=officer("o-1"), until=soon, reason="to_be_paused"))
    await pause(world, case)
    await until(lambda: asyncio.sleep(0, datetime.now(UTC)), lambda now: now > soon + timedelta(seconds=1))
    view = await case.view()
    assert (view.stage, view.stopped) == (StageName.MERCHANT_REVIEW, Stopped.PAUSED)
    assert await world.paid_by_gateway(order_no) == 0
    with pytest.raises(RefusedCommand) as late:
        await case.act(Withdraw(key="w1", by=buyer(world.buyer)))
    assert late.value.refusal.code == "paused"

    await unpause(world, case)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert (await world.events(case)).count("approved_by_silence") == 1
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


# Commands that the kind does not take ---------------------------------------------------------------------


async def test_a_command_of_another_kind_is_refused(world: World) -> None:
    case = await waiting(world)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(PayOut(key="p1", by=merchant(world.merchant)))

    assert (refused.value.refusal.code, refused.value.view) == ("not_taken", None)


@pytest.mark.parametrize(("name", "told"), [("pay_out", "pay_out"), ("wang_xiaoming", "unknown")])
async def test_a_signal_of_another_kind_leaves_a_line_in_the_log(world: World, name: str, told: str) -> None:
    case = await waiting(world)

    await case.handle.signal(name, args=[{"free": "text"}, 2])
    log = await until(case.log, lambda entries: entries[-1].event == "command_refused")

    assert log[-1].facts == {"command": told, "code": "not_taken"}
    assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED


# Servers that do not answer -------------------------------------------------------------------------------


async def test_without_its_database_every_call_says_so(world: World, database: str) -> None:
    case = await waiting(world)
    await case.act_and_wait(approve(world))
    request = world.refund_request(await world.order())
    callback = GatewayCallback(
        key="g1", by=GATEWAY, refund_no="RF1", result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
    )
    pool: asyncpg.Pool = await open_pool(database, max_size=1)
    await pool.close()
    cut_off = Aftersales(world.aftersales.temporal, "aftersales", pool, world.aftersales.vault)
    known = cut_off.case(case.id)

    for attempt in (
        lambda: cut_off.open_refund(request),
        lambda: cut_off.check(request),
        lambda: cut_off.order_paid(request.order_no),
        lambda: known.act(Withdraw(key="c2", by=buyer(world.buyer))),
        lambda: known.tell(approve(world)),
        lambda: cut_off.gateway_callback(callback),
        lambda: cut_off.work_list(WorkQuery(merchant_id=world.merchant)),
        known.log,
        known.timeline,
    ):
        with pytest.raises(Unreachable):
            await attempt()


async def test_there_is_no_such_case_in_temporal_or_in_the_book(world: World) -> None:
    with pytest.raises(UnknownCase):
        await world.aftersales.case("refund/none/none").outcome()
