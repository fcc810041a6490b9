"""The example in TypeScript does on a running stack what its page says, and its case is a case as any other."""

import asyncio
import base64
from typing import Any

import pytest_asyncio
from temporalio.api.enums.v1 import EventType

from activities.privacy.codec import ENCODING
from starter.client import Case
from starter.settings import Settings
from starter.stack import Stack
from starter.vault import key_provider
from tests.contract.conftest import TASK_QUEUE, CodecServer
from tests.contract.example import Example
from tests.contract.schemas import named
from tests.workflow.world import World
from workflows.messages import search_attributes as attributes
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.stages import OutcomeKind, StageName

AMOUNT = 7_200
WAYS = ("codec_server", "key_ring")


@pytest_asyncio.fixture(loop_scope="session")
async def ways(codec_server: CodecServer, settings: Settings) -> dict[str, dict[str, str]]:
    """How the example encrypts, by the variables that tell it."""
    key = await key_provider(settings).current()
    return {
        "codec_server": {"CODEC_ENDPOINT": codec_server.address, "CODEC_TOKEN": codec_server.token},
        "key_ring": {"AFTERSALES_KEYS": f"{key.id}:{base64.b64encode(key.secret).decode()}"},
    }


async def test_a_refund_from_typescript(
    example: Example, world: World, stack: Stack, ways: dict[str, dict[str, str]]
) -> None:
    orders = {way: await world.order() for way in WAYS}

    async def played(way: str) -> Any:
        given = {"order": orders[way], "merchant": world.merchant, "buyer": world.buyer}
        return await example.play(
            {**given, "amount": str(AMOUNT), "key": "ts-1"},
            TEMPORAL_ADDRESS=stack.temporal_address,
            AFTERSALES_TASK_QUEUE=TASK_QUEUE,
            **ways[way],
        )

    for way, told in zip(WAYS, await asyncio.gather(*map(played, WAYS)), strict=True):
        identifier = f"refund/{orders[way]}/ts-1"
        assert (told["id"], told["opened_again"]) == (identifier, identifier)
        assert told["opened"]["stage"] == StageName.MERCHANT_REVIEW
        assert "approve" in told["opened"]["commands"]
        assert told["key_reused"]["code"] == "request_key_reused"
        assert told["stranger"]["code"] == "not_yours"
        assert "stage" not in told["stranger"], "nothing is told of the case"
        assert told["approved"]["stage"] in {StageName.PAYING, StageName.SETTLING, StageName.CLOSED}
        assert told["approved_again"] == told["approved"]
        assert told["late"]["code"] == "not_open"
        assert list(named("CaseView").iter_errors(told["view"])) == []
        assert list(named("Outcome").iter_errors(told["outcome"])) == []

        case = world.aftersales.case(identifier)
        outcome = await case.outcome()
        assert outcome.outcome is OutcomeKind.REFUNDED
        assert outcome == Outcome.model_validate(told["outcome"])
        assert await case.view() == CaseView.model_validate(told["view"])
        assert await world.events(case) == ["opened", "approved", "refund_succeeded"]
        assert await world.refunded(orders[way]) == AMOUNT
        assert await listed(case) == [None, world.merchant, orders[way]]
        assert await encodings(case) == {ENCODING}


async def listed(case: Case) -> list[str | None]:
    """What lists show of a case of which the start told little."""
    found = (await case.handle.describe()).typed_search_attributes
    assert found.get(attributes.KIND) == "unshipped_refund"
    assert found.get(attributes.POLICY) == "douyin/1"
    return [found.get(attributes.ATTENTION), found.get(attributes.MERCHANT), found.get(attributes.ORDER)]


async def encodings(case: Case) -> set[bytes]:
    """How what the example has sent lies in the history: the request and the command."""
    found: set[bytes] = set()
    async for event in case.handle.fetch_history_events():
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                started = event.workflow_execution_started_event_attributes
                payloads = [*started.input.payloads, event.user_metadata.summary]
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                payloads = (
                    event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads
                )
            case _:
                continue
        found |= {each.metadata["encoding"] for each in payloads}
    return found


async def test_patterns_are_what_javascript_knows(example: Example) -> None:
    program = """
        const patterns = [];
        JSON.parse(require('fs').readFileSync('../../contract/messages.schema.json'), (name, value) => {
            if (name === 'pattern') patterns.push(value);
            return value;
        });
        for (const each of patterns) new RegExp(each, 'u');
        console.log(patterns.length);
    """

    assert await example.evaluate(program) > 0
