"""Goods, or parts of them, that are sent again."""

from starter.client import Case
from tests.replay.registry import Handle, act, at, ended, forward, path
from tests.workflow import resends
from tests.workflow.goods import money_instead
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, ConfirmExchange, Reject, RejectReason, Reship
from workflows.messages.parcels import Parcel
from workflows.messages.stages import OutcomeKind, StageName


@path("Re-send, agreed to, sent and confirmed", "C2, C3, C4", OutcomeKind.RESENT)
async def resend_confirmed(world: World) -> Handle:
    case = await _agreed(world)
    await _sent(world, case)
    return await act(case, ConfirmExchange(key="c3", by=buyer(world.buyer)))


@path("Re-send, silence for 48 hours, overdue, converted to a refund", "C2, C3, C5", OutcomeKind.REFUNDED)
async def resend_overdue_converted(world: World) -> Handle:
    case = await resends.opened(world, parts=resends.CHARGER, amount=900)
    await at(world, case, StageName.RESEND_REVIEW)
    await forward(world, case, hours=49)
    await at(world, case, StageName.RESEND)
    await forward(world, case, hours=73)
    await at(world, case, StageName.RESEND_OVERDUE)
    await case.act(money_instead(world, by_buyer=True))
    return await act(case, money_instead(world, by_buyer=False))


@path("Re-send, rejected, the buyer does nothing for 7 days", "C2, R6", OutcomeKind.REJECTED)
async def resend_rejected(world: World) -> Handle:
    case = await resends.opened(world)
    await at(world, case, StageName.RESEND_REVIEW)
    await case.act(Reject(key="c1", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))
    await at(world, case, StageName.REJECTED)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


@path("Re-send, lost on its way, and the merchant pays", "C4, C5, T14", OutcomeKind.REFUNDED, counted=False)
async def resend_lost(world: World) -> Handle:
    case = await _agreed(world)
    await _sent(world, case)
    await forward(world, case, days=10, hours=1)
    await at(world, case, StageName.RESEND_FAILED)
    await case.act(money_instead(world, by_buyer=True))
    return await act(case, money_instead(world, by_buyer=False))


async def _agreed(world: World) -> Case:
    case = await resends.opened(world)
    await at(world, case, StageName.RESEND_REVIEW)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await at(world, case, StageName.RESEND)
    return case


async def _sent(world: World, case: Case) -> None:
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await case.act(Reship(key="c2", by=merchant(world.merchant), parcel=parcel))
    await at(world, case, StageName.RESEND_UNDERWAY)
