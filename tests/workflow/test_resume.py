"""Cases that another run takes over: they go on where the book stands (section 11)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.adrift import Adrift, Why, adrift
from starter.client import Case
from starter.errors import NotCarried
from starter.recovery import Stranded, stranded
from starter.resetting import begun_again
from tests.replay.test_resets import finished_tasks
from tests.workflow import disputes
from tests.workflow.test_answers import believed, completed
from tests.workflow.test_buttons import NOTHING_AGAIN
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.commands import Approve, LookAtBook, Reject, RejectReason, RetryPayment, SubmitEvidence
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.payouts import LegState
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, Stopped


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


async def test_goods_that_ship_while_nothing_carries_the_case_are_not_refunded_by_silence(world: World) -> None:  # R7
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.forward(case, hours=37)
    await until(lambda: world.events(case), lambda events: "deadline_near" in events)
    await case.handle.terminate("by an operator")
    with pytest.raises(NotCarried):  # and nobody tells it again
        await world.aftersales.logistics.order_shipped(order_no, world.parcel(), datetime.now(UTC))

    stopped = await until(lambda: lost(world, case), lambda found: found is not None)
    assert stopped
    assert await world.aftersales.take_up(stopped)
    view = await world.at(case, StageName.RETURN_REVIEW)
    await world.forward(case, hours=12, minutes=1)

    assert view.kind is CaseKind.RETURN
    assert await world.paid_by_gateway(order_no) == 0
    assert (await world.events(case))[:3] == ["opened", "deadline_near", "goods_shipped"]


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


async def test_a_case_that_was_stopped_when_the_platform_stepped_in_is_locked(world: World) -> None:  # D3
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)
    await case.handle.terminate("by an operator")
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.EVIDENCE)
    stopped = await until(lambda: lost(world, case), lambda found: found is not None)
    assert stopped

    assert await world.aftersales.take_up(stopped)

    assert (await world.at(case, StageName.LOCKED)).due is None
    assert (await world.events(case)).count("locked") == 1


async def test_a_dispute_that_has_taken_no_step_is_its_cases_still(world: World) -> None:
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)

    await taken_up(world, case)
    await taken_up(world, dispute)  # by nobody's request to carry its ruling out: its book tells
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await world.forward(dispute, hours=24, minutes=1)

    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
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


async def test_a_case_whose_end_was_made_up_is_found_and_goes_on_from_its_book(world: World) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    (leg,) = (await world.at(case, StageName.PAYMENT_ATTENTION)).legs
    paid = leg.model_copy(update={"state": LegState.SUCCEEDED}).model_dump(mode="json")
    answer = completed(json.dumps({"legs": [paid], "closed": True}).encode())
    retry = RetryPayment(key="r-1", by=officer("o-1"), reason="asked_for")

    await believed(world, case, retry, "settle", answer, f"ledger.funds WHERE fund = 'order/{order_no}'")
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.paid_by_gateway(order_no) == 0, "and it is not true"
    stopped = await until(lambda: lost(world, case), lambda found: found is not None)
    assert stopped
    assert stopped.why is Stopped.ENDED
    assert await world.aftersales.take_up(stopped)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await world.paid_by_gateway(order_no) == await world.refunded(order_no) == 10_000
    assert await lost(world, case) is None


# One of the two was restored to an earlier moment --------------------------------------------------------


async def differs(world: World, case: Case, since: datetime | None = None) -> Why | None:
    """How a running case and its book differ, or one that has ended since then."""
    temporal, runs = world.aftersales.temporal, world.aftersales.runs
    found = [each async for each in adrift(world.pool, temporal, runs, [case.id], compare=True, since=since)]
    return found[0].why if found else None


async def test_a_workflow_that_has_forgotten_steps_is_found_and_looks_at_its_book(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(SubmitEvidence(key="e1", by=merchant(world.merchant), evidence=EVIDENCE))
    assert await differs(world, case) is None
    (first, *_) = await finished_tasks(world.aftersales.temporal, case.id)
    restored = ResetWorkflowExecutionRequest(  # as if nothing had come since
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=case.id),
        reason="a test",
        workflow_task_finish_event_id=first,
        request_id=world.fresh("r"),
        reset_reapply_exclude_types=NOTHING_AGAIN,
    )
    await world.aftersales.temporal.workflow_service.reset_workflow_execution(restored)
    await world.at(case, StageName.SHIPPED_REVIEW)
    # What is told there is as far as the book, which it read when it began again.
    assert await differs(world, case) is None
    assert (await case.view()).steps == 1


async def written(world: World, case: Case) -> list[str]:
    """The events of the case's log; none where the book does not have it."""
    rows = await world.pool.fetch("SELECT event FROM casebook.log WHERE case_id = $1 ORDER BY position", case.id)
    return [row["event"] for row in rows]


async def forgotten(world: World, case: Case, *, after: int) -> None:
    """The case book is as it was after so many steps; with -1, as it was before the case."""
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # the log is append-only
        await connection.execute("DELETE FROM notices.outbox WHERE case_id = $1 AND step > $2", case.id, after)
        await connection.execute("DELETE FROM casebook.log WHERE case_id = $1 AND step > $2", case.id, after)
        if after < 0:
            await connection.execute("DELETE FROM disputes.evidence WHERE case_id = $1", case.id)
            await connection.execute("DELETE FROM casebook.cases WHERE case_id = $1", case.id)
        else:
            await connection.execute(
                """
                UPDATE casebook.cases SET stage = 'shipped_review', step = $2, stepped = NULL, state = NULL,
                    log_length = (SELECT count(*) FROM casebook.log WHERE log.case_id = cases.case_id)
                WHERE case_id = $1
                """,
                case.id,
                after,
            )


@pytest.mark.parametrize(("after", "why"), [(0, Why.BOOK_BEHIND), (-1, Why.NOT_IN_BOOK)], ids=["steps", "the case"])
async def test_a_book_that_has_forgotten_is_found_and_written_anew(world: World, after: int, why: Why) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    reject = Reject(
        key="r1", by=merchant(world.merchant), reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE
    )
    await case.act(reject)
    whole = await world.events(case)
    await forgotten(world, case, after=after)

    assert await differs(world, case) is why
    await case.tell(LookAtBook(key="l-1", by=officer("o-1")))  # the case finds out, and stops
    if after >= 0:
        attention = "SELECT attention FROM casebook.cases WHERE case_id = $1"
        await until(lambda: world.pool.fetchval(attention, case.id), lambda found: found == Attention.BOOK_BEHIND)
    assert await begun_again(world.aftersales.temporal, world.aftersales.runs, case.id, "restored")

    said = await until(lambda: written(world, case), lambda events: {"look_at_book", "rejected"} <= set(events))
    assert [event for event in said if event not in {"book_behind", "look_at_book"}] == whole
    assert await differs(world, case) is None
    assert (await case.view()).stage is StageName.REJECTED
    assert (await case.act(reject)).stage is StageName.REJECTED, "and its sender is answered as before"
    row = await world.pool.fetchrow("SELECT stage, attention FROM casebook.cases WHERE case_id = $1", case.id)
    assert row is not None
    assert tuple(row.values()) == (StageName.REJECTED, None)


async def test_a_forgotten_case_is_found_however_its_workflow_has_ended(world: World) -> None:
    began = world.wall_clock()
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    await forgotten(world, case, after=-1)
    await case.handle.terminate("by an operator")

    await until(lambda: differs(world, case, began), lambda why: why is Why.NOT_IN_BOOK)
    assert await begun_again(world.aftersales.temporal, world.aftersales.runs, case.id, "restored")

    await until(lambda: written(world, case), lambda events: events == ["opened"])
    assert await differs(world, case, began) is None


async def test_what_is_about_another_case_is_written_after_it(world: World) -> None:
    case = await disputes.rejected_refund(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    dispute = await disputes.disputed(world, case)
    for each in (dispute, case):
        await forgotten(world, each, after=-1)

    found = await drifting(world, dispute.id, case.id)

    assert [(each.case_id, each.after) for each in found] == [(case.id, None), (dispute.id, case.id)]
    assert await begun_again(world.aftersales.temporal, world.aftersales.runs, case.id, "restored")
    await until(lambda: written(world, case), lambda events: "rejected" in events)
    (left,) = await until(lambda: drifting(world, dispute.id), lambda found: [each.after for each in found] == [None])
    assert (left.case_id, left.why) == (dispute.id, Why.NOT_IN_BOOK)


async def test_a_case_and_its_dispute_that_were_both_forgotten_end_together(world: World) -> None:
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)
    for each in (dispute, case):
        await forgotten(world, each, after=-1)

    await written_anew(world, case, dispute)  # the case cannot start what runs
    await world.at(case, StageName.DISPUTED)
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await ruled_and_refunded(world, case, dispute)


async def test_a_dispute_that_was_forgotten_and_not_its_case_tells_that_how_it_ends(world: World) -> None:
    case = await disputes.rejected_refund(world)
    dispute = await disputes.disputed(world, case)
    row = await world.pool.fetchrow("SELECT * FROM casebook.cases WHERE case_id = $1", case.id)
    assert row
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await forgotten(world, dispute, after=-1)
    await forgotten(world, case, after=row["step"])
    await world.pool.execute(
        "UPDATE casebook.cases SET (stage, stepped, state, due_at) = ($2, $3, $4, $5) WHERE case_id = $1",
        case.id,
        *(row[name] for name in ("stage", "stepped", "state", "due_at")),
    )

    await written_anew(world, case, dispute)  # the case lets it go, and then it begins again without knowing that
    await world.at(case, StageName.LOCKED)
    await ruled_and_refunded(world, case, dispute)


async def written_anew(world: World, *cases: Case) -> None:
    """The book gets what it lacks of these, one after the other."""
    for each in cases:
        assert await begun_again(world.aftersales.temporal, world.aftersales.runs, each.id, "restored")
        await until(lambda each=each: differs(world, each), lambda why: why is None)


async def ruled_and_refunded(world: World, case: Case, dispute: Case) -> None:
    """Nobody rules in time, and the case pays what the ruling says."""
    await world.forward(dispute, hours=24, minutes=1)
    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    outcome = await case.outcome()
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.ruling
    assert await world.paid_by_gateway(str((await case.view()).order_no)) == 10_000


async def drifting(world: World, *among: str) -> list[Adrift]:
    """Which of these cases do not agree with their book."""
    temporal, runs = world.aftersales.temporal, world.aftersales.runs
    return [each async for each in adrift(world.pool, temporal, runs, among, compare=True)]


async def test_a_case_that_no_worker_answers_for_is_told_as_such(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    monkeypatch.setattr("starter.adrift._PATIENCE", timedelta(milliseconds=1))

    assert await differs(world, case) is Why.UNANSWERED, "and not as one that agrees with its book"
