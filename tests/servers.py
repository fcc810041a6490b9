"""The embedded servers for tests that are about what runs on them, and not about how they last."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from starter.settings import Settings
from starter.stack import Stack, embedded_stack
from workflows.messages.search_attributes import declarations

_NOT_FOR_THE_DISK = ("fsync", "full_page_writes", "synchronous_commit")
"""What PostgreSQL does only against the machine's own end: a test's data are as good as lost then anyway.

Without them a PostgreSQL that is killed may lose its last half second: who kills one runs a stack of its own.
"""


@asynccontextmanager
async def servers(settings: Settings, **options: Any) -> AsyncGenerator[Stack]:
    """The stack of these settings, with our search attributes; its PostgreSQL never waits for the disk."""
    async with embedded_stack(settings, search_attributes=declarations(), **options) as stack:
        administrator = await asyncpg.connect(stack.database_url)
        try:
            for name in _NOT_FOR_THE_DISK:
                await administrator.execute(f"ALTER SYSTEM SET {name} = off")
            await administrator.execute("SELECT pg_reload_conf()")
        finally:
            await administrator.close()
        yield stack
