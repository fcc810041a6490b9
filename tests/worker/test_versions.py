"""Two versions of the workers side by side: a case ends where it began, a new one begins on the current one."""

import asyncio
import shlex
from contextlib import suppress

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentManagerRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.client import Case
from starter.errors import Unreachable
from starter.resetting import begun_again, current_version, on_old_versions
from starter.settings import Settings
from starter.stack import Stack
from starter.waiting import asked_again
from tests import pages
from tests.temporals_command_line import typed
from tests.workflow.world import World, until
from worker import running_worker
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, Withdraw
from workflows.messages.stages import OutcomeKind, StageName

PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED


async def make_current(client: Client, name: str, build: str) -> None:
    """What the worker controller does once a version's gate is passed."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=name, build_id=build, identity="tests"
    )

    async def done() -> bool:
        try:
            await asked_again(
                lambda time: client.workflow_service.set_worker_deployment_current_version(request, timeout=time)
            )
        except RPCError as error:
            # Until the server has heard of the version's pollers.
            if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                return False
            raise
        return True

    await until(done, bool)


async def version_of(case: Case) -> tuple[VersioningBehavior.ValueType, WorkerDeploymentVersion]:
    raw = (await case.handle.describe()).raw_description
    info = raw.workflow_execution_info.versioning_info
    return info.behavior, info.deployment_version


async def test_a_case_ends_on_the_version_that_it_began_on(
    shop: World, client: Client, own_settings: Settings, database: str
) -> None:
    name = f"tests/{shop.task_queue}"
    old, new = (own_settings.model_copy(update={"deployment_name": name, "build_id": each}) for each in ("v1", "v2"))
    approve = Approve(key="c1", by=merchant(shop.merchant))
    async with running_worker(old, client, database):
        await make_current(client, name, "v1")
        before = await shop.refund()
        await shop.at(before, StageName.MERCHANT_REVIEW)
        async with running_worker(new, client, database):
            await make_current(client, name, "v2")
            after = await shop.refund()
            await shop.at(after, StageName.MERCHANT_REVIEW)
            outcomes = [await each.act_and_wait(approve) for each in (before, after)]

    assert [each.outcome for each in outcomes] == [OutcomeKind.REFUNDED] * 2
    assert [await version_of(each) for each in (before, after)] == [
        (PINNED, WorkerDeploymentVersion(deployment_name=name, build_id=build)) for build in ("v1", "v2")
    ]


async def test_a_case_is_moved_to_another_version_and_stays_there(
    shop: World, client: Client, own_settings: Settings, database: str, stack: Stack
) -> None:
    name = f"tests/{shop.task_queue}"
    old, new = (own_settings.model_copy(update={"deployment_name": name, "build_id": each}) for each in ("v1", "v2"))
    (line,) = [each for each in pages.commands() if each.startswith("temporal workflow update-options")]
    async with running_worker(old, client, database):
        await make_current(client, name, "v1")
        case = await shop.refund()
        await shop.at(case, StageName.MERCHANT_REVIEW)
    async with running_worker(new, client, database):
        await make_current(client, name, "v2")
        _, *words = shlex.split(line.replace("CASE", case.id).replace("NAME", name).replace("BUILD", "v2"))
        code, said = await typed(stack.temporal_address, *words)
        assert code == 0, said
        outcome = await case.act_and_wait(Approve(key="c1", by=merchant(shop.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await version_of(case) == (PINNED, WorkerDeploymentVersion(deployment_name=name, build_id="v2"))


async def test_open_cases_of_an_old_version_go_on_with_the_current_one_and_nothing_is_lost(
    shop: World, client: Client, own_settings: Settings, database: str
) -> None:
    name = f"tests/{shop.task_queue}"
    old, new = (own_settings.model_copy(update={"deployment_name": name, "build_id": each}) for each in ("v1", "v2"))
    approve = Approve(key="c1", by=merchant(shop.merchant))
    async with running_worker(old, client, database):
        await make_current(client, name, "v1")
        cases = [await shop.refund() for _ in range(4)]
        for case in cases:
            await shop.at(case, StageName.MERCHANT_REVIEW)
        waiting, told, asked, withdrawn = cases
        due = (await waiting.view()).due
    # Nobody works on the old version any more.
    await told.tell(approve)
    sent = asyncio.ensure_future(asked.act(approve))
    runs = shop.aftersales.runs
    async with running_worker(new, client, database):
        await make_current(client, name, "v2")
        current = await until(lambda: current_version(client, name), lambda found: found is not None)
        assert current

        async def pinned() -> set[str]:
            return {each async for each in on_old_versions(runs, current, "v1", shop.task_queue)}

        assert await until(pinned, lambda found: len(found) == 4) == {each.id for each in cases}
        for case in cases:
            assert await begun_again(client, runs, case.id, "move to v2", current)
            assert not await begun_again(client, runs, f"{case.id}-unknown", "move to v2", current)
        with suppress(Unreachable):  # or it is told to send it again
            await sent
        await withdrawn.act_and_wait(Withdraw(key="w1", by=buyer(shop.buyer)))
        await shop.at(waiting, StageName.MERCHANT_REVIEW)
        assert (await waiting.view()).due == due
        outcomes = [await told.outcome(), await asked.act_and_wait(approve), await waiting.act_and_wait(approve)]
        assert await until(pinned, lambda found: not found) == set()

    assert [each.outcome for each in outcomes] == [OutcomeKind.REFUNDED] * 3
    for case in (waiting, told, asked):
        assert await shop.events(case) == ["opened", "approved", "refund_succeeded"]
    assert await version_of(waiting) == (PINNED, WorkerDeploymentVersion(deployment_name=name, build_id="v2"))


async def test_an_operator_takes_a_deployment_over_before_ending_a_ramp(
    shop: World, client: Client, own_settings: Settings, database: str
) -> None:
    name, service = f"tests/{shop.task_queue}", client.workflow_service

    async def manage(identity: str) -> None:
        request = SetWorkerDeploymentManagerRequest(
            namespace=client.namespace, deployment_name=name, self=True, identity=identity
        )
        await asked_again(lambda time: service.set_worker_deployment_manager(request, timeout=time))

    async def ramp(identity: str, percentage: float) -> bool:
        request = SetWorkerDeploymentRampingVersionRequest(
            namespace=client.namespace, deployment_name=name, build_id="v1", percentage=percentage, identity=identity
        )
        try:
            await asked_again(lambda time: service.set_worker_deployment_ramping_version(request, timeout=time))
        except RPCError as error:
            # Also until the server has heard of the version's pollers.
            if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                return False
            raise
        return True

    async with running_worker(
        own_settings.model_copy(update={"deployment_name": name, "build_id": "v1"}), client, database
    ):
        await until(lambda: ramp("controller", 5), bool)
        await manage("controller")
        assert not await ramp("operator", 0)
        assert await ramp("controller", 10)
        await manage("operator")
        assert await ramp("operator", 0)
        assert not await ramp("controller", 5)
