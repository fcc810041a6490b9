"""P6: a command moves something only where it was encrypted by somebody with the key, and for this case."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer

from activities.privacy.codec import CASE, EncryptionCodec, encrypting_converter
from starter.client import Case
from starter.errors import RefusedCommand
from starter.settings import Settings
from starter.vault import key_provider
from starter.worker.runner import runner_for
from tests.workflow.world import World, until
from workflows.definitions.refund import Refund
from workflows.messages.actors import merchant
from workflows.messages.cases import Refusal
from workflows.messages.commands import Approve
from workflows.messages.converter import SEALED, UNOPENED, WHY, data_converter
from workflows.messages.sealed import require_sealed
from workflows.messages.stages import OutcomeKind, StageName


@pytest.fixture
def strict() -> Iterator[None]:
    """As in production."""
    require_sealed(True)
    yield
    require_sealed(False)


@pytest.fixture
def in_clear(world: World) -> Client:
    """A client without a key."""
    return having(world, data_converter)


@pytest.fixture
def from_elsewhere(world: World, settings: Settings) -> Client:
    """A client in another language: it encrypts, and binds nothing."""

    class Unbound(EncryptionCodec):
        def with_context(self, context: Any) -> "Unbound":
            del context
            return self

    return having(world, dataclasses.replace(data_converter, payload_codec=Unbound(key_provider(settings))))


def having(world: World, converter: Any) -> Client:
    config = world.aftersales.temporal.config()
    config["data_converter"] = converter
    return Client(**config)


async def waiting(world: World) -> Case:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


def approval(world: World, **changes: Any) -> Approve:
    fields: dict[str, Any] = {"key": "a", "by": merchant(world.merchant), **changes}
    return Approve(**fields)


async def failed(client: Client, case: Case, command: object) -> ApplicationError:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await client.get_workflow_handle(case.id).execute_update("approve", command)  # pyright: ignore[reportUnknownMemberType]
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def refused(client: Client, case: Case, command: object) -> Refusal:
    return Refusal.model_validate((await failed(client, case, command)).details[0])


async def sent_to(case: Case) -> Payload:
    """What was sent to a case as an update, as it stands in its history."""
    async for event in case.handle.fetch_history_events():
        if event.HasField("workflow_execution_update_accepted_event_attributes"):
            return event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads[0]
    raise AssertionError("nothing was accepted")


async def test_what_was_sealed_for_one_case_opens_in_no_other(world: World) -> None:
    approved, other = await waiting(world), await waiting(world)
    await approved.act(approval(world))
    copied = await sent_to(approved)
    assert copied.metadata[CASE].decode() == approved.id
    relabelled = Payload(metadata={**copied.metadata, CASE: other.id.encode()}, data=copied.data)

    for payload, why in ((copied, "for another case"), (relabelled, "cannot be opened")):
        refusal = await refused(world.aftersales.temporal, other, RawValue(payload))
        assert refusal.code == "malformed"
        assert why in refusal.explanation
    assert (await other.view()).stage is StageName.MERCHANT_REVIEW


async def test_in_production_a_command_in_clear_is_refused(world: World, in_clear: Client, strict: None) -> None:
    case = await waiting(world)

    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await in_clear.get_workflow_handle(case.id).execute_update("approve", approval(world, case=case.id))  # pyright: ignore[reportUnknownMemberType]

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "Refused.not_sealed"
    assert "it is not encrypted" in str(failed.value.cause)
    await case.act(approval(world))
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


MADE_UP: dict[str, tuple[dict[str, bytes], str]] = {
    "sealed for this case": ({"encoding": b"json/plain", SEALED: b"bound"}, "not_sealed"),
    "sealed for no case": ({"encoding": b"json/plain", SEALED: b"unbound"}, "not_sealed"),
    "sealed somehow": ({"encoding": b"json/plain", SEALED: b"\xff"}, "not_sealed"),
    "not to be opened": ({"encoding": UNOPENED}, "malformed"),
    "not to be opened, and why": ({"encoding": UNOPENED, WHY: b"\xff"}, "malformed"),
}


@pytest.mark.parametrize("name", MADE_UP)
async def test_marks_that_the_sender_has_made_up_open_no_door_and_stall_nothing(
    world: World, in_clear: Client, strict: None, name: str
) -> None:
    """What our codec notes of an envelope travels with the payload, and anybody can write the same there."""
    metadata, code = MADE_UP[name]
    case = await waiting(world)
    forged = RawValue(Payload(metadata=metadata, data=approval(world, case=case.id).model_dump_json().encode()))

    assert (await failed(in_clear, case, forged)).type == f"Refused.{code}"
    await in_clear.get_workflow_handle(case.id).signal("approve", forged)
    log = await until(case.log, lambda lines: any(line.event == "command_refused" for line in lines))

    assert [line.facts["code"] for line in log if line.event == "command_refused"] == [code]
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW
    assert (await case.act_and_wait(approval(world))).outcome is OutcomeKind.REFUNDED


async def test_where_nothing_else_is_set_it_is_taken(world: World, in_clear: Client) -> None:
    case = await waiting(world)

    await in_clear.get_workflow_handle(case.id).execute_update("approve", approval(world))  # pyright: ignore[reportUnknownMemberType]

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_who_cannot_bind_a_command_names_its_case(world: World, from_elsewhere: Client, strict: None) -> None:
    case, other = await waiting(world), await waiting(world)

    assert (await refused(from_elsewhere, case, approval(world))).code == "not_sealed"
    assert (await refused(from_elsewhere, case, approval(world, case=other.id))).code == "wrong_case"
    await from_elsewhere.get_workflow_handle(case.id).execute_update("approve", approval(world, case=case.id))  # pyright: ignore[reportUnknownMemberType]

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_a_stranger_is_not_told_where_its_command_belongs(
    world: World, in_clear: Client, from_elsewhere: Client, strict: None
) -> None:  # section 12
    case, other = await waiting(world), await waiting(world)
    foreign = approval(world, by=merchant("m-other"), case=other.id)

    for client in (world.aftersales.temporal, from_elsewhere, in_clear):
        assert (await failed(client, case, foreign)).type == "Refused.not_yours"
        await client.get_workflow_handle(case.id).signal("approve", foreign)
    log = await until(case.log, lambda lines: len([1 for line in lines if line.event == "command_refused"]) == 3)

    assert {line.facts["code"] for line in log if line.event == "command_refused"} == {"not_yours"}
    await case.act(approval(world))
    await case.outcome()
    for command, code in ((foreign, "not_yours"), (approval(world, key="b", case=other.id), "wrong_case")):
        with pytest.raises(RefusedCommand) as late:
            await case.act(command)
        assert (late.value.refusal.code, late.value.view) == (code, None)


async def test_a_signal_in_clear_is_written_down_and_stays_refused_when_its_history_is_replayed(
    world: World, in_clear: Client, settings: Settings, strict: None
) -> None:
    case = await waiting(world)

    await in_clear.get_workflow_handle(case.id).signal("approve", approval(world, case=case.id))
    log = await until(case.log, lambda lines: any(line.event == "command_refused" for line in lines))

    assert [line.facts["code"] for line in log if line.event == "command_refused"] == ["not_sealed"]
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW
    history = await case.handle.fetch_history()
    for required in (True, False):
        require_sealed(required)
        replayer = Replayer(
            workflows=[Refund],
            workflow_runner=runner_for(sandboxed=False, versioned=False),
            data_converter=encrypting_converter(key_provider(settings)),
        )
        assert (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure is None


async def test_a_signal_that_was_taken_in_clear_stays_taken(world: World, in_clear: Client, settings: Settings) -> None:
    case = await waiting(world)
    await in_clear.get_workflow_handle(case.id).signal("approve", approval(world))
    await case.outcome()
    history = await case.handle.fetch_history()

    require_sealed(True)
    try:
        replayer = Replayer(
            workflows=[Refund],
            workflow_runner=runner_for(sandboxed=False, versioned=False),
            data_converter=encrypting_converter(key_provider(settings)),
        )
        assert (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure is None
    finally:
        require_sealed(False)
