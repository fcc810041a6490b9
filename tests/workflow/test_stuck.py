"""Cases that do not move though they should are found, with what keeps them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import standing
from starter.client import Case
from starter.settings import Settings
from starter.stuck import Stuck, Why, stuck
from starter.worker import repeated_attempts
from tests.workflow import disputes
from tests.workflow.test_answers import held
from tests.workflow.world import Working, World, until
from worker import running_worker
from workflows.messages.actors import merchant, officer
from workflows.messages.commands import Approve, RetryPayment
from workflows.messages.stages import OutcomeKind, StageName, Stopped, WorkList


def approve(world: World) -> Approve:
    return Approve(key="a-1", by=merchant(world.merchant))


async def found(world: World, case: Case) -> Stuck | None:
    """What is told of one case."""
    all_of_them = await stuck(world.pool, world.aftersales.runs, 1000)
    return {each.workflow_id: each for each in all_of_them}.get(case.id)


async def noted(world: World, case: Case) -> int:
    count = "SELECT count(*) FROM casebook.repeated_attempts WHERE workflow_id = $1"
    return await world.pool.fetchval(count, case.id)


async def overdue(world: World, case: Case) -> None:
    """The case's deadline passed an hour ago, as if its workflow had been kept from it."""
    due = "UPDATE casebook.cases SET due_at = now() - $2::interval WHERE case_id = $1"
    await world.pool.execute(due, case.id, timedelta(hours=1))


async def test_a_step_that_fails_for_ever_is_found_before_any_deadline_and_forgotten_once_it_works(
    shop: World, own_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_attempts, "ENOUGH", 2)  # not the half minute that it takes
    async with running_worker(own_settings, shop.skipper.client, database):
        case = await shop.refund()
        await shop.at(case, StageName.MERCHANT_REVIEW)
        behind = "UPDATE casebook.cases SET step = $2 WHERE case_id = $1"  # as a book that was restored
        await shop.pool.execute(behind, case.id, -1)

        await case.tell(approve(shop))
        told = await until(lambda: found(shop, case), bool)

        assert told
        assert (told.why, told.activity, told.error) == (Why.ACTIVITY_FAILS, "record_step", "StepOutOfOrder")
        assert told.attempt
        assert told.attempt >= 2
        assert not told.overdue
        await shop.pool.execute(behind, case.id, 0)
        assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
        assert await until(lambda: found(shop, case), lambda each: each is None) is None
    left = await shop.pool.fetchval("SELECT count(*) FROM casebook.repeated_attempts WHERE workflow_id = $1", case.id)
    assert left == 0


async def test_what_is_past_its_deadline_is_told_with_what_it_waits_for(shop: World, working: Working) -> None:
    async with working():
        stopped, waiting, unmoved = [await shop.refund() for _ in range(3)]
        for case in (stopped, waiting, unmoved):
            await shop.at(case, StageName.MERCHANT_REVIEW)
            await overdue(shop, case)
    await stopped.handle.terminate("by mistake")
    await waiting.handle.signal("approve", approve(shop))  # and nobody works

    told = [await found(shop, case) for case in (stopped, waiting, unmoved)]

    assert [(each.why, each.stopped, each.overdue) for each in told if each] == [
        (Why.STOPPED, Stopped.TERMINATED, True),
        (Why.NOBODY_WORKS, None, True),
        (Why.UNKNOWN, None, True),
    ]


async def long_ago(world: World, case: Case) -> None:
    """As if everything about the case had happened a while ago."""
    earlier = """
        UPDATE casebook.cases SET opened_at = opened_at - $2::interval, stage_since = stage_since - $2::interval,
                                  due_at = due_at - $2::interval
        WHERE case_id = $1
    """
    await world.pool.execute(earlier, case.id, timedelta(days=40))


async def reviewed_dispute(world: World) -> Case:
    dispute = await disputes.intervened(world, await disputes.rejected_refund(world))
    await dispute.handle.terminate("by mistake")
    return dispute


async def withdrawal_with_an_expiry(world: World) -> Case:
    """The end of the allowance's validity is handed over to a withdrawal that nobody carries any more (A6)."""
    allowance = await world.allowance(spent=1000, days=0)
    case = await world.withdrawal(allowance)
    await world.at(case, StageName.RETENTION)
    await case.handle.terminate("by mistake")
    request = {"allowance_id": allowance, "merchant_id": world.merchant, "buyer_id": world.buyer}
    expiry = await world.aftersales.schedule_expiry({**request, "valid_until": datetime.now(UTC)})
    assert (await expiry.outcome()).outcome is OutcomeKind.HANDED_OVER
    return case


async def paying(world: World) -> Case:
    """An officer's retry of a declined payment, which is held up, and declined once it is let through."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    async with held(world.pool, "SELECT FROM ledger.funds WHERE fund = $1", f"order/{order_no}"):
        await case.act(RetryPayment(key="r-1", by=officer("o-1"), reason="card_unblocked"))
        await case.handle.terminate("by mistake")
    return case


@pytest.mark.parametrize(
    ("arrange", "work_list"),
    [
        (reviewed_dispute, WorkList.EVIDENCE_DUE),
        (withdrawal_with_an_expiry, WorkList.WITHDRAWALS),
        (paying, WorkList.PAYMENTS),
    ],
)
async def test_what_a_stopped_case_has_promised_is_overdue_in_the_end(
    world: World, arrange: Callable[[World], Awaitable[Case]], work_list: WorkList
) -> None:  # section 11
    case = await arrange(world)
    before = await found(world, case)

    await long_ago(world, case)
    told = await until(lambda: found(world, case), bool)
    async with world.pool.acquire() as connection:
        figures = await standing.measure(connection)

    assert before is None
    assert told
    assert (told.why, told.stopped, told.overdue) == (Why.STOPPED, Stopped.TERMINATED, True)
    overdue_in = {each.labels["work_list"] for each in figures if each.name == "aftersales_cases_overdue"}
    assert work_list in overdue_in


async def test_what_was_noted_and_goes_on_is_not_told_and_taken_out(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    note = "INSERT INTO casebook.repeated_attempts VALUES ($1, 'record_step', 6, now())"
    await world.pool.execute(note, case.id)

    assert await found(world, case) is None

    assert (
        await world.pool.fetchval("SELECT count(*) FROM casebook.repeated_attempts WHERE workflow_id = $1", case.id)
        == 0
    )
