"""What is told of a parcel: whom it matters to, and what is true of it after that (R3, R7, R15, T6, T8, T14)."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Final, Protocol

from workflows.messages.actors import carrier
from workflows.messages.cases import Refusal
from workflows.messages.commands import ReportParcel
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.pieces import LineQuantity
from workflows.rules.refusals import refused


class Told(Protocol):
    """What a carrier tells, by way of the book or to the case itself."""

    @property
    def parcel(self) -> Parcel:
        """Which one."""
        ...

    @property
    def event(self) -> ParcelEvent:
        """What happened to it."""
        ...

    @property
    def happened_at(self) -> datetime:
        """When, as the carrier says."""
        ...


_ENDS: Final = frozenset({ParcelEvent.SIGNED, ParcelEvent.RETURNED_TO_WAREHOUSE})
_DELIVERY: Final = _ENDS | {ParcelEvent.REFUSED}
_HANDED_ON: Final = {
    ParcelPurpose.ORDER: _DELIVERY | {ParcelEvent.OUTBOUND, ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN},
    ParcelPurpose.RETURN: _DELIVERY,
    ParcelPurpose.RESHIPMENT: _DELIVERY,
}
ON_ITS_WAY: Final = frozenset({ParcelEvent.SHIPPED, ParcelEvent.IN_TRANSIT, ParcelEvent.ON_DELIVERY_RUN})
"""A carrier has the parcel, and where its journey ends is open (R7)."""
HAS_LEFT: Final = ON_ITS_WAY | _DELIVERY
"""What is true of no parcel that has not left, whatever else its carrier has told of it, or not (R7)."""
DIRECTORY: Final = "directory"
"""Stands for the carrier where the order directory tells that goods have left, and not in which parcel (R7)."""

_ALONG_THE_WAY: Final = {event: position for position, event in enumerate(ParcelEvent)}


@dataclass(frozen=True)
class ParcelStatus:
    """What is true of a parcel now."""

    event: ParcelEvent
    since: datetime
    """When that happened, in business time; told twice under two keys, the earlier moment."""

    @property
    def ended(self) -> bool:
        """Whether the journey is over: signed for, or back where it began."""
        return self.event in _ENDS


def refused_contents(lines: Sequence[LineQuantity]) -> Refusal | None:
    """Why a parcel cannot have these pieces, or None; one that names none stands for all of its order (R15)."""
    seen: set[str] = set()
    for number, each in enumerate(lines):
        if not each.quantity:
            return refused("nothing_in_it", f"lines.{number}.quantity", "R15", "a parcel names what is in it")
        if each.line in seen:
            return refused("line_twice", f"lines.{number}.line", "R15", f"line {each.line} stands more than once")
        seen.add(each.line)
    return None


def unknown_contents(number: int) -> Refusal:
    """The refusal of a parcel whose line of this number, from 0, is none of its order's (R15)."""
    return refused("unknown_line", f"lines.{number}.line", "R15", "the order has no such line")


def report_of(event: CarrierEvent) -> ReportParcel:
    """What a case is told of an event: under the same key whoever tells it, so that it counts once."""
    digest = hashlib.sha256(f"{event.parcel.carrier}/{event.key}".encode()).hexdigest()[:32]
    return ReportParcel(
        key=f"p-{digest}",
        by=carrier(event.parcel.carrier),
        event=event.event,
        carrier=event.parcel.carrier,
        tracking_no="unknown" if event.parcel.carrier == DIRECTORY else event.parcel.tracking_no,
        happened_at=event.happened_at,
    )


def is_out(stands: ParcelStatus) -> bool:
    """Whether a parcel has left and its journey is not over: its goods are neither here nor with the buyer (R3, R7)."""
    return not stands.ended and stands.event is not ParcelEvent.OUTBOUND


def handed_on(purpose: ParcelPurpose, event: ParcelEvent) -> bool:
    """Whether a case that watches a parcel for this purpose is told of the event.

    Each thing handed on costs the case a signal and a step, so only what a rule asks about is: how far the goods
    of an order are (R1, R3, R7), and how a return or a re-shipment ends (T6, T8). The rest is kept in the book.
    """
    return event in _HANDED_ON[purpose]


def first_word_of_leaving(event: CarrierEvent, told: Iterable[CarrierEvent]) -> bool:
    """Whether a scan on the way is the first that is told of an order's parcel having left (R7).

    Then it counts as the carrier's word that has not come, and is handed on; later scans are not. ``told`` is what is
    known of the parcel since the order was paid (R18); ``event`` may be among it.
    """
    return event.event is ParcelEvent.IN_TRANSIT and not any(
        each.event in HAS_LEFT and (each.happened_at, each.key) < (event.happened_at, event.key) for each in told
    )


_NOT_RECEIVED: Final = frozenset({ParcelEvent.REFUSED, ParcelEvent.RETURNED_TO_WAREHOUSE})


def came_back(told: Iterable[Told], parcel: Parcel | None, since: datetime | None) -> bool:
    """Whether a parcel was refused, or went back to its sender, on a journey that began after ``since`` (T14).

    Whatever was signed for besides, before or after: the sender has signed for what came back, say.
    """
    return any(each.event in _NOT_RECEIVED for each in _journey(told, parcel, since))


def signed_at(told: Iterable[Told], parcel: Parcel | None, since: datetime | None) -> datetime | None:
    """When whoever a parcel was sent to has signed for it, or None: of a sign-off told twice, the earlier one.

    One that came back was not received, whoever has signed for it (T14). What was signed for before ``since`` is
    another parcel under the same number: the order's own, say (T6).
    """
    journey = _journey(told, parcel, since)
    if any(each.event in _NOT_RECEIVED for each in journey):
        return None
    return min((each.happened_at for each in journey if each.event is ParcelEvent.SIGNED), default=None)


def _journey(told: Iterable[Told], parcel: Parcel | None, since: datetime | None) -> list[Told]:
    return [each for each in told if each.parcel == parcel and (since is None or each.happened_at >= since)]


def standing(events: Iterable[CarrierEvent]) -> ParcelStatus | None:
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
    return ParcelStatus(decided, unchanged[-1][0])
