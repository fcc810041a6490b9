"""Roles on queues of their own: who is missing delays what is his, and nothing else."""

import asyncpg
from temporalio.api.enums.v1 import PendingActivityState

from starter.client import Case
from starter.settings import Settings
from tests.worker.processes import worker_process
from tests.workflow.world import World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, Withdraw
from workflows.messages.stages import OutcomeKind, StageName

SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED


async def pending(case: Case) -> list[tuple[str, PendingActivityState.ValueType]]:
    raw = (await case.handle.describe()).raw_description
    return [(each.activity_type.name, each.state) for each in raw.pending_activities]


async def unsent(pool: asyncpg.Pool, case: Case) -> tuple[int, int]:
    """How many notices of the case wait, and how many there are."""
    row = await pool.fetchrow(
        "SELECT count(*) FILTER (WHERE sent_at IS NULL), count(*) FROM notices.outbox WHERE case_id = $1", case.id
    )
    assert row is not None
    return row[0], row[1]


async def test_without_a_worker_for_money_only_money_waits(shop: World, own_settings: Settings) -> None:
    often = {"AFTERSALES_NOTICE_POLL_SECONDS": "1"}
    async with (
        worker_process(own_settings, AFTERSALES_ROLE="workflows") as cases,
        worker_process(own_settings, AFTERSALES_ROLE="notifications", **often) as outside,
        worker_process(own_settings, AFTERSALES_ROLE="money") as ended,
    ):
        await ended.said(": running")
        await ended.terminate()
        assert await ended.ended() == 0
        order_no, waiting = await shop.order(), [("settle", SCHEDULED)]
        paying, withdrawn = await shop.refund(order_no=order_no), await shop.refund()

        view = await paying.act(Approve(key="c1", by=merchant(shop.merchant)))
        await until(lambda: pending(paying), lambda found: found == waiting)
        outcome = await withdrawn.act_and_wait(Withdraw(key="c1", by=buyer(shop.buyer)))

        assert view.stage is StageName.PAYING
        assert outcome.outcome is OutcomeKind.WITHDRAWN
        await until(lambda: unsent(shop.pool, withdrawn), lambda found: found[0] == 0 < found[1])
        assert await shop.paid_by_gateway(order_no) == 0
        assert await pending(paying) == waiting
        async with worker_process(own_settings, AFTERSALES_ROLE="money") as money:
            outcome = await paying.outcome()
            info = (await paying.handle.describe()).raw_description.workflow_execution_info
            answers = [await each.probe("/readyz") for each in (cases, outside, money)]

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await shop.paid_by_gateway(order_no) == await shop.refunded(order_no) == 10_000
    assert info.priority.fairness_key == shop.merchant
    assert answers == [(200, {"ok": True, "state": "running", "reasons": []})] * 3
