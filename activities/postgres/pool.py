"""Connections to PostgreSQL."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connection import LoggedQuery

from activities.postgres.connecting import by_file

_CONNECT_SECONDS: Final = 10
_STATEMENT_SECONDS: Final = 30
_IDLE_TRANSACTION_SECONDS: Final = 60

StatementWatcher: TypeAlias = Callable[[LoggedQuery], None]

_watchers: Final[list[StatementWatcher]] = []


@contextmanager
def watch_statements(watcher: StatementWatcher) -> Generator[None]:
    """Have ``watcher`` called after each statement of every connection that is opened meanwhile."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


async def open_pool(
    dsn: str,
    *,
    max_size: int = 10,
    min_size: int = 1,
    application_name: str = "aftersales",
    statement_timeout: float = _STATEMENT_SECONDS,
) -> asyncpg.Pool:
    """Opens a pool. Its connections speak UTC, and give and take ``jsonb`` as Python values.

    Args:
        dsn: ``postgresql://...``, also with a Unix socket: ``postgresql://user@/database?host=/folder``. With
            ``password_file`` among its parameters the password is read anew for each connection.
        max_size: Connections at most.
        min_size: Connections that are opened at once and kept.
        application_name: How the connections are called in ``pg_stat_activity``.
        statement_timeout: Seconds after which the server ends a statement, waits for locks included.

    Raises:
        OSError: the server cannot be reached.
        asyncpg.PostgresError: the server refuses.
    """
    address, password = by_file(dsn)
    return await asyncpg.create_pool(
        address,
        password=password,
        min_size=min(min_size, max_size),
        max_size=max_size,
        init=_prepare,
        reset=_left_as_it_was,
        timeout=_CONNECT_SECONDS,
        # The client's own limit, for a server that no longer answers: after the server's.
        command_timeout=statement_timeout + 5,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "statement_timeout": f"{statement_timeout * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{_IDLE_TRANSACTION_SECONDS * 1000}",
        },
    )


async def _left_as_it_was(_: asyncpg.Connection) -> None:
    """Nothing of a session outlives its use: no setting, cursor, subscription or lock that is not a transaction's.

    So the four statements by which a pool otherwise resets each connection that comes back are saved, a quarter of
    all that we send. A transaction that was left open is rolled back by the driver all the same.
    """


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    for watcher in _watchers:
        connection.add_query_logger(watcher)
