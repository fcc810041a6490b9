"""Orders and events of parcels over HTTP: one and many, answered line by line, by who may (X2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from activities.postgres import bindings
from starter.http_service.configuration import HttpServiceSettings
from starter.virtual_numbers import RefusedNumber
from tests.contract.schemas import HTTP, named
from tests.http_service.conftest import SECRET, Door, Open
from tests.storage.money import some_id
from tests.storage.test_order_changes import NOW, RECIPIENT, parcel_of
from tests.storage.test_orders import order
from workflows.messages.virtual_numbers import NumberSubject, Scope
from workflows.rules.refusals import refused


async def put(door: Door, record: dict[str, Any], number: str | None = None) -> tuple[int, dict[str, Any]]:
    path = f"/v1/orders/{number or record['order_no']}"
    async with door.client.put(path, json=record, headers=door.token("orders")) as answer:
        said = await answer.json()
        assert "error" in said or named("PushAnswer", HTTP).is_valid(said), said
        return answer.status, said


async def post(door: Door, path: str, body: Any, role: str) -> list[dict[str, Any]]:
    async with door.client.post(path, data=body, headers=door.token(role)) as answer:
        assert answer.status == 200
        said = [json.loads(line) for line in (await answer.text()).splitlines()]
    *lines, sums = said
    assert named("PushSums", HTTP).is_valid(sums), sums
    assert [each for each in lines if not named("PushAnswer", HTTP).is_valid(each)] == []
    return said


async def test_an_order_is_taken_by_number_and_version(door: Door) -> None:
    record = order(recipient=RECIPIENT)

    told = [await put(door, {**record, "version": version}) for version in (2, 2, 1, 3)]

    assert [(status, answer["outcome"]) for status, answer in told] == [
        (201, "new"),
        (200, "unchanged"),
        (200, "outdated"),
        (200, "changed"),
    ]
    assert told[0][1] == {"order_no": record["order_no"], "version": 2, "outcome": "new"}


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"version": None}, "version", "X2"),
        ({"freight": -1}, "freight", "X2"),
        ({"paid_at": "1999-01-01T00:00:00Z"}, "paid_at", "R18"),
        ({"parcels": [parcel_of(("9", 1))]}, "parcels", "R15"),
        ({"order_no": "o-another"}, "order_no", "X2"),
    ],
)
async def test_a_refusal_names_field_and_rule_and_repeats_nothing(
    door: Door, changes: dict[str, Any], field: str, rule: str
) -> None:
    record: dict[str, Any] = {**order(recipient=RECIPIENT), "version": 1}

    status, answer = await put(door, {**record, **changes}, record["order_no"])

    assert (status, answer["outcome"]) == (422, "refused")
    assert (field, rule) in [(each["field"], each["rule"]) for each in answer["problems"]]
    assert "欧阳" not in json.dumps(answer, ensure_ascii=False)
    assert not await door.owner.fetchval("SELECT true FROM shop.orders WHERE order_no = $1", record["order_no"])


async def test_what_contradicts_names_field_and_rule(door: Door) -> None:
    record = {**order(), "version": 1}
    await put(door, record)

    status, answer = await put(door, {**record, "freight_insured": 100})

    assert status == 422
    assert [(each["field"], each["rule"]) for each in answer["problems"]] == [("version", "X2")]


async def test_many_are_answered_line_by_line(open_door: Open) -> None:
    good, last = {**order(), "version": 1}, {**order(), "version": 1}
    lines = [json.dumps(good), "", "{not json", json.dumps({**good, "buyer_id": "x" * 3000}), "\xff", json.dumps(last)]
    body = "\n".join(lines).encode("latin-1")

    async def in_pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 700):
            yield body[begin : begin + 700]

    async with open_door(order_bytes=2000) as door:
        answers = await post(door, "/v1/orders", in_pieces(), "orders")

    assert [(each["line"], each["outcome"]) for each in answers[:-1]] == [
        (1, "new"),
        (3, "refused"),
        (4, "refused"),
        (5, "refused"),
        (6, "new"),
    ]
    assert answers[-1] == {"read": "all", "lines": 6, "new": 2, "refused": 3}


async def test_each_line_is_answered_before_the_next_one_is_sent(door: Door) -> None:
    answered = asyncio.Event()

    async def one_by_one() -> AsyncIterator[bytes]:
        yield json.dumps({**order(), "version": 1}).encode() + b"\n"
        await answered.wait()
        yield json.dumps({**order(), "version": 1}).encode()

    async with door.client.post("/v1/orders", data=one_by_one(), headers=door.token("orders")) as answer:
        first = json.loads(await answer.content.readline())
        answered.set()
        rest = [json.loads(line) for line in (await answer.text()).splitlines()]

    assert first["outcome"] == "new"
    assert [each.get("outcome", each.get("read")) for each in rest] == ["new", "all"]


async def test_who_stops_sending_is_told(open_door: Open) -> None:
    async def stopping() -> AsyncIterator[bytes]:
        yield json.dumps({**order(), "version": 1}).encode() + b"\n"
        await asyncio.sleep(0.5)

    async with open_door(seconds_for_a_body=0.05) as door:
        answers = await post(door, "/v1/orders", stopping(), "orders")

    assert [each.get("outcome", each.get("read")) for each in answers] == ["new", "the body did not come in time"]


async def test_the_cases_of_an_order_are_told_of_its_parcels(door: Door) -> None:  # R7
    record = {**order(recipient=RECIPIENT), "version": 1, "parcels": [parcel_of(shipped_at="2026-03-02T00:00:00Z")]}

    for _ in range(2):
        await put(door, record)

    (kept,) = await door.kept()
    assert kept["source"] == "orders"
    assert "13912345678" not in str(kept["body"])
    assert await door.service.handing_on.round() == 1
    assert [each.event for each in door.cases.events] == ["shipped"]


async def begun(door: Door, subject: NumberSubject) -> None:
    """Somebody has asked for the number of an order."""
    async with door.owner.acquire() as connection:
        await bindings.begin_subject(connection, subject, subject.id, "m-1", NOW)


async def test_the_number_of_an_order_is_told_that_it_is_completed(door: Door) -> None:  # P3
    record: dict[str, Any] = {**order(), "version": 1}
    subject = NumberSubject(scope=Scope.ORDER, id=record["order_no"])
    await put(door, record)
    await begun(door, subject)
    completed = {**record, "version": 2, "completed_at": "2026-03-02T00:00:00Z"}

    for _ in range(2):
        await put(door, completed)

    (kept,) = await door.kept()
    assert (kept["source"], kept["kind"]) == ("orders", "order_completed")
    assert await door.service.handing_on.round() == 1
    assert [each.subject for each in door.cases.completions] == [subject]


async def test_a_number_that_was_told_otherwise_keeps_to_that_and_a_person_sees_it(door: Door) -> None:  # P3
    record: dict[str, Any] = {**order(), "version": 1, "completed_at": "2026-03-02T00:00:00Z"}
    subject = NumberSubject(scope=Scope.ORDER, id=record["order_no"])
    await put(door, record)
    await begun(door, subject)
    await put(door, {**record, "version": 2})
    door.cases.failing = RefusedNumber(refused("completed_otherwise", "completed_at", "P3", "told before"), None)

    await door.service.handing_on.round()

    (kept,) = await door.kept()
    assert kept["dead_at"] is not None
    assert kept["failure"] == "completed_otherwise"


async def test_events_of_parcels_are_taken_once(door: Door, now: datetime) -> None:
    parcel = {"carrier": "sf", "tracking_no": some_id("SF").replace("-", "")}
    event = {"key": some_id("e"), "parcel": parcel, "event": "signed", "happened_at": now.isoformat()}
    lines = [event, event, {**event, "event": "refused"}, {**event, "event": "eaten"}]

    answers = await post(door, "/v1/parcels/events", "\n".join(map(json.dumps, lines)), "carriers")

    assert [each["outcome"] for each in answers[:-1]] == ["taken", "repeated", "refused", "refused"]
    assert [answers[2]["problems"][0]["field"], answers[3]["problems"][0]["field"]] == ["key", "event"]
    assert await door.service.handing_on.round() == 1


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("PUT", "/v1/orders/O-1", None, 401),
        ("PUT", "/v1/orders/O-1", "carriers", 403),
        ("POST", "/v1/orders", "events", 403),
        ("POST", "/v1/parcels/events", "orders", 403),
        ("GET", "/v1/events", "orders", 403),
        ("GET", "/v1/events", "events", 200),
        ("GET", "/v1/others", None, 404),
    ],
)
async def test_a_token_does_what_its_role_says(
    door: Door, method: str, path: str, role: str | None, status: int
) -> None:
    async with door.client.request(method, path, headers=door.token(role) if role else {}) as answer:
        assert answer.status == status
        assert "error" in await answer.json() or status == 200


async def test_a_token_of_another_service_is_none_here(door: Door) -> None:
    other = HttpServiceSettings.model_validate({"port": 0, "token_secret": SECRET, "audience": "aftersales-codec"})
    mine, door.service.settings = door.service.settings, other
    foreign = door.token("orders")
    door.service.settings = mine

    async with door.client.post("/v1/orders", headers=foreign) as answer:
        assert answer.status == 401


async def test_what_is_read_from_a_stream_is_taken_as_if_it_were_pushed(door: Door) -> None:
    record = {**order(recipient=RECIPIENT), "parcels": [parcel_of(shipped_at="2026-03-02T00:00:00Z")]}
    told = [{**record, "version": 2}, {**record, "version": 1}, {**record, "version": 3, "freight": -1}]

    answers = [await door.service.pushes.read(json.dumps(each).encode()) for each in (*told, told[0])]

    assert [each["outcome"] for each in answers] == ["new", "outdated", "refused", "unchanged"]
    assert [each["field"] for each in answers[2].get("problems", [])] == ["freight"]
    (kept,) = await door.kept()  # R7: the order's cases are told of the parcel
    assert kept["source"] == "orders"


async def test_a_flood_of_one_bearer_keeps_no_other_waiting(open_door: Open) -> None:
    async with open_door(requests_per_minute=2) as door:
        record = {**order(), "version": 1}
        asked = [(await put(door, record))[0] for _ in range(3)]
        async with door.client.put(
            f"/v1/orders/{record['order_no']}", json=record, headers=door.token("orders", "other")
        ) as answer:
            assert (asked, answer.status) == ([201, 200, 429], 200)
