"""R16: a case does not grow without end, and no side can lock the other out."""

import asyncio
from collections import Counter

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter.client import Case
from starter.errors import NotYours
from starter.light.case import is_full
from tests.workflow.disputes import evidence
from tests.workflow.world import World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, Withdraw
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules import growth


async def counted(case: Case) -> Counter[int]:
    return Counter([each.event_type async for each in case.handle.fetch_history_events()])


async def test_a_flood_of_signals_is_summed_up_in_one_line(world: World) -> None:  # R16
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    sent = growth.REFUSED_LINES * 4

    strangers = (Approve(key=f"s{number}", by=merchant("another-shop")) for number in range(sent))
    await asyncio.gather(*(case.handle.signal("approve", each) for each in strangers))
    signals = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    await until(lambda: counted(case), lambda events: events[signals] == sent)
    await case.act_and_wait(Approve(key="a", by=merchant(world.merchant)))

    events = await world.events(case)
    told = [each.facts["count"] for each in await case.log() if each.event == "more_refused"]
    assert events.count("command_refused") == growth.REFUSED_LINES
    assert sum(map(int, told)) == sent - growth.REFUSED_LINES
    assert len(told) <= 3, "with each step that is written anyway, and with the last"
    assert (await counted(case))[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED] < sent / 2


async def test_a_strangers_command_is_refused_before_it_is_a_signal(world: World) -> None:  # R16, section 12
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    with pytest.raises(NotYours) as refused:
        await case.tell(Approve(key="s", by=merchant("another-shop")))

    assert refused.value.view is None
    assert (await counted(case))[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] == 0


async def test_who_has_sent_very_much_can_still_act_and_so_can_the_other_side(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # R16
    monkeypatch.setattr(growth, "MOST_FROM_A_ROLE", 4)
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    for number in range(4):
        await case.act(evidence(buyer(world.buyer), f"e{number}"))

    for key in ("one-more", "e0"):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await case.handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
                "submit_evidence", evidence(buyer(world.buyer), key), id=world.fresh("u")
            )
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == "Refused.too_many_commands"
    updates = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert (await counted(case))[updates] == 4, "what is refused costs the case nothing"

    await case.act(evidence(merchant(world.merchant), "the-other-side"))
    assert (await case.act_and_wait(Withdraw(key="w", by=buyer(world.buyer)))).outcome is OutcomeKind.WITHDRAWN


def test_the_servers_limit_is_told_from_a_task_that_was_lost() -> None:
    lost = "Unable to perform workflow execution update due to unexpected workflow task failure."
    limit = (
        "The limit on the total number of distinct updates in this workflow has been reached (2000). Make sure any "
        "duplicate updates share an Update ID so the server can deduplicate them."
    )

    assert is_full(RPCError(limit, RPCStatusCode.FAILED_PRECONDITION, b""))
    assert not is_full(RPCError(lost, RPCStatusCode.FAILED_PRECONDITION, b""))
    signals = RPCError("exceeded workflow execution limit for signal events", RPCStatusCode.INVALID_ARGUMENT, b"")
    assert is_full(signals)
