"""A case that pays through Stripe: worker, adapter and a server that loses answers (section 10, X1)."""

from datetime import UTC, datetime

import pytest

from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from starter.settings import Settings
from tests.gateways.stripe_server import DAY, KEY, Fault, stripe_server
from tests.workflow.world import World
from worker import running_worker
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.payouts import LegState
from workflows.messages.stages import OutcomeKind, StageName


@pytest.mark.slow
async def test_a_refund_is_paid_through_stripe_once_though_the_answer_is_lost(
    shop: World, own_settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stripe_server() as server:
        server.now = int(datetime.now(UTC).timestamp())
        monkeypatch.setenv("AFTERSALES_STRIPE_SECRET_KEY", KEY)
        monkeypatch.setenv("AFTERSALES_STRIPE_API_BASE", server.base)
        order_no = await shop.order()
        charge = server.charge(30_000)  # it has paid for more than this order
        await shop.pool.execute(
            "UPDATE shop.order_tenders SET transaction = $2, charged = 30000 WHERE order_no = $1", order_no, charge
        )
        server.faults.append(("POST", Fault.LOST_ANSWER))
        through_stripe = own_settings.model_copy(update={"payments": "stripe"})
        async with running_worker(through_stripe, shop.skipper.client, as_worker):
            case = await shop.refund(order_no=order_no)
            await case.act(Approve(key="c1", by=merchant(shop.merchant)))
            unknown = await shop.at(case, StageName.SETTLING)
            await shop.forward(case, minutes=2)
            outcome = await case.outcome()

        assert unknown.legs[0].state is LegState.UNKNOWN
        assert outcome.outcome is OutcomeKind.REFUNDED
        (leg,) = outcome.legs
        assert (leg.state, leg.amount) == (LegState.SUCCEEDED, 10_000)
        # The provider's own statement says the same as our ledger.
        day = datetime.fromtimestamp(server.now, UTC).date()
        server.now += DAY
        settings = StripeSettings.model_validate({"secret_key": KEY, "api_base": server.base})
        async with StripeRefunds(settings, now=lambda: datetime.fromtimestamp(server.now, UTC)) as stripe:
            lines = [line async for line in stripe.statement(day)]
        assert [(line.refund_no, line.amount, line.currency, line.result.value) for line in lines] == [
            (leg.refund_no, 10_000, "CNY", "succeeded")
        ]
        assert len(server.posts()) == 1
