"""The roles of both databases: what differs, making them, and what whoever is connected may do."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from activities.postgres import granting
from activities.postgres.connecting import connect
from activities.postgres.connection import Connection
from activities.postgres.granting import Grants, Rights
from activities.postgres.roles import GRANTS, KEY_STORE_GRANTS, DatabaseRole, role_name
from starter.settings import Settings
from starter.vault import key_store_url


@dataclass(frozen=True)
class DatabaseLogin:
    """As whom a process is connected to a database."""

    login: str
    owns: bool
    """It may change tables and rights: for `aftersales setup`, and for nothing else."""
    roles: tuple[str, ...]
    """The roles that it is a member of."""
    rights: Rights


async def differing_roles(settings: Settings, database_url: str) -> tuple[str, ...]:
    """The names of the roles that are missing in one of the databases, or have other rights than stated.

    Raises:
        OSError: a database cannot be reached.
    """
    if (prefix := settings.role_prefix) is None:
        return ()
    found: set[str] = set()
    for url, grants in _databases(settings, database_url):
        async with _connected(url) as connection:
            if connection is not None:
                found |= set(await granting.differing(connection, prefix, grants))
    return tuple(sorted(found))


async def grant_roles(settings: Settings, database_url: str) -> None:
    """Make the roles, and give each exactly what is stated, in both databases.

    Raises:
        CannotMakeRoles: the databases' login may not.
        OSError: a database cannot be reached.
    """
    if (prefix := settings.role_prefix) is None:
        return
    for url, grants in _databases(settings, database_url):
        async with _connected(url) as connection:
            if connection is not None:
                await granting.grant(connection, prefix, grants)


async def standings(settings: Settings, database_url: str) -> tuple[DatabaseLogin, ...]:
    """As whom these settings are connected to the database of the cases, and to the key store; one may be missing.

    Raises:
        OSError: a database cannot be reached.
    """
    found: list[DatabaseLogin] = []
    for url, grants in _databases(settings, database_url):
        async with _connected(url) as connection:
            if connection is not None:
                found.append(await _standing(connection, settings.role_prefix, grants))
    return tuple(found)


async def _standing(connection: Connection, prefix: str | None, grants: Grants) -> DatabaseLogin:
    names = {role_name(prefix, role): role for role in DatabaseRole} if prefix else {}
    member_of = [
        row["rolname"]
        for row in await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) AND pg_has_role(oid, 'USAGE') ORDER BY rolname",
            list(names),
        )
    ]
    owner = await connection.fetchrow(
        """
        SELECT current_user AS login, rolsuper OR pg_has_role(datdba, 'USAGE') OR EXISTS (
            SELECT FROM unnest($1::text[]) AS name JOIN pg_class c ON c.oid = to_regclass(name)
            WHERE pg_has_role(c.relowner, 'USAGE')
        ) AS owns
        FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
        """,
        list(grants),
    )
    assert owner is not None
    return DatabaseLogin(
        login=owner["login"],
        owns=owner["owns"],
        roles=tuple(member_of),
        rights=await granting.rights_of(connection, None, [names[name] for name in member_of], grants),
    )


def _databases(settings: Settings, database_url: str) -> Sequence[tuple[str, Grants]]:
    return ((database_url, GRANTS), (key_store_url(settings, database_url), KEY_STORE_GRANTS))


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[Connection | None]:
    """None where there is no such database yet."""
    try:
        connection = await connect(url)
    except asyncpg.InvalidCatalogNameError:
        yield None
        return
    try:
        yield connection
    finally:
        await connection.close()
