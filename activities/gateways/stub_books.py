"""The books of the outside systems' stand-ins, which are in a database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from activities.postgres.connection import Connection


@asynccontextmanager
async def stub_transaction(pool: asyncpg.Pool, unreachable: type[Exception]) -> AsyncGenerator[Connection]:
    """A transaction of a stub, whose database is the outside system to its callers.

    Raises:
        unreachable: the database does not answer; callers must not care what a stub is made of.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise unreachable from error
