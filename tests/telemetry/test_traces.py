"""One trace from the client's call to the SQL statement and the gateway, also over days, and nothing told twice."""

import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest_asyncio
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from activities.policies import Policies
from starter.client import Aftersales, Case
from starter.settings import Settings
from tests.telemetry.conftest import Watched
from tests.telemetry.receiver import Received, attributes
from tests.workflow.world import World, until
from worker import running_worker
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.persons import Recipient
from workflows.messages.stages import StageName

MARK = "羴羴未加密"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replaying(watched: Watched, settings: Settings, database: str) -> AsyncIterator[World]:
    """A world whose worker has no cache: each workflow task replays its case from the start."""
    own = settings.model_copy(update={"task_queue": "replaying", "max_cached_workflows": 0})
    world = watched.world
    async with running_worker(own, world.skipper.client, database):
        aftersales = Aftersales(world.skipper.client, own.task_queue, world.pool, world.aftersales.vault, Policies())
        yield World(aftersales, world.skipper, world.pool)


async def spans_of(received: Received, case: Case, last: str, *, times: int = 1) -> list[Span]:
    """The spans of all traces that tell of a case, once the ``last`` one has been exported so many times.

    A span is exported when it ends, so that one may come before the span that it belongs to: none is left without.
    """

    async def look() -> list[Span]:
        traces = {each.trace_id for each in received.spans if attributes(each).get("temporalWorkflowID") == case.id}
        return [each for each in received.spans if each.trace_id in traces]

    def complete(found: list[Span]) -> bool:
        parents = {each.parent_span_id for each in found} - {b""}
        return sum(each.name == last for each in found) >= times and parents <= {each.span_id for each in found}

    return await until(look, complete)


def one(spans: list[Span], name: str) -> Span:
    (found,) = [each for each in spans if each.name == name]
    return found


def ancestors(spans: list[Span], span: Span) -> list[str]:
    """The names from a span up to the root of its trace."""
    by_id = {each.span_id: each for each in spans}
    names = [span.name]
    while span.parent_span_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)
    return names


async def test_a_decision_is_one_trace_from_the_client_to_the_gateway(replaying: World, received: Received) -> None:
    case = await replaying.refund()
    await replaying.at(case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="a-1", by=merchant(replaying.merchant)))
    await case.outcome()

    spans = await spans_of(received, case, "RunActivity:settle")
    paid = one(spans, "payment.submit")
    decided = [each for each in spans if each.trace_id == paid.trace_id]
    assert ancestors(spans, paid) == [
        "payment.submit",
        "RunActivity:settle",
        "HandleUpdate:approve",
        "StartWorkflowUpdate:approve",
        "aftersales.approve",
    ]
    assert attributes(paid)["result"] == "succeeded"
    statements = {attributes(each).get("db.query.text", ""): ancestors(spans, each) for each in decided}
    reserved = next(path for text, path in statements.items() if "INSERT INTO ledger.legs" in text)
    assert reserved[1:] == [
        "RunActivity:record_step",
        "HandleUpdate:approve",
        "StartWorkflowUpdate:approve",
        "aftersales.approve",
    ]
    opening = one(spans, "RunWorkflow:Refund")
    assert ancestors(spans, opening)[1:] == ["StartWorkflow:Refund", "aftersales.open"]
    assert [link.span_id for link in one(spans, "HandleUpdate:approve").links] == [opening.span_id]
    assert (received.resource["service.name"], received.resource["deployment.environment.name"]) == (
        "aftersales",
        "tests",
    )
    assert received.headers["x-tenant"] == "aftersales"


async def test_silence_after_48_hours_is_a_trace_of_its_own_with_a_link(replaying: World, received: Received) -> None:
    case = await replaying.refund()
    await replaying.at(case, StageName.MERCHANT_REVIEW)
    await replaying.forward(case, hours=49)
    await case.outcome()

    spans = await spans_of(received, case, "payment.submit")
    opening, silence = one(spans, "RunWorkflow:Refund"), one(spans, "Silence:merchant_review")
    reminder = one(spans, "Reminder:merchant_review")
    assert silence.parent_span_id == b""
    assert silence.trace_id != opening.trace_id
    assert {link.trace_id for link in silence.links} == {opening.trace_id, reminder.trace_id}
    assert ancestors(spans, one(spans, "payment.submit"))[1:] == ["RunActivity:settle", "Silence:merchant_review"]
    # 48 hours have passed for the case, and no span has been open for them.
    assert max(each.end_time_unix_nano - each.start_time_unix_nano for each in spans) < 600 * 10**9


async def test_replay_tells_nothing_twice(replaying: World, received: Received) -> None:
    case = await replaying.refund()
    await replaying.at(case, StageName.MERCHANT_REVIEW)
    await replaying.forward(case, hours=40)
    await case.act(Approve(key="a-1", by=merchant(replaying.merchant)))
    await case.outcome()

    spans = await spans_of(received, case, "RunActivity:settle")
    assert Counter(each.span_id for each in spans).most_common(1)[0][1] == 1
    told = Counter(each.name for each in spans if not attributes(each).get("db.query.text"))
    del told["QueryWorkflow:view"]
    assert told == {
        "aftersales.open": 1,
        "StartWorkflow:Refund": 1,
        "RunWorkflow:Refund": 1,
        "RunActivity:open_case": 1,
        "Reminder:merchant_review": 1,
        "RunActivity:record_step": 2,
        "aftersales.approve": 1,
        "StartWorkflowUpdate:approve": 1,
        "HandleUpdate:approve": 1,
        "RunActivity:settle": 1,
        "payment.submit": 1,
    }


async def test_nothing_of_a_person_is_in_spans_and_metrics(watched: Watched) -> None:
    world, received = watched.world, watched.received
    region = {"province": "广东省", "city": "广州市", "district": "天河区"}
    recipient = Recipient.model_validate({"name": MARK, "phone": "13812345678", "region": region, "street": MARK})
    order_no = await world.order(recipient=recipient)
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.act(Approve(key="a-1", by=merchant(world.merchant)))
    await case.outcome()
    await spans_of(received, case, "RunActivity:settle")

    sent = b"\n".join(received.bodies) + (await watched.metrics()).encode()
    assert case.id.encode() in sent
    for personal in (MARK, json.dumps(MARK)[1:-1], "13812345678"):
        assert personal.encode() not in sent
    assert world.merchant.encode() not in (await watched.metrics()).encode()
    assert not [each.events for each in received.spans if each.events], "an event could hold the text of an error"
