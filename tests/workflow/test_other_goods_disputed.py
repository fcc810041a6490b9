"""C4, T8, D8: other goods that the buyer has, or is getting, and a dispute about them: never money besides (R13)."""

from typing import Any

import pytest

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import opening, resolution, ruling
from tests.workflow.goods import refused_command, signed_for
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import AcceptProposal, ConfirmExchange, Propose, Reship, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.proposals import SendAgain
from workflows.messages.requests import RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName

pytestmark = pytest.mark.in_memory


async def dispute_of(world: World, case: Case) -> Case:
    return world.aftersales.case(str((await case.view()).dispute))


async def gives_nothing(world: World, case: Case) -> None:
    dispute = await dispute_of(world, case)
    await world.at(dispute, StageName.NEGOTIATION)
    await world.forward(dispute, hours=25)
    await world.at(case, StageName.LOCKED)
    await dispute.act(ruling(refund=Award.NOTHING, fault=Fault.BUYER))


async def disputed_once_sent(world: World, **order: Any) -> Case:
    """A refund in which the piece was sent again, as agreed, is with the buyer, and is disputed all the same (N3)."""
    case = await world.refund(order_no=await world.shipped_order(**order), reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    parcel = world.parcel()
    await case.act(Propose(key="p", by=merchant(world.merchant), terms=SendAgain()))
    await case.act(AcceptProposal(key="a", by=buyer(world.buyer), number=1))
    await case.act(Reship(key="s", by=merchant(world.merchant), parcel=parcel))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await case.act(opening(world))
    return case


async def refund_again(world: World, case: Case) -> str:
    with pytest.raises(RefusedRequest) as caught:
        await world.refund(order_no=(await case.view()).order_no, reason=RefundReason.DAMAGED)
    return caught.value.refusal.code


async def test_what_was_sent_again_in_a_refund_is_not_refunded_after_a_withdrawal(world: World) -> None:  # C4, C6
    case = await disputed_once_sent(world, marketplace="jd-pop")

    assert await refused_command(case, Withdraw(key="w", by=buyer(world.buyer))) == ("goods_sent", "C4")
    await (await dispute_of(world, case)).act(resolution(world))
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))
    assert await refund_again(world, case) == "quantity_too_high"


async def test_what_was_sent_again_in_a_refund_is_not_refunded_after_a_ruling(world: World) -> None:  # C4, C6, D8
    case = await disputed_once_sent(world)
    await gives_nothing(world, case)
    await world.at(case, StageName.RESEND_UNDERWAY)
    assert "open_dispute" not in {each.name for each in (await case.view()).commands}  # D10: it would be refused
    await world.forward(case, days=11)

    assert (await case.outcome()).outcome is OutcomeKind.RESENT
    assert await refund_again(world, case) == "quantity_too_high"


@pytest.mark.parametrize("ruled", [False, True])
async def test_what_was_exchanged_is_not_refunded_after_its_dispute(world: World, ruled: bool) -> None:  # R13, T8, D8
    case, _ = await signed_for(world, exchange=True, order_no=await world.shipped_order(marketplace="jd-pop"))
    parcel = world.parcel()
    await case.act(Reship(key="s", by=merchant(world.merchant), parcel=parcel))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await case.act(opening(world))

    assert await refused_command(case, Withdraw(key="w", by=buyer(world.buyer))) == ("goods_sent", "T8")
    if ruled:
        await gives_nothing(world, case)
    else:
        await (await dispute_of(world, case)).act(resolution(world))
    await world.at(case, StageName.EXCHANGE_UNDERWAY)
    await world.forward(case, days=11)
    assert (await case.outcome()).outcome is OutcomeKind.EXCHANGED
    assert await refund_again(world, case) == "quantity_too_high"
