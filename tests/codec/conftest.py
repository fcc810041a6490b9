"""A codec server on the tests' database, with a key ring of its own."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from activities.postgres.pool import open_pool
from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.codec_server import CodecServerSettings, running
from starter.settings import Settings
from starter.vault import opened_vault
from tests.codec.serving import Caller, serving

Serve = Callable[[CodecServerSettings], AbstractAsyncContextManager[Caller]]


@pytest.fixture(scope="session")
def ring() -> FixedKeys:
    """Two live keys; payloads may be under either."""
    return FixedKeys(read_keys(f"{new_key('new')},{new_key('old')}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database) as opened:
        yield opened


@pytest.fixture(scope="session")
def serve(ring: FixedKeys, settings: Settings, as_codec: str) -> Serve:
    """Runs a server with these settings, in its own database role, and gives somebody who asks it without a token."""
    own = settings

    @asynccontextmanager
    async def serve(settings: CodecServerSettings) -> AsyncGenerator[Caller]:
        async with (
            await open_pool(as_codec) as pool,
            opened_vault(own, as_codec) as vault,
            running(settings, ring, pool, vault) as address,
            aiohttp.ClientSession() as session,
        ):
            yield Caller(session, address)

    return serve


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def anybody(serve: Serve) -> AsyncIterator[Caller]:
    """Somebody without a token, before a server as it is by default."""
    async with serve(serving()) as caller:
        yield caller
