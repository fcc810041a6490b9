"""SIGKILL for everything at once, as when the power fails."""

from datetime import UTC, datetime, timedelta

from activities.gateways.payment_stub import Behaviour, Mode
from tests.chaos.site import Site, assert_paid_once
from tests.replay.registry import at, forward
from workflows.messages.actors import Role, merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName


async def test_cases_go_on_when_the_power_is_back(site: Site) -> None:  # R1, section 10
    world = site.world
    waiting_order, settling_order = await world.order(), await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=settling_order))
    async with site.worker(sandbox=True) as worker:
        waiting = await world.refund(order_no=waiting_order)
        await at(world, waiting, StageName.MERCHANT_REVIEW)
        settling = await world.refund(order_no=settling_order)
        await at(world, settling, StageName.MERCHANT_REVIEW)
        await settling.act(Approve(key="c1", by=merchant(world.merchant)))
        await at(world, settling, StageName.SETTLING)

        await site.kill_temporal()
        await site.kill_postgres()
        await worker.kill()
    await site.stack.restart_postgres()
    await site.stack.restart_temporal()
    async with site.worker(sandbox=True):
        (due,) = await world.gateway.due_callbacks(datetime.now(UTC) + timedelta(hours=2))
        # Not from ahead of the case's clock, which has not been moved (R18).
        told = due.callback.model_copy(update={"settled_at": datetime.now(UTC)})
        await world.aftersales.gateway_callback(told)
        await forward(world, waiting, hours=49)
        by_silence, by_merchant = await waiting.outcome(), await settling.outcome()

    assert (by_silence.outcome, by_silence.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert (by_merchant.outcome, by_merchant.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    await assert_paid_once(
        site, waiting, waiting_order, "opened", "deadline_near", "approved_by_silence", "refund_succeeded"
    )
    await assert_paid_once(site, settling, settling_order, "opened", "approved", "refund_submitted", "refund_succeeded")
