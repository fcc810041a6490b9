"""Moments that others tell: what happened lies between the order's payment and now (R18)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    Command,
    GatewayCallback,
    MoveDeadline,
    ProveShipment,
    RecordManualTransfer,
    Reject,
    ReportParcel,
    ShippingProof,
)
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, ParcelEvent
from workflows.messages.policy import Policy
from workflows.messages.virtual_numbers import OrderCompleted
from workflows.rules.refusals import refused

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By so much another system's clock may be ahead of ours (R18)."""
_LEAVES: Final = (ParcelEvent.OUTBOUND, ParcelEvent.SHIPPED)


def happened(command: Command) -> tuple[str, datetime] | None:
    """The field in which a command says when something happened, and that moment; None where it tells of nothing."""
    match command:
        case Reject(shipping=ShippingProof(shipped_at=at)):
            return "shipping.shipped_at", at
        case ProveShipment(shipped_at=at):
            return "shipped_at", at
        case ReportParcel(happened_at=at):
            return "happened_at", at
        case RecordManualTransfer(transferred_at=at):
            return "transferred_at", at
        case GatewayCallback(settled_at=at):
            return "settled_at", at
        case OrderCompleted(completed_at=at):
            return "completed_at", at
        case _:
            return None


def refused_moment(command: Command, *, now: datetime, order: OrderFacts | None = None) -> Refusal | None:
    """Why what ``command`` tells of cannot have happened then, or None (R18).

    ``now`` is the case's own time, ``order`` what is known of its order. What a carrier tells is taken also where its
    clock is ahead: the goods are where they are, and nothing counts from a later moment than now (T6, T8).
    """
    told = happened(command)
    if told is None:
        return None
    field, at = told
    if order and at < order.paid_at:
        return refused("before_payment", field, "R18", f"the order was paid at {order.paid_at.isoformat()}")
    if at > now + CLOCKS_DIFFER and not isinstance(command, ReportParcel):
        return refused("not_yet", field, "R18", "what has happened cannot lie in the future")
    return None


def refused_claim(claimed: datetime, order: OrderFacts, told: Iterable[CarrierEvent]) -> Refusal | None:
    """Why an order cannot have shipped when a merchant says, after what others have said before, or None (L2, R18).

    The order system tells when all of an order had left; ``told`` is what the carrier has told of the parcel that is
    to prove it.
    """
    return _known_otherwise(claimed, "shipped_at", (order.outbound_at, order.shipped_at, *_first(order, told)))


def refused_proof(claimed: datetime, order: OrderFacts, told: Iterable[CarrierEvent]) -> Refusal | None:
    """Why the parcel that a rejection names cannot have left when the merchant says, or None (R1, R18).

    ``told`` is what the carrier has told of that parcel; others of the order may have left at other times (R15).
    """
    return _known_otherwise(claimed, "shipping.shipped_at", _first(order, told))


def _first(order: OrderFacts, told: Iterable[CarrierEvent]) -> list[datetime | None]:
    told = [each for each in told if each.happened_at >= order.paid_at]
    return [min((each.happened_at for each in told if each.event is event), default=None) for event in _LEAVES]


def _known_otherwise(claimed: datetime, field: str, left_at: Iterable[datetime | None]) -> Refusal | None:
    known = max((each for each in left_at if each), default=None)
    if known is None or claimed >= known:
        return None
    explanation = f"the carrier or the order system has told before that they left at {known.isoformat()}"
    return refused("known_otherwise", field, "R18", explanation)


def refused_deadline(command: Command, *, now: datetime, policy: Policy) -> Refusal | None:
    """Why a deadline cannot be moved that far, or None (R18)."""
    days = policy.limits.furthest_deadline_days
    if isinstance(command, MoveDeadline) and command.until > now + timedelta(days=days):
        explanation = f"the policy lets a deadline be set at most {days} days ahead"
        return refused("deadline_too_far", "until", "R18", explanation)
    return None
