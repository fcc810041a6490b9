"""Section 10: what the gateway had paid comes back after the case has ended, however it had ended."""

from datetime import UTC, datetime
from typing import Final

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow.disputes import apart, request, ruling
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, merchant, officer
from workflows.messages.commands import (
    Approve,
    CloseCase,
    GatewayCallback,
    GatewayResult,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import Attention, OutcomeKind, StageName

pytestmark = pytest.mark.in_memory

OFFICER: Final = officer("o-1")
WALLET: Final = 6_000
CARD: Final = 4_000


async def declined_in_part(world: World) -> tuple[str, Case]:
    """The gateway has paid the wallet's part, which will come back, and declined the card's."""
    order_no = await world.order(tenders=[("t1", "wallet", WALLET), ("t2", "credit_card", CARD)])
    await world.behave(
        Behaviour(mode=Mode.RETURN_LATER, order_no=order_no, amount=WALLET, settle_after_seconds=3600, uses_left=1)
    )
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, amount=CARD))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    return order_no, case


def by_hand(key: str = "c2") -> RecordManualTransfer:
    return RecordManualTransfer(
        key=key, by=OFFICER, reason="card_closed", proof=f"bank:slip/{key}", transferred_at=datetime.now(UTC)
    )


def of_gateway(refund_no: str, result: GatewayResult) -> GatewayCallback:
    return GatewayCallback(key=result, by=GATEWAY, refund_no=refund_no, result=result, settled_at=datetime.now(UTC))


@pytest.mark.on_servers
async def test_a_case_that_ended_by_hand_is_open_again_and_pays_what_came_back(world: World) -> None:
    order_no, case = await declined_in_part(world)
    ended = await case.act_and_wait(by_hand())

    await world.call_back()
    again = await until(case.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)

    assert (ended.outcome, again.attention) == (OutcomeKind.PAID_MANUALLY, Attention.REFUND_RETURNED)
    assert [leg.state for leg in again.legs] == [LegState.FAILED, LegState.SUCCEEDED]
    assert await world.refunded(order_no) == CARD
    (line,) = [each for each in await case.log() if each.event == "refund_returned"]
    assert line.facts["amount"] == WALLET, "not all that the case had paid"

    outcome = await case.act_and_wait(RetryPayment(key="c3", by=OFFICER, reason="wallet_opened"))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [leg.paid_by for leg in outcome.legs] == [PaidBy.GATEWAY, PaidBy.OFFICER]
    assert await world.refunded(order_no) == WALLET + CARD
    assert await world.paid_by_gateway(order_no) == WALLET


async def test_so_is_one_that_the_platform_paid_in_advance_and_is_paid_by_hand(world: World) -> None:
    order_no, case = await declined_in_part(world)
    ended = await case.act_and_wait(PayInAdvance(key="c2", by=OFFICER, reason="buyer_waits", proof="ticket:1"))

    await world.call_back()
    again = await case.view()
    outcome = await case.act_and_wait(by_hand("c3"))

    assert (ended.outcome, again.attention) == (OutcomeKind.PAID_BY_PLATFORM, Attention.REFUND_RETURNED)
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    assert [leg.paid_by for leg in outcome.legs] == [PaidBy.OFFICER, PaidBy.PLATFORM]
    assert await world.refunded(order_no) == WALLET + CARD


@pytest.mark.on_servers
async def test_what_an_officer_had_given_up_with_a_case_stays_given_up(world: World) -> None:
    """Only the part that was paid comes back, and is paid again."""
    order_no, case = await declined_in_part(world)
    ended = await case.act_and_wait(CloseCase(key="c2", by=OFFICER, reason="buyer_agreed", proof="ticket:1"))
    assert (ended.outcome, ended.refunded and ended.refunded.amount) == (OutcomeKind.CLOSED_BY_OFFICER, WALLET)

    await world.call_back()
    again = await until(case.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)
    outcome = await case.act_and_wait(RetryPayment(key="c3", by=OFFICER, reason="wallet_opened"))

    assert [leg.amount for leg in again.legs] == [WALLET]
    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.REFUNDED, WALLET)
    assert await world.refunded(order_no) == WALLET


async def test_what_the_gateway_paid_beyond_it_opens_nothing_when_it_comes_back(world: World) -> None:
    """An officer had given it up; then it was paid after all, and comes back."""
    order_no, case = await declined_in_part(world)
    given_up = (await case.view()).legs[1].refund_no
    await case.act_and_wait(CloseCase(key="c2", by=OFFICER, reason="buyer_agreed", proof="ticket:1"))
    await world.aftersales.gateway_callback(of_gateway(given_up, GatewayResult.SUCCEEDED))
    assert await world.refunded(order_no) == WALLET + CARD

    await world.aftersales.gateway_callback(of_gateway(given_up, GatewayResult.RETURNED))

    assert (await case.view()).stage is StageName.CLOSED
    assert await world.refunded(order_no) == WALLET


@pytest.mark.on_servers
async def test_what_another_case_has_counted_opens_again(world: World) -> None:  # D8
    """A dispute was ruled for all of it, and ended as covered, because the gateway had paid after all."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    given_up = (await world.at(case, StageName.PAYMENT_ATTENTION)).legs[0].refund_no
    await case.act_and_wait(CloseCase(key="c2", by=OFFICER, reason="buyer_agreed", proof="ticket:1"))
    await world.aftersales.gateway_callback(of_gateway(given_up, GatewayResult.SUCCEEDED))
    await until(lambda: world.refunded(order_no), lambda amount: amount == WALLET + CARD)
    dispute = await apart(world, request(world, order_no, about=case))
    await dispute.act(ruling())
    ruled = await dispute.outcome()

    await world.aftersales.gateway_callback(of_gateway(given_up, GatewayResult.RETURNED))
    again = await until(case.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)
    outcome = await case.act_and_wait(RetryPayment(key="c3", by=OFFICER, reason="card_open"))

    assert ruled.outcome is OutcomeKind.COVERED
    assert (again.attention, outcome.outcome) == (Attention.REFUND_RETURNED, OutcomeKind.REFUNDED)
    assert await world.refunded(order_no) == WALLET + CARD


async def test_what_was_paid_by_hand_cannot_come_back_through_the_gateway(world: World) -> None:
    order_no, case = await declined_in_part(world)
    by_officer = (await case.view()).legs[1].refund_no
    await case.act_and_wait(by_hand())

    await world.aftersales.gateway_callback(of_gateway(by_officer, GatewayResult.RETURNED))

    assert (await case.view()).stage is StageName.CLOSED
    assert await world.refunded(order_no) == WALLET + CARD
