"""The queries that ``docs/operations.md`` tells operators to save as views: each finds its cases and no others."""

import re
import shlex
from datetime import timedelta

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from activities.gateways.payment_stub import Mode
from starter.stack import Stack
from tests import pages
from tests.temporals_command_line import typed
from tests.workflow.disputes import OFFICER, evidence, intervened, rejected_refund
from tests.workflow.test_evidence_demanded import demand
from tests.workflow.test_runbook import payment
from tests.workflow.world import World, until
from workflows.messages.actors import Role, merchant, officer
from workflows.messages.commands import MoveDeadline, RecordManualTransfer
from workflows.messages.stages import StageName

VIEWS = dict(re.findall(r"^\| ([\w ,]+) \| `(.*)` \|$", pages.text_of("operations"), re.MULTILINE))
ELSEWHERE = {"failing workflow tasks", "paused cases", "stopped cases"}
"""Found by ``test_buttons.py``, where there is something to find."""


async def found(world: World, query: str) -> set[str]:
    """The workflows of this merchant that a query finds."""
    of_merchant = f'{query} AND MerchantId = "{world.merchant}"'
    request = ListWorkflowExecutionsRequest(namespace="default", query=of_merchant)
    listed = await world.aftersales.temporal.workflow_service.list_workflow_executions(request)
    return {each.execution.workflow_id for each in listed.executions}


def test_every_query_of_the_pages_is_a_view() -> None:
    assert set(pages.queries()) == set(VIEWS.values())


async def test_each_view_finds_its_cases_and_no_others(world: World) -> None:
    short = await payment(Mode.ACCOUNT_SHORT)(world)
    by_hand = await payment(Mode.ACCOUNT_SHORT)(world)
    waiting = await world.refund()
    await world.at(waiting, StageName.MERCHANT_REVIEW)
    an_hour = await world.now(waiting) + timedelta(hours=1)
    await waiting.act(MoveDeadline(key="m-1", by=officer("o-1"), until=an_hour, reason="typhoon"))
    heard = await rejected_refund(world, order_no=await world.shipped_order())
    hearing = await intervened(world, heard)
    judged = await rejected_refund(world, order_no=await world.shipped_order())
    judging = await intervened(world, judged)
    await judging.act(evidence(merchant(world.merchant), final=True))
    await world.at(judging, StageName.RULING)
    asked = await rejected_refund(world, order_no=await world.shipped_order())
    asking = await intervened(world, asked)
    await asking.act(evidence(merchant(world.merchant), final=True))
    await world.at(asking, StageName.RULING)
    wanted = await world.written(asking, OFFICER, "请提供开箱照片")
    await asking.act(demand(Role.BUYER, wanted=wanted))
    await world.at(asking, StageName.EVIDENCE_OF_BUYER)
    paid = RecordManualTransfer(
        key="p-1",
        by=officer("o-1"),
        reason="card_closed",
        proof="ticket:4711",
        transferred_at=await world.now(by_hand),
    )
    order_no = (await by_hand.act(paid)).order_no
    running = {short.id, waiting.id, heard.id, hearing.id, judged.id, judging.id, asked.id, asking.id}
    soon = an_hour + timedelta(hours=1)
    expected = {
        "needs attention": {short.id},
        "one reason": {short.id},
        "due before a moment": {waiting.id},
        "evidence due": {hearing.id, asking.id},
        "reviews and rulings in time": {judging.id},
        "one merchant": running,
        "one order, closed cases too": {by_hand.id},
        "paid by hand or in advance": {by_hand.id},
        "an old version of a policy": running,
    }
    assert expected.keys() == VIEWS.keys() - ELSEWHERE

    for view, cases in expected.items():
        query = (
            VIEWS[view]
            .replace("m-laurel", world.merchant)
            .replace("DY-1001", str(order_no))
            .replace("2026-12-01T10:00:00Z", soon.isoformat())
            .replace("douyin/1", (await waiting.view()).policy)
        )
        # Lists are behind what happens: a case may still stand where it has left.
        seen = await until(lambda query=query: found(world, query), lambda ids, cases=cases: ids == cases)
        assert seen == cases, view


async def test_cases_of_a_stage_are_counted(world: World, stack: Stack) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    (line,) = [each for each in pages.commands() if each.startswith("temporal workflow count")]
    _, *words = shlex.split(line)
    of_merchant = [f'{word} AND MerchantId = "{world.merchant}"' if "CaseStage" in word else word for word in words]

    async def counted() -> tuple[int, str]:
        return await typed(stack.temporal_address, *of_merchant)

    await until(counted, lambda said: "Total: 1" in said[1])
    grouped = await typed(stack.temporal_address, *words[:-1], 'ExecutionStatus = "Running" GROUP BY CaseStage')
    assert grouped[0] != 0, "the page may tell of counts by stage, once the server has them"
