"""What is told of a parcel: whom it matters to, and what is true of the parcel after all of it (R3, R7, T6, T8)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Final

from workflows.messages.parcels import CarrierEvent, ParcelEvent, ParcelPurpose

_ENDS: Final = frozenset({ParcelEvent.SIGNED, ParcelEvent.RETURNED_TO_WAREHOUSE})
_DELIVERY: Final = _ENDS | {ParcelEvent.REFUSED}
_HANDED_ON: Final = {
    ParcelPurpose.ORDER: _DELIVERY | {ParcelEvent.OUTBOUND, ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN},
    ParcelPurpose.RETURN: _DELIVERY,
    ParcelPurpose.RESHIPMENT: _DELIVERY,
}
_ALONG_THE_WAY: Final = {event: position for position, event in enumerate(ParcelEvent)}


@dataclass(frozen=True)
class Standing:
    """What is true of a parcel now."""

    event: ParcelEvent
    since: datetime
    """When that happened, in business time; told twice under two keys, the earlier moment."""

    @property
    def ended(self) -> bool:
        """Whether the journey is over: signed for, or back where it began."""
        return self.event in _ENDS


def handed_on(purpose: ParcelPurpose, event: ParcelEvent) -> bool:
    """Whether a case that watches a parcel for this purpose is told of the event.

    Each thing handed on costs the case a signal and a step, so only what a rule asks about is: how far the goods
    of an order are (R1, R3, R7), and how a return or a re-shipment ends (T6, T8). The rest is kept in the book.
    """
    return event in _HANDED_ON[purpose]


def standing(events: Iterable[CarrierEvent]) -> Standing | None:
    """What is true of a parcel after these events, in whatever order and however often they came; None for none.

    The last thing that happened decides. The end of the journey outlasts whatever else is said to have happened
    after it: such words come from scanners with wrong clocks. Of two things of the same moment the one further
    along the way is the later one.
    """
    told = {(each.happened_at, _ALONG_THE_WAY[each.event], each.event) for each in events}
    deciding = {each for each in told if each[2] in _ENDS} or told
    if not deciding:
        return None
    latest_first = sorted(deciding, reverse=True)
    decided = latest_first[0][2]
    unchanged = list(takewhile(lambda each: each[2] is decided, latest_first))
    return Standing(decided, unchanged[-1][0])
