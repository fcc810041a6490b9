"""Both sides talk before one of them decides (N1 to N3)."""

from typing import Any

from starter.client import Case
from tests.replay.registry import Handle, act, at, ended, forward, path
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Actor, buyer, merchant
from workflows.messages.commands import AcceptProposal, ConfirmExchange, Propose, Reship
from workflows.messages.parcels import Parcel
from workflows.messages.proposals import AnotherAmount, SendAgain
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.stages import OutcomeKind, StageName


@path("Refund only, another amount is proposed and accepted", "N3", OutcomeKind.REFUNDED)
async def talk_amount_agreed(world: World) -> Handle:
    case = await _asked(world)
    await _propose(case, merchant(world.merchant), AnotherAmount(lines=_line(4_000)))
    return await act(case, AcceptProposal(key="c2", by=buyer(world.buyer), number=1))


@path("Refund only, a proposal lapses, and silence refunds", "N2", OutcomeKind.REFUNDED, counted=False)
async def talk_proposal_lapses(world: World) -> Handle:
    case = await _asked(world)
    await _propose(case, merchant(world.merchant), AnotherAmount(lines=_line(4_000)))
    await forward(world, case, hours=24, minutes=1)
    await forward(world, case, hours=24)
    return await ended(case)


@path("Refund only, the goods are sent again as agreed, and confirmed", "N3", OutcomeKind.RESENT)
async def talk_sent_again(world: World) -> Handle:
    case = await _asked(world)
    await _propose(case, buyer(world.buyer), SendAgain())
    await case.act(AcceptProposal(key="c2", by=merchant(world.merchant), number=1))
    await at(world, case, StageName.RESEND)
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await case.act(Reship(key="c3", by=merchant(world.merchant), parcel=parcel))
    await at(world, case, StageName.RESEND_UNDERWAY)
    return await act(case, ConfirmExchange(key="c4", by=buyer(world.buyer)))


async def _asked(world: World) -> Case:
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no, reason=RefundReason.DAMAGED, evidence=EVIDENCE)
    await at(world, case, StageName.SHIPPED_REVIEW)
    return case


async def _propose(case: Case, by: Actor, terms: Any) -> None:
    await case.act(Propose(key="c1", by=by, terms=terms))


def _line(amount: int) -> tuple[LineAmount, ...]:
    return (LineAmount(line="1", quantity=1, amount=amount),)
