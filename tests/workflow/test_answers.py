"""Section 11: an activity that somebody ends from outside neither ends a case nor is believed."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflowservice.v1 import (
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskFailedByIdRequest,
)

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import merchant, officer
from workflows.messages.cases import CaseView
from workflows.messages.commands import (
    AgreeReturn,
    Approve,
    Command,
    LookAtBook,
    RefundDirectly,
    Reject,
    RejectReason,
    RetryPayment,
)
from workflows.messages.stages import OutcomeKind, StageName

Meddle = Callable[[World, Case, str], Awaitable[object]]


async def failed(world: World, case: Case, activity_id: str) -> None:
    """As ``temporal activity fail`` does, and the last attempt where attempts are limited from outside."""
    failure = Failure(message="by an operator", application_failure_info=ApplicationFailureInfo(non_retryable=True))
    client = world.skipper.client
    await client.workflow_service.respond_activity_task_failed_by_id(
        RespondActivityTaskFailedByIdRequest(
            namespace=client.namespace, workflow_id=case.id, activity_id=activity_id, failure=failure
        )
    )


def completed(data: bytes, encoding: bytes = b"json/plain") -> Meddle:
    """As ``temporal activity complete --result`` does."""

    async def complete(world: World, case: Case, activity_id: str) -> None:
        result = Payloads(payloads=[Payload(metadata={"encoding": encoding}, data=data)])
        client = world.skipper.client
        await client.workflow_service.respond_activity_task_completed_by_id(
            RespondActivityTaskCompletedByIdRequest(
                namespace=client.namespace, workflow_id=case.id, activity_id=activity_id, result=result
            )
        )

    return complete


@asynccontextmanager
async def held(pool: asyncpg.Pool, row: str, *arguments: object) -> AsyncGenerator[None]:
    """Nobody else can change this row for as long as the context lasts."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"{row} FOR UPDATE", *arguments)
        yield


async def pending(case: Case, activity: str) -> list[str]:
    """The ids of those activities of this type that are under way."""
    described = (await case.handle.describe()).raw_description
    return [each.activity_id for each in described.pending_activities if each.activity_type.name == activity]


async def meddled_with(
    world: World, case: Case, command: Command, activity: str, meddle: Meddle
) -> asyncio.Task[CaseView]:
    """``command`` is sent, the activity that it needs is ended from outside, and another one is begun."""
    sent = asyncio.ensure_future(case.act(command))
    (first,) = await until(lambda: pending(case, activity), lambda ids: len(ids) == 1)
    await meddle(world, case, first)
    await until(lambda: pending(case, activity), lambda ids: len(ids) == 1 and ids != [first])
    return sent


async def begun_anew(case: Case) -> list[tuple[object, object]]:
    lines = [each.facts for each in await case.log() if each.event == "activity_begun_anew"]
    return [(line["activity"], line["why"]) for line in lines]


@pytest.mark.parametrize(
    ("meddle", "why"),
    [
        (failed, "failed"),
        (completed(b"{}"), "unfit"),
        (completed(b'"done"'), "unfit"),
        (completed(b"", b"binary/null"), "unfit"),
        (completed(b'{"step": 0, "refusal": null, "due": null}'), "unfit"),
    ],
    ids=["failed", "nothing said", "unreadable", "null", "another step's"],
)
async def test_a_step_that_is_ended_from_outside_is_written(world: World, meddle: Meddle, why: str) -> None:
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    approval = Approve(key="approve", by=merchant(world.merchant))

    async with held(world.pool, "SELECT FROM casebook.cases WHERE case_id = $1", case.id):
        sent = await meddled_with(world, case, approval, "record_step", meddle)
        assert not sent.done(), "nobody is told that it is done"
    await sent
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    assert await begun_anew(case) == [("record_step", why)]
    assert (await world.events(case)).count("approved") == 1


@pytest.mark.parametrize(
    ("meddle", "why"),
    [(failed, "failed"), (completed(b"{}"), "unfit"), (completed(b'{"legs": [], "closed": true}'), "unfit")],
    ids=["failed", "nothing said", "paid, it says"],
)
async def test_money_that_is_said_to_be_paid_is_paid_by_the_ledger_only(world: World, meddle: Meddle, why: str) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    retry = RetryPayment(key="retry", by=officer("o-1"), reason="card_unblocked")

    async with held(world.pool, "SELECT FROM ledger.funds WHERE fund = $1", f"order/{order_no}"):
        await (await meddled_with(world, case, retry, "settle", meddle))
        assert (await case.view()).stage is StageName.PAYING
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    assert await begun_anew(case) == [("settle", why)]


# What bears the right marks, and was made up ------------------------------------------------------------


def made_up(step: int, **more: object) -> Meddle:
    """An answer of ``record_step`` as the book writes it, to a step that the book does not have."""
    due = {"at": "2099-01-01T00:00:00Z", "remind_at": None, "policy": None}
    return completed(json.dumps({"step": step, "refusal": None, "written": True, "due": due, **more}).encode())


async def believed(world: World, case: Case, command: Command, activity: str, meddle: Meddle, row: str) -> None:
    """``command`` is sent, and the answer of the activity that waits for this row of the database is made up."""
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT FROM {row} FOR UPDATE")
        sent = asyncio.ensure_future(case.act(command))
        (first,) = await until(lambda: pending(case, activity), lambda ids: len(ids) == 1)
        holds = await connection.fetchval("SELECT pg_backend_pid()")
        blocked = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))"
        waiting = await until(lambda: world.pool.fetchval(blocked, holds), lambda pid: pid is not None)
        await meddle(world, case, first)
        await until(lambda: pending(case, activity), lambda ids: first not in ids)
        await world.pool.execute("SELECT pg_terminate_backend($1)", waiting)  # or it would do it after all
        await until(lambda: world.pool.fetchval(blocked, holds), lambda pid: pid is None)
    await sent


def row_of(case: Case) -> str:
    return f"casebook.cases WHERE case_id = '{case.id}'"


async def test_a_step_that_an_answer_has_made_up_is_written_when_the_next_one_finds_it_missing(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    reject = Reject(
        key="r1", by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )
    await believed(world, case, reject, "record_step", made_up(1), row_of(case))
    assert ((await case.view()).stage, await world.events(case)) == (StageName.REJECTED, ["opened"])

    view = await case.act(LookAtBook(key="l1", by=officer("o-1")))

    assert await world.events(case) == ["opened", "rejected", "activity_begun_anew", "look_at_book"]
    assert await begun_anew(case) == [("record_step", "missing")]
    assert view.stage is StageName.REJECTED
    assert view.due
    assert view.due < datetime(2099, 1, 1, tzinfo=UTC), "the deadline is the book's"
    await case.act(reject)
    assert (await world.events(case)).count("rejected") == 1, "and its sender is answered as before"


async def test_room_that_an_answer_has_made_up_is_reserved_before_anything_is_paid(world: World) -> None:
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    reserved: dict[str, object] = {"reservation": "reserved", "due": 10_000, "legs": []}

    approval = Approve(key="a1", by=merchant(world.merchant))

    await believed(world, case, approval, "record_step", made_up(1, reserved=reserved), row_of(case))
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    assert (await world.events(case)).count("approved") == 1


async def test_a_step_that_the_book_refuses_is_taken_back_though_an_answer_had_made_it_up(world: World) -> None:
    case = await world.returned()  # and the merchant has no address (T2)
    before = await case.view()
    agree = AgreeReturn(key="a1", by=merchant(world.merchant))
    await believed(world, case, agree, "record_step", made_up(1), row_of(case))
    assert (await case.view()).stage is not StageName.RETURN_REVIEW

    await case.act(LookAtBook(key="l1", by=officer("o-1")))
    view = await case.act(RefundDirectly(key="d1", by=merchant(world.merchant)))
    outcome = await case.outcome()

    assert view.stage is not before.stage
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert "return_agreed" not in await world.events(case)
