"""SIGTERM under load: nothing is lost, nothing is paid twice, and the end comes in time (section 10)."""

import asyncio

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.settings import Settings
from tests.worker.processes import worker_process
from tests.workflow.world import World, until
from workflows.messages.actors import merchant
from workflows.messages.cases import CaseView
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName

CASES = 12
LONGER_THAN_ANY_GRACE = 600.0
GRACE = "AFTERSALES_GRACEFUL_SHUTDOWN_SECONDS"


async def slowly(shop: World, order_no: str | None, seconds: float) -> None:
    await shop.behave(
        Behaviour(mode=Mode.ANSWER_SLOWLY, merchant_id=shop.merchant, order_no=order_no, answer_after_seconds=seconds)
    )


async def was_given_back(case: Case) -> bool:
    """Whether an attempt of an activity was cut short by the end of its worker."""
    events = (await case.handle.fetch_history()).events
    failures = [each.activity_task_started_event_attributes.last_failure.message for each in events]
    return any("Worker is shutting down" in failure for failure in failures)


async def test_a_drain_under_load_loses_nothing_and_pays_nothing_twice(shop: World, own_settings: Settings) -> None:
    approve = Approve(key="c1", by=merchant(shop.merchant))
    await slowly(shop, None, 0.3)
    orders = [await shop.order() for _ in range(CASES)]
    hangs, ends_in_time = orders[:2]
    await slowly(shop, hangs, LONGER_THAN_ANY_GRACE)
    await slowly(shop, ends_in_time, 0.8)
    async with worker_process(own_settings, **{GRACE: "3"}) as first:
        await first.said(": running")
        cases = [await shop.refund(order_no=order_no) for order_no in orders]
        approvals: list[asyncio.Task[CaseView]] = [asyncio.create_task(each.act(approve)) for each in cases]
        for order_no in (hangs, ends_in_time):
            await until(lambda order_no=order_no: shop.paid_by_gateway(order_no), lambda paid: paid > 0)
        await first.terminate()
        ready, alive, started = [await first.probe(path) for path in ("/readyz", "/livez", "/startupz")]
        async with worker_process(own_settings) as second:
            code = await first.ended()
            views = await asyncio.gather(*approvals)
            outcomes = await asyncio.gather(*(each.outcome() for each in cases))
            given_back = [order_no for order_no, each in zip(orders, cases, strict=True) if await was_given_back(each)]

            assert code == 0, first.output.read_text()
            assert await second.probe("/readyz") == (200, {"ok": True, "state": "running", "reasons": []})

    draining = {"ok": False, "state": "draining", "reasons": ["draining: asked to stop, nothing new is taken"]}
    assert (ready, alive[0], started[0]) == ((503, draining), 200, 200)
    assert {view.stage for view in views} <= {StageName.PAYING, StageName.SETTLING, StageName.CLOSED}
    assert {each.outcome for each in outcomes} == {OutcomeKind.REFUNDED}
    # What does not end within the grace is given back, so that nobody waits until its time is up.
    assert hangs in given_back
    assert ends_in_time not in given_back
    submissions = await shop.pool.fetch(
        "SELECT fund, amount, attempts FROM gateway.refunds WHERE merchant_id = $1", shop.merchant
    )
    assert sorted(map(tuple, submissions)) == sorted((f"order/{order_no}", 10_000, 1) for order_no in orders)
    assert [await shop.refunded(order_no) for order_no in orders] == [10_000] * CASES
    assert [await shop.events(each) for each in cases] == [["opened", "approved", "refund_succeeded"]] * CASES


async def test_a_second_signal_waits_for_nobody(shop: World, own_settings: Settings) -> None:
    order_no = await shop.order()
    await slowly(shop, order_no, LONGER_THAN_ANY_GRACE)
    async with worker_process(own_settings, **{GRACE: "600"}) as worker:
        case = await shop.refund(order_no=order_no)
        await case.act(Approve(key="c1", by=merchant(shop.merchant)))
        await until(lambda: shop.paid_by_gateway(order_no), lambda paid: paid > 0)
        await worker.terminate()
        worker.process.terminate()
        code = await worker.ended()

        assert code == 1
        assert "asked twice, stopped at once" in worker.output.read_text()
