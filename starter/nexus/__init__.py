"""Cases for services in other namespaces, through Nexus: without our database, our keys or our namespace."""

import asyncpg
from temporalio.client import Client

from activities.opening import Opening
from starter.archive_place import archived_cases
from starter.nexus.handlers import AftersalesHandlers
from starter.nexus.operations import Door
from starter.nexus_endpoints import read_endpoints
from starter.settings import Settings

__all__ = ["nexus_services"]


def nexus_services(settings: Settings, client: Client, pool: asyncpg.Pool, opening: Opening) -> list[object]:
    """What a worker answers Nexus operations with; nothing where no endpoint is set."""
    if settings.nexus_endpoints is None:
        return []
    endpoints = read_endpoints(settings.nexus_endpoints)
    return [
        AftersalesHandlers(Door(client, pool, opening, settings.task_queue, endpoints, archived_cases(settings, pool)))
    ]
