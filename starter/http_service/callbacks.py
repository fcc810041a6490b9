"""Callbacks of the payment provider and of carriers: verified, kept, answered; worked on afterwards (X3)."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from aiohttp import web
from pydantic import ValidationError

from activities.gateways.callbacks import CallbackRefused, CallbackReply, CallbackRequest, ReadCallback, Refused
from activities.gateways.carrier import Carrier
from activities.gateways.payment import PaymentGateway
from activities.postgres import inbox, parcels
from activities.postgres.inbox import Told
from activities.postgres.parcels import EventKeyReused
from starter.database import transaction
from starter.http_service.bodies import whole
from starter.http_service.configuration import HttpServiceSettings
from starter.http_service.counts import Counts
from starter.http_service.refusals import NotTaken
from starter.http_service.turns import Turns, address_of
from starter.request_rates import Rate
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback
from workflows.messages.parcels import CarrierEvent

_log: Final = logging.getLogger("http.callbacks")

ANSWERED_WITHIN: Final = timedelta(seconds=4)
"""Providers hang up after five seconds or more, and send it again."""
_STATUS: Final = {Refused.FORGED: 401, Refused.STALE: 400, Refused.UNREADABLE: 422}

Messages = tuple[tuple[str, Told], ...]
"""What is to be kept, each with the sender's key."""


@dataclass(frozen=True)
class _Source:
    name: str
    refusal: CallbackReply
    read: Callable[[CallbackRequest], Awaitable[tuple[Messages, CallbackReply]]]


class Callbacks:
    """Takes what providers send."""

    def __init__(
        self,
        settings: HttpServiceSettings,
        pool: asyncpg.Pool,
        payments: PaymentGateway,
        carriers: Carrier,
        counts: Counts,
        wake: Callable[[], None],
        turns: Turns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``wake`` has what was kept worked on; ``clock`` counts the seconds of the limits."""
        self._settings = settings
        self._pool = pool
        self._counts = counts
        self._wake = wake
        self._turns = turns
        self._rate = Rate(settings.callbacks_per_minute, clock)

        async def read_payment(request: CallbackRequest) -> tuple[Messages, CallbackReply]:
            said = await payments.read_callback(request)
            return _told(said), said.reply

        async def read_events(request: CallbackRequest) -> tuple[Messages, CallbackReply]:
            said = await carriers.read_events(request)
            return tuple((key_of(each), each) for each in said.events), said.reply

        self._payments = _Source("payments", payments.refusal, read_payment)
        self._carriers = _Source("carriers", carriers.refusal, read_events)

    async def payments(self, request: web.Request) -> web.Response:
        """A callback of the payment provider."""
        return await self._take(self._payments, request)

    async def carriers(self, request: web.Request) -> web.Response:
        """A callback of a carrier."""
        return await self._take(self._carriers, request)

    async def _take(self, source: _Source, request: web.Request) -> web.Response:
        began = time.monotonic()
        address = address_of(request, self._settings.proxies)
        retry_after = 1
        try:
            retry_after = math.ceil(self._rate.wait(address))
            if retry_after:
                status, result, reply = 429, "limited", source.refusal
            else:
                async with self._turns.place(address) as turn:
                    if turn is None:
                        status, result, reply = 429, "limited", source.refusal
                    else:
                        # Nobody is known yet, and who sends slowly has no turn.
                        body = await whole(request, self._settings.callback_bytes, ANSWERED_WITHIN.total_seconds())
                        async with turn, asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                            status, result, reply = await self._kept(source, request, body)
        except NotTaken as refused:
            status, result, reply = refused.status, "unreadable", source.refusal
        except CallbackRefused as refused:
            _log.warning("a callback of %s is refused: %s", source.name, refused)
            status, result, reply = _STATUS[refused.why], str(refused.why), source.refusal
        except (ValidationError, EventKeyReused) as error:
            _log.warning("a callback of %s cannot be taken: %s", source.name, type(error).__name__)
            status, result, reply = _STATUS[Refused.UNREADABLE], "unreadable", source.refusal
        except Exception as error:
            # Not kept, and so not answered: it is sent again.
            _log.warning("a callback of %s is not kept: %s", source.name, type(error).__name__)
            status, result, reply = 503, "not_kept", source.refusal
        self._counts.callback(source.name, result, time.monotonic() - began)
        headers = {"Retry-After": str(max(retry_after, 1))} if status in {429, 503} else None
        return web.Response(status=status, body=reply.body, content_type=reply.content_type, headers=headers)

    async def _kept(self, source: _Source, request: web.Request, body: bytes) -> tuple[int, str, CallbackReply]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = CallbackRequest(body, headers, datetime.now(UTC), request.query_string)
        messages, reply = await source.read(came)
        if not messages:
            return reply.status, "of_something_else", reply
        is_new = False
        async with transaction(self._pool) as connection:
            for key, told in messages:
                if isinstance(told, CarrierEvent):
                    await parcels.record_event(connection, told, datetime.now(UTC))
                is_new |= await inbox.keep(connection, source.name, key, told)
        if is_new:
            self._wake()
        return reply.status, "taken" if is_new else "repeated", reply


def key_of(event: CarrierEvent) -> str:
    """What makes an event of a carrier one."""
    return f"{event.parcel.carrier}/{event.key}"


def _told(said: ReadCallback) -> Messages:
    answer = said.answer
    if answer is None:
        return ()
    told = GatewayCallback(
        key=said.key,
        by=GATEWAY,
        refund_no=answer.refund_no,
        result=answer.result,
        gateway_ref=answer.gateway_ref,
        failure=answer.failure,
        settled_at=answer.settled_at or said.said_at,
        attempt=answer.attempt,
        raw=answer.raw,
        amount=said.amount,
    )
    return ((said.key, told),)
