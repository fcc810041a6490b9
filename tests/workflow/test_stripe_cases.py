"""A case that pays through Stripe: worker, adapter and a server that loses answers (section 10, X1)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from activities.gateways.payment import Charge, RefundInstruction
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from starter.client import Case
from starter.settings import Settings
from tests.gateways.stripe_server import DAY, KEY, Fault, StripeServer, stripe_server
from tests.workflow.world import World
from worker import running_worker
from workflows.messages.actors import merchant, officer
from workflows.messages.commands import Approve, NumberHolds, RecordManualTransfer, RetryPayment, Whose
from workflows.messages.payouts import LegState
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.allocation import refund_number


@asynccontextmanager
async def paying_through_stripe(
    shop: World, settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[StripeServer, str, Case]]:
    """The server, a charge on it that has paid an order, and an open refund of that order."""
    async with stripe_server() as server:
        server.now = int(datetime.now(UTC).timestamp())
        monkeypatch.setenv("AFTERSALES_STRIPE_SECRET_KEY", KEY)
        monkeypatch.setenv("AFTERSALES_STRIPE_API_BASE", server.base)
        order_no, charge = await shop.order(), server.charge(30_000)  # it has paid for more than this order
        await shop.pool.execute(
            "UPDATE shop.order_tenders SET transaction = $2, charged = 30000 WHERE order_no = $1", order_no, charge
        )
        through_stripe = settings.model_copy(update={"payments": "stripe"})
        async with running_worker(through_stripe, shop.skipper.client, as_worker):
            yield server, charge, await shop.refund(order_no=order_no)


@pytest.mark.slow
async def test_a_refund_is_paid_through_stripe_once_though_the_answer_is_lost(
    shop: World, own_settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with paying_through_stripe(shop, own_settings, as_worker, monkeypatch) as (server, _, case):
        server.faults.append(("POST", Fault.LOST_ANSWER))
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


@pytest.mark.slow
async def test_a_short_account_at_stripe_is_called_so_and_is_tried_again(
    shop: World, own_settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe declines where others hold the refund: the officer is told the same, and finds both by one filter."""
    async with paying_through_stripe(shop, own_settings, as_worker, monkeypatch) as (server, _, case):
        server.balance_short = True
        await case.act(Approve(key="c1", by=merchant(shop.merchant)))
        short = await shop.at(case, StageName.PAYMENT_ATTENTION)
        server.balance_short = False
        outcome = await case.act_and_wait(RetryPayment(key="c2", by=officer("o-1"), reason="account_filled"))

    assert (short.attention, short.legs[0].state) == (Attention.MERCHANT_ACCOUNT_SHORT, LegState.FAILED)
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert sum(each["amount"] for each in server.refunds) == 10_000


@pytest.mark.slow
async def test_what_stripe_has_paid_under_our_number_before_counts(
    shop: World, own_settings: Settings, as_worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored book decides another amount than was paid: the buyer gets the rest, once."""
    async with paying_through_stripe(shop, own_settings, as_worker, monkeypatch) as (server, charge, case):
        before = RefundInstruction(
            refund_no=refund_number(case.id, 1, 1),
            merchant_id=shop.merchant,
            fund="order/before",
            tender="t1",
            charge=Charge(transaction=charge, total=30_000, currency="CNY"),
            account=None,
            amount=6_000,
            currency="CNY",
        )
        settings = StripeSettings.model_validate({"secret_key": KEY, "api_base": server.base})
        async with StripeRefunds(settings) as stripe:
            paid = await stripe.submit(before)
        await case.act(Approve(key="c1", by=merchant(shop.merchant)))
        conflict = await shop.at(case, StageName.PAYMENT_ATTENTION)
        outcome = await case.act_and_wait(
            RecordManualTransfer(
                key="c2",
                by=officer("o-1"),
                reason="paid_before",
                proof="ticket:1",
                transferred_at=datetime.now(UTC),
                amount=4_000,
                number_holds=NumberHolds(amount=6_000, whose=Whose.BUYERS),
            )
        )

    assert conflict.attention is Attention.NUMBER_CONFLICT
    assert conflict.legs[0].raw == f"60.00 CNY succeeded, this payment, {paid.gateway_ref}"
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    assert [each["amount"] for each in server.refunds] == [6_000]
