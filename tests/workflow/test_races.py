"""Section 11: what happens in one and the same workflow task, because no worker ran while it came."""

from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from tests.workflow.world import Working, World, until
from workflows.messages.actors import GATEWAY, Role, buyer, merchant
from workflows.messages.commands import Approve, Command, GatewayCallback, GatewayResult, Withdraw
from workflows.messages.stages import OutcomeKind, StageName


async def signalled(case: Case, *commands: Command) -> None:
    for command in commands:
        await case.tell(command)


async def test_a_decision_and_the_deadline_in_one_task(shop: World, working: Working) -> None:
    """Whichever the server lists first: the decision was recorded, so it decides."""
    order_no = await shop.order()
    async with working():
        case = await shop.refund(order_no=order_no)
        await shop.at(case, StageName.MERCHANT_REVIEW)
        await shop.forward(case, hours=36, minutes=1)  # past the notice, so that the timer is the deadline's
        await until(lambda: shop.events(case), lambda events: "deadline_near" in events)
        await shop.forward(case, hours=11, minutes=58, seconds=58)
    await signalled(case, Withdraw(key="w", by=buyer(shop.buyer)))

    async def fired() -> int:
        events = [each.event_type async for each in case.handle.fetch_history_events()]
        return events.count(EventType.EVENT_TYPE_TIMER_FIRED)

    await until(fired, lambda count: count == 2)
    async with working():
        outcome = await case.outcome()

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.WITHDRAWN, Role.BUYER)
    assert await shop.paid_by_gateway(order_no) == 0


async def test_two_decisions_in_one_task(shop: World, working: Working) -> None:
    """The first recorded wins; the second is refused and says so in the log."""
    order_no = await shop.order()
    async with working():
        case = await shop.refund(order_no=order_no)
        await shop.at(case, StageName.MERCHANT_REVIEW)
    await signalled(case, Withdraw(key="w", by=buyer(shop.buyer)), Approve(key="a", by=merchant(shop.merchant)))
    async with working():
        outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert await shop.paid_by_gateway(order_no) == 0
    refused = [entry.facts for entry in await case.log() if entry.event == "command_refused"]
    assert refused == [{"command": "approve", "code": "not_open"}]


async def test_a_case_that_ends_leaves_no_fact_unwritten(shop: World, working: Working) -> None:
    """Two callbacks wait when the first of them ends the case: both are in the ledger."""
    order_no = await shop.order()
    await shop.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no))
    async with working():
        case = await shop.refund(order_no=order_no)
        await case.act(Approve(key="a", by=merchant(shop.merchant)))
        number = (await shop.at(case, StageName.SETTLING)).legs[0].refund_no
    callbacks = [
        GatewayCallback(
            key=key, by=GATEWAY, refund_no=number, result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
        )
        for key in ("cb1", "cb2")
    ]
    await signalled(case, *callbacks)
    await case.handle.signal("approve", "nonsense")
    async with working():
        outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    sources = await shop.pool.fetch("SELECT source FROM ledger.leg_events WHERE refund_no = $1", number)
    assert {"callback:cb1", "callback:cb2"} <= {row["source"] for row in sources}
    assert "command_refused" in await shop.events(case)


async def test_commands_that_wait_for_a_worker_are_all_answered(shop: World, working: Working) -> None:
    """A command sent while no worker runs is carried out by the next one; its deadline is kept as well."""
    async with working():
        case = await shop.refund()
        await shop.at(case, StageName.MERCHANT_REVIEW)
    await signalled(case, Approve(key="a", by=merchant(shop.merchant)), Approve(key="b", by=merchant(shop.merchant)))
    async with working():
        outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert (await shop.events(case)).count("approved") == 1
