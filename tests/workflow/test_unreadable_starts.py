"""Section 11: a start that cannot be read ends with an error that says what is wrong, whichever workflow it is."""

import asyncio
import json
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import RawValue, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from tests.patience import PATIENCE
from tests.workflow.world import World
from worker import WORKFLOWS

NOT_OURS = "王小明"


def raw(encoding: str, data: bytes = b"", **metadata: bytes) -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding.encode(), **metadata}, data=data))


SENT: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "nil": ([None], ("nothing was", "order_no: Field required", "request_key: Field required")),
    "no argument": ([], ("nothing was", "order_no: Field required")),
    "two arguments": ([{"order_no": NOT_OURS}, 2], ("2 values were",)),
    "bytes": ([NOT_OURS.encode()], ("json/plain",)),
    "protobuf": ([raw("binary/protobuf", b"\x0a\x01x", messageType=b"shop.Refund")], ("json/plain",)),
    "protobuf as json": ([raw("json/protobuf", b"{}", messageType=b"shop.Refund")], ("json/plain",)),
    "an encoding of nobody": ([raw("binary/" + NOT_OURS, b"{}")], ("json/plain",)),
    "half of a document": ([raw("json/plain", b'{"order_no": "')], ("json/plain",)),
    "a list": ([[NOT_OURS]], ("the message: Input should be an object",)),
    "an unknown field": ([{NOT_OURS: 1}], ("?: there is no field of this name",)),
    "an unknown tag": ([{"method": {"route": NOT_OURS}}], ("method: 'route' must be one of 'original'",)),
}


async def failure_of(world: World, workflow: str, sent: list[Any]) -> ApplicationError:
    """The error that a workflow ends with; the test ends where it does not end."""
    handle = await world.aftersales.temporal.start_workflow(
        workflow,
        args=sent,
        id=world.fresh("w"),
        task_queue="aftersales",
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    try:
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), PATIENCE)
    except TimeoutError:
        await handle.terminate("it hangs")
        raise
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


@pytest.mark.parametrize("name", SENT)
async def test_a_start_that_cannot_be_read_ends_the_workflow(world: World, name: str) -> None:  # section 11, P6
    sent, said = SENT[name]

    failure = await failure_of(world, "Refund", sent)

    assert (failure.type, failure.non_retryable) == ("ValidationError", True)
    assert all(words in failure.message for words in (*said, "section 11")), failure.message
    assert NOT_OURS not in failure.message


async def test_every_workflow_reads_its_start_so(world: World) -> None:  # section 11
    definitions: list[Any] = [workflow._Definition.must_from_class(each) for each in WORKFLOWS]
    names: list[str] = [each.name for each in definitions]

    failures = await asyncio.gather(*(failure_of(world, name, [None]) for name in names))

    assert {each.type for each in failures} == {"ValidationError"}


async def test_a_signal_before_such_a_start_does_not_keep_it_from_ending(world: World) -> None:  # section 11
    handle = await world.aftersales.temporal.start_workflow(
        "Refund",
        id=world.fresh("w"),
        task_queue="aftersales",
        start_signal="approve",
        start_signal_args=[json.dumps({"key": "k"})],
    )

    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), PATIENCE)
    with pytest.raises(WorkflowQueryFailedError, match="order_no: Field required"):
        await handle.query("view")
