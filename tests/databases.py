"""Databases of their own, for tests that must not meet what others have written."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from activities.postgres.roles import DatabaseRole, role_name


@asynccontextmanager
async def database_for_one_test(server: str, template: str = "template1") -> AsyncGenerator[str]:
    """The address of a copy of ``template`` on the server of this address, for as long as the context lasts."""
    name = f"test_{uuid4().hex}"
    administrator = await asyncpg.connect(server)
    try:
        # By files and not through the log: several times quicker where nothing waits for the disk (tests/servers.py).
        await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield address_of(name, server)
        await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await administrator.close()


def address_of(database: str, server: str) -> str:
    """The address of another database on the server of this address."""
    return urlsplit(server)._replace(path=f"/{database}").geturl()


async def log_in_as(role: DatabaseRole, database: str, prefix: str = "aftersales") -> str:
    """The address of a database for a login that is a member of this role, which must be there."""
    login = f"{role_name(prefix, role)}_login"
    administrator = await asyncpg.connect(database)
    try:
        await administrator.execute(f"CREATE ROLE {login} LOGIN IN ROLE {role_name(prefix, role)}")
    except asyncpg.DuplicateObjectError:
        pass
    finally:
        await administrator.close()
    parts = urlsplit(database)
    return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()
