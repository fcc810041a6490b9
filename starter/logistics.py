"""What carriers and shops tell of parcels, on its way to the cases that it concerns (R7, T6, L1)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.postgres import case_rows, orders, parcels, pieces
from activities.postgres.connection import Connection
from activities.postgres.parcels import Watch
from starter.database import transaction
from starter.errors import NotCarried, RefusedCommand, RefusedRequest, UnknownCase, UnknownOrder
from starter.light.case import FULL, STOPPED
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelHistory, ParcelPurpose
from workflows.messages.pieces import LineQuantity
from workflows.rules.parcels import (
    HAS_LEFT,
    first_word_of_leaving,
    handed_on,
    refused_contents,
    report_of,
    unknown_contents,
)
from workflows.rules.pieces import unsent_of
from workflows.rules.refusals import refused
from workflows.rules.shipping import parcel_concerns

if TYPE_CHECKING:
    from starter.client import Aftersales

MARKS = {
    ParcelEvent.OUTBOUND: orders.mark_outbound,
    ParcelEvent.SHIPPED: orders.mark_shipped,
    **dict.fromkeys(HAS_LEFT - {ParcelEvent.SHIPPED}, orders.mark_on_delivery_run),
}
"""What the order directory keeps of its own parcels: what is told of one on its way, or at its end, has left (R7)."""


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
            Unreachable: Temporal or the database does not answer, or an open case could not hear it (``NotCarried``;
                all others were told); call again.
        """
        all_told(await self.hand_on([event]))

    async def hand_on(self, events: Iterable[CarrierEvent]) -> tuple[str, ...]:
        """Several of these: the open cases that could not hear one, and are to be told again (section 11).

        They keep nothing from the others, nor an event from the next. Errors as in ``carrier_event``.
        """
        untold: dict[str, None] = {}
        for event in events:
            async with transaction(self._aftersales.pool) as connection:
                recorded = await parcels.record_event(connection, event, datetime.now(UTC))
                cases = await _concerned(connection, event, recorded.watchers)
            untold |= dict.fromkeys([case for case in cases if not await self._was_told(case, event)])
        return tuple(untold)

    async def order_shipped(
        self, order_no: str, parcel: Parcel, shipped_at: datetime, lines: Iterable[LineQuantity] = ()
    ) -> None:
        """The shop has handed an order's goods, or some of them, to a carrier (R7, R15, L1): its open cases are told.

        ``lines`` says which pieces are in the parcel: only cases about those are told, and the order counts as shipped
        when all of its pieces are. A parcel that names none stands for all. More pieces than were bought are all
        of them. The carrier's later events of this parcel are about the same pieces. The same call again is harmless,
        and lines that are named later are added.

        Raises:
            UnknownOrder: the order directory does not know it.
            RefusedRequest: a line is named that the order does not have, or no pieces of one, or one twice; or the
                parcel was shipped before the order was paid (R18).
            ValidationError: ``shipped_at`` lies beyond the years 2000 to 2100.
            EventKeyReused: the parcel was said to have been shipped at another moment; the first word stands.
            Unreachable: as in ``carrier_event``.
        """
        named = tuple(lines)
        if refusal := refused_contents(named):
            raise RefusedRequest(refusal)
        key = parcels.event_key(ParcelEvent.SHIPPED, order_no, parcel)
        shipped = CarrierEvent(key=key, parcel=parcel, event=ParcelEvent.SHIPPED, happened_at=shipped_at)
        # The parcel before the order, as in carrier_event: two that wait for each other would both be in vain.
        async with transaction(self._aftersales.pool) as connection:
            told = await parcels.watch(
                connection, parcel, purpose=ParcelPurpose.ORDER, at=datetime.now(UTC), order_no=order_no
            )
            if (paid_at := await orders.paid_at(connection, order_no)) is None:
                raise UnknownOrder(order_no)
            if shipped_at < paid_at:
                explanation = f"the order was paid at {paid_at.isoformat()}"
                raise RefusedRequest(refused("before_payment", "shipped_at", "R18", explanation))
            try:
                await orders.pack(connection, order_no, parcel, named)
            except orders.UnknownOrderLine as error:
                raise RefusedRequest(unknown_contents(error.number)) from None
            await orders.mark_shipped(connection, order_no, shipped_at, parcel)
        all_told(await self.hand_on((shipped, *(each for each in told if each.key != key))))

    async def history(self, parcel: Parcel) -> ParcelHistory:
        """All that is known of a parcel. Unreachable where the database does not answer."""
        async with transaction(self._aftersales.pool) as connection:
            return await parcels.history(connection, parcel)

    async def _was_told(self, case: str, event: CarrierEvent) -> bool:
        """Whether there is nothing left to be told: a case that has ended needs no word, and one that stands does."""
        try:
            await self._aftersales.case(case).tell(report_of(event))
        except RefusedCommand as error:
            return error.refusal.code not in {STOPPED, FULL}
        except UnknownCase:
            return True
        return True


def all_told(untold: tuple[str, ...]) -> None:
    """Whoever tells must tell again what a case could not hear.

    Raises:
        NotCarried: there are such cases.
    """
    if untold:
        raise NotCarried(untold)


async def _concerned(connection: Connection, event: CarrierEvent, watchers: tuple[Watch, ...]) -> list[str]:
    """The cases to tell, each once; of an order's own parcel the order directory learns as well."""
    cases: dict[str, None] = {}
    for watch in watchers:
        if watch.case_id and handed_on(watch.purpose, event.event):
            cases[watch.case_id] = None
        elif watch.order_no:
            paid_at = await orders.paid_at(connection, watch.order_no)
            if paid_at is None or event.happened_at < paid_at:
                continue  # R18: carriers use their numbers again, and this was another parcel
            if not handed_on(watch.purpose, event.event) and not await _first_word(connection, event, paid_at):
                continue
            if mark := MARKS.get(event.event):
                await mark(connection, watch.order_no, event.happened_at, event.parcel)
            cases |= dict.fromkeys(await _of_order(connection, watch.order_no, event))
    return list(cases)


async def _first_word(connection: Connection, event: CarrierEvent, paid_at: datetime) -> bool:
    """R7: whether a scan on the way is the first that is told of the parcel having left."""
    events = (await parcels.history(connection, event.parcel)).events
    return first_word_of_leaving(event, (each for each in events if each.happened_at >= paid_at))


async def _of_order(connection: Connection, order_no: str, event: CarrierEvent) -> list[str]:
    """R7, R15: the order's open cases that are about what is in the parcel."""
    open_cases = await case_rows.open_cases_of_order(connection, order_no)
    contents = await orders.carried(connection, order_no, event.parcel)
    order = await orders.find_order(connection, order_no) if open_cases and contents else None
    if order is None:
        return [each.case_id for each in open_cases]
    holders = await pieces.holders(connection, order_no)
    outbound = event.event is ParcelEvent.OUTBOUND
    return [
        each.case_id
        for each in open_cases
        if each.pieces is None
        or parcel_concerns(
            each.pieces.lines,
            order,
            contents,
            unsent_of(other for other in holders if other.case_id != each.case_id),
            outbound=outbound,
        )
    ]
