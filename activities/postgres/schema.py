"""The database's schema: which one this code knows, which one a database has, and the way between them."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from activities.postgres.connecting import connect
from activities.postgres.schema_mismatch import SETUP_COMMAND, SchemaMismatch

_MIGRATIONS: Final = "activities.postgres:migrations"
# Any fixed number: it stands for "somebody changes the schema of this database".
_ADVISORY_LOCK: Final = 6_202_211_415
# A change waits no longer than this for a table that is in use: others queue up behind it.
_LOCK_TIMEOUT: Final = "30s"
# Alembic keeps what it works on in global variables.
_alembic_in_use = threading.Lock()


async def upgrade(dsn: str, revision: str = "head") -> None:
    """Brings the schema up to a revision, each step in a transaction of its own.

    So no step keeps a table locked while the next one works. One that fails leaves those before it: the same again goes
    on from there. A database without a schema gets all of it at once, or nothing. Processes that do so at the same time
    take turns.

    Args:
        dsn: ``postgresql://...`` of a user who may change the schema.
        revision: A revision's id, or ``head`` for the one that this code knows.

    Raises:
        OSError: the server cannot be reached.
        alembic.util.CommandError: there is no such revision.
    """

    def step(config: Config, found: str | None) -> bool:
        left = _between(found, revision) if found else ()
        command.upgrade(config, left[0] if left else revision)
        return len(left) <= 1

    await _migrate(dsn, step)


async def downgrade(dsn: str, revision: str = "base") -> None:
    """Takes the schema back to a revision, in one transaction. Data that only later revisions have is lost.

    Args:
        dsn: ``postgresql://...`` of a user who may change the schema.
        revision: A revision's id, ``-1`` for the one before, or ``base`` for an empty schema.

    Raises:
        OSError: the server cannot be reached.
        alembic.util.CommandError: there is no such revision.
    """

    def all_the_way(config: Config, _: str | None) -> bool:
        command.downgrade(config, revision)
        return True

    await _migrate(dsn, all_the_way)


async def current(dsn: str) -> str | None:
    """The revision that the database's schema has; None without one."""
    async with _connection(dsn) as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision(),
        )


@cache
def head() -> str:
    """The revision that this code knows."""
    revision = _scripts().get_current_head()
    assert revision is not None
    return revision


async def check(dsn: str, *, newer_fits: bool = False) -> None:
    """Makes sure that the database's schema is the one that this code knows.

    Args:
        dsn: ``postgresql://...`` of the database.
        newer_fits: Whether a newer one will do. It must where an older version of the workers ends its cases beside a
            newer one; migrations then only add. So it does for what runs already, and for what is no worker.

    Raises:
        SchemaMismatch: it is older or newer.
        OSError: the server cannot be reached.
        asyncpg.PostgresError: the server refuses, as where the database is missing.
    """
    found, known = await current(dsn), head()
    if found == known:
        return
    older = {script.revision for script in _scripts().walk_revisions()}
    if newer_fits and found is not None and found not in older:
        return
    if found is None:
        message = f"the database has no schema yet, this code needs {known}: run `{SETUP_COMMAND}`"
    elif found in older:
        message = f"the database has schema {found}, older than {known} of this code: run `{SETUP_COMMAND}`"
    else:
        message = (
            f"the database has schema {found}, newer than {known}, the last that this code knows: run the "
            f"release of the code whose `{SETUP_COMMAND}` made it"
        )
    raise SchemaMismatch(message, current=found, known=known)


def _between(found: str, wanted: str) -> tuple[str, ...]:
    """The revisions that lead from one to another, in their order; none where Alembic has to say why that cannot be."""
    try:
        return tuple(each.revision for each in _scripts().iterate_revisions(wanted, found))[::-1]
    except CommandError:
        return ()


async def _migrate(dsn: str, change: Callable[[Config, str | None], bool]) -> None:
    """Have ``change`` work in one transaction after the other, told the revision as it is now, until it has done."""

    def work(connection: Connection) -> bool:
        # For as long as the transaction: a pooler may give the next one to another session.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        with _alembic_in_use:
            found = MigrationContext.configure(connection).get_current_revision()
            return change(_config(connection), found)

    async def in_own_loop() -> None:
        done = False
        while not done:
            async with _connection(dsn) as connection, connection.begin():
                done = await connection.run_sync(work)

    # In a thread, with a loop of its own: waiting for another migration of this process blocks the thread.
    await asyncio.to_thread(lambda: asyncio.run(in_own_loop()))


@asynccontextmanager
async def _connection(dsn: str) -> AsyncGenerator[AsyncConnection]:
    # asyncpg reads the address itself, so that it means here what it means everywhere.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(dsn), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        # SQLAlchemy wraps what asyncpg has raised, as nothing else here does.
        refused = error.orig.__cause__ if error.orig else None
        if isinstance(refused, (asyncpg.PostgresError, asyncpg.InterfaceError)):
            raise refused from None
        raise
    finally:
        await engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _MIGRATIONS)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
