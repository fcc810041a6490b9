"""Callbacks over HTTP: kept first, answered, handed on afterwards, once; what is not genuine changes nothing (X3)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

import asyncpg
import pytest
from aiohttp import web

from activities.gateways.callbacks import CallbackRequest
from activities.gateways.payment_stub_callbacks import signed
from activities.postgres import inbox
from activities.postgres.parcels import EventKeyReused
from starter.errors import UnknownCase, Unreachable
from starter.http_service import callbacks
from tests.http_service.conftest import Door, Open
from tests.patience import PATIENCE
from tests.storage.money import some_id
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent


def callback(at: datetime) -> GatewayCallback:
    return GatewayCallback(
        key=some_id("EV"),
        by=GATEWAY,
        refund_no=some_id("RF"),
        result=GatewayResult.SUCCEEDED,
        settled_at=at,
        amount=6_000,
    )


async def send(door: Door, request: CallbackRequest, **headers: str) -> tuple[int, str]:
    async with door.client.post(
        "/callbacks/payments", data=request.body, headers={**request.headers, **headers}
    ) as answer:
        return answer.status, await answer.text()


async def test_a_genuine_one_is_kept_answered_and_handed_on_once(door: Door, now: datetime) -> None:
    told = callback(now)

    answers = [await send(door, signed(told, now)) for _ in range(3)]

    assert answers == [(200, "success")] * 3
    assert door.cases.callbacks == []
    assert [(each["source"], each["key"], each["done_at"]) for each in await door.kept()] == [
        ("payments", told.key, None)
    ]
    assert [await door.service.handing_on.round() for _ in range(2)] == [1, 0]
    assert [(each.key, each.refund_no, each.result, each.amount) for each in door.cases.callbacks] == [
        (told.key, told.refund_no, GatewayResult.SUCCEEDED, 6_000)
    ]
    assert (await send(door, signed(told, now)))[0] == 200
    assert await door.service.handing_on.round() == 0


def _forged_key(told: GatewayCallback, now: datetime) -> CallbackRequest:
    return signed(told, now, b"another secret")


def _another_body(told: GatewayCallback, now: datetime) -> CallbackRequest:
    return CallbackRequest(b"{}", signed(told, now).headers, now)


def _no_signature(told: GatewayCallback, now: datetime) -> CallbackRequest:
    return CallbackRequest(signed(told, now).body, {}, now)


def _played_again(told: GatewayCallback, now: datetime) -> CallbackRequest:
    return signed(told, now - timedelta(minutes=6))


def _unreadable(told: GatewayCallback, now: datetime) -> CallbackRequest:
    return signed(told.model_copy(update={"key": "no key"}), now)


@pytest.mark.parametrize(
    ("change", "status"),
    [(_forged_key, 401), (_another_body, 401), (_no_signature, 401), (_played_again, 400), (_unreadable, 422)],
    ids=["another key", "another body", "no signature", "played again", "unreadable"],
)
async def test_one_that_is_not_genuine_changes_nothing(
    door: Door, now: datetime, change: Callable[[GatewayCallback, datetime], CallbackRequest], status: int
) -> None:
    answered, body = await send(door, change(callback(now), now))

    assert (answered, body) == (status, '{"error": "refused"}')
    assert await door.kept() == []


async def test_a_long_one_is_not_read(open_door: Open, now: datetime) -> None:
    async with open_door(callback_bytes=100) as door:
        assert (await send(door, signed(callback(now), now)))[0] == 413
        assert await door.kept() == []


async def test_without_the_database_it_is_not_answered_as_taken(
    door: Door, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> bool:
        raise asyncpg.ConnectionDoesNotExistError

    monkeypatch.setattr(inbox, "keep", away)

    assert (await send(door, signed(callback(now), now)))[0] == 503


async def test_a_flood_from_one_address_keeps_no_other_waiting(open_door: Open, now: datetime) -> None:
    async with open_door(callbacks_per_minute=3, proxies=1) as door:
        forged = CallbackRequest(b"{}", {}, now)
        noisy = [(await send(door, forged, **{"X-Forwarded-For": "198.51.100.7"}))[0] for _ in range(5)]
        # Whoever writes a header of its own comes from where our proxy says.
        noisy.append((await send(door, forged, **{"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}))[0])
        quiet = await send(door, signed(callback(now), now), **{"X-Forwarded-For": "203.0.113.9"})

        assert noisy == [401, 401, 401, 429, 429, 429]
        assert quiet[0] == 200
        door.clock[0] += 60
        assert (await send(door, forged, **{"X-Forwarded-For": "198.51.100.7"}))[0] == 401


async def test_who_sends_slowly_keeps_nobody_waiting(
    open_door: Open, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are four turns, and whoever has not said anything yet has none of them."""
    began, go_on, whole = asyncio.Semaphore(0), asyncio.Event(), callbacks.whole

    async def noted(request: web.Request, most: int, seconds: float) -> bytes:
        began.release()
        return await whole(request, most, seconds)

    async def slowly() -> AsyncGenerator[bytes]:
        yield b"{"
        await go_on.wait()
        yield b"}"

    monkeypatch.setattr(callbacks, "whole", noted)
    monkeypatch.setattr(callbacks, "ANSWERED_WITHIN", timedelta(hours=1))

    async def post(door: Door, number: int) -> int:
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        async with door.client.post("/callbacks/payments", data=slowly(), headers=headers) as answer:
            return answer.status

    async with open_door(proxies=1) as door, asyncio.timeout(PATIENCE):
        slow = [asyncio.create_task(post(door, number)) for number in range(8)]
        try:
            for _ in slow[:4]:  # as many as there are turns
                await began.acquire()
            answered = await send(door, signed(callback(now), now), **{"X-Forwarded-For": "203.0.113.9"})
            assert not [each for each in slow if each.done()]
        finally:
            go_on.set()
        refused = await asyncio.gather(*slow)

    assert answered[0] == 200
    assert refused == [401] * 8, "each is read to its end, and is none of the provider's"


async def test_a_carriers_callback_is_recorded_and_handed_on(door: Door, now: datetime) -> None:
    parcel = Parcel(carrier="sf", tracking_no=some_id("SF").replace("-", ""))
    event = CarrierEvent(key=some_id("e"), parcel=parcel, event=ParcelEvent.SIGNED, happened_at=now)
    body = event.model_dump_json()

    forged = await door.client.post("/callbacks/carriers", data=body)
    taken = [await door.client.post("/callbacks/carriers", data=body, headers={"seal": "genuine"}) for _ in range(2)]
    other = event.model_copy(update={"event": ParcelEvent.REFUSED}).model_dump_json()
    contradicting = await door.client.post("/callbacks/carriers", data=other, headers={"seal": "genuine"})

    assert [each.status for each in (forged, *taken, contradicting)] == [401, 200, 200, 422]
    assert await door.service.handing_on.round() == 1
    assert door.cases.events == [event]


# Handing on ----------------------------------------------------------------------------------------------


async def test_what_cannot_be_handed_on_now_is_tried_again(door: Door, now: datetime) -> None:
    await send(door, signed(callback(now), now))
    door.cases.failing = Unreachable("Temporal does not answer")

    assert [await door.service.handing_on.round() for _ in range(2)] == [1, 0]
    (waiting,) = await door.kept()
    assert (waiting["failure"], waiting["dead_at"], waiting["attempts"]) == ("unreachable", None, 1)
    assert waiting["next_at"] > now

    door.cases.failing = None
    await door.later()
    assert await door.service.handing_on.round() == 1
    assert len(door.cases.callbacks) == 1
    assert [(each["failure"], each["done_at"] is None) for each in await door.kept()] == [(None, False)]


@pytest.mark.parametrize(
    ("failing", "days", "failure", "dead"),
    [
        (Unreachable("Temporal does not answer"), 2, "unreachable", False),
        (Unreachable("Temporal does not answer"), 4, "unreachable", True),
        (UnknownCase("RF-1"), 0, "unknown_refund", False),
        (UnknownCase("RF-1"), 2, "unknown_refund", True),
        (EventKeyReused("event e-1 of sf is another one"), 0, "key_reused", True),
        (RuntimeError("张三"), 0, "failed", False),
    ],
)
async def test_trying_has_an_end_that_an_operator_sees(
    door: Door, now: datetime, failing: Exception, days: int, failure: str, dead: bool
) -> None:
    await send(door, signed(callback(now), now))
    await door.owner.execute("UPDATE inbox.messages SET received_at = now() - $1::interval", timedelta(days=days))
    door.cases.failing = failing

    await door.service.handing_on.round()

    async with door.owner.acquire() as connection:
        shown = await inbox.waiting(connection, dead=dead)
        assert [(each.failure, each.dead_at is not None) for each in shown] == [(failure, dead)]
        assert await inbox.waiting(connection, dead=not dead) == ()
        if not dead:
            return
        assert await inbox.retry(connection, None) == 1
    door.cases.failing = None
    assert await door.service.handing_on.round() == 1
    assert len(door.cases.callbacks) == 1


async def test_a_dead_one_that_was_put_away_is_known_when_it_comes_again(door: Door, now: datetime) -> None:
    told = signed(callback(now), now)
    await send(door, told)
    door.cases.failing = EventKeyReused("another one")
    await door.service.handing_on.round()
    (dead,) = await door.kept()

    async with door.owner.acquire() as connection:
        assert await inbox.discard(connection, dead["id"])
        assert not await inbox.discard(connection, dead["id"])
    assert (await send(door, told))[0] == 200
    assert await door.service.handing_on.round() == 0


async def test_two_processes_hand_each_message_on_once(door: Door, now: datetime) -> None:
    for _ in range(10):
        await send(door, signed(callback(now), now))

    async def all_due() -> None:
        while await door.service.handing_on.round():
            pass

    await asyncio.gather(all_due(), all_due(), all_due())

    assert len(door.cases.callbacks) == len({each.key for each in door.cases.callbacks}) == 10


async def test_what_was_handed_on_long_ago_is_forgotten(door: Door, now: datetime) -> None:
    await send(door, signed(callback(now), now))
    await door.service.handing_on.round()
    await door.owner.execute("UPDATE inbox.messages SET done_at = now() - interval '29 days'")

    async with door.owner.acquire() as connection:
        assert await inbox.forget_old(connection) == 0
        await connection.execute("UPDATE inbox.messages SET done_at = now() - interval '31 days'")
        assert await inbox.forget_old(connection) == 1
