"""Carriers as we know them (R3, R7, T6, X3)."""

from dataclasses import dataclass, field
from typing import Protocol

from activities.gateways.callbacks import REFUSAL, CallbackRefused, CallbackReply, CallbackRequest, Refused
from workflows.messages.message import Instant
from workflows.messages.parcels import CarrierEvent, Parcel


class CarrierUnreachable(Exception):  # noqa: N818 -- it says what is known: nothing
    """No answer came: a timeout, or a connection that broke. What became of the parcel is unknown."""


@dataclass(frozen=True)
class ReadEvents:
    """What a genuine callback of a carrier says; each event by the carrier's own key."""

    events: tuple[CarrierEvent, ...]
    """Those about parcels; without any it is about something else, and is answered and forgotten."""
    reply: CallbackReply = field(default_factory=CallbackReply)


class Carrier(Protocol):
    """Who can be asked about the parcels of all carriers. An adapter derives from it.

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

    refusal: CallbackReply = REFUSAL
    """What a callback is answered that is not taken; its status is chosen by whoever answers."""

    async def read_events(self, request: CallbackRequest) -> ReadEvents:
        """What a callback says, once its signature has been verified; nothing is written (X3).

        Raises:
            CallbackRefused: it is forged, stale or cannot be read; all are, of a carrier that sends none.
        """
        raise CallbackRefused(Refused.FORGED, "this adapter takes no callbacks")
