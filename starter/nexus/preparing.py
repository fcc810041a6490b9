"""The endpoints of the settings, made where Temporal lacks them."""

from collections.abc import Sequence

from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest, ListNexusEndpointsRequest
from temporalio.client import Client

from starter.nexus_endpoints import read_endpoints
from starter.settings import Settings


async def missing_endpoints(settings: Settings, client: Client) -> tuple[str, ...]:
    """Those of the settings that Temporal does not have, whatever they lead to.

    Raises:
        RPCError: Temporal does not answer, or this login may not look at them.
    """
    if settings.nexus_endpoints is None:
        return ()
    present: set[str] = set()
    token = b""
    while True:
        request = ListNexusEndpointsRequest(page_size=100, next_page_token=token)
        listed = await client.operator_service.list_nexus_endpoints(request)
        present |= {each.spec.name for each in listed.endpoints}
        if not (token := listed.next_page_token):
            return tuple(name for name in read_endpoints(settings.nexus_endpoints) if name not in present)


async def make_endpoints(settings: Settings, client: Client, names: Sequence[str]) -> None:
    """Have these lead to the task queue of the cases. Errors as in ``missing_endpoints``."""
    worker = EndpointTarget.Worker(namespace=client.namespace, task_queue=settings.task_queue)
    for name in names:
        spec = EndpointSpec(name=name, target=EndpointTarget(worker=worker))
        await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))
