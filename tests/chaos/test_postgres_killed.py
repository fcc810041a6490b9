"""SIGKILL for PostgreSQL: cases wait for it with what they were about to write, and go on where they stood."""

import asyncio

import asyncpg

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.chaos.site import Site, assert_paid_once, pending, scheduled
from tests.replay.registry import at, forward, quiet
from tests.workflow.world import until
from workflows.messages.actors import Role, merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName


async def reviewed(site: Site, order_no: str) -> Case:
    case = await site.world.refund(order_no=order_no)
    await at(site.world, case, StageName.MERCHANT_REVIEW)
    return case


async def test_cases_wait_for_their_database(site: Site) -> None:  # R1, section 10, section 12
    world = site.world
    approve = Approve(key="c1", by=merchant(world.merchant))
    orders = [await world.order() for _ in range(3)]
    recording_order, paying_order, waiting_order = orders
    await world.behave(Behaviour(mode=Mode.ANSWER_SLOWLY, order_no=paying_order, answer_after_seconds=4))
    async with site.worker():
        recording, paying, waiting = [await reviewed(site, order_no) for order_no in orders]
        await paying.act(approve)
        await site.gateway_has_paid(paying_order)
        holder = await asyncpg.connect(site.stack.database_url)
        await holder.execute("BEGIN")
        await holder.execute("SELECT FROM casebook.cases WHERE case_id = $1 FOR UPDATE", recording.id)
        approval = asyncio.create_task(recording.act_and_wait(approve))
        await site.waits_for_a_lock("aftersales")

        await site.kill_postgres()
        holder.terminate()
        # No further than the reminder: a clock that moves also skips the waits between attempts.
        await world.forward(waiting, hours=36)
        # Each is stuck where it was: about to write a step, to write down what the gateway said, to remind.
        await until(lambda: pending(recording), lambda found: found.get("record_step", 0) >= 2)
        await until(lambda: pending(paying), lambda found: found.get("settle", 0) >= 2)
        await until(lambda: pending(waiting), lambda found: found.get("record_step", 0) >= 2)
        await site.stack.restart_postgres()

        by_merchant = [await approval, await paying.outcome()]
        await quiet(waiting)
        await forward(world, waiting, hours=12)
        by_silence = await waiting.outcome()

    assert [(each.outcome, each.decided_by) for each in by_merchant] == [(OutcomeKind.REFUNDED, Role.MERCHANT)] * 2
    assert (by_silence.outcome, by_silence.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert (await scheduled(recording))["settle"] == 1
    await assert_paid_once(site, recording, recording_order, "opened", "approved", "refund_succeeded")
    await assert_paid_once(site, paying, paying_order, "opened", "approved", "refund_succeeded")
    await assert_paid_once(
        site, waiting, waiting_order, "opened", "deadline_near", "approved_by_silence", "refund_succeeded"
    )
