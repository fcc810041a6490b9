"""D8, D10, R13: which payments a ruling counts, so that it pays what is missing, and no more."""

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow.disputes import OFFICER, apart, paid, received, rejected_refund, request
from tests.workflow.goods import receipt
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve, CloseCase, Rule
from workflows.messages.money import Money
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName

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


# Disputes that an officer has closed -----------------------------------------------------------------------


async def half_paid(world: World, order_no: str, about: Case | None = None) -> None:
    """A dispute of 100.00, of which 60.00 were paid when an officer gave the rest up."""
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, amount=4_000, uses_left=1))
    dispute = await apart(world, request(world, order_no, about=about))
    await dispute.act(full())
    await world.at(dispute, StageName.PAYMENT_ATTENTION)
    outcome = await dispute.act_and_wait(CloseCase(key="c", by=OFFICER, reason="card_closed", proof="ticket:1"))
    assert (outcome.outcome, outcome.refunded) == (OutcomeKind.CLOSED_BY_OFFICER, cny(6_000))


@pytest.mark.on_servers
@pytest.mark.parametrize("of_the_case", [True, False], ids=["about the case", "about its lines"])
async def test_what_a_closed_dispute_has_paid_counts_in_the_next_one(world: World, of_the_case: bool) -> None:
    """D8, D10: the same may be disputed again, and is not paid twice."""
    order_no = await two_pieces(world, tenders=[("t1", "wallet", 6_000), ("t2", "credit_card", 14_000)])
    case = await rejected_refund(world, order_no=order_no, lines=ONE_OF_TWO)
    await world.forward(case, days=7, minutes=1)
    await case.outcome()
    await half_paid(world, order_no, case if of_the_case else None)

    dispute = await apart(world, request(world, order_no, about=case))
    outcome = await dispute.act_and_wait(full())

    assert (outcome.outcome, outcome.refunded) == (OutcomeKind.REFUNDED, cny(4_000))
    assert await paid(world, order_no) == await world.paid_by_gateway(order_no) == 10_000
