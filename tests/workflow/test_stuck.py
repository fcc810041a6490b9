"""Cases that do not move though they should are found, with what keeps them."""

from datetime import timedelta

import pytest

from starter.client import Case
from starter.settings import Settings
from starter.stuck import Stuck, Why, stuck
from starter.worker import repeated_attempts
from tests.workflow.world import Working, World, until
from worker import running_worker
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName, Stopped


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
        run_id = await shop.pool.fetchval("SELECT run_id FROM casebook.cases WHERE case_id = $1", case.id)
        theirs = "UPDATE casebook.cases SET run_id = $2 WHERE case_id = $1"
        await shop.pool.execute(theirs, case.id, "another")

        await case.tell(approve(shop))
        told = await until(lambda: found(shop, case), bool)

        assert told
        assert (told.why, told.activity, told.error) == (Why.ACTIVITY_FAILS, "record_step", "StepOutOfOrder")
        assert told.attempt
        assert told.attempt >= 2
        assert not told.overdue
        await shop.pool.execute(theirs, case.id, run_id)
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
