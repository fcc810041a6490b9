"""Another team: its namespace, its worker, its workflows. It has nothing of ours but the names of the operations."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import nexusrpc
from google.protobuf.duration_pb2 import Duration
from temporalio import workflow
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import NexusOperationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workflows.messages.cases import Outcome
from workflows.messages.nexus import AftersalesNexus
from workflows.messages.requests import RefundRequest

ROOT = Path(__file__).parents[2]
NAMESPACE = "checkout"
QUEUE = "checkout"


@workflow.defn
class Checkout:
    """Has a refund opened, and waits for its outcome."""

    @workflow.run
    async def run(self, endpoint: str, request: RefundRequest) -> Outcome:
        aftersales = workflow.create_nexus_client(service=AftersalesNexus, endpoint=endpoint)
        return await aftersales.execute_operation(
            AftersalesNexus.open_refund,
            request,
            schedule_to_close_timeout=timedelta(days=30),
            cancellation_type=workflow.NexusOperationCancellationType.ABANDON,
        )


@workflow.defn
class Calls:
    """Calls some operations one after the other, and tells what each has given, or what it has failed with."""

    @workflow.run
    async def run(self, calls: Sequence[tuple[str, str, Any]]) -> list[Any]:
        return [await self._called(*each) for each in calls]

    async def _called(self, endpoint: str, operation: str, stated: Any) -> Any:
        aftersales = workflow.create_nexus_client(service="Aftersales", endpoint=endpoint)
        try:
            return await aftersales.execute_operation(
                operation, stated, output_type=dict[str, Any], schedule_to_close_timeout=timedelta(seconds=60)
            )
        except NexusOperationError as error:
            return said(error)


@workflow.defn
class Crowd:
    """Has the same refund opened several times at once, and tells what each has given, or what it has failed with."""

    @workflow.run
    async def run(self, endpoint: str, request: RefundRequest, times: int) -> list[str]:
        return list(await asyncio.gather(*(self._opened(endpoint, request) for _ in range(times))))

    async def _opened(self, endpoint: str, request: RefundRequest) -> str:
        aftersales = workflow.create_nexus_client(service=AftersalesNexus, endpoint=endpoint)
        try:
            ended = await aftersales.execute_operation(AftersalesNexus.open_refund, request)
        except NexusOperationError as error:
            return said(error)
        return ended.outcome


@workflow.defn
class Regrets:
    """Has a refund opened, asks for the operation's cancellation, and waits for the outcome all the same."""

    @workflow.run
    async def run(self, endpoint: str, request: RefundRequest) -> Outcome:
        aftersales = workflow.create_nexus_client(service=AftersalesNexus, endpoint=endpoint)
        handle = await aftersales.start_operation(AftersalesNexus.open_refund, request)
        handle.cancel()
        return await handle


def said(error: NexusOperationError) -> str:
    """What they learn of a failure, and whether Temporal would have tried again."""
    match error.cause:
        case nexusrpc.HandlerError(type=kind, retryable=retryable, message=message):
            return f"{kind.name}, {'again' if retryable else 'for good'}: {message}"
        case cause:
            return repr(cause)


async def their_client(ours: Client) -> Client:
    """A client of their namespace, which encrypts nothing."""
    try:
        await ours.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=Duration(seconds=86_400))
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
    return Client(
        ours.service_client,
        namespace=NAMESPACE,
        data_converter=pydantic_data_converter,
    )


@asynccontextmanager
async def their_worker(client: Client, queue: str = QUEUE) -> AsyncGenerator[None]:
    """Their worker for as long as the context lasts."""
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Checkout, Calls, Crowd, Regrets],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


@asynccontextmanager
async def their_process(client: Client, queue: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Their worker as a process of its own, which is killed at the end at the latest."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, client.service_client.config.target_host, queue, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _work(address: str, queue: str) -> None:
    client = await Client.connect(address, namespace=NAMESPACE, data_converter=pydantic_data_converter)
    async with their_worker(client, queue):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
