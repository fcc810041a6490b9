"""Connecting to PostgreSQL by a URL; its password may stand in a file that is read at each new connection."""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

_IN_FILE: Final = "password_file"


def by_file(url: str) -> tuple[str, Callable[[], str] | None]:
    """A URL as the driver knows it, and what gives the password where a file holds it.

    The driver asks for the password at each connection that it makes, so one that was changed is taken up by the next.
    libpq's ``passfile`` would do that as well, but it counts for nothing where a group may read it, as an
    orchestrator's secrets are mounted for users other than root.
    """
    parts = urlsplit(url)
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    files = [value for name, value in parameters if name == _IN_FILE]
    if not files:
        return url, None
    rest = urlencode([each for each in parameters if each[0] != _IN_FILE])
    return parts._replace(query=rest).geturl(), lambda: Path(files[-1]).read_text(encoding="utf-8").rstrip("\r\n")


async def connect(url: str) -> asyncpg.Connection:
    """One connection, of the caller's to close.

    Raises:
        OSError: the server cannot be reached, or the password's file cannot be read.
        asyncpg.PostgresError: the server refuses.
    """
    dsn, password = by_file(url)
    return await asyncpg.connect(dsn, password=password)
