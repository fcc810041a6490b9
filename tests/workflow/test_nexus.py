"""Services in other namespaces open cases, command them and wait for days, without our keys or database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pytest_asyncio
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle

from starter.client import Aftersales
from starter.nexus.preparing import make_endpoints, missing_endpoints
from starter.settings import Settings
from tests.workflow.nexus_callers import (
    QUEUE,
    Calls,
    Checkout,
    Crowd,
    Regrets,
    their_client,
    their_process,
    their_worker,
)
from tests.workflow.world import World, until
from worker import running_worker
from workflows.messages.actors import buyer, merchant
from workflows.messages.addresses import Region
from workflows.messages.cases import Outcome
from workflows.messages.commands import Approve, Withdraw
from workflows.messages.nexus import CommandTo
from workflows.messages.persons import Recipient
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import OutcomeKind
from workflows.rules.identity import case_id

USED: Final = "another request has been sent under this key"
FAILED_TO_CANCEL: Final = "nexus_operation_cancel_request_failed_event_attributes"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def callers(client: Client) -> Client:
    return await their_client(client)


@pytest_asyncio.fixture(loop_scope="session")
async def open_to(own_settings: Settings, world: World, callers: Client, as_worker: str) -> AsyncIterator[World]:
    """A world whose worker answers three endpoints: of buyers, of this merchant, and one that may do nothing."""
    name = world.merchant[2:]
    endpoints = f"buyers-{name}=buyer, desk-{name}=merchant@{world.merchant}"
    settings = own_settings.model_copy(update={"nexus_endpoints": endpoints})
    client = world.skipper.client
    missing = await missing_endpoints(settings, client)
    assert missing == (f"buyers-{name}", f"desk-{name}")
    await make_endpoints(settings, client, (*missing, f"nobody-{name}"))
    assert await missing_endpoints(settings, client) == ()
    aftersales = Aftersales(client, settings.task_queue, world.aftersales.pool, world.aftersales.vault)
    async with running_worker(settings, client, as_worker), their_worker(callers):
        yield World(aftersales, world.skipper, world.pool, world.merchant, world.buyer)


async def request_of(world: World, key: str = "r-1", **order: Any) -> RefundRequest:
    return RefundRequest(
        request_key=key,
        order_no=await world.order(**order),
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        lines=(LineAmount(line="1", quantity=1, amount=5900),),
        reason=RefundReason.NO_LONGER_WANTED,
    )


async def called(callers: Client, world: World, *calls: tuple[str, str, Any]) -> list[Any]:
    named = [(f"{endpoint}-{world.merchant[2:]}", operation, stated) for endpoint, operation, stated in calls]
    return await callers.execute_workflow(Calls.run, named, id=world.fresh("calls"), task_queue=QUEUE)


async def waits(
    callers: Client, world: World, request: RefundRequest, queue: str = QUEUE
) -> WorkflowHandle[Any, Outcome]:
    """A workflow of theirs that waits for the outcome, once our case is open."""
    handle = await callers.start_workflow(
        Checkout.run,
        args=[f"buyers-{world.merchant[2:]}", request],
        id=world.fresh("checkout"),
        task_queue=queue,
    )
    await until(lambda: started_by_them(handle), bool)
    return handle


async def how_many_wait(handle: WorkflowHandle[Any, Any]) -> int:
    history = await handle.fetch_history()
    return sum(each.HasField("nexus_operation_started_event_attributes") for each in history.events)


async def started_by_them(handle: WorkflowHandle[Any, Outcome]) -> bool:
    history = await handle.fetch_history()
    return any(each.HasField("nexus_operation_started_event_attributes") for each in history.events)


async def told(handle: WorkflowHandle[Any, Any]) -> bytes:
    """All that their history holds."""
    return (await handle.fetch_history()).to_json().encode()


async def test_a_caller_whose_worker_was_away_gets_the_outcome_after_48_hours_as_does_whoever_asks_the_same(
    own_settings: Settings, world: World, callers: Client, as_worker: str
) -> None:
    name = world.merchant[2:]
    settings = own_settings.model_copy(update={"nexus_endpoints": f"buyers-{name}=buyer"})
    client = world.skipper.client
    await make_endpoints(settings, client, await missing_endpoints(settings, client))
    person = Recipient(
        name=SecretStr("张三丰"),
        phone=SecretStr("13912345678"),
        region=Region(province="广东省", city="广州市"),
        street=SecretStr("某路 5 号"),
    )
    request = await request_of(world, marketplace="douyin", recipient=person)
    async with running_worker(settings, client, as_worker):
        async with their_worker(callers):
            first = await waits(callers, world, request)
            second = await waits(callers, world, request)
        case = client.get_workflow_handle(case_id(request), result_type=Outcome)
        await world.skipper.fast_forward(case, timedelta(hours=48))
        outcome = await case.result()
        async with their_worker(callers):
            third = await callers.start_workflow(
                Checkout.run, args=[f"buyers-{name}", request], id=world.fresh("checkout"), task_queue=QUEUE
            )
            outcomes = [await each.result() for each in (first, second, third)]

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.decided_by == "clock"
    assert outcomes == [outcome] * 3, "the third after the end"
    history = b"".join([await told(each) for each in (first, second, third)])
    assert not [mark for mark in ("张三丰", "13912345678", "某路") if mark.encode() in history]
    assert b"encryption-key-id" not in history


async def test_commands_and_looks_are_answered_at_once_and_nobody_acts_as_another(
    open_to: World, callers: Client
) -> None:
    request = await request_of(open_to)
    case, waiting = case_id(request), await waits(callers, open_to, request)
    mine = merchant(open_to.merchant)
    stated = request.model_dump(mode="json") | {"request_key": "r-2"}
    approve = CommandTo.of(case, Approve(key="a-1", by=mine)).model_dump(mode="json")

    found = await called(
        callers,
        open_to,
        ("desk", "view", {"case": case}),
        ("desk", "act", approve | {"command": {"key": "a-0", "by": merchant("m-another").model_dump(mode="json")}}),
        ("buyers", "act", approve),
        ("buyers", "act", CommandTo.of(case, Withdraw(key="w-1", by=buyer("b-another")))),
        ("desk", "act", approve | {"command": {"by": mine.model_dump(mode="json")}}),
        ("desk", "act", approve | {"name": "report_parcel"}),
        ("desk", "view", {"case": "refund/o-nobody/r-1"}),
        ("desk", "view", [case]),
        ("nobody", "view", {"case": case}),
        ("desk", "open_refund", stated),
        ("buyers", "open_refund", stated | {"lines": [{"line": "1", "quantity": 1, "amount": -1}]}),
        ("buyers", "open_refund", stated | {"lines": [{"line": "1", "quantity": 1, "amount": 10_001}]}),
        ("buyers", "open_refund", stated | {"request_key": "r-1", "reason": "other"}),
        ("buyers", "open_refund", stated | {"buyer_id": "b-another"}),
        ("desk", "act", approve),
        ("desk", "act", approve),
    )

    view, *refused = [each if isinstance(each, str) else (each["stage"], each["outcome"]) for each in found]
    assert view == ("merchant_review", None)
    for_another = "by: through this endpoint nobody acts as merchant with this id (section 12)"
    nobody = f"the endpoint nobody-{open_to.merchant[2:]} may do nothing here (AFTERSALES_NEXUS_ENDPOINTS)"
    assert refused == [
        f"UNAUTHORIZED, for good: {for_another}",
        f"UNAUTHORIZED, for good: {for_another}",
        "BAD_REQUEST, for good: not_yours: by.id: the case is another buyer's (section 12)",
        "BAD_REQUEST, for good: malformed: command.key: Field required (section 11)",
        "BAD_REQUEST, for good: malformed: name: is no command that is asked of a case (section 11)",
        "NOT_FOUND, for good: there is no case refund/o-nobody/r-1",
        "BAD_REQUEST, for good: malformed: input: must be one JSON object, in clear (encoding json/plain) (section 11)",
        f"UNAUTHORIZED, for good: {nobody}",
        "UNAUTHORIZED, for good: through this endpoint nobody acts as buyer in cases of this merchant (section 12)",
        "BAD_REQUEST, for good: malformed: lines.0.amount: Input should be greater than or equal to 0 (section 11)",
        "BAD_REQUEST, for good: amount_too_high: lines.0.amount: line 1 has 10000 minor units left to refund (R8)",
        f"BAD_REQUEST, for good: request_key_reused: request_key: {USED} (section 11)",
        "BAD_REQUEST, for good: not_yours: buyer_id: it belongs to another buyer (section 12)",
        ("paying", None),
        ("paying", None),
    ]
    assert (await waiting.result()).outcome is OutcomeKind.REFUNDED


async def test_a_caller_whose_worker_was_killed_while_it_waited_gets_the_outcome(
    open_to: World, callers: Client
) -> None:
    request, queue = await request_of(open_to), open_to.fresh("killed")
    async with their_process(callers, queue) as process:
        handle = await waits(callers, open_to, request, queue)
        process.kill()
        await process.wait()
    case = open_to.skipper.client.get_workflow_handle(case_id(request), result_type=Outcome)
    await open_to.skipper.fast_forward(case, timedelta(hours=48))
    outcome = await case.result()

    async with their_worker(callers, queue):
        assert await handle.result() == outcome
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, "clock")


async def test_as_many_callers_wait_as_temporal_lets_and_the_next_is_told(open_to: World, callers: Client) -> None:
    """A caller's workflow waits for 30 at most: so there are two of them."""
    request, endpoint = await request_of(open_to), f"buyers-{open_to.merchant[2:]}"

    async def crowd(times: int) -> WorkflowHandle[Any, list[str]]:
        return await callers.start_workflow(
            Crowd.run, args=[endpoint, request, times], id=open_to.fresh("crowd"), task_queue=QUEUE
        )

    first = await crowd(30)
    await until(lambda: how_many_wait(first), lambda number: number == 30)
    second = await crowd(3)
    await until(lambda: how_many_wait(second), lambda number: number == 2)
    mine = buyer(open_to.buyer)
    await open_to.aftersales.case(case_id(request)).act(Withdraw(key="w-1", by=mine))

    told_of = [*await first.result(), *await second.result()]
    assert sorted(told_of)[1:] == [OutcomeKind.WITHDRAWN] * 32
    assert min(told_of).startswith("RESOURCE_EXHAUSTED, for good: Temporal lets no more callers wait"), told_of


async def test_a_cancellation_ends_no_case_and_says_what_does(open_to: World, callers: Client) -> None:
    request = await request_of(open_to)
    endpoint, case = f"buyers-{open_to.merchant[2:]}", case_id(request)
    handle = await callers.start_workflow(
        Regrets.run, args=[endpoint, request], id=open_to.fresh("regrets"), task_queue=QUEUE
    )

    await until(lambda: refused_to_cancel(handle, f"send `withdraw` to {case}"), bool)
    assert (await open_to.aftersales.case(case).view()).outcome is None
    await open_to.aftersales.case(case).act(Withdraw(key="w-1", by=buyer(open_to.buyer)))

    assert (await handle.result()).outcome is OutcomeKind.WITHDRAWN


async def refused_to_cancel(handle: WorkflowHandle[Any, Any], how: str) -> bool:
    history = await handle.fetch_history()
    failed = [each for each in history.events if each.HasField(FAILED_TO_CANCEL)]
    return any(how in str(each) for each in failed)
