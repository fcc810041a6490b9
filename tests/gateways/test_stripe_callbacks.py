"""What Stripe's webhooks are taken for (X3)."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from tests.gateways.stripe_server import NOON, StripeServer, signed
from workflows.messages.commands import GatewayResult

OLD, NEW = "whsec_old", "whsec_new"
STRIPE = StripeRefunds(
    StripeSettings.model_validate({"secret_key": "sk_test_1", "webhook_secrets": f"{NEW}, {OLD}"}),
)
AT = datetime.fromtimestamp(NOON, UTC)


def events(status: str, **fields: Any) -> list[dict[str, Any]]:
    """The events of a refund that had succeeded and comes to a status, by the server of the tests."""
    server = StripeServer()
    charge = server.charge(900)
    refund: dict[str, Any] = {"id": "re_1", "object": "refund", "amount": 500, "currency": "cny", "charge": charge}
    refund |= {"status": "succeeded", "created": NOON - 60, "failure_reason": None}
    server.refunds.append(refund | {"metadata": {"aftersales_refund": "RF0123456789abcdef0123_1_1_2"}})
    return server.turn("re_1", status, **fields)


def request(event: object, *, secret: str = NEW, at: int = NOON, **changed: Any) -> CallbackRequest:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = {"stripe-signature": signed(body, secret, at)}
    made: dict[str, Any] = {"body": body, "headers": headers, "received_at": AT}
    return CallbackRequest(**(made | changed))


async def refusal(asked: CallbackRequest) -> tuple[Refused, str]:
    with pytest.raises(CallbackRefused) as refused:
        await STRIPE.read_callback(asked)
    return refused.value.why, refused.value.detail


async def test_a_refund_that_comes_back_is_told_apart_from_one_that_failed() -> None:
    failed, updated, of_the_charge = events("failed", failure_reason="lost_or_stolen_card")
    for event in (updated, of_the_charge):
        told = await STRIPE.read_callback(request(event))
        assert told.key == event["id"]
        assert told.said_at == AT
        assert told.reply.status == 200
        answer = told.answer
        assert answer is not None
        assert (answer.refund_no, answer.attempt) == ("RF0123456789abcdef0123-1-1", 2)
        assert (answer.result, answer.failure, answer.raw) == (
            GatewayResult.RETURNED,
            "card_lost",
            "lost_or_stolen_card",
        )
        assert (answer.gateway_ref, answer.settled_at) == ("re_1", AT)
    # It does not say what the refund was before.
    told = await STRIPE.read_callback(request(failed))
    assert told.answer is not None
    assert (told.answer.result, told.answer.settled_at) == (GatewayResult.FAILED, None)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("succeeded", GatewayResult.SUCCEEDED),
        ("pending", GatewayResult.PROCESSING),
        ("requires_action", GatewayResult.ACTION_REQUIRED),
    ],
)
@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refund.updated"])
async def test_each_event_about_a_refund_tells_how_it_stands(kind: str, status: str, result: GatewayResult) -> None:
    event: dict[str, Any] = events(status)[-1] | {"type": kind}
    event["data"]["previous_attributes"] = {"status": "pending"}
    told = await STRIPE.read_callback(request(event))
    assert told.answer is not None
    assert told.answer.result is result
    assert told.answer.settled_at == (AT if result is GatewayResult.SUCCEEDED else None)
    assert told.amount == 500


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 500), ("isk", 5), ("kwd", 500)])
async def test_an_amount_is_told_in_our_minor_units(currency: str, amount: int) -> None:
    event = events("succeeded")[-1]
    event["data"]["object"]["currency"] = currency
    assert (await STRIPE.read_callback(request(event))).amount == amount


@pytest.mark.parametrize(
    ("field", "value"), [("currency", "xxx"), ("amount", 10**15 + 1)], ids=["a currency", "an amount"]
)
async def test_what_nobody_is_paid_is_not_read(field: str, value: object) -> None:
    event = events("succeeded")[-1]
    event["data"]["object"][field] = value
    assert await refusal(request(event)) == (Refused.UNREADABLE, f"data.object.{field}")


async def test_what_failed_before_it_was_paid_has_not_come_back() -> None:
    befores: tuple[dict[str, Any] | None, ...] = ({"status": "pending"}, {"metadata": {}}, None)
    for before in befores:
        event = events("failed")[-1]
        event["data"]["previous_attributes"] = before
        told = await STRIPE.read_callback(request(event))
        assert told.answer is not None
        assert told.answer.result is GatewayResult.FAILED


async def test_both_secrets_count_while_one_is_rotated() -> None:
    event = events("succeeded")[-1]
    assert (await STRIPE.read_callback(request(event, secret=OLD))).answer
    assert (await STRIPE.read_callback(request(event, secret=NEW))).answer
    body = json.dumps(event).encode()
    both = f"{signed(body, 'whsec_unknown', NOON)},{signed(body, OLD, NOON).partition(',')[2]},v0=abc"
    assert (await STRIPE.read_callback(request(body, headers={"stripe-signature": both}))).answer


async def test_what_stripe_has_not_signed_is_forged() -> None:
    body = json.dumps(events("succeeded")[-1]).encode()
    right = signed(body, NEW, NOON)
    headers = (
        None,
        "",
        "t=1",
        right.replace(f"t={NOON}", f"t={NOON + 1}"),
        right.replace("v1=", "v0="),
        f"t=soon,{right.partition(',')[2]}",
        "t=1,v1=é",
        f"t={'9' * 30},v1=00",
    )
    for header in headers:
        told = {} if header is None else {"stripe-signature": header}
        assert await refusal(request(body, headers=told)) == (Refused.FORGED, "stripe-signature"), header
    assert (await refusal(request(body, body=body + b" ")))[0] is Refused.FORGED
    assert (await refusal(request(body, body=b"\xff")))[0] is Refused.FORGED
    assert (await refusal(request(body, secret="whsec_of_others")))[0] is Refused.FORGED
    without = StripeRefunds(StripeSettings.model_validate({"secret_key": "sk_test_1"}))
    with pytest.raises(CallbackRefused, match="forged"):
        await without.read_callback(request(body, secret=""))


@pytest.mark.parametrize("off", [301, -301, 86_400])
async def test_what_was_signed_long_ago_or_will_be_is_stale(off: int) -> None:
    event = events("succeeded")[-1]
    assert (await refusal(request(event, at=NOON - off)))[0] is Refused.STALE
    assert (await STRIPE.read_callback(request(event, received_at=AT + timedelta(seconds=299)))).answer


async def test_what_makes_no_sense_is_said_by_field_and_quotes_nothing() -> None:
    event = events("succeeded")[-1]
    refund = event["data"]["object"]
    wrong: list[tuple[object, str]] = [
        (b"no JSON", "body"),
        (event | {"object": "v2.core.event"}, "object"),
        (event | {"id": "evt mary@example.com"}, "id"),
        (event | {"created": "now"}, "created"),
        (event | {"created": 10**18}, "created"),
        (event | {"data": {"object": refund | {"object": "charge"}}}, "object"),
        (event | {"data": {"object": refund | {"amount": -5}}}, "amount"),
        (event | {"data": {"object": refund | {"status": "newly_invented"}}}, "data.object.status"),
    ]
    for body, field in wrong:
        assert await refusal(request(body)) == (Refused.UNREADABLE, field)


async def test_what_is_not_about_a_refund_of_ours_is_taken_and_forgotten() -> None:
    event = events("succeeded")[-1]
    refund = event["data"]["object"]
    for other in (
        event | {"type": "charge.refunded", "data": {"object": {"object": "charge"}}},
        event | {"type": "payout.paid"},
        event | {"data": {"object": refund | {"metadata": {}}}},
        event | {"data": {"object": refund | {"metadata": None}}},
        event | {"data": {"object": refund | {"metadata": {"aftersales_refund": "of another system"}}}},
    ):
        told = await STRIPE.read_callback(request(other))
        assert (told.answer, told.key) == (None, event["id"])


async def test_one_that_comes_twice_has_the_same_key() -> None:
    event = events("succeeded")[-1]
    first, second = await asyncio.gather(*(STRIPE.read_callback(request(event)) for _ in range(2)))
    assert first == second
