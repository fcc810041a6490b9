"""D8, D10, R13: which payments a ruling counts, so that it pays what is missing, and no more."""

import pytest

from tests.workflow.disputes import OFFICER, apart, paid, received, request
from tests.workflow.goods import receipt
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve, Rule
from workflows.messages.money import Money
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind

pytestmark = pytest.mark.in_memory

ONE_OF_TWO = (LineAmount(line="1", quantity=1, amount=10_000),)


def cny(amount: int) -> Money:
    return Money(amount=amount, currency="CNY")


def full(key: str = "rule") -> Rule:
    return Rule(key=key, by=OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="merchant_to_blame")


async def two_pieces(world: World, **order: object) -> str:
    return await world.shipped_order(lines={"1": 20_000}, pieces=2, **order)


# Pieces that are back --------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_what_was_paid_for_a_piece_that_is_back_is_not_about_the_other_one(world: World) -> None:  # D8, R13
    order_no = await two_pieces(world)
    returned = await received(world, order_no=order_no, lines=ONE_OF_TWO)
    await returned.act_and_wait(receipt(world))
    before = await paid(world, order_no)

    dispute = await apart(world, request(world, order_no))
    outcome = await dispute.act_and_wait(full())

    assert (before, outcome.outcome, outcome.refunded) == (10_000, OutcomeKind.REFUNDED, cny(10_000))
    assert await paid(world, order_no) == await world.paid_by_gateway(order_no) == 20_000


async def test_what_was_paid_for_a_piece_that_the_buyer_keeps_counts(world: World) -> None:  # D8
    order_no = await two_pieces(world)
    case = await world.refund(10_000, order_no=order_no, reason=RefundReason.DAMAGED)
    await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))

    dispute = await apart(world, request(world, order_no))
    outcome = await dispute.act_and_wait(full())

    assert outcome.outcome is OutcomeKind.COVERED
    assert await paid(world, order_no) == 10_000


async def test_of_two_cases_only_the_pieces_that_are_back_are_left_out(world: World) -> None:  # D8, R13, R8
    order_no = await world.shipped_order(lines={"1": 30_000}, pieces=3)
    returned = await received(world, order_no=order_no, lines=ONE_OF_TWO)
    await returned.act_and_wait(receipt(world))
    kept = await world.refund(4_000, order_no=order_no, reason=RefundReason.DAMAGED)
    await kept.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))

    dispute = await apart(world, request(world, order_no))
    outcome = await dispute.act_and_wait(full())

    assert (outcome.outcome, outcome.refunded) == (OutcomeKind.REFUNDED, cny(6_000))
    assert await paid(world, order_no) == 20_000
