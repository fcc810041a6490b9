"""Section 12: an officer sets a deadline anew, with a reason."""

from datetime import timedelta

import pytest

from starter.errors import RefusedCommand
from tests.workflow.world import World, until
from workflows.messages.actors import Role, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import MoveDeadline, SubmitEvidence
from workflows.messages.stages import OutcomeKind, StageName

OFFICER = officer("f-7")


async def test_silence_decides_at_the_moment_that_an_officer_has_set(world: World) -> None:
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)
    later = (await world.now(case)) + timedelta(hours=72)

    view = await case.act(MoveDeadline(key="c1", by=OFFICER, until=later, reason="typhoon"))

    assert before.due is not None
    assert (view.due, view.stage) == (later, StageName.MERCHANT_REVIEW)
    assert view.clock is not None
    assert view.clock.span.until == later
    entry = (await case.log())[-1]
    assert (entry.event, entry.by, entry.facts["reason"]) == ("deadline_set", OFFICER, "typhoon")

    await world.forward(case, hours=71)
    assert (await case.view()).outcome is None  # the first deadline was 48 hours
    await world.forward(case, hours=2)
    outcome = await case.outcome()
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)


async def test_a_deadline_can_be_brought_forward_and_work_lists_show_it_at_once(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    sooner = (await world.now(case)) + timedelta(hours=2)

    await case.act(MoveDeadline(key="c1", by=OFFICER, until=sooner, reason="agreed_by_phone"))

    shown = await world.pool.fetchval("SELECT due_at FROM casebook.cases WHERE case_id = $1", case.id)
    assert shown == sooner
    await world.forward(case, hours=3)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_the_notice_before_a_moved_deadline_goes_once(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    start = await world.now(case)
    await case.act(MoveDeadline(key="c1", by=OFFICER, until=start + timedelta(hours=100), reason="typhoon"))

    await world.forward(case, hours=60)  # past the first deadline and its notice
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 0
    await world.forward(case, hours=39)
    await until(lambda: world.notices(case, NoticeTemplate.DEADLINE_NEAR), lambda found: found == 1)

    await case.act(MoveDeadline(key="c2", by=OFFICER, until=start + timedelta(hours=200), reason="typhoon"))
    await world.forward(case, hours=100)
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1


async def test_other_commands_leave_a_moved_deadline_as_it_is(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    moved = (await world.now(case)) + timedelta(hours=72)
    await case.act(MoveDeadline(key="c1", by=OFFICER, until=moved, reason="typhoon"))

    view = await case.act(SubmitEvidence(key="c2", by=merchant(world.merchant), amount=100))

    assert view.due == moved


async def test_only_an_officer_moves_a_deadline_and_never_into_the_past(world: World) -> None:
    case = await world.refund()
    view = await world.at(case, StageName.MERCHANT_REVIEW)
    now = await world.now(case)

    with pytest.raises(RefusedCommand) as not_theirs:
        await case.act(
            MoveDeadline(key="c1", by=merchant(world.merchant), until=now + timedelta(days=9), reason="busy")
        )
    with pytest.raises(RefusedCommand) as past:
        await case.act(MoveDeadline(key="c2", by=OFFICER, until=now - timedelta(seconds=1), reason="typhoon"))

    assert (not_theirs.value.refusal.code, past.value.refusal.code) == ("wrong_actor", "deadline_past")
    assert past.value.refusal.field == "until"
    assert (await case.view()).due == view.due
