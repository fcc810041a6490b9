"""Databases with the schema and nothing in them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from activities.postgres import schema
from starter.stack import Stack
from tests.databases import address_of, database_for_one_test


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(stack: Stack) -> str:
    """The name of a database with the schema that this code knows: to copy it is quicker than to migrate again."""
    name = "migrated"
    administrator = await asyncpg.connect(stack.database_url)
    await administrator.execute(f"CREATE DATABASE {name}")
    await administrator.close()
    await schema.upgrade(address_of(name, stack.database_url))
    return name


@pytest_asyncio.fixture(loop_scope="session")
async def own_database(stack: Stack, migrated: str) -> AsyncIterator[str]:
    """The address of a database with the schema and nothing in it, for one test."""
    async with database_for_one_test(stack.database_url, template=migrated) as url:
        yield url
