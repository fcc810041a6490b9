"""What Temporal and the database need before cases can run: schema, search attributes, schedules."""

from dataclasses import dataclass, fields, replace
from datetime import timedelta

from alembic.util import CommandError
from temporalio.client import Client

from activities.postgres import feed, renewal, schema
from activities.postgres.pool import open_pool
from starter import retention, schedules
from starter.connection import ensure_search_attributes, missing_search_attributes
from starter.database_roles import differing_roles, grant_roles
from starter.nexus.preparing import make_endpoints, missing_endpoints
from starter.schedules import Wanted
from starter.settings import Settings
from starter.vault import key_store_stands, opened_vault, prepare_key_store
from workflows.messages.search_attributes import declarations


@dataclass(frozen=True)
class Lacking:
    """What is not as it should be yet."""

    schema: str | None
    """The revision that the database has; ``none`` without one. None where it has the right one."""
    key_store: bool
    """Whether the database of persons' keys, or its table, is missing."""
    vault: tuple[str, ...]
    """What of the vault is to be written anew, since earlier releases wrote it in another form."""
    roles: tuple[str, ...]
    """Roles of the databases that are missing, or have other rights than stated."""
    search_attributes: tuple[str, ...]
    schedules: tuple[Wanted, ...]
    nexus_endpoints: tuple[str, ...]
    """Those of the settings that Temporal does not have."""
    retention: tuple[timedelta, timedelta] | None
    """How long histories of ended cases are kept, and how long they are to be; None where that is the same."""

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        return not any(getattr(self, each.name) for each in fields(self))


async def lacking(settings: Settings, client: Client, database_url: str) -> Lacking:
    """What ``prepare`` would do, without doing it.

    Raises:
        ValueError: a search attribute exists with another type.
        OSError: the database cannot be reached.
        RPCError: Temporal does not answer.
    """
    revision = await schema.current(database_url)
    return Lacking(
        schema=None if revision == schema.head() else revision or "none",
        key_store=not await key_store_stands(settings, database_url),
        vault=await _vault_to_renew(database_url),
        roles=await differing_roles(settings, database_url),
        search_attributes=tuple(await missing_search_attributes(client, declarations())),
        schedules=await schedules.differing(client, schedules.wanted(settings.task_queue)),
        nexus_endpoints=await missing_endpoints(settings, client),
        retention=await _retention(settings, client),
    )


async def prepare(settings: Settings, client: Client, database_url: str) -> Lacking:
    """Put right what is lacking, and tell what it was. Doing it again changes nothing.

    Raises:
        SchemaMismatch: the database has a schema that is newer than this code.
        CannotMakeRoles: the database's login may not make the roles, or not grant on the tables; all else is done.
        SettingsError: there is something in the vault to write anew, and the key ring is malformed.
        ValueError: a search attribute exists with another type.
        OSError: the database cannot be reached.
        RPCError: Temporal does not answer.
    """
    found = await lacking(settings, client, database_url)
    if found.schema:
        await _upgrade(database_url)
    await _continue_the_feed(database_url)
    if found.key_store:
        await prepare_key_store(settings, database_url)
    if await _vault_to_renew(database_url):
        await _renew_vault(settings, database_url)
    if found.search_attributes:
        await ensure_search_attributes(client, declarations())
    await schedules.put(client, found.schedules)
    await make_endpoints(settings, client, found.nexus_endpoints)
    if found.retention:
        await retention.keep(client, found.retention[1])
    # Last, since the login may not be allowed to: all else is there then. What was missing before has tables now.
    roles = await differing_roles(settings, database_url)
    if roles:
        await grant_roles(settings, database_url)
    return replace(found, roles=roles)


async def _continue_the_feed(database_url: str) -> None:
    """X4: in a database that was restored on another server, places of events would begin anew, and be passed over."""
    async with await open_pool(database_url, max_size=1) as pool, pool.acquire() as connection:
        await feed.begin_ahead(connection)


async def _vault_to_renew(database_url: str) -> tuple[str, ...]:
    async with await open_pool(database_url, max_size=1) as pool, pool.acquire() as connection:
        return await renewal.wanted(connection)


async def _renew_vault(settings: Settings, database_url: str) -> None:
    async with (
        await open_pool(database_url, max_size=1) as pool,
        opened_vault(settings, database_url) as vault,
        pool.acquire() as connection,
    ):
        await renewal.renew(connection, vault)


async def _retention(settings: Settings, client: Client) -> tuple[timedelta, timedelta] | None:
    if settings.retention_days is None:
        return None
    kept, wanted = await retention.retention(client), timedelta(days=settings.retention_days)
    return None if kept == wanted else (kept, wanted)


async def _upgrade(database_url: str) -> None:
    try:
        await schema.upgrade(database_url)
    except CommandError:
        # A revision that this code does not know: the check says so in words of ours.
        await schema.check(database_url)
        raise
