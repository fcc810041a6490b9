"""The promises of the payment port, kept through Stripe (X1)."""

import itertools
import json
from datetime import UTC, date, datetime

import pytest

from activities.gateways.callbacks import CallbackRequest
from activities.gateways.kit import Ground, Promise, promises
from activities.gateways.payment import Charge, RefundInstruction
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from tests.gateways.stripe_server import DAY, KEY, Fault, signed, stripe_server

SECRET = "whsec_1"
ARRANGED = (
    "lose_next_answer",
    "lose_next_request",
    "decline_next",
    "turn_next_away",
    "callback",
    "statement_day",
)


@pytest.mark.parametrize("promise", promises(*ARRANGED), ids=str)
async def test_a_promise_of_the_port_is_kept(promise: Promise) -> None:
    async with stripe_server() as server:
        server.now = int(datetime.now(UTC).timestamp())
        legs = itertools.count(1)

        def instruction() -> RefundInstruction:
            charge = Charge(transaction=server.charge(900), total=900, currency="CNY")
            return RefundInstruction(
                refund_no=f"RF0123456789abcdef0123-1-{next(legs)}",
                merchant_id="m-1",
                fund="order/DY-1",
                tender="1",
                charge=charge,
                account=None,
                amount=500,
                currency="CNY",
            )

        async def paid(refund: RefundInstruction) -> int:
            numbers = {refund.lasting_number, *(f"{refund.lasting_number}_{each}" for each in range(2, 9))}
            ours = [each for each in server.refunds if each["metadata"].get("aftersales_refund") in numbers]
            return sum(each["amount"] for each in ours if each["status"] == "succeeded")

        async def lose_answer(_: RefundInstruction) -> None:
            server.faults.append(("POST", Fault.LOST_ANSWER))

        async def lose_request(_: RefundInstruction) -> None:
            server.faults.append(("POST", Fault.BAD_GATEWAY))

        async def turn_away(_: RefundInstruction) -> None:
            server.faults.append(("POST", Fault.RATE_LIMITED))

        async def decline(_: RefundInstruction) -> None:
            server.faults.append(("POST", Fault.DECLINED))

        async def callback(refund: RefundInstruction) -> CallbackRequest:
            (made,) = [each for each in server.refunds if each["metadata"]["aftersales_refund"] == refund.number]
            body = json.dumps(server.event("refund.updated", made, {"status": "pending"})).encode()
            now = datetime.now(UTC)
            headers = {"stripe-signature": signed(body, SECRET, int(now.timestamp()))}
            return CallbackRequest(body=body, headers=headers, received_at=now)

        def statement_day(_: RefundInstruction) -> date:
            return datetime.fromtimestamp(server.now, UTC).date()

        told = {"secret_key": KEY, "api_base": server.base, "webhook_secrets": SECRET}
        tomorrow = datetime.fromtimestamp(server.now + DAY, UTC)
        async with StripeRefunds(StripeSettings.model_validate(told), now=lambda: tomorrow) as stripe:
            await promise(
                Ground(
                    gateway=stripe,
                    instruction=instruction,
                    paid=paid,
                    lose_next_answer=lose_answer,
                    lose_next_request=lose_request,
                    decline_next=decline,
                    turn_next_away=turn_away,
                    callback=callback,
                    statement_day=statement_day,
                )
            )
