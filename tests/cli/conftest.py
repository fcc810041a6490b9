"""The command line as its users have it: a process of its own for each command, on a stack of their own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.postgres import schema
from starter.connection import connect
from starter.settings import PREFIX, Settings
from starter.stack import Stack
from starter.vault import prepare_key_store
from tests.cli.shell import Shell
from tests.cli.zygote import zygote
from tests.patience import PATIENCE
from tests.servers import servers

ROOT = Path(__file__).parents[2]
TASK_QUEUE = "cli"
"""One of their own: the worker here is a process started by the command line."""


# A stack of their own: the books that these tests compare must not hold what other tests have done to them.


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(state_dirs: Path) -> AsyncIterator[Stack]:
    """Temporal and PostgreSQL for the tests of the command line."""
    async with servers(Settings(state_dir=state_dirs / "cli")) as running:
        yield running


@pytest.fixture(scope="package")
def settings(stack: Stack, state_dirs: Path) -> Settings:
    """Settings that lead to `stack`."""
    return Settings.model_validate({"state_dir": state_dirs / "cli", "database_url": stack.database_url})


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def client(stack: Stack, settings: Settings) -> Client:
    """A connection to the stack's Temporal server."""
    return await connect(settings, target=stack.temporal_address)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(stack: Stack, settings: Settings) -> str:
    """The address of the stack's database, with the schema that this code knows."""
    await schema.upgrade(stack.database_url)
    await prepare_key_store(settings, stack.database_url)
    return stack.database_url


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shell(settings: Settings, database: str) -> AsyncIterator[Shell]:
    """The command line on the tests' stack, with the schema at head."""
    del database
    own = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "TEMPORAL_"))}
    own.pop("DATABASE_URL", None)
    environment = {
        **own,
        f"{PREFIX}STATE_DIR": str(settings.state_dir),
        f"{PREFIX}TASK_QUEUE": TASK_QUEUE,
        f"{PREFIX}WORKFLOW_SANDBOX": "false",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "160",
    }
    async with zygote(environment) as loaded:
        yield Shell(environment, loaded)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def worker_process(shell: Shell) -> AsyncIterator[Shell]:
    """The shell, with ``aftersales worker`` running beside it; at the end it must stop by itself, with code 0."""
    process = await shell.start("worker")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert b"running" in await process.stdout.readline()
    yield shell
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert b"stopped" in rest
