"""The database as the client uses it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from activities.postgres.connection import Connection
from starter.errors import Unreachable


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncGenerator[Connection]:
    """A transaction of the client's own.

    Raises:
        Unreachable: the database does not answer, or ends the transaction.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except (OSError, asyncpg.PostgresError) as error:
        raise Unreachable("the database does not answer") from error
