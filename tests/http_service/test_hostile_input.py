"""X2, X3: whatever comes in over HTTP is taken or refused with field and rule; the service goes on."""

import json
import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.http_service.conftest import Door, Open
from tests.proofs.hostile_reading import wrong_refusal
from tests.proofs.hostile_values import MARK, TEXTS, Document, Sender
from tests.storage.money import some_id
from tests.storage.test_order_changes import RECIPIENT, parcel_of
from tests.storage.test_orders import order

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "150"))
MANY: Final = {"requests_per_minute": 10**6, "callbacks_per_minute": 10**6}


def change() -> Document:
    """An order as it is pushed."""
    return {**order(recipient=RECIPIENT), "version": 1, "parcels": [parcel_of(shipped_at="2026-03-02T00:00:00Z")]}


def event() -> Document:
    """An event of a parcel as it is pushed."""
    parcel = {"carrier": "sf", "tracking_no": some_id("SF").replace("-", "")}
    return {"key": some_id("e"), "parcel": parcel, "event": "signed", "happened_at": "2026-03-02T00:00:00Z"}


def callback() -> Document:
    """A callback of the stub's."""
    return {
        "key": some_id("c"),
        "by": {"role": "gateway", "id": "gateway"},
        "refund_no": "RF0123456789abcdef0123-1-1",
        "result": "succeeded",
        "settled_at": "2026-03-02T00:00:00Z",
    }


def wrong_answer(answer: dict[str, Any]) -> list[str]:
    """What is wrong with the answer to one order or event."""
    told = [wrong_refusal(each["field"], each["rule"], each["reason"]) for each in answer.get("problems", ())]
    if answer["outcome"] == "refused" and not told:
        return ["refused without a reason"]
    return [each for each in told if each]


async def ask(door: Door, method: str, path: str, role: str | None, **sent: Any) -> tuple[int, bytes]:
    headers = {**(door.token(role) if role else {}), **sent.pop("headers", {})}
    async with door.client.request(method, path, headers=headers, **sent) as answer:
        return answer.status, await answer.read()


async def test_whatever_is_pushed_is_taken_or_refused_with_field_and_rule(
    open_door: Open, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random("pushes")
    sender, told, wrong = Sender(dice), Counter[str](), list[str]()
    async with open_door(**MANY, order_bytes=100_000) as door:
        for number in range(INPUTS):
            text = sender.text(change(), (event(), callback()))
            named = dice.choice((some_id("o"), *(each for each in TEXTS if type(each) is str and "\ud800" not in each)))
            path = f"/v1/orders/{quote(named.encode('utf-8', 'replace')[:500], safe='')}"
            status, said = await ask(door, "PUT", path, "orders", data=text)
            told[f"order {status}"] += 1
            if status not in {200, 201, 400, 404, 405, 413, 422} or MARK in said.decode():
                wrong.append(f"{status} {said[:300]!r}: {text[:300]!r}")
            elif status == 422:
                wrong += [f"{each}: {text[:300]!r}" for each in wrong_answer(json.loads(said))]
            if number % 10 == 0:
                for path, role, made in (("/v1/orders", "orders", change), ("/v1/parcels/events", "carriers", event)):
                    body = b"\n".join(sender.text(made(), (callback(),)) for _ in range(10))
                    status, said = await ask(door, "POST", path, role, data=body)
                    *answers, sums = map(json.loads, said.splitlines())
                    told.update(f"{path} {each['outcome']}" for each in answers)
                    wrong += [f"{problem}: {each}" for each in answers for problem in wrong_answer(each)]
                    if status != 200 or sums["read"] != "all" or MARK in said.decode() or "not_kept" in sums:
                        wrong.append(f"{status} {sums}: {body[:300]!r}")
        clean = change()
        status, _ = await ask(door, "PUT", f"/v1/orders/{clean['order_no']}", "orders", json=clean)

    record_property("inputs", sum(told.values()))
    assert wrong == []
    assert status == 201
    assert told["order 422"] > INPUTS / 3
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or MARK in each.getMessage()]


async def test_whatever_is_called_back_is_answered(
    open_door: Open, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random("callbacks")
    sender, told, wrong = Sender(dice), Counter[str](), list[str]()
    odd = [each for each in TEXTS if type(each) is str and each.isascii() and each.isprintable() and len(each) < 4_000]
    async with open_door(**MANY) as door:
        for _ in range(INPUTS):
            path, made = dice.choice((("/callbacks/payments", callback), ("/callbacks/carriers", event)))
            text = sender.text(made())
            headers = {"seal": "genuine", dice.choice(("content-type", "x-odd", "stripe-signature")): dice.choice(odd)}
            status, said = await ask(door, "POST", f"{path}?{dice.choice(odd)[:50]}", None, data=text, headers=headers)
            told[f"{path} {status}"] += 1
            if status not in {200, 202, 204, 400, 401, 413, 422} or MARK in said.decode("utf-8", "replace"):
                wrong.append(f"{path} {status} {said[:200]!r}: {text[:300]!r}")
        for number in range(INPUTS // 5):
            query = (
                dice.choice(("after", "limit", "case", "reader", "wait", "x"))
                + "="
                + quote(str(dice.choice(odd))[:200])
            )
            status, said = await ask(door, "GET", f"/v1/events?{query}", "events")
            told[f"events {status}"] += 1
            if status not in {200, 400, 422} or MARK in said.decode():
                wrong.append(f"events {status} {said[:200]!r}: {query} {number}")
        await door.later()
        while await door.service.handing_on.round():
            pass

    record_property("inputs", sum(told.values()))
    assert wrong == []
    assert len(told) > 3, told
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or MARK in each.getMessage()]
