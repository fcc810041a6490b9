"""Section 9: pause windows move the deadlines of open cases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.deadlines import PAUSED
from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import pauses
from activities.postgres.pauses import DeclaredOtherwise
from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from starter.errors import RefusedCommand, Unreachable
from starter.recovery import stranded
from starter.resetting import begun_again
from tests.workflow import disputes
from tests.workflow.world import EVIDENCE, World, until
from workflows.at_start import whole_minute
from workflows.messages import search_attributes as attributes
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.cases import CaseView, NoticeTemplate
from workflows.messages.clocks import ReachClocks
from workflows.messages.commands import Approve, ClaimCompensation, PausesChanged, ProveShipment, Resolve
from workflows.messages.pauses import DeclarePause, LiftPause, PauseReason, PauseWindow
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

OFFICER = officer("f-7")
REFUNDS = (CaseKind.UNSHIPPED_REFUND,)

Declare = Callable[..., Awaitable[PauseWindow]]


@pytest_asyncio.fixture(loop_scope="session")
async def declare(world: World) -> AsyncIterator[Declare]:
    """Declares a window and waits until the open cases are told; it is gone when the test has ended."""
    ids: list[str] = []

    async def declared(
        starts: float, ends: float, kinds: tuple[CaseKind, ...] = REFUNDS, *, reach: bool = True, **changes: Any
    ) -> PauseWindow:
        declaration = pause(world, starts, ends, kinds, **changes)
        ids.append(declaration.id)
        if not reach:
            async with world.pool.acquire() as connection, connection.transaction():
                return await pauses.declare(connection, declaration, datetime.now(UTC))
        window = await world.aftersales.declarations.declare_pause(declaration)
        await reached(world, window, "declared")
        return window

    yield declared
    await world.pool.execute("DELETE FROM declarations.pauses WHERE id = ANY ($1)", ids)


def pause(
    world: World, starts: float, ends: float, kinds: tuple[CaseKind, ...] = REFUNDS, **changes: Any
) -> DeclarePause:
    """A window of so many hours from now."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "id": world.fresh("w"),
        "reason": PauseReason.SPRING_FESTIVAL,
        "kinds": kinds,
        "starts_at": now + timedelta(hours=starts),
        "ends_at": now + timedelta(hours=ends),
        "by": OFFICER,
    }
    return DeclarePause(**(fields | changes))


async def reached(world: World, window: PauseWindow, change: str) -> None:
    """Once every open case has been told."""
    await world.aftersales.temporal.get_workflow_handle(f"pause-reach/{window.id}/{change}").result()


async def lift(world: World, window: PauseWindow) -> None:
    await world.aftersales.declarations.lift_pause(LiftPause(id=window.id, by=officer("f-8")))
    await reached(world, window, "lifted")


async def reviewed(world: World) -> tuple[Case, datetime]:
    """An unshipped refund that the merchant is to decide on, and until when."""
    case = await world.refund()
    return case, due(await world.at(case, StageName.MERCHANT_REVIEW))


def due(view: CaseView) -> datetime:
    assert view.due
    return view.due


async def moved(case: Case, times: int = 1) -> CaseView:
    """The case, once its deadline has moved so many times."""
    return await until(case.view, lambda view: [each.event for each in view.log].count("deadline_moved") == times)


async def listed(world: World) -> list[tuple[str, datetime | None]]:
    """What the merchant has to do, and until when."""
    return [
        (each.case_id, each.due_at)
        for each in (await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant))).items
    ]


# Deadlines -----------------------------------------------------------------------------------------------


async def test_a_stage_that_begins_afterwards_ends_later_by_the_pause(world: World, declare: Declare) -> None:
    await declare(1, 25)

    case, ends = await reviewed(world)
    view = await case.view()

    assert ends == view.opened_at + timedelta(hours=48 + 24)
    assert view.warnings == (PAUSED,)


async def test_a_clock_that_runs_moves_and_silence_decides_at_the_new_time(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)

    window = await declare(1, 11)
    view = await moved(case)
    await world.forward(case, hours=48, minutes=5)
    at_the_old_time = await case.view()
    await until(lambda: world.events(case), lambda events: "deadline_near" in events)  # 12 h were left
    await world.forward(case, hours=10)
    outcome = await case.outcome()

    assert due(view) == before + timedelta(hours=10)
    assert view.warnings == (PAUSED,)
    assert (view.log[-1].by, view.log[-1].rule, view.log[-1].facts) == (OFFICER, "section 9", {"window": window.id})
    assert at_the_old_time.stage is StageName.MERCHANT_REVIEW
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert outcome.closed_at >= due(view)
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1


async def test_lists_show_the_new_deadline(world: World, declare: Declare) -> None:  # section 12
    case, before = await reviewed(world)

    await declare(1, 11)
    await moved(case)

    assert await listed(world) == [(case.id, before + timedelta(hours=10))]
    found = (await case.handle.describe()).typed_search_attributes
    assert found[attributes.DUE] == whole_minute(before + timedelta(hours=10))


async def test_the_notice_near_the_deadline_moves_as_well(world: World, declare: Declare) -> None:  # R1
    case, _ = await reviewed(world)
    await declare(1, 11)
    await moved(case)

    await world.forward(case, hours=45)
    early = await world.notices(case, NoticeTemplate.DEADLINE_NEAR)
    await world.forward(case, hours=1, minutes=5)
    await until(lambda: world.events(case), lambda events: "deadline_near" in events)

    assert early == 0


async def test_a_lifted_pause_gives_the_deadline_back(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    window = await declare(1, 11)
    await moved(case)

    await lift(world, window)
    view = await moved(case, 2)

    assert due(view) == before
    assert view.log[-1].by == officer("f-8")
    assert view.warnings == ()
    assert await listed(world) == [(case.id, before)]


async def test_two_windows_add_up(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    a_long_name = f"{world.fresh('spring'):-<60}"  # they differ in the last letter only

    await declare(1, 11, id=f"{a_long_name}.1")
    await declare(20, 26, id=f"{a_long_name}.2")
    view = await moved(case, 2)

    assert due(view) == before + timedelta(hours=16)


async def test_a_pause_counts_from_when_the_stage_began(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    await world.forward(case, hours=20)

    await declare(1, 5)  # in the case's own time long over: an outage, say, that is declared afterwards
    view = await moved(case)

    assert due(view) == before + timedelta(hours=4)


# What stays as it is --------------------------------------------------------------------------------------


async def test_kinds_that_are_not_named_are_not_touched(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    withdrawal = await world.withdrawal(await world.allowance(spent=1_000))
    paid_out_at = due(await world.at(withdrawal, StageName.RETENTION))

    await declare(1, 11, (CaseKind.WITHDRAWAL,))
    view = await moved(withdrawal)

    assert due(view) == paid_out_at + timedelta(hours=10)
    assert due(await case.view()) == before
    assert await world.events(case) == ["opened"]


async def test_money_that_is_on_its_way_is_not_paused(world: World, declare: Declare) -> None:  # R5
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    before = await world.at(case, StageName.SETTLING)

    window = await declare(0, 100)
    after = await case.act(PausesChanged(key="p1", by=OFFICER, window=window.id))  # nor if it is told nevertheless

    assert due(after) == due(before)
    assert "deadline_moved" not in await world.events(case)
    assert await listed(world) == [(case.id, before.due)]


async def test_asking_the_buyer_for_an_account_is_not_paused(world: World, declare: Declare) -> None:  # T4
    await declare(1, 11)
    case = await world.refund(order_no=await world.order(tenders=[("t1", "cash", 10_000)]))
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    before = await world.at(case, StageName.AWAITING_ACCOUNT)

    window = await declare(1, 24)
    after = await case.act(PausesChanged(key="p1", by=OFFICER, window=window.id))

    assert due(before) == before.log[-1].at + timedelta(days=7)
    assert after.due == before.due


async def test_a_clock_that_stands_still_under_a_dispute_gets_its_time_back(world: World, declare: Declare) -> None:
    case = await disputes.rejected_refund(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    rejected = await world.at(case, StageName.REJECTED)
    await world.forward(case, hours=10)
    dispute = await disputes.disputed(world, case)
    stood_at = await world.now(case)
    await until(case.view, lambda view: view.stage is StageName.DISPUTED)

    await declare(1, 5, (CaseKind.SHIPPED_REFUND,))  # in the case's own time over, before it was disputed (D3)
    await moved(case)
    await dispute.act(Resolve(key="r-1", by=buyer(world.buyer)))
    view = await world.at(case, StageName.REJECTED)

    left = due(rejected) - stood_at + timedelta(hours=4)
    assert due(view) - view.log[-1].at == pytest.approx(left, abs=timedelta(minutes=1))


async def test_declaring_again_is_harmless(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    window = await declare(1, 11)
    await moved(case)
    again = DeclarePause(
        id=window.id,
        reason=window.reason,
        kinds=window.kinds,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        by=OFFICER,
    )

    declared = await world.aftersales.declarations.declare_pause(again)
    longer = again.model_copy(update={"ends_at": window.ends_at + timedelta(hours=1)})
    with pytest.raises(DeclaredOtherwise):
        await world.aftersales.declarations.declare_pause(longer)
    view = await case.act(PausesChanged(key="p1", by=OFFICER, window=window.id))

    assert declared == window
    assert due(view) == before + timedelta(hours=10)


async def test_a_window_that_is_over_is_not_lifted(world: World, declare: Declare) -> None:
    window = await declare(-11, -1)
    case, before = await reviewed(world)

    lifted = await world.aftersales.declarations.lift_pause(LiftPause(id=window.id, by=OFFICER))
    unknown = await world.aftersales.declarations.lift_pause(LiftPause(id=world.fresh("w"), by=OFFICER))

    assert lifted == window
    assert unknown is None
    assert due(await case.view()) == before
    assert await world.events(case) == ["opened"]


async def test_only_the_platform_tells_of_pauses(world: World) -> None:
    case, before = await reviewed(world)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(PausesChanged(key="p1", by=merchant(world.merchant), window="w-1"))

    assert refused.value.refusal.code == "wrong_actor"
    assert due(await case.view()) == before


# Reaching the open cases ----------------------------------------------------------------------------------


async def test_no_case_falls_between_its_opening_and_the_declaration(world: World, declare: Declare) -> None:
    declaration = pause(world, 1, 11)

    cases, *_ = await asyncio.gather(
        asyncio.gather(*(world.refund() for _ in range(8))),
        declare(0, 0, id=declaration.id, starts_at=declaration.starts_at, ends_at=declaration.ends_at),
        asyncio.gather(*(world.refund() for _ in range(8))),
    )

    for case in cases:
        await until(case.view, lambda view: view.due == view.opened_at + timedelta(hours=48 + 10))


async def test_many_cases_are_told_page_by_page_and_run_by_run(world: World, declare: Declare) -> None:
    cases = [await world.withdrawal(await world.allowance(spent=1_000)) for _ in range(12)]
    before = {case.id: due(await world.at(case, StageName.RETENTION)) for case in cases}
    kinds = (CaseKind.WITHDRAWAL,)
    window = await declare(1, 11, kinds, reach=False)
    reach = ReachClocks(window=window.id, change="declared", by=OFFICER, kinds=kinds, page=1)

    handle = await world.aftersales.temporal.start_workflow(
        "PauseReach", reach, id=f"pause-reach/{window.id}/declared", task_queue=world.task_queue, result_type=int
    )
    told = await handle.result()

    first = world.aftersales.temporal.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    assert (await first.describe()).status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    assert told >= len(cases)
    for case in cases:
        assert due(await moved(case)) == before[case.id] + timedelta(hours=10)


async def test_a_case_that_ends_meanwhile_does_not_stop_the_others(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    await world.pool.execute(  # the case book has not heard of the end yet
        """
        INSERT INTO casebook.cases (
            case_id, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, policy, stage, work_list,
            opened_at, due_at, step, log_length, opened
        )
        SELECT $2, run_id, kind, merchant_id, buyer_id, order_no, currency, asked, policy, stage, work_list,
               opened_at, due_at, step, log_length, opened
        FROM casebook.cases WHERE case_id = $1
        """,
        case.id,
        f"{case.id}-gone",
    )

    await declare(1, 11)
    await world.pool.execute("DELETE FROM casebook.cases WHERE case_id = $1", f"{case.id}-gone")

    assert due(await moved(case)) == before + timedelta(hours=10)


async def taken_up(world: World, case: Case) -> None:
    """Another run carries the case, whose workflow was terminated."""
    async for each in stranded(world.pool, world.aftersales.runs, 1, [case.id]):
        assert await world.aftersales.take_up(each)


async def test_what_was_declared_or_lifted_while_nothing_carried_a_case_moves_it(
    world: World, declare: Declare
) -> None:
    stopped, before = await reviewed(world)
    reminded, _ = await reviewed(world)
    await world.forward(reminded, hours=37)
    await until(lambda: world.events(reminded), lambda events: "deadline_near" in events)
    for case in (stopped, reminded):
        await case.handle.terminate("by an operator")
    window = await declare(1, 11)
    for case in (stopped, reminded):
        await taken_up(world, case)

    later = [due(await moved(case)) for case in (stopped, reminded)]
    await stopped.handle.terminate("once more")
    await lift(world, window)
    await taken_up(world, stopped)
    view = await moved(stopped, 2)

    assert later == [before + timedelta(hours=10), due(await moved(reminded, 2)) + timedelta(hours=10)]
    assert (due(view), view.log[-1].by, view.log[-1].facts) == (before, officer("f-8"), {"window": window.id})


async def test_what_was_declared_while_a_case_was_stopped_moves_it_once_it_is_reset(
    world: World, declare: Declare
) -> None:
    """As the runbook says, to its first workflow task: it asks its book anew."""
    case, before = await reviewed(world)
    await case.handle.terminate("by an operator")
    await declare(1, 11, reach=False)

    assert await begun_again(world.aftersales.temporal, world.aftersales.runs, case.id, "stopped_by_mistake")

    assert due(await moved(case)) == before + timedelta(hours=10)


async def test_a_case_that_goes_on_takes_no_step_for_a_pause_that_it_knows(world: World, declare: Declare) -> None:
    await declare(-9, -8)
    case, _ = await reviewed(world)
    window = await declare(1, 11)
    before = await moved(case)
    await case.handle.terminate("by an operator")

    await taken_up(world, case)
    await case.act(PausesChanged(key="p1", by=OFFICER, window=window.id))

    assert await world.events(case) == ["opened", "deadline_moved", "deadline_moved"]
    assert due(await case.view()) == due(before)


async def test_a_case_that_did_not_hear_of_it_is_told_by_declaring_again(world: World, declare: Declare) -> None:
    case, before = await reviewed(world)
    declaration = pause(world, 1, 11)
    fields = declaration.model_dump(include={"id", "starts_at", "ends_at"})
    await world.pool.execute("UPDATE casebook.cases SET stage = 'paying' WHERE case_id = $1", case.id)
    await declare(0, 0, **fields)  # as if it had been stopped: nobody tells it
    await world.pool.execute("UPDATE casebook.cases SET stage = $2 WHERE case_id = $1", case.id, "merchant_review")

    await declare(0, 0, **fields)

    assert due(await moved(case)) == before + timedelta(hours=10)


async def test_what_temporal_did_not_take_is_declared_again(
    world: World, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, before = await reviewed(world)
    declaration = pause(world, 1, 11)

    async def down(*_: object, **__: object) -> None:
        raise RPCError("no connection", RPCStatusCode.UNAVAILABLE, b"")

    with monkeypatch.context() as broken:
        broken.setattr(Client, "start_workflow", down)
        with pytest.raises(Unreachable):
            await world.aftersales.declarations.declare_pause(declaration)
    unmoved = due(await case.view())
    await declare(0, 0, id=declaration.id, starts_at=declaration.starts_at, ends_at=declaration.ends_at)

    assert unmoved == before
    assert due(await moved(case)) == before + timedelta(hours=10)


async def test_a_database_that_does_not_answer_is_unreachable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(pauses, "declare", down)

    with pytest.raises(Unreachable):
        await world.aftersales.declarations.declare_pause(pause(world, 1, 11))


async def test_windows_are_listed(world: World, declare: Declare) -> None:
    first, second = await declare(1, 2), await declare(3, 4)

    listing = await world.aftersales.declarations.pauses()

    assert [each for each in listing if each.id in (first.id, second.id)] == [second, first]


# Late shipment -------------------------------------------------------------------------------------------


async def test_the_time_to_ship_is_longer_by_the_pause(world: World, declare: Declare) -> None:  # L1
    case = await world.aftersales.order_paid(await world.order(paid_at=datetime.now(UTC)))
    await declare(1, 11, (CaseKind.LATE_SHIPMENT,))

    await world.forward(case, hours=48, minutes=1)
    await until(world.timers(case), lambda timers: timers == 1)
    with pytest.raises(RefusedCommand) as refused:
        await case.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))
    await world.forward(case, hours=9, minutes=57)
    booked = await listed(world)
    await world.forward(case, minutes=5)
    view = await world.at(case, StageName.CLAIMABLE)

    assert refused.value.refusal.code == "not_open"
    assert booked == []
    assert due(view) == view.opened_at + timedelta(days=30)


async def test_a_lifted_pause_wakes_whoever_waits_for_its_end(world: World, declare: Declare) -> None:  # L1
    """The case is in no book yet; another one waits for its start still, and is left alone."""
    later = await world.aftersales.order_paid(await world.order(paid_at=datetime.now(UTC) - timedelta(hours=40)))
    window = await declare(-13, 30, (CaseKind.LATE_SHIPMENT,))
    case = await world.aftersales.order_paid(await world.order(paid_at=datetime.now(UTC) - timedelta(hours=60)))
    await until(world.timers(case), lambda timers: timers == 1)

    await lift(world, window)
    await until(world.timers(case), lambda timers: timers == 2)
    await world.forward(case, hours=1, minutes=2)
    view = await world.at(case, StageName.CLAIMABLE)

    assert due(view) == view.opened_at + timedelta(days=30)
    assert view.opened_at - datetime.now(UTC) == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=5))
    history = [each.event_type async for each in later.handle.fetch_history_events()]
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED not in history


async def test_goods_that_ship_within_the_pause_are_in_time(world: World, declare: Declare) -> None:  # L1
    paid_at = datetime.now(UTC) - timedelta(hours=60)
    await declare(-50, -40, (CaseKind.LATE_SHIPMENT,))
    order_no = await world.order(paid_at=paid_at, shipped_at=paid_at + timedelta(hours=57))

    outcome = await (await world.aftersales.order_paid(order_no)).outcome()

    assert outcome.outcome is OutcomeKind.SHIPPED_IN_TIME


async def test_the_proof_of_shipment_counts_the_pause(world: World, declare: Declare) -> None:  # L2
    paid_at = datetime.now(UTC)
    case = await world.aftersales.order_paid(await world.order(paid_at=paid_at))
    await declare(1, 11, (CaseKind.LATE_SHIPMENT,))
    await world.forward(case, hours=48, minutes=1)
    await until(world.timers(case), lambda timers: timers == 1)
    await world.forward(case, hours=10, minutes=2)
    await world.at(case, StageName.CLAIMABLE)
    await case.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))

    outcome = await case.act_and_wait(
        ProveShipment(
            key="c2",
            by=merchant(world.merchant),
            parcel=world.parcel(),
            shipped_at=paid_at + timedelta(hours=57),
            evidence=EVIDENCE,
        )
    )

    assert outcome.outcome is OutcomeKind.EXEMPT
