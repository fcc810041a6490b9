"""Handing what the inbox keeps on to the cases: at once where that can be, else again and again, with an end (X3)."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import asyncpg

from activities.postgres import inbox
from activities.postgres.inbox import GIVEN_UP_AFTER, Due
from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.parcels import EventKeyReused
from starter.errors import UnknownCase, Unreachable
from starter.http_service.counts import Counts
from starter.virtual_numbers import RefusedNumber
from workflows.messages.commands import GatewayCallback
from workflows.messages.parcels import CarrierEvent
from workflows.messages.virtual_numbers import OrderCompleted

_log: Final = logging.getLogger("http.inbox")

AT_ONCE: Final = 8
_LOOKS_EVERY: Final = 2.0
_GIVES_UP_A_CALL_AFTER: Final = 30.0
_FORGETS_EVERY: Final = 3600.0
UNKNOWN_REFUND_GIVEN_UP_AFTER: Final = timedelta(days=1)
"""Our books know a refund before the provider does: only a restored database makes one unknown for a while."""


class Cases(Protocol):
    """Who tells cases: the client."""

    async def gateway_callback(self, callback: GatewayCallback, /) -> None:
        """See `Aftersales.gateway_callback`."""
        ...

    @property
    def logistics(self) -> "Parcels":
        """Who tells of parcels."""
        ...

    @property
    def numbers(self) -> "Numbers":
        """Who tells virtual numbers."""
        ...


class Numbers(Protocol):
    """Who tells virtual numbers of their orders."""

    async def order_completed(self, fact: OrderCompleted, /) -> object:
        """See `VirtualNumbers.order_completed`."""
        ...


class Parcels(Protocol):
    """Who tells cases of parcels."""

    async def carrier_event(self, event: CarrierEvent, /) -> None:
        """See `Logistics.carrier_event`."""
        ...


class HandingOn:
    """Works on the inbox, in every process alike: a message is one's own for a while."""

    def __init__(self, pool: asyncpg.Pool, cases: Cases, counts: Counts) -> None:
        self._pool = pool
        self._cases = cases
        self._counts = counts
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to be handed on."""
        self._woken.set()

    async def round(self) -> int:
        """Hand on what is due, up to ``AT_ONCE``; how many there were.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the database does not answer.
        """
        async with self._pool.acquire() as connection:
            due = await inbox.claim(connection, AT_ONCE)
        await asyncio.gather(*(self._hand_on(each) for each in due))
        return len(due)

    async def run(self) -> None:
        """Until cancelled; outages are waited out."""
        loop = asyncio.get_running_loop()
        forgets_at = loop.time()
        while True:
            self._woken.clear()
            try:
                while await self.round():
                    pass
                if loop.time() >= forgets_at:
                    async with self._pool.acquire() as connection:
                        await inbox.forget_old(connection)
                    forgets_at = loop.time() + _FORGETS_EVERY
            except NO_ANSWER as error:
                _log.warning("the inbox waits: %s", type(error).__name__)
                await asyncio.sleep(_LOOKS_EVERY)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOKS_EVERY):
                    await self._woken.wait()

    async def _hand_on(self, message: Due) -> None:
        failure, give_up_after = "", GIVEN_UP_AFTER
        try:
            async with asyncio.timeout(_GIVES_UP_A_CALL_AFTER):
                match message.told:
                    case GatewayCallback() as callback:
                        await self._cases.gateway_callback(callback)
                    case CarrierEvent() as event:
                        await self._cases.logistics.carrier_event(event)
                    case OrderCompleted() as fact:
                        await self._cases.numbers.order_completed(fact)
                    case None:
                        failure = "unreadable"
        except UnknownCase:
            failure, give_up_after = "unknown_refund", UNKNOWN_REFUND_GIVEN_UP_AFTER
        except EventKeyReused:
            failure, give_up_after = "key_reused", timedelta(0)
        except RefusedNumber as error:  # P3: it was told otherwise before, and keeps to that
            failure, give_up_after = error.refusal.code, timedelta(0)
        except (Unreachable, TimeoutError, OSError):
            failure = "unreachable"
        except Exception as error:
            _log.warning("message %d cannot be handed on: %s", message.id, type(error).__name__)
            failure = "failed"
        async with self._pool.acquire() as connection:
            if not failure:
                await inbox.done(connection, message.id)
            elif await inbox.failed(connection, message.id, failure, give_up_after):
                _log.error("message %d of %s is dead: %s", message.id, message.source, failure)
                failure = "dead"
        self._counts.handed_on(message.source, failure or "done")
