"""Rate limits that Temporal's server keeps: what the payment gateway is asked, whoever asks it."""

from starter.settings import Settings
from starter.task_queue_limits import limits_of, set_limits
from tests.worker.processes import worker_process
from tests.worker.test_roles import pending
from tests.workflow.world import World, until
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import StageName
from workflows.rules.worker_roles import WorkerRole, queue_of


async def test_the_gateway_is_asked_no_faster_than_was_set_and_at_once_when_it_is_lifted(
    shop: World, own_settings: Settings
) -> None:
    client, queue = shop.skipper.client, queue_of(WorkerRole.MONEY, own_settings.task_queue)
    told = await set_limits(client, queue, by="sre-1", reason="a quota", per_second=0.01, weights={"m-1": 3})
    assert (told.per_second, told.reason, told.set_by, told.weights) == (0.01, "a quota", "sre-1", {"m-1": 3})

    async with worker_process(own_settings):
        orders = [await shop.order() for _ in range(3)]
        cases = [await shop.refund(order_no=order) for order in orders]
        for case in cases:
            await shop.at(case, StageName.MERCHANT_REVIEW)
            await case.act(Approve(key="a", by=merchant(shop.merchant)))

        async def paid() -> int:
            return sum([await shop.paid_by_gateway(order) > 0 for order in orders])

        # One may pass, as a limit allows at any time; the others wait where an operator sees them.
        await until(lambda: pending(cases[-1]), lambda found: [name for name, _ in found] == ["settle"])
        assert await paid() <= 1
        lifted = await set_limits(client, queue, by="sre-1", reason="over", lift=True, weights={"m-1": None})
        for case in cases:
            await case.outcome()

    assert (lifted.per_second, lifted.weights) == (None, {})
    assert await limits_of(client, queue) == lifted
    assert await paid() == 3
