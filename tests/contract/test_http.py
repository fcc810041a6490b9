"""What is pushed over HTTP (X2): what the schema of an order or a parcel's event takes is taken."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from activities.gateways.order_records import OrderChange
from starter.contract.messages import http
from tests.contract.samples import full_sample
from tests.contract.schemas import HTTP, bundle, named
from tests.contract.test_payloads import BY_OUR_CHECK, changes, objections
from workflows.messages.parcels import CarrierEvent
from workflows.messages.reading import read_json

ORDERS_IN = Path(__file__).parents[2] / "docs" / "orders-in.md"
ORDER: dict[str, Any] = {
    "order_no": "o-1",
    "version": 7,
    "marketplace": "douyin",
    "merchant_id": "m-1",
    "buyer_id": "b-1",
    "currency": "CNY",
    "paid_at": "2026-03-01T08:00:00+08:00",
    "shipped_at": "2026-03-02T08:00:00+08:00",
    "freight": 0,
    "lines": [{"line": "1", "sku": "s", "quantity": 2, "paid": 5900}],
    "tenders": [{"tender": "t", "kind": "wallet", "paid": 5900, "transaction": "42", "charged": 9900}],
    "recipient": {
        "name": "欧阳小明",
        "phone": "13912345678",
        "region": {"province": "广东省", "city": "广州市", "district": "天河区"},
        "street": "体育东路1号",
    },
    "parcels": [{"carrier": "sf", "tracking_no": "SF123", "lines": [{"line": "1", "quantity": 1}]}],
}
PUSHED: dict[type[BaseModel], Any] = {
    OrderChange: ORDER,
    CarrierEvent: full_sample(CarrierEvent).model_dump(mode="json"),
}


@pytest.mark.parametrize("model", PUSHED, ids=lambda model: model.__name__)
def test_what_the_schema_takes_is_taken(model: type[BaseModel]) -> None:
    schema, good = named(model.__name__, HTTP), PUSHED[model]
    assert schema.is_valid(good)
    assert not objections(model, good)
    tried = 0
    for changed in changes(good):
        if not schema.is_valid(changed):
            continue  # a tracking number may be typed in other ways all the same (T13)
        tried += 1
        assert objections(model, changed) <= {BY_OUR_CHECK}, changed
    assert tried > 10


@pytest.mark.parametrize("model", PUSHED, ids=lambda model: model.__name__)
def test_what_lacks_a_field_or_has_one_more_does_not_fit(model: type[BaseModel]) -> None:
    schema, good = named(model.__name__, HTTP), PUSHED[model]
    for name in bundle(HTTP)["$defs"][model.__name__]["required"]:
        assert not schema.is_valid({key: each for key, each in good.items() if key != name}), f"without {name}"
    assert not schema.is_valid(good | {"surplus": 1})


def test_each_field_that_needs_words_has_them() -> None:
    order = bundle(HTTP)["$defs"]["OrderChange"]["properties"]
    assert "rises with each change" in order["version"]["description"].lower()
    assert "freight insurance" in order["freight_insured"]["description"]


def test_each_door_says_what_it_takes_and_gives() -> None:
    assert {name: list(each["properties"]) for name, each in http()["properties"].items()} == {
        "order": ["takes", "gives"],
        "parcel_event": ["takes", "gives"],
        "sums": ["gives"],
        "events": ["gives"],
        "webhook": ["gives"],
    }


def test_the_pages_examples_fit() -> None:
    page = ORDERS_IN.read_text(encoding="utf-8")
    (order,) = re.findall(r"-d '(\{.*?\})'\n", page, re.DOTALL)
    (event,) = re.findall(r"```json\n(\{\"key\".*?)\n```", page, re.DOTALL)
    for model, example in ((OrderChange, order), (CarrierEvent, event)):
        assert named(model.__name__, HTTP).is_valid(read_json(model, example).model_dump(mode="json")), example
