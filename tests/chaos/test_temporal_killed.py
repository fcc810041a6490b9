"""SIGKILL for the Temporal server: what it knew, it knows again."""

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.chaos.site import Site, assert_paid_once
from tests.replay.registry import at, forward
from workflows.messages.actors import Role, merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName


async def reviewed(site: Site, order_no: str) -> Case:
    case = await site.world.refund(order_no=order_no)
    await at(site.world, case, StageName.MERCHANT_REVIEW)
    return case


async def test_deadlines_and_payments_outlive_the_server(site: Site) -> None:  # R1, section 10
    world = site.world
    waiting_order, paying_order = await world.order(), await world.order()
    await world.behave(Behaviour(mode=Mode.ANSWER_SLOWLY, order_no=paying_order, answer_after_seconds=3))
    async with site.worker():
        waiting, paying = await reviewed(site, waiting_order), await reviewed(site, paying_order)
        await paying.act(Approve(key="c1", by=merchant(world.merchant)))
        await site.gateway_has_paid(paying_order)

        await site.kill_temporal()
        await site.stack.restart_temporal()

        await forward(world, waiting, hours=47, minutes=59)
        before = await waiting.view()
        await forward(world, waiting, minutes=2)
        by_silence, by_merchant = await waiting.outcome(), await paying.outcome()

    assert before.stage is StageName.MERCHANT_REVIEW
    assert (by_silence.outcome, by_silence.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert (by_merchant.outcome, by_merchant.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    await assert_paid_once(
        site, waiting, waiting_order, "opened", "deadline_near", "approved_by_silence", "refund_succeeded"
    )
    await assert_paid_once(site, paying, paying_order, "opened", "approved", "refund_succeeded")
