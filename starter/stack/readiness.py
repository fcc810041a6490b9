"""What the embedded servers need before anybody uses them, once they accept connections."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from temporalio.service import RPCError

from starter.connection import connect, ensure_search_attributes
from starter.settings import Settings

_DATABASE: Final = "aftersales"
_TEMPORAL_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.1


async def database(administrator_url: str) -> str:
    """Makes the project's database if there is none, and returns its URL."""
    connection = await asyncpg.connect(administrator_url)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", _DATABASE):
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
    finally:
        await connection.close()
    return urlsplit(administrator_url)._replace(path=f"/{_DATABASE}").geturl()


async def temporal(settings: Settings, address: str, search_attributes: Mapping[str, str]) -> None:
    """Waits until Temporal answers, and adds the search attributes that it lacks."""
    async with asyncio.timeout(_TEMPORAL_SECONDS):
        while True:
            try:
                client = await connect(settings, target=address)
                await ensure_search_attributes(client, search_attributes)
            except (ConnectionError, RPCError):
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return
