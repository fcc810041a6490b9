"""P6, section 11: what was sealed with a foreign key ring is refused, and stalls nothing."""

import asyncio

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer

from activities.privacy.codec import encrypting_converter
from activities.privacy.keys import FixedKeys, new_key, read_keys, unique_id
from starter.client import Case
from starter.settings import Settings
from starter.vault import key_provider
from starter.worker.runner import runner_for
from tests.patience import PATIENCE
from tests.workflow.world import World, until
from workflows.definitions.dispute import Dispute
from workflows.definitions.refund import Refund
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.requests import RefundRequest
from workflows.messages.stages import OutcomeKind, StageName


@pytest.fixture
async def same_id(settings: Settings) -> FixedKeys:
    """A ring whose key has the id of ours."""
    return FixedKeys(read_keys(new_key((await key_provider(settings).current()).id)))


@pytest.fixture(params=["another id", "the same id"])
def foreign(request: pytest.FixtureRequest, world: World, same_id: FixedKeys) -> Client:
    """A client that seals what it sends with a ring of its own."""
    another_id = FixedKeys(read_keys(new_key(unique_id("theirs"))))
    config = world.aftersales.temporal.config()
    config["data_converter"] = encrypting_converter(same_id if request.param == "the same id" else another_id)
    return Client(**config)


async def started(client: Client, request: RefundRequest) -> str:
    identifier = f"refund/{request.order_no}/{request.request_key}"
    await client.start_workflow("Refund", request, id=identifier, task_queue="aftersales")
    return identifier


async def replayed(history: WorkflowHistory, settings: Settings) -> Exception | None:
    """What today's code makes of a history, with our ring."""
    replayer = Replayer(
        workflows=[Refund, Dispute],
        workflow_runner=runner_for(sandboxed=False, versioned=False),
        data_converter=encrypting_converter(key_provider(settings)),
    )
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def test_a_start_that_cannot_be_opened_fails(world: World, foreign: Client) -> None:  # section 11
    identifier = await started(foreign, world.refund_request(await world.order()))

    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(world.aftersales.temporal.get_workflow_handle(identifier).result(), PATIENCE)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "ValidationError"
    assert "it cannot be opened" in failed.value.cause.message


async def test_a_command_that_cannot_be_opened_does_not_stall_the_case(
    world: World, foreign: Client, settings: Settings
) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    theirs = foreign.get_workflow_handle(case.id)
    approve = Approve(key="a", by=merchant(world.merchant))

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await asyncio.wait_for(
            theirs.execute_update("approve", approve, id="u"),  # pyright: ignore[reportUnknownMemberType]
            PATIENCE,
        )
    await theirs.signal("approve", approve)
    await until(lambda: world.events(case), lambda events: "command_refused" in events)
    outcome = await asyncio.wait_for(case.act_and_wait(approve), PATIENCE)

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "Refused.malformed"
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await replayed(await case.handle.fetch_history(), settings) is None


async def test_what_was_obeyed_is_not_forgotten_when_its_key_is_gone(
    world: World, settings: Settings
) -> None:  # section 11
    case: Case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.tell(Approve(key="a", by=merchant(world.merchant)))
    await case.outcome()
    history = await case.handle.fetch_history()
    assert await replayed(history, settings) is None

    (signal,) = [each for each in history.events if each.HasField("workflow_execution_signaled_event_attributes")]
    (payload,) = signal.workflow_execution_signaled_event_attributes.input.payloads
    payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])

    assert "KeyIsGone" in str(await replayed(history, settings))
