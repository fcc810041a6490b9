"""The database as the client uses it."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.schema_mismatch import SETUP_COMMAND
from starter.errors import NewerRelease, Unreachable
from workflows.messages.words import shown_as_written


@contextmanager
def answering() -> Generator[None]:
    """Whatever is asked of the database inside.

    Raises:
        Unreachable: the database does not answer, or ends what was asked.
    """
    try:
        yield
    except asyncpg.DataError:
        raise
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError) as error:
        raise Unreachable(f"the database lacks the schema of this release: run `{SETUP_COMMAND}`") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unreachable("the database refuses this login what is asked: see the roles in docs/running.md") from error
    except NO_ANSWER as error:
        raise Unreachable("the database does not answer") from error


@contextmanager
def foreseeing() -> Generator[None]:
    """Looking at what a case would find, before it is started: what decides is its own look, by a worker that knows.

    Raises:
        NewerRelease: the books hold what this client does not know. Errors as in ``answering`` besides.
    """
    try:
        with answering(), shown_as_written():
            yield
    except (KeyError, ValueError) as error:
        raise NewerRelease from error


@asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncGenerator[Connection]:
    """A connection to read with, for what is shown: words that only a newer release knows stay as they are written.

    Errors as in ``answering``.
    """
    with answering(), shown_as_written():
        async with pool.acquire() as connection:
            yield connection


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncGenerator[Connection]:
    """A transaction of the client's own. Errors as in ``answering``."""
    with answering():
        async with pool.acquire() as connection, connection.transaction():
            yield connection
