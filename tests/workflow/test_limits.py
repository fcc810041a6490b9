"""R16: limits are counted over what they protect, and nobody gets round them by asking often."""

import pytest

from starter.errors import RefusedCommand
from tests.workflow.disputes import disputed, evidence, refusal, rejected_refund
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import StageName


async def test_who_gives_evidence_without_end_locks_nobody_out(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order(marketplace="terse"))
    await world.at(case, StageName.SHIPPED_REVIEW)
    for number in range(2):
        await case.act(evidence(buyer(world.buyer), f"e{number}"))

    refused = await refusal(case, evidence(buyer(world.buyer), "once-too-often"))
    await case.act(evidence(merchant(world.merchant), "the-other-side"))

    assert (refused.code, refused.rule) == ("too_much_evidence", "R16")
    assert (await world.events(case)).count("evidence_submitted") == 3
    assert (await case.act(Approve(key="a", by=merchant(world.merchant)))).stage is not StageName.SHIPPED_REVIEW


async def test_a_dispute_counts_its_own_evidence_and_not_what_was_not_kept(world: World) -> None:
    case = await rejected_refund(world, order_no=await world.shipped_order(marketplace="terse"))
    dispute = await disputed(world, case)
    mine = merchant(world.merchant)

    for number in range(3):
        with pytest.raises(RefusedCommand):
            await dispute.act(evidence(mine, f"unknown-{number}", statement="statement:nobody-wrote-it"))
    for number in range(2):
        await dispute.act(evidence(mine, f"e{number}"))

    assert (await refusal(dispute, evidence(mine, "e2"))).code == "too_much_evidence"
    assert len(await world.aftersales.desk.evidence(dispute.id)) == 2
