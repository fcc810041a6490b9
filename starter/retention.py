"""How long Temporal keeps the histories of ended cases: a setting of the namespace.

Case log, ledger and work lists are in PostgreSQL, and stay.
"""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client


async def retention(client: Client) -> timedelta:
    """What the client's namespace keeps now.

    Raises:
        RPCError: Temporal does not answer.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    described = await client.workflow_service.describe_namespace(request)
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


async def keep(client: Client, wanted: timedelta) -> None:
    """Have the client's namespace keep histories so long.

    Raises:
        RPCError: Temporal does not answer, or this is not for its clients to set (Temporal Cloud).
    """
    kept = Duration()
    kept.FromTimedelta(wanted)
    config = NamespaceConfig(workflow_execution_retention_ttl=kept)
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=client.namespace, config=config))
