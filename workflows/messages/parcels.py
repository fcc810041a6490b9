"""Parcels, and what carriers tell of them (R3, R7, T6)."""

from workflows.messages.message import CarrierCode, Identifier, Input, Instant, Message, Moment, TrackingNo
from workflows.messages.words import Word


class ParcelEvent(Word):
    """What can happen to a parcel."""

    OUTBOUND = "outbound"
    """It has left the shelf of the warehouse (R3)."""
    SHIPPED = "shipped"
    """The carrier has it (R1, R7)."""
    PICKED_UP = "picked_up"
    """The carrier has fetched a return from the buyer."""
    IN_TRANSIT = "in_transit"
    ON_DELIVERY_RUN = "on_delivery_run"
    SIGNED = "signed"
    """Whoever it was sent to has signed for it (T6)."""
    REFUSED = "refused"
    """Whoever it was sent to has not taken it (R3)."""
    RETURNED_TO_WAREHOUSE = "returned_to_warehouse"
    """It is back where it was sent from (R3)."""


class Parcel(Input):
    """One parcel: its carrier, and the number by which the carrier knows it."""

    carrier: CarrierCode
    tracking_no: TrackingNo


class ParcelPurpose(Word):
    """What a parcel carries for whom."""

    ORDER = "order"
    """The order's goods, to the buyer."""
    RETURN = "return"
    """Goods that come back, to the merchant (T3)."""
    RESHIPMENT = "reshipment"
    """Goods of an exchange, to the buyer (T8)."""


class CarrierEvent(Input):
    """What a carrier tells of a parcel. It may come late, twice, out of order, or before anybody knows the parcel."""

    key: Identifier
    """The carrier's own number of the event: the same again is the same event."""
    parcel: Parcel
    event: ParcelEvent
    happened_at: Moment


class ParcelHistory(Message):
    """What is known of a parcel, by the moments at which things happened."""

    parcel: Parcel
    events: tuple[CarrierEvent, ...]
    answered: bool = False
    """Whether the carrier was asked and has answered; else the events are what it had told before."""


class AskCarrier(Message):
    """Ask a carrier what has become of a parcel by this moment of business time."""

    parcel: Parcel
    at: Instant


async def ask_carrier(asking: AskCarrier) -> ParcelHistory:
    """Ask the carrier, record what is new, and tell all that is known. No answer is not an error."""
    raise NotImplementedError
