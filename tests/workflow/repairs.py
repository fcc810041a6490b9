"""Requests for goods to be mended, for the tests that need one."""

from typing import Any

from starter.client import Case
from tests.workflow.goods import agreement, tracking
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.commands import Reship
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.requests import LineAmount, RefundReason, RepairRequest
from workflows.messages.stages import StageName


def repair_request(world: World, order_no: str, amount: int = 10_000, pieces: int = 1, **changes: Any) -> RepairRequest:
    """A buyer wants pieces of line 1, which are worth ``amount`` minor units in all, mended."""
    fields: dict[str, Any] = {
        "request_key": world.fresh("k"),
        "order_no": order_no,
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "lines": (LineAmount(line="1", quantity=pieces, amount=amount),),
        "reason": RefundReason.QUALITY_FAULT,
    }
    return RepairRequest(**(fields | changes))


async def opened(world: World, *, order_no: str | None = None, **changes: Any) -> Case:
    """One that is asked for, of a shipped order (M1)."""
    order_no = order_no or await world.shipped_order()
    return await world.aftersales.open_repair(repair_request(world, order_no, **changes))


async def asked(world: World, **changes: Any) -> Case:
    """One that the merchant is to decide on (M2)."""
    case = await opened(world, **changes)
    await world.at(case, StageName.REPAIR_REVIEW)
    return case


async def sent_in(world: World, *, freight_paid: int = 0, **changes: Any) -> tuple[Case, Parcel]:
    """One whose goods are on their way to the merchant, and the parcel that they are in (T3)."""
    await world.address()
    case, parcel = await asked(world, **changes), world.parcel()
    await case.act(agreement(world))
    await case.act(tracking(world, parcel, freight_paid=freight_paid))
    return case, parcel


async def received(world: World, **changes: Any) -> Case:
    """One whose goods the merchant has (M3)."""
    case, parcel = await sent_in(world, **changes)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await world.at(case, StageName.REPAIRING)
    return case


async def sent_back(world: World, **changes: Any) -> tuple[Case, Parcel]:
    """One whose goods are on their way back to the buyer, and the parcel that they are in (M3)."""
    case, parcel = await received(world, **changes), world.parcel()
    await case.act(Reship(key="back", by=merchant(world.merchant), parcel=parcel))
    return case, parcel
