"""Compensation for late shipment."""

from datetime import timedelta

from starter.client import Case
from tests.replay.registry import OFFICER, Handle, act, at, ended, forward, now, path
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import ClaimCompensation, ProveExemption, ProveShipment
from workflows.messages.parcels import Parcel
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.stages import OutcomeKind, StageName


@path("Late shipment, shipped in time", "L1", OutcomeKind.SHIPPED_IN_TIME)
async def late_shipment_in_time(world: World) -> Handle:
    order_no = await world.order(paid_at=now())
    case = await world.aftersales.order_paid(order_no)
    await world.mark_shipped(order_no, now())
    await forward(world, case, hours=49)
    return await ended(case)


@path("Late shipment, not claimed", "L2", OutcomeKind.UNCLAIMED)
async def late_shipment_unclaimed(world: World) -> Handle:
    case = await _late(world)
    await forward(world, case, days=30, hours=1)
    return await ended(case)


@path("Late shipment, claimed, silence for 48 hours", "L2", OutcomeKind.COMPENSATED)
async def late_shipment_by_silence(world: World) -> Handle:
    case = await _claimed(world)
    await forward(world, case, hours=49)
    return await ended(case)


@path("Late shipment, claimed, shipment in time proved", "L2", OutcomeKind.EXEMPT)
async def late_shipment_disproved(world: World) -> Handle:
    case = await _claimed(world)
    parcel = Parcel(carrier="sf", tracking_no="T1")
    proof = ProveShipment(key="c2", by=merchant(world.merchant), parcel=parcel, shipped_at=now(), evidence=EVIDENCE)
    return await act(case, proof)


@path("Late shipment, claimed, a declared exemption shown", "L2", OutcomeKind.EXEMPT)
async def late_shipment_exempt(world: World) -> Handle:
    case = await _claimed(world)
    exemption = DeclareExemption(
        id=f"peak-{world.merchant}",
        starts_at=now() - timedelta(days=1),
        ends_at=now() + timedelta(days=1),
        by=OFFICER,
        reason=ExemptionReason.PROMOTION_PEAK,
        merchants=(world.merchant,),
    )
    await world.aftersales.declarations.declare_exemption(exemption)
    return await act(case, ProveExemption(key="c2", by=merchant(world.merchant), exemption=exemption.id))


async def _late(world: World) -> Case:
    case = await world.aftersales.order_paid(await world.order(paid_at=now()))
    await forward(world, case, hours=49)
    await at(world, case, StageName.CLAIMABLE)
    return case


async def _claimed(world: World) -> Case:
    case = await _late(world)
    await case.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))
    return case
