"""A stack of their own: its servers are killed, and started again by the test that did so."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.chaos.site import Site, site


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="site")
async def _site(state_dirs: Path) -> AsyncIterator[Site]:
    async with site(Path(tempfile.mkdtemp(dir=state_dirs))) as here:
        yield here
