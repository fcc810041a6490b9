"""Requests for goods, or parts of them, to be sent again, for the tests that need one."""

from typing import Any

from starter.client import Case
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve, Reship
from workflows.messages.parcels import Parcel
from workflows.messages.requests import LineAmount, PartOfPiece, RefundReason, ResendRequest
from workflows.messages.stages import StageName

CHARGER = (PartOfPiece(line="1", sku="charger"),)


def resend_request(world: World, order_no: str, amount: int = 10_000, pieces: int = 1, **changes: Any) -> ResendRequest:
    """A buyer wants pieces of line 1, which are worth ``amount`` minor units in all, sent again."""
    fields: dict[str, Any] = {
        "request_key": world.fresh("k"),
        "order_no": order_no,
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "lines": (LineAmount(line="1", quantity=pieces, amount=amount),),
        "reason": RefundReason.MISSING_PARTS,
    }
    return ResendRequest(**(fields | changes))


async def opened(world: World, *, order_no: str | None = None, **changes: Any) -> Case:
    """One that is asked for, of a shipped order (C1)."""
    order_no = order_no or await world.shipped_order()
    return await world.aftersales.open_resend(resend_request(world, order_no, **changes))


async def asked(world: World, **changes: Any) -> Case:
    """One that the merchant is to decide on (C2)."""
    case = await opened(world, **changes)
    await world.at(case, StageName.RESEND_REVIEW)
    return case


async def agreed(world: World, **changes: Any) -> Case:
    """One that the merchant has agreed to (C2)."""
    case = await asked(world, **changes)
    await case.act(Approve(key="agree", by=merchant(world.merchant)))
    return case


async def sent(world: World, **changes: Any) -> tuple[Case, Parcel]:
    """One that is on its way to the buyer, and the parcel that it is in (C3)."""
    case, parcel = await agreed(world, **changes), world.parcel()
    await case.act(Reship(key="sent", by=merchant(world.merchant), parcel=parcel))
    return case, parcel
