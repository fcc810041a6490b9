"""Orders and events of parcels, as the platform's own systems push them (X2): one, or many as JSON Lines.

A line of many stands for itself: each is answered as soon as it is written, with what came of it. All of one is
written, or nothing.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import asyncpg
from aiohttp import web
from pydantic import ValidationError

from activities.gateways.order_records import OrderChange
from activities.postgres import inbox, parcels
from activities.postgres.connection import Connection
from activities.postgres.order_changes import Outcome, Taken
from activities.postgres.parcels import EventKeyReused
from activities.postgres.vault import Vault
from starter.database import transaction
from starter.errors import RefusedRequest, Unreachable
from starter.http_service.answers import NOT_KEPT, REFUSED, REPEATED, TAKEN, Problem, PushAnswer
from starter.http_service.bodies import lines, whole
from starter.http_service.callbacks import key_of
from starter.http_service.configuration import HttpServiceSettings
from starter.http_service.counts import Counts
from starter.http_service.refusals import WHO, NotTaken, refusals_of
from starter.http_service.turns import Turns
from starter.orders import write
from workflows.messages.parcels import CarrierEvent
from workflows.messages.reading import read_json
from workflows.rules.refusals import refused

_STREAM: Final = "stream of orders"
"""Whose turn it is, beside those who push."""

_TakeOne: TypeAlias = Callable[[bytes], Awaitable[PushAnswer]]


class Pushes:
    """Takes what our own systems push."""

    def __init__(
        self,
        settings: HttpServiceSettings,
        pool: asyncpg.Pool,
        vault: Vault,
        counts: Counts,
        wake: Callable[[], None],
        turns: Turns,
    ) -> None:
        """``wake`` has what was kept worked on."""
        self._settings = settings
        self._pool = pool
        self._vault = vault
        self._counts = counts
        self._wake = wake
        self._turns = turns

    async def order(self, request: web.Request) -> web.Response:
        """``PUT``: one order as it stands from a version on; 201 for a new one, 422 where it is refused."""
        number = request.match_info["order_no"]

        async def take(body: bytes) -> PushAnswer:
            return await self._order(body, number)

        return await self._one(request, "order", take)

    async def orders(self, request: web.Request) -> web.StreamResponse:
        """``POST``: orders as JSON Lines; an answer a line, and a last one with the sums."""
        return await self._many(request, "order", self._order)

    async def parcel_events(self, request: web.Request) -> web.StreamResponse:
        """``POST``: events of parcels as JSON Lines, each as `CarrierEvent`; answered as orders are."""
        return await self._many(request, "parcel_event", self._event)

    async def read(self, change: bytes) -> PushAnswer:
        """A change that was read from a stream: taken as if it had been pushed."""
        async with self._turns.turn(_STREAM) as granted:
            answer: PushAnswer = await self._order(change) if granted else {"outcome": NOT_KEPT}
        if answer["outcome"] != NOT_KEPT:
            self._counts.pushed("order", answer["outcome"])
        return answer

    async def _one(self, request: web.Request, what: str, take: _TakeOne) -> web.Response:
        async with self._turns.turn(request[WHO]) as granted:
            if not granted:
                raise NotTaken(429, "too many requests at once: wait for the answers", Retry_After="1")
            body = await whole(request, self._settings.order_bytes, self._settings.seconds_for_a_body)
            answer = await take(body)
        self._counts.pushed(what, answer["outcome"])
        statuses = {str(Outcome.NEW): 201, REFUSED: 422, NOT_KEPT: 503}
        return web.json_response(answer, status=statuses.get(answer["outcome"], 200))

    async def _many(self, request: web.Request, what: str, take: _TakeOne) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
        await response.prepare(request)
        sums: Counter[str] = Counter()
        number, ended = 0, "all"
        try:
            async for line in lines(request, self._settings.order_bytes, self._settings.seconds_for_a_body):
                number += 1
                if line is not None and not line.strip():
                    continue
                # A turn for each line: many lines of one sender do not keep the few of another waiting.
                async with self._turns.turn(request[WHO]) as granted:
                    answer = await take(line) if granted and line is not None else _unread(self._settings, granted)
                self._counts.pushed(what, answer["outcome"])
                sums[answer["outcome"]] += 1
                await response.write(_line({"line": number, **answer}))
                if answer["outcome"] == NOT_KEPT:
                    ended = "not_all"
                    break
        except NotTaken as refused_:
            ended = refused_.reason
        await response.write(_line({"read": ended, "lines": number, **sums}))
        await response.write_eof()
        return response

    async def _order(self, body: bytes, number: str | None = None) -> PushAnswer:
        try:
            change = read_json(OrderChange, body.decode())
            if number is not None and change.order_no != number:
                raise RefusedRequest(refused("another_order", "order_no", "X2", "is another one than in the address"))
            taken = await write(self._pool, self._vault, change, _keep_events)
        except UnicodeDecodeError:
            return {"outcome": REFUSED, "problems": [_NO_UTF8]}
        except (ValidationError, RefusedRequest) as error:
            return {"outcome": REFUSED, "problems": refusals_of(error, "X2")}
        except Unreachable:
            return {"outcome": NOT_KEPT}
        if taken.events or taken.completed:
            self._wake()
        return {"order_no": change.order_no, "version": change.version, "outcome": taken.outcome}

    async def _event(self, body: bytes) -> PushAnswer:
        try:
            event = read_json(CarrierEvent, body.decode())
            async with transaction(self._pool) as connection:
                await parcels.record_event(connection, event, datetime.now(UTC))
                is_new = await inbox.keep(connection, "carriers", key_of(event), event)
        except UnicodeDecodeError:
            return {"outcome": REFUSED, "problems": [_NO_UTF8]}
        except ValidationError as error:
            return {"outcome": REFUSED, "problems": refusals_of(error, "X3")}
        except EventKeyReused:
            reason = "the carrier has told something else under this key, and the first word stands"
            return {
                "outcome": REFUSED,
                "problems": [{"code": "key_reused", "field": "key", "rule": "X3", "reason": reason}],
            }
        except Unreachable:
            return {"outcome": NOT_KEPT}
        if is_new:
            self._wake()
        return {"key": event.key, "outcome": TAKEN if is_new else REPEATED}


async def _keep_events(connection: Connection, taken: Taken) -> None:
    """What the order's cases, and its virtual number, are to be told is kept with the change (R7, P3)."""
    for event in taken.events:
        await inbox.keep(connection, "orders", key_of(event), event)
    if taken.completed:
        await inbox.keep(connection, "orders", taken.completed.key, taken.completed)


_NO_UTF8: Final[Problem] = {"code": "malformed", "field": "", "rule": "X2", "reason": "the text must be UTF-8"}


def _unread(settings: HttpServiceSettings, granted: bool) -> PushAnswer:
    reason = f"a line may have {settings.order_bytes} bytes" if granted else "too many requests at once"
    code = "too_long" if granted else "too_many"
    return {"outcome": REFUSED, "problems": [{"code": code, "field": "", "rule": "X2", "reason": reason}]}


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
