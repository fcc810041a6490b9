"""What carriers and shops tell of parcels, on its way to the cases that it concerns (R7, T6, L1)."""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.postgres import casebook, orders, parcels
from activities.postgres.connection import Connection
from activities.postgres.parcels import Watch
from starter.database import transaction
from starter.errors import RefusedCommand, UnknownCase, UnknownOrder
from workflows.messages.actors import carrier
from workflows.messages.commands import ReportParcel
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelHistory, ParcelPurpose
from workflows.rules.parcels import handed_on

if TYPE_CHECKING:
    from starter.client import Aftersales

MARKS = {
    ParcelEvent.OUTBOUND: orders.mark_outbound,
    ParcelEvent.SHIPPED: orders.mark_shipped,
    ParcelEvent.ON_DELIVERY_RUN: orders.mark_on_delivery_run,
}
"""What the order directory keeps of its own parcels."""


class Logistics:
    """Parcels as the platform's services see them."""

    def __init__(self, aftersales: "Aftersales") -> None:
        self._aftersales = aftersales

    async def carrier_event(self, event: CarrierEvent) -> None:
        """Hand on what a carrier tells of a parcel; late, repeated and out-of-order events are welcome.

        It is kept by carrier and number, whoever knows the parcel by now, and told to the open cases that wait for
        it. The same event again is told again, and every case knows it by its key: a carrier that got an error calls
        again.

        Raises:
            EventKeyReused: the carrier has used the key for something else; the first word stands.
            Unreachable: Temporal or the database does not answer; call again.
        """
        async with transaction(self._aftersales.pool) as connection:
            recorded = await parcels.record_event(connection, event, datetime.now(UTC))
            cases = await _concerned(connection, event, recorded.watchers)
        for case in cases:
            await self._tell(case, event)

    async def order_shipped(self, order_no: str, parcel: Parcel, shipped_at: datetime) -> None:
        """The shop has handed an order's goods, or some of them, to a carrier (R7, L1): its open cases are told.

        The carrier's later events of this parcel are about the order from now on. The same call again is harmless.

        Raises:
            UnknownOrder: the order directory does not know it.
            EventKeyReused: the parcel was said to have been shipped at another moment; the first word stands.
            Unreachable: as in ``carrier_event``.
        """
        # The parcel before the order, as in carrier_event: two that wait for each other would both be in vain.
        async with transaction(self._aftersales.pool) as connection:
            told = await parcels.watch(
                connection, parcel, purpose=ParcelPurpose.ORDER, at=datetime.now(UTC), order_no=order_no
            )
            if not await orders.mark_shipped(connection, order_no, shipped_at):
                raise UnknownOrder(order_no)
        key = f"shipped-{_digest(order_no, parcel.tracking_no)}"
        shipped = CarrierEvent(key=key, parcel=parcel, event=ParcelEvent.SHIPPED, happened_at=shipped_at)
        for event in (shipped, *(each for each in told if each.key != key)):
            await self.carrier_event(event)

    async def history(self, parcel: Parcel) -> ParcelHistory:
        """All that is known of a parcel. Unreachable where the database does not answer."""
        async with transaction(self._aftersales.pool) as connection:
            return await parcels.history(connection, parcel)

    async def _tell(self, case: str, event: CarrierEvent) -> None:
        report = ReportParcel(
            key=f"p-{_digest(event.parcel.carrier, event.key)}",
            by=carrier(event.parcel.carrier),
            event=event.event,
            carrier=event.parcel.carrier,
            tracking_no=event.parcel.tracking_no,
            happened_at=event.happened_at,
        )
        try:
            await self._aftersales.case(case).tell(report)
        except (RefusedCommand, UnknownCase):
            return  # it has ended: the parcel's history keeps the event


async def _concerned(connection: Connection, event: CarrierEvent, watchers: tuple[Watch, ...]) -> list[str]:
    """The cases to tell, each once; of an order's own parcel the order directory learns as well."""
    cases: dict[str, None] = {}
    for watch in watchers:
        if not handed_on(watch.purpose, event.event):
            continue
        if watch.case_id:
            cases[watch.case_id] = None
        elif watch.order_no:
            if mark := MARKS.get(event.event):
                await mark(connection, watch.order_no, event.happened_at)
            cases |= {each.case_id: None for each in await casebook.open_cases_of_order(connection, watch.order_no)}
    return list(cases)


def _digest(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]
