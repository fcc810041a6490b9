"""Cases that another run takes over: they go on where the book stands (section 11)."""

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.recovery import Stranded, stranded
from tests.workflow import disputes
from tests.workflow.world import World, until
from workflows.messages.actors import merchant, officer
from workflows.messages.commands import Approve, LookAtBook, RetryPayment, SubmitEvidence
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.stages import OutcomeKind, StageName, Stopped


async def lost(world: World, case: Case) -> Stranded | None:
    """What is found of one case that nobody carries."""
    found = [each async for each in stranded(world.pool, world.aftersales.runs, 10, [case.id])]
    return found[0] if found else None


async def taken_up(world: World, case: Case) -> None:
    """The case's workflow is terminated, and the case started anew."""
    await case.handle.terminate("by an operator")
    stopped = await until(lambda: lost(world, case), lambda found: found is not None)
    assert stopped
    assert stopped.why is Stopped.TERMINATED
    assert await world.aftersales.take_up(stopped)
    assert await lost(world, case) is None
    assert not await world.aftersales.take_up(stopped), "it runs already"


def approve(world: World, key: str = "a-1") -> Approve:
    return Approve(key=key, by=merchant(world.merchant))


async def test_a_case_that_waits_keeps_its_deadline_and_is_decided_once(world: World) -> None:
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)

    await taken_up(world, case)
    after = await world.at(case, StageName.MERCHANT_REVIEW)

    assert (after.due, after.steps, after.log, after.commands) == (
        before.due,
        before.steps,
        before.log,
        before.commands,
    )
    await world.forward(case, hours=47, minutes=58)
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW
    await world.forward(case, minutes=3)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.paid_by_gateway(str(before.order_no)) == 10_000
    assert (await world.events(case)).count("approved_by_silence") == 1


async def test_what_was_obeyed_before_is_answered_and_not_done_again(world: World) -> None:
    case = await world.refund()
    given = SubmitEvidence(
        key="e-1",
        by=merchant(world.merchant),
        evidence=(Evidence(uri="ticket:t-1", sha256="a" * 64, media_type=MediaType.PNG, bytes=10),),
    )
    await case.act(given)

    await taken_up(world, case)
    await world.at(case, StageName.MERCHANT_REVIEW)
    view = await case.act(given)

    assert view.stage is StageName.MERCHANT_REVIEW
    assert (await world.events(case)).count("evidence_submitted") == 1


@pytest.mark.parametrize("mode", [Mode.SETTLE_LATER, Mode.DECLINE])
async def test_money_on_its_way_is_asked_about_and_paid_once(world: World, mode: Mode) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=mode, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    stage = StageName.SETTLING if mode is Mode.SETTLE_LATER else StageName.PAYMENT_ATTENTION
    before = await world.at(case, stage)
    await world.behave(Behaviour(mode=Mode.SUCCEED, order_no=order_no))

    await taken_up(world, case)
    await world.at(case, stage) if mode is Mode.DECLINE else None
    if mode is Mode.DECLINE:
        await case.act(RetryPayment(key="r-1", by=officer("o-1"), reason="asked_for"))
    else:
        await world.forward(case, hours=30)

    outcome = await case.outcome()
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [leg.refund_no for leg in outcome.legs] == [leg.refund_no for leg in before.legs]
    assert await world.paid_by_gateway(str(before.order_no)) == 10_000


async def test_a_dispute_tells_the_run_that_carries_its_case_now(world: World) -> None:
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)

    await taken_up(world, case)
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await world.forward(dispute, hours=24, minutes=1)

    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    outcome = await case.outcome()
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.ruling
    assert await world.paid_by_gateway(str((await case.view()).order_no)) == 10_000


async def test_an_older_run_has_nothing_to_say_any_more(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    take_over = "UPDATE casebook.cases SET run_id = 'another-run' WHERE case_id = $1"
    await world.pool.execute(take_over, case.id)

    await case.tell(LookAtBook(key="l-1", by=officer("o-1")))
    described = await until(case.handle.describe, lambda found: found.close_time is not None)

    assert described.status is not None
    assert described.status.name == "FAILED"
    row = await world.pool.fetchrow("SELECT stage, step, closed_at FROM casebook.cases WHERE case_id = $1", case.id)
    assert row is not None
    assert (row["stage"], row["step"], row["closed_at"]) == (StageName.MERCHANT_REVIEW, 0, None)


async def test_who_looks_at_a_book_that_is_no_further_writes_that_down(world: World) -> None:
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)

    view = await case.act(LookAtBook(key="l-1", by=officer("o-1")))

    assert (view.stage, view.due) == (before.stage, before.due)
    assert (await world.events(case))[-1] == "look_at_book"


async def test_another_request_under_the_same_id_takes_nothing_over(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.handle.terminate("by an operator")
    stopped = await until(lambda: lost(world, case), lambda found: found is not None)
    assert stopped
    assert stopped.opened_by
    other = stopped.opened_by.request.model_copy(update={"buyer_id": "b-other"})
    forged = Stranded(stopped.case_id, stopped.why, stopped.opened_by.model_copy(update={"request": other}))

    assert await world.aftersales.take_up(forged)
    outcome = await world.aftersales.temporal.get_workflow_handle(case.id).result()

    assert outcome["outcome"] == "refused"
    assert outcome["refusal"]["code"] == "duplicate_case"
