"""SIGKILL for the worker: deadlines fire when due, and money in flight arrives once (section 10)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.chaos.site import Site, assert_paid_once, pending, scheduled
from tests.replay.registry import at, forward, quiet
from tests.workflow.world import until
from workflows.messages.actors import Role, merchant
from workflows.messages.commands import Approve
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind, StageName

BY_SILENCE = ("opened", "deadline_near", "approved_by_silence", "refund_succeeded")
BY_MERCHANT = ("opened", "approved", "refund_succeeded")


async def test_a_deadline_outlives_the_worker_that_set_it(site: Site) -> None:  # R1
    world = site.world
    order_no = await world.order()
    async with site.worker() as first:
        case = await world.refund(order_no=order_no)
        await at(world, case, StageName.MERCHANT_REVIEW)
        await first.kill()
    async with site.worker():
        await forward(world, case, hours=47, minutes=59)
        before = await case.view()
        await forward(world, case, minutes=2)
        outcome = await case.outcome()

    assert before.stage is StageName.MERCHANT_REVIEW
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    await assert_paid_once(site, case, order_no, *BY_SILENCE)


async def test_a_deadline_that_passes_without_any_worker_is_kept(site: Site) -> None:  # R1
    world = site.world
    order_no = await world.order()
    async with site.worker() as first:
        case = await world.refund(order_no=order_no)
        await at(world, case, StageName.MERCHANT_REVIEW)
        await forward(world, case, hours=40)
        due = (await case.view()).due
        await first.kill()
        # The clock stands still while a workflow task waits for a worker, so this ends only with the next one.
        passing = asyncio.create_task(world.forward(case, hours=9))
        await until(lambda: fired(case), lambda timers: timers == 2)
    async with site.worker():
        outcome = await case.outcome()
        await passing

    assert due is not None
    (decided,) = (entry for entry in await case.log() if entry.event == "approved_by_silence")
    assert timedelta(0) <= decided.at - due < timedelta(minutes=5)
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    await assert_paid_once(site, case, order_no, *BY_SILENCE)


async def fired(case: Case) -> int:
    history = await case.handle.fetch_history()
    return sum(event.event_type == EventType.EVENT_TYPE_TIMER_FIRED for event in history.events)


@dataclass(frozen=True)
class Killed:
    """A case whose worker was killed while it paid."""

    case: Case
    order_no: str


class Points:
    """The moments of a payment at which the worker is killed."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def before_the_gateway_committed(self) -> Killed:
        """We have written that we send; the gateway has the request and has not committed it."""
        async with self._site.worker() as worker, self._site.pool.acquire() as holder:
            case, order_no = await self._reviewed()
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("LOCK TABLE gateway.refunds IN ACCESS EXCLUSIVE MODE")
            await self._approve(case)
            await self._site.waits_for_a_lock("aftersales-stubs")
            await worker.kill()
            await transaction.rollback()
        assert await self._site.world.paid_by_gateway(order_no) == 0
        assert await self._site.leg_states(case) == [LegState.SUBMITTED]
        return Killed(case, order_no)

    async def after_the_gateway_committed(self) -> Killed:
        """The gateway has paid; its answer is still on the way."""
        async with self._site.worker() as worker:
            case, order_no = await self._reviewed(answer_after_seconds=600)
            await self._approve(case)
            await self._site.gateway_has_paid(order_no)
            await worker.kill()
        assert await self._site.leg_states(case) == [LegState.SUBMITTED]
        return Killed(case, order_no)

    async def after_our_books_closed(self) -> Killed:
        """Both books are closed; Temporal has not been told, because it hangs."""
        assert self._site.stack.temporal_pid is not None
        async with self._site.worker() as worker, self._site.pool.acquire() as holder:
            case, order_no = await self._reviewed(answer_after_seconds=2)
            await self._approve(case)
            await self._site.gateway_has_paid(order_no)
            # The closing step waits for this row until Temporal hangs.
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("SELECT FROM casebook.cases WHERE case_id = $1 FOR UPDATE", case.id)
            os.kill(self._site.stack.temporal_pid, signal.SIGSTOP)
            try:
                await transaction.rollback()
                outcome = "SELECT outcome FROM casebook.cases WHERE case_id = $1"
                await until(lambda: self._site.pool.fetchval(outcome, case.id), bool)
                await worker.kill()
            finally:
                os.kill(self._site.stack.temporal_pid, signal.SIGCONT)
        assert await self._site.leg_states(case) == [LegState.SUCCEEDED]
        return Killed(case, order_no)

    async def _reviewed(self, **slowly: float) -> tuple[Case, str]:
        world = self._site.world
        order_no = await world.order()
        if slowly:
            await world.behave(Behaviour(mode=Mode.ANSWER_SLOWLY, order_no=order_no).model_copy(update=slowly))
        case = await world.refund(order_no=order_no)
        await at(world, case, StageName.MERCHANT_REVIEW)
        return case, order_no

    async def _approve(self, case: Case) -> None:
        view = await case.act(Approve(key="c1", by=merchant(self._site.world.merchant)))
        assert view.stage is StageName.PAYING


POINTS = (Points.before_the_gateway_committed, Points.after_the_gateway_committed, Points.after_our_books_closed)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def killed(site: Site) -> AsyncIterator[dict[str, Killed]]:
    """One case for each point, so that they wait together for their attempts to time out; and a worker again."""
    points = Points(site)
    cases: dict[str, Killed] = {}
    for point in POINTS:
        each = cases[point.__name__] = await point(points)
        # Now: on a slow machine its attempt may have timed out, and be done again, while the next one's worker runs.
        assert await pending(each.case) == {"settle": 1}
    async with site.worker():
        yield cases


@pytest.mark.slow  # the attempt of a killed worker is given up after its time limit, in real time
@pytest.mark.parametrize("point", [point.__name__ for point in POINTS])
async def test_money_in_flight_arrives_once(point: str, killed: dict[str, Killed], site: Site) -> None:
    each = killed[point]

    outcome = await each.case.outcome()

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    assert (await scheduled(each.case))["settle"] == 2
    await quiet(each.case)
    await assert_paid_once(site, each.case, each.order_no, *BY_MERCHANT)
