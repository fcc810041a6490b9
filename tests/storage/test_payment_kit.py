"""The payment gateway's stand-in keeps the promises of the port, and the kit finds who does not (section 10, X3)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import pytest_asyncio

from activities.gateways.callbacks import CallbackRequest
from activities.gateways.kit import Ground, Promise, promises, run
from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import GatewayAnswer, NotFound, NotSent, RefundInstruction
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.gateways.payment_stub_callbacks import signed
from activities.gateways.payment_stub_modes import Behaviour, Mode
from activities.postgres.pool import open_pool
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.rules.allocation import refund_number


def instruction() -> RefundInstruction:
    order_no = f"o-{uuid4().hex[:12]}"
    return RefundInstruction(
        refund_no=refund_number(f"refund/{order_no}/k", 1, 1),
        merchant_id="m-kit",
        fund=f"order/{order_no}",
        tender="t1",
        account=None,
        amount=1_200,
        currency="CNY",
    )


async def callback(refund: RefundInstruction) -> CallbackRequest:
    told = GatewayCallback(
        key=f"CB-{refund.refund_no}",
        by=GATEWAY,
        refund_no=refund.refund_no,
        result=GatewayResult.SUCCEEDED,
        settled_at=datetime.now(UTC),
    )
    return signed(told, datetime.now(UTC))


@pytest_asyncio.fixture(loop_scope="session")
async def ground(database: str) -> AsyncIterator[Ground]:
    async with await open_pool(database, max_size=10, application_name="kit") as pool:
        gateway = PaymentGatewayStub(pool)

        async def paid(refund: RefundInstruction) -> int:
            row = await pool.fetchrow("SELECT * FROM gateway.refunds WHERE refund_no = $1", refund.refund_no)
            if row is None or row["result"] != GatewayResult.SUCCEEDED:
                return 0
            return row["amount"] * (row["attempts"] - row["attempt"] + 1)  # those before the last one have failed

        async def once(refund: RefundInstruction, mode: Mode) -> None:
            order_no = refund.fund.partition("/")[2]
            await gateway.set_behaviour(Behaviour(mode=mode, order_no=order_no, uses_left=1))

        yield Ground(
            gateway=gateway,
            instruction=instruction,
            paid=paid,
            lose_next_answer=lambda refund: once(refund, Mode.LOSE_ANSWER),
            lose_next_request=lambda refund: once(refund, Mode.LOSE_REQUEST),
            decline_next=lambda refund: once(refund, Mode.CLOSE),
            turn_next_away=lambda refund: once(refund, Mode.TURN_AWAY),
            callback=callback,
            statement_day=lambda _: datetime.now(UTC).date(),
        )


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_the_stand_in_keeps_its_promises(promise: Promise, ground: Ground) -> None:
    await promise(ground)


class Careless(PassingOn):
    """Takes every failure for "not sent", as adapters do that catch too much."""

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        try:
            return await super().submit(instruction)
        except Exception as error:
            raise NotSent from error


class Inventive(PassingOn):
    """Gives each sending a number of its own."""

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        told = instruction.model_copy(update={"refund_no": refund_number(f"refund/{uuid4().hex}/k", 1, 1)})
        answer = await super().submit(told)
        return answer.model_copy(update={"refund_no": instruction.refund_no})


class Sure(PassingOn):
    """Says that it has failed, where it does not know."""

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        match await super().inquire(instruction):
            case NotFound():
                return GatewayAnswer(refund_no=instruction.refund_no, result=GatewayResult.FAILED, failure="none")
            case answer:
                return answer


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (Careless, "a_lost_answer_is_unknown_and_is_found_by_asking"),
        (Inventive, "a_number_pays_once"),
        (Sure, "what_was_never_sent_is_not_found"),
    ],
)
async def test_an_adapter_that_breaks_a_promise_is_found(wrong: type[PassingOn], broken: str, ground: Ground) -> None:
    found = await run(replace(ground, gateway=wrong(ground.gateway)))
    assert broken in found, found
