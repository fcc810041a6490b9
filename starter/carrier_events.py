"""From the carriers' stub to the cases: what carriers do over HTTPS, done by a loop (R3, R7, T6)."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Protocol

from activities.gateways.carrier import CarrierUnreachable
from activities.gateways.carrier_stub import CarrierStub
from activities.postgres.parcels import EventKeyReused
from starter.errors import NotCarried, Unreachable
from workflows.messages.parcels import CarrierEvent, Parcel

_log = logging.getLogger(__name__)


class EventTaker(Protocol):
    """Who takes what carriers tell: the client."""

    async def carrier_event(self, event: CarrierEvent, /) -> object:
        """Record the event, and tell the cases that watch its parcel; an event may be told again.

        Raises:
            Unreachable: not everybody was told; the carrier should tell it again.
            EventKeyReused: the carrier has told something else under this key; telling it again is no use.
        """
        ...


class CarrierPump:
    """Hands the stub's announcements on when they are due."""

    def __init__(self, carrier: CarrierStub, aftersales: EventTaker) -> None:
        self._carrier = carrier
        self._aftersales = aftersales

    async def deliver(self, at: datetime, *, parcels: Collection[Parcel] | None = None) -> tuple[CarrierEvent, ...]:
        """Hand on every event that is due at this moment of business time, and mark it delivered.

        ``parcels`` leaves out all others. An event that was handed on and not marked is handed on again: the
        book and the cases know it by its key. One whose key was used for something else is left out for good; one
        that a stopped case could not hear stays due, and keeps no other back.

        Raises:
            Unreachable: Temporal or the database does not answer; what is left stays due.
            CarrierUnreachable: the stub does not answer.
        """
        delivered: list[CarrierEvent] = []
        untold: set[int] = set()
        while due := [each for each in await self._carrier.due_events(at, parcels=parcels) if each.id not in untold]:
            for each in due:
                try:
                    await self._aftersales.carrier_event(each.event)
                except NotCarried as error:
                    _log.warning("told again: %s", error)
                    untold.add(each.id)
                    continue
                except EventKeyReused as error:
                    _log.warning("left out: %s", error)
                else:
                    delivered.append(each.event)
                await self._carrier.mark_delivered(each.id, at)
        return tuple(delivered)

    async def run(self, *, every: float = 1.0) -> None:
        """Deliver by the wall clock, every so many seconds, until cancelled; outages are waited out."""
        while True:
            try:
                await self.deliver(datetime.now(UTC))
            except (Unreachable, CarrierUnreachable, OSError) as error:
                _log.warning("events of carriers wait: %s", type(error).__name__)
            await asyncio.sleep(every)
