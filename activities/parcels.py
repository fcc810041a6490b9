"""Asking a carrier about a parcel that it has told nothing of (R3, T6)."""

import asyncio
import logging

import asyncpg
from pydantic import ValidationError
from temporalio import activity

from activities.gateways.carrier import Carrier, CarrierUnreachable
from activities.measures import Measures
from activities.postgres import parcels
from activities.postgres.parcels import EventKeyReused
from workflows.messages.parcels import AskCarrier, CarrierEvent, ParcelHistory, ask_carrier

_log = logging.getLogger(__name__)


class Parcels:
    """The activity that asks.

    Args:
        pool: Our database.
        carrier: Who is asked.
        timeout: Seconds that the carrier may take; after that it has not answered.
    """

    def __init__(
        self, pool: asyncpg.Pool, carrier: Carrier, timeout: float = 5.0, measures: Measures | None = None
    ) -> None:
        self._measures = measures or Measures()
        self._pool = pool
        self._carrier = carrier
        self._timeout = timeout

    @activity.defn(name=ask_carrier.__name__)
    async def ask_carrier(self, asking: AskCarrier) -> ParcelHistory:
        """Ask what has become of a parcel, record what is new, and give all that is known.

        Only who asks is told: other cases that watch the parcel hear of it when the carrier announces it, or ask
        for themselves. No transaction is open while the carrier is asked.

        Raises:
            asyncpg.PostgresError, OSError: our database failed; asking again is right.
        """
        told = await self._heard(asking)
        async with self._pool.acquire() as connection, connection.transaction():
            for event in told or ():
                try:
                    await parcels.record_event(connection, event, asking.at)
                except EventKeyReused as error:
                    # The first word stands. Failing would keep the case from all that the carrier knows besides.
                    _log.warning("left out: %s", error)
            known = await parcels.history(connection, asking.parcel)
        return known.model_copy(update={"answered": told is not None})

    async def _heard(self, asking: AskCarrier) -> tuple[CarrierEvent, ...] | None:
        """The carrier's answer, or None where none came."""
        try:
            with self._measures.call("carrier", "track"):
                async with asyncio.timeout(self._timeout):
                    return await self._carrier.track(asking.parcel, asking.at)
        except (TimeoutError, CarrierUnreachable):
            return None
        except ValidationError as error:
            # Trying again would bring the same answer, and the case would wait for ever (R18).
            _log.warning("the carrier's answer makes no sense: %s", error.title)
            return None
