"""Section 10, R11: another refund has our number at the provider, and the case ends without paying twice."""

from datetime import UTC, datetime

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import alerts
from activities.postgres.books import side_by_side
from starter.client import Case
from starter.errors import RefusedCommand
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, merchant, officer
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import (
    Approve,
    CloseCase,
    Command,
    GatewayCallback,
    GatewayResult,
    NumberHolds,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
    Whose,
)
from workflows.messages.money import Money
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import Attention, OutcomeKind, StageName

OFFICER = officer("o-1")


async def in_conflict(world: World, amount: int, *, of_this_order: bool) -> tuple[str, Case, CaseView]:
    """A refund of 100.00 that is decided, while the provider has one of ``amount`` under its number."""
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.another_has_the_number(case, amount, order_no=order_no if of_this_order else None)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return order_no, case, await until(case.view, lambda view: view.attention is Attention.NUMBER_CONFLICT)


def transfer(key: str, holds: NumberHolds | None = None, amount: int | None = None) -> RecordManualTransfer:
    return RecordManualTransfer(
        key=key,
        by=OFFICER,
        reason="number_in_use",
        proof=f"ticket:{key}",
        transferred_at=datetime.now(UTC),
        amount=amount,
        number_holds=holds,
    )


async def refused(case: Case, command: Command) -> Refusal:
    with pytest.raises(RefusedCommand) as error:
        await case.act(command)
    return error.value.refusal


async def alerted(world: World, case: Case) -> list[tuple[str, str]]:
    async with world.pool.acquire() as connection:
        found = await alerts.open_alerts(connection, limit=1_000)
    return [(each.kind, each.evidence) for each in found if each.case_id == case.id]


async def test_a_number_that_another_installation_has_used_is_no_dead_end(world: World) -> None:
    order_no, case, view = await in_conflict(world, 6_000, of_this_order=False)
    (leg,) = view.legs
    has = f"60.00 CNY succeeded, another payment, GW-{leg.refund_no}-1"
    assert (leg.state, leg.failure, leg.raw) == (LegState.ABNORMAL, "number_conflict", has)
    assert await alerted(world, case) == [("number_conflict", has)]

    await case.act(RetryPayment(key="again", by=OFFICER, reason="looked"))
    again = await until(case.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)
    assert again.attention is Attention.NUMBER_CONFLICT
    advance = PayInAdvance(key="advance", by=OFFICER, reason="buyer_waits", proof="ticket:1")
    close = CloseCase(key="close", by=OFFICER, reason="settled_elsewhere", proof="ticket:1")
    for blind in (advance, transfer("blind")):
        refusal = await refused(case, blind)
        assert (refusal.code, refusal.field) == ("number_in_use", "number_holds")
        assert has in refusal.explanation, "the officer is shown what there is"
    assert (await refused(case, close)).code == "outcome_open"
    changed = await refused(case, transfer("changed", NumberHolds(amount=5_999, whose=Whose.ANOTHERS)))
    assert (changed.code, changed.field, changed.rule) == ("number_in_use", "number_holds.amount", "R11")
    assert await world.refunded(order_no) == 0

    outcome = await case.act_and_wait(transfer("seen", NumberHolds(amount=6_000, whose=Whose.ANOTHERS), 10_000))

    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    assert [(each.state, each.paid_by) for each in outcome.legs] == [(LegState.SUCCEEDED, PaidBy.OFFICER)]
    assert outcome.refunded == Money(amount=10_000, currency="CNY")
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 0)
    (line,) = [line for line in await case.log() if line.event == "paid_manually"]
    assert {"number_holds": 6_000, "whose": "anothers"}.items() <= line.facts.items()
    books = await side_by_side(world.pool, world.gateway, datetime.now(UTC))
    (told,) = [line for line in books.lines if line.refund_no == leg.refund_no]
    assert (told.ours, told.paid_by, told.theirs, told.equal) == (10_000, PaidBy.OFFICER, 6_000, True)


async def test_what_a_restored_book_has_forgotten_is_not_paid_once_more(world: World) -> None:
    """The case had paid 60.00 before; decided anew, it is to pay 100.00. The buyer gets the other 40.00."""
    order_no, case, _ = await in_conflict(world, 6_000, of_this_order=True)

    claimed = await refused(case, transfer("claimed", NumberHolds(amount=6_000, whose=Whose.ANOTHERS)))
    assert (claimed.code, claimed.field) == ("number_in_use", "number_holds.whose")
    late = GatewayCallback(
        key="late",
        by=GATEWAY,
        refund_no=(await case.view()).legs[0].refund_no,
        result=GatewayResult.SUCCEEDED,
        settled_at=datetime.now(UTC),
    )
    await world.aftersales.gateway_callback(late)
    assert await world.refunded(order_no) == 0, "the callback is of the earlier payment"
    twice = await refused(case, transfer("twice", NumberHolds(amount=6_000, whose=Whose.BUYERS), 10_000))
    assert (twice.code, twice.explanation) == ("amount_differs", "4000 minor units are left to pay")
    assert ("paid_beyond_cap", "ticket:twice") in await alerted(world, case)

    outcome = await case.act_and_wait(transfer("rest", NumberHolds(amount=6_000, whose=Whose.BUYERS), 4_000))

    assert (outcome.outcome, outcome.refunded) == (OutcomeKind.PAID_MANUALLY, Money(amount=10_000, currency="CNY"))
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 6_000)


async def test_a_number_that_is_taken_while_nothing_is_known_calls_a_person_at_once(world: World) -> None:
    """It was asked about for days, as an outcome that is not known, and then could not be ended by any command."""
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.LOSE_REQUEST, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    assert (await world.at(case, StageName.SETTLING)).legs[0].state is LegState.UNKNOWN
    await world.another_has_the_number(case, 6_000)

    await world.forward(case, hours=1)
    view = await world.at(case, StageName.PAYMENT_ATTENTION)

    assert (view.attention, view.legs[0].failure) == (Attention.NUMBER_CONFLICT, "number_conflict")
    outcome = await case.act_and_wait(transfer("seen", NumberHolds(amount=6_000, whose=Whose.ANOTHERS)))
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY


async def test_a_refund_that_the_gateway_does_not_know_any_more_is_not_called_a_short_account(world: World) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await world.at(case, StageName.SETTLING)
    await world.forgotten_by_the_gateway(case)

    await world.forward(case, hours=1)
    view = await world.at(case, StageName.PAYMENT_ATTENTION)
    assert (view.attention, view.legs[0].failure) == (Attention.REFUND_LOST, "not_found")
    outcome = await case.act_and_wait(RetryPayment(key="again", by=OFFICER, reason="asked_gateway"))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 10_000)
