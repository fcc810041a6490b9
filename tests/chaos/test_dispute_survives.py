"""SIGKILL for the worker at every turn of a dispute: case and dispute stay of one mind (D2, D3, D8)."""

import asyncio

from starter.client import Case
from tests.chaos.site import Site, assert_paid_once
from tests.replay.registry import OFFICER, at, quiet
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import OpenDispute, Reject, RejectReason, Rule
from workflows.messages.requests import DisputeReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import OutcomeKind, StageName


async def stage(world: World, case: Case) -> str:
    return await world.pool.fetchval("SELECT stage FROM casebook.cases WHERE case_id = $1", case.id)


async def test_a_dispute_outlives_its_workers(site: Site) -> None:
    world = site.world
    order_no = await world.shipped_order(marketplace="jd-pop")
    async with site.worker() as first:
        case = await world.refund(order_no=order_no)
        await at(world, case, StageName.SHIPPED_REVIEW)
        rejected = Reject(key="c1", by=merchant(world.merchant), reason=RejectReason.NO_FAULT_SHOWN, evidence=EVIDENCE)
        await case.act(rejected)
        view = await case.act(OpenDispute(key="c2", by=buyer(world.buyer), reason=DisputeReason.REFUND_REJECTED))
        dispute = world.aftersales.case(str(view.dispute))
        await at(world, dispute, StageName.NEGOTIATION)
        await first.kill()

    # The negotiation ends while no worker runs.
    passing = asyncio.create_task(world.forward(dispute, hours=25))
    async with site.worker() as second:
        await at(world, dispute, StageName.EVIDENCE_WORKING_HOURS)
        await at(world, case, StageName.LOCKED)
        await passing
        await second.kill()

    # The ruling is recorded while no worker runs.
    await dispute.tell(Rule(key="r1", by=OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="not_as_described"))
    assert (await stage(world, dispute), await stage(world, case)) == (
        StageName.EVIDENCE_WORKING_HOURS,
        StageName.LOCKED,
    )
    async with site.worker():
        ruled, outcome = await dispute.outcome(), await case.outcome()
        await until(lambda: stage(world, case), lambda found: found == StageName.CLOSED)
        await quiet(case)

    assert (ruled.outcome, outcome.outcome) == (OutcomeKind.RULED, OutcomeKind.REFUNDED)
    assert ruled.ruling == outcome.ruling
    await assert_paid_once(
        site, case, order_no, "opened", "rejected", "dispute_opened", "locked", "ruling_carried_out", "refund_succeeded"
    )
