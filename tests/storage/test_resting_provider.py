"""A payment provider that is down or busy is spared, and everything goes on by itself afterwards (section 10)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.gateways.circuit import FIRST_REST, THRESHOLD
from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import (
    Charge,
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotSent,
    RefundInstruction,
)
from activities.gateways.payment_stub import Mode, PaymentGatewayStub
from activities.measures import Measures
from activities.payment_calls import PaymentCalls
from activities.payments import RESTS_FOR, Payments
from activities.postgres.instructions import instruction
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, by_hand, open_case, settle, told
from tests.storage.test_payments import Bench, states
from workflows.messages.payouts import Ask, LegState


@pytest_asyncio.fixture(loop_scope="session")
async def bench(database: str) -> AsyncIterator[Bench]:
    pool, theirs = await open_pool(database), await open_pool(database, application_name="gateway")
    gateway = PaymentGatewayStub(theirs)
    yield Bench(pool, gateway, Payments(pool, gateway, lambda: None), [])
    await gateway.clear_behaviours()
    await theirs.close()
    await pool.close()


class Down(PassingOn):
    """A gateway that can be switched off, and counts who calls it."""

    down = True
    calls = 0

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        self.calls += 1
        if self.down:
            raise NotSent("not_connected")
        return await super().submit(instruction)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        self.calls += 1
        if self.down:
            raise GatewayUnreachable
        return await super().inquire(instruction)


async def test_a_provider_that_is_down_is_left_alone_and_nothing_is_marked_as_sent(bench: Bench) -> None:
    gateway = Down(bench.gateway)
    payments = Payments(bench.pool, gateway, lambda: None)
    for _ in range(THRESHOLD):
        await payments.settle(settle(await open_case(bench.pool)))
    calls, late = gateway.calls, await open_case(bench.pool)
    env = ActivityEnvironment()
    env.info = replace(env.info, scheduled_time=datetime.now(UTC))

    with pytest.raises(ApplicationError) as resting:
        await env.run(payments.settle, settle(late))

    wait = resting.value.next_retry_delay
    assert wait
    assert timedelta(0) < wait <= 1.3 * timedelta(seconds=FIRST_REST)
    assert gateway.calls == calls, "nobody was called"
    leg = await bench.leg(late)
    assert (leg.state, leg.attempt, leg.submitted_at) == (LegState.RESERVED, 1, None)

    env.info = replace(env.info, scheduled_time=datetime.now(UTC) - RESTS_FOR)
    settled = await env.run(payments.settle, settle(late))
    assert (states(settled), settled.closed) == ([LegState.RESERVED], False), "the case goes on, and asks later"
    assert settled.ask_again_after
    assert gateway.calls == calls

    gateway.down = False
    healed = Payments(bench.pool, gateway, lambda: None)
    assert (await healed.settle(settle(late, Ask.INQUIRE))).closed
    assert (await bench.leg(late)).attempt == 1


async def test_what_an_officer_tries_again_meanwhile_is_not_begun_anew_each_time(bench: Bench) -> None:
    gateway = Down(bench.gateway)
    wish = await open_case(bench.pool)
    await told(bench.gateway, wish, Mode.DECLINE, uses_left=1)
    gateway.down = False
    payments = Payments(bench.pool, gateway, lambda: None)
    assert states(await payments.settle(settle(wish))) == [LegState.FAILED]
    gateway.down = True
    for _ in range(THRESHOLD):
        await payments.settle(settle(await open_case(bench.pool)))
    env = ActivityEnvironment()
    env.info = replace(env.info, scheduled_time=datetime.now(UTC))

    with pytest.raises(ApplicationError):
        await env.run(payments.settle, settle(wish, Ask.RETRY))

    assert (await bench.leg(wish)).state is LegState.FAILED, "its room was not taken again"
    gateway.down = False
    by_officer = await payments.settle_manually(by_hand(wish))
    assert by_officer.closed, "an officer's question is always sent, and an answer ends the rest"
    assert (await payments.settle(settle(await open_case(bench.pool)))).closed


async def test_refunds_that_lack_something_say_nothing_of_the_provider(bench: Bench) -> None:
    class Strict(PassingOn):
        async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
            if instruction.amount == 1:
                raise NotSent("charge_unknown", unasked=True)
            return await super().submit(instruction)

    payments = Payments(bench.pool, Strict(bench.gateway), lambda: None)
    for _ in range(THRESHOLD * 2):
        await payments.settle(settle(await open_case(bench.pool, {"line:1": 1})))
    assert (await payments.settle(settle(await open_case(bench.pool)))).closed


async def test_one_account_at_the_provider_does_not_slow_another_one(bench: Bench) -> None:
    """Each is paced by itself; beyond a second a call is put off, and its refund not marked as sent."""
    payments = Payments(bench.pool, bench.gateway, lambda: None, per_second=0.01)
    assert (await payments.settle(settle(await open_case(bench.pool)))).closed
    late = await open_case(bench.pool)
    settled = await payments.settle(settle(late))
    assert states(settled) == [LegState.RESERVED]
    assert settled.ask_again_after
    assert settled.ask_again_after > timedelta(seconds=60)
    charge = Charge(transaction="t-1", total=10_000, currency="CNY", account="sub-2")
    async with bench.pool.acquire() as connection:
        theirs = await instruction(connection, (await bench.leg(late)).refund_no)
    calls = PaymentCalls(bench.gateway, Measures(), per_second=0.01)
    assert isinstance(await calls.inquire(theirs, NOON), NotFound)
    assert calls.rest(theirs)
    assert calls.rest(theirs.model_copy(update={"charge": charge})) is None
