"""When all of an order left, as the order system says of the order itself and of no parcel (R3, R7, X2).

Open cases are told of it as of a parcel that stands for all of the order: one that no carrier knows.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from activities.gateways.order_records import OrderChange
from activities.postgres import parcels
from activities.postgres.connection import Connection
from activities.postgres.orders import find_order
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.rules.parcels import DIRECTORY

_MOMENTS: Final[Mapping[ParcelEvent, str]] = {
    ParcelEvent.OUTBOUND: "outbound_at",
    ParcelEvent.SHIPPED: "shipped_at",
    ParcelEvent.ON_DELIVERY_RUN: "on_delivery_run_at",
}


def own_parcel(order_no: str) -> Parcel:
    """What stands for all of an order where no parcel is named; another one for each order."""
    return Parcel(carrier=DIRECTORY, tracking_no=hashlib.sha256(order_no.encode()).hexdigest()[:32])


def parcels_of(change: OrderChange) -> list[Parcel]:
    """What a change tells of, in the one order in which everybody locks them."""
    own = [own_parcel(change.order_no)] if any(getattr(change, name) for name in _MOMENTS.values()) else []
    named = [*(each.parcel for each in change.parcels), *own]
    return sorted(named, key=lambda each: (each.carrier, each.tracking_no))


async def to_tell(
    connection: Connection, change: OrderChange, before: OrderFacts | None, at: datetime
) -> tuple[CarrierEvent, ...]:
    """What open cases are to be told of a change that is written: the moments that the order had not ``before``.

    All that it says where ``before`` is None, because telling may have failed. The first word stands (R18).
    """
    said = [
        (event, name)
        for event, name in _MOMENTS.items()
        if getattr(change, name) and (before is None or getattr(before, name) is None)
    ]
    kept = await find_order(connection, change.order_no) if said else None
    if kept is None:
        return ()
    parcel = own_parcel(change.order_no)
    await parcels.watch(connection, parcel, purpose=ParcelPurpose.ORDER, at=at, order_no=change.order_no)
    return tuple(
        CarrierEvent(
            key=parcels.event_key(event, change.order_no, parcel),
            parcel=parcel,
            event=event,
            happened_at=getattr(kept, name),
        )
        for event, name in said
    )
