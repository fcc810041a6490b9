"""Goods that are mended."""

from starter.client import Case
from tests.replay.registry import Handle, act, at, ended, forward, now, path
from tests.workflow import repairs
from tests.workflow.goods import agreement, money_instead, report, tracking
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import ConfirmExchange, Reship
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.stages import OutcomeKind, StageName


@path("Repair, agreed to, signed for, sent back, confirmed", "M2, M3, M4", OutcomeKind.REPAIRED)
async def repair_confirmed(world: World) -> Handle:
    case = await _received(world)
    await _sent_back(world, case)
    return await act(case, ConfirmExchange(key="c4", by=buyer(world.buyer)))


@path("Repair, overdue, converted to a refund by both sides", "M3, M5", OutcomeKind.REFUNDED)
async def repair_overdue_converted(world: World) -> Handle:
    case = await _received(world)
    await forward(world, case, days=18, hours=1)
    await at(world, case, StageName.REPAIR_OVERDUE)
    await case.act(money_instead(world, by_buyer=True))
    return await act(case, money_instead(world, by_buyer=False))


@path("Repair, lost on its way back, converted to a refund", "M4, M5, T14", OutcomeKind.REFUNDED, counted=False)
async def repair_lost(world: World) -> Handle:
    case = await _received(world)
    await _sent_back(world, case)
    await forward(world, case, days=10, hours=1)
    await at(world, case, StageName.REPAIR_FAILED)
    await case.act(money_instead(world, by_buyer=True))
    return await act(case, money_instead(world, by_buyer=False))


@path("Repair, silence agrees to it, and nothing is sent in", "M2, T3", OutcomeKind.NOT_RETURNED)
async def repair_not_sent_in(world: World) -> Handle:
    await world.address()
    case = await repairs.opened(world)
    await at(world, case, StageName.REPAIR_REVIEW)
    await forward(world, case, hours=49)
    await at(world, case, StageName.AWAITING_RETURN)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


async def _received(world: World) -> Case:
    await world.address()
    case = await repairs.opened(world)
    await at(world, case, StageName.REPAIR_REVIEW)
    await case.act(agreement(world))
    await at(world, case, StageName.AWAITING_RETURN)
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await case.act(tracking(world, parcel))
    await at(world, case, StageName.RETURN_IN_TRANSIT)
    await case.tell(report(parcel, ParcelEvent.SIGNED, now(), "signed"))
    await at(world, case, StageName.REPAIRING)
    return case


async def _sent_back(world: World, case: Case) -> None:
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await case.act(Reship(key="c3", by=merchant(world.merchant), parcel=parcel))
    await at(world, case, StageName.REPAIR_UNDERWAY)
