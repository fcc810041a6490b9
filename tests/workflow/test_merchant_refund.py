"""R9: refunds that the merchant opens."""

import pytest

from starter.client import Case
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, officer
from workflows.messages.commands import Reject, RejectReason
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.stages import OutcomeKind, StageName


async def merchant_refund(world: World, order_no: str, amount: int) -> Case:
    return await world.aftersales.open_merchant_refund(
        MerchantRefundRequest(
            request_key=world.fresh("k"),
            order_no=order_no,
            merchant_id=world.merchant,
            lines=(LineAmount(line="1", quantity=1, amount=amount),),
            reason=RefundReason.PRICE_ADJUSTMENT,
        )
    )


@pytest.mark.parametrize(("amount", "at_once"), [(20_000, True), (20_001, False)])
async def test_up_to_the_policys_amount_it_is_paid_at_once(world: World, amount: int, at_once: bool) -> None:  # R9
    order_no = await world.order(lines={"1": 50_000})
    case = await merchant_refund(world, order_no, amount)

    if at_once:
        outcome = await case.outcome()
        assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.PLATFORM)
        assert await world.paid_by_gateway(order_no) == amount
    else:
        view = await world.at(case, StageName.OFFICER_REVIEW)
        assert view.due is not None
        assert (view.due - view.opened_at).total_seconds() == pytest.approx(24 * 3600, abs=60)
        assert await world.paid_by_gateway(order_no) == 0


async def test_an_officers_silence_approves(world: World) -> None:  # R9
    case = await merchant_refund(world, await world.order(lines={"1": 50_000}), 50_000)
    await world.at(case, StageName.OFFICER_REVIEW)

    await world.forward(case, hours=24, minutes=1)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CLOCK, "R9")


async def test_an_officer_rejects_and_nothing_is_paid(world: World) -> None:  # R9
    order_no = await world.order(lines={"1": 50_000})
    case = await merchant_refund(world, order_no, 50_000)

    outcome = await case.act_and_wait(
        Reject(key="c1", by=officer("o-1"), reason=RejectReason.AMOUNT_TOO_HIGH, evidence=EVIDENCE)
    )

    assert outcome.outcome is OutcomeKind.REJECTED
    assert await world.paid_by_gateway(order_no) == 0


async def test_the_order_is_found_by_its_buyer(world: World) -> None:  # R9
    orders = {await world.order(), await world.order()}

    assert set(await world.aftersales.orders_of_buyer(world.merchant, world.buyer)) == orders
    assert await world.aftersales.orders_of_buyer("another-shop", world.buyer) == []
