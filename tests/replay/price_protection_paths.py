"""Price protection."""

from starter.client import Case
from tests.replay.registry import Handle, act, at, ended, forward, path
from tests.workflow.price_protection import fallen
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve, Reject, RejectReason
from workflows.messages.stages import OutcomeKind, StageName


@path("Price protection, approved", "B3", OutcomeKind.REFUNDED)
async def price_protection_approved(world: World) -> Handle:
    return await act(await _asked(world), Approve(key="c1", by=merchant(world.merchant)))


@path("Price protection, silence for 24 hours", "B3", OutcomeKind.REFUNDED)
async def price_protection_by_silence(world: World) -> Handle:
    case = await _asked(world)
    await forward(world, case, hours=25)
    return await ended(case)


@path("Price protection, rejected, the buyer does nothing for 7 days", "B3, R6", OutcomeKind.REJECTED)
async def price_protection_rejected(world: World) -> Handle:
    case = await _asked(world)
    await case.act(Reject(key="c1", by=merchant(world.merchant), reason=RejectReason.OUT_OF_TERMS, evidence=EVIDENCE))
    await at(world, case, StageName.REJECTED)
    await forward(world, case, days=7, hours=1)
    return await ended(case)


async def _asked(world: World) -> Case:
    case = await fallen(world, await world.order())
    await at(world, case, StageName.PRICE_REVIEW)
    return case
