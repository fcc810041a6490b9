"""Carriers as we know them (R3, R7, T6)."""

from typing import Protocol

from workflows.messages.message import Instant
from workflows.messages.parcels import CarrierEvent, Parcel


class CarrierUnreachable(Exception):  # noqa: N818 -- it says what is known: nothing
    """No answer came: a timeout, or a connection that broke. What became of the parcel is unknown."""


class Carrier(Protocol):
    """Who can be asked about the parcels of all carriers.

    What a carrier announces by itself may come late, twice, out of order, or never: asking is how a case that
    has heard nothing finds out.
    """

    async def track(self, parcel: Parcel, asked_at: Instant) -> tuple[CarrierEvent, ...]:
        """All that is known of a parcel by this moment of business time; nothing of one not seen yet.

        An event that was or will be announced has the same key here.

        Raises:
            CarrierUnreachable: nothing can be said.
        """
        ...
