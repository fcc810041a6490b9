"""The command line as its users have it: a process of its own for each command, on the tests' stack."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from starter.settings import PREFIX, Settings
from tests.cli.shell import Shell

ROOT = Path(__file__).parents[2]
TASK_QUEUE = "cli"
"""One of their own: the worker here is a process started by the command line."""


@pytest.fixture(scope="session")
def shell(settings: Settings, database: str) -> Shell:
    """The command line on the tests' stack, with the schema at head."""
    del database
    own = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "TEMPORAL_"))}
    own.pop("DATABASE_URL", None)
    return Shell(
        {
            **own,
            f"{PREFIX}STATE_DIR": str(settings.state_dir),
            f"{PREFIX}TASK_QUEUE": TASK_QUEUE,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
        }
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker_process(shell: Shell) -> AsyncIterator[Shell]:
    """The shell, with ``aftersales worker`` running beside it; at the end it must stop by itself, with code 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.commands", "worker"),
        env=shell.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert b"running" in await process.stdout.readline()
    yield shell
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert b"stopped" in rest
