"""A browser, and a stack whose Web UI has payloads decoded by a codec server."""

import importlib.util
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.policies import Policies
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.codec_server import CodecServerSettings, development_settings, origins_of, running, ui_endpoint
from starter.connection import connect
from starter.preparation import prepare
from starter.settings import Settings
from starter.stack import Stack, ports
from starter.stack.state_folder import StateFolder
from starter.vault import key_provider, opened_vault
from tests.browser.web_ui import Picture
from tests.servers import servers
from tests.workflow.world import World
from worker import running_worker

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

_PATIENCE = 120_000
"""Milliseconds for a page of the Web UI, on a machine that does much else at the time."""
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first costs half of the processor time of the others."""
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> "AsyncIterator[Browser]":
    """Chromium, for all tests of a session."""
    chromium = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if chromium is None:
        pytest.skip("there is no Chromium on this machine (on Debian: apt install chromium-headless-shell)")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("there is no playwright in this environment (it is one of the project's dev packages)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, headless=True, args=_FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser_page(browser: "Browser") -> "AsyncIterator[Page]":
    """A page of a browser that remembers nothing of other tests."""
    async with await browser.new_context(viewport={"width": 1600, "height": 1400}, reduced_motion="reduce") as context:
        context.set_default_timeout(_PATIENCE)
        yield await context.new_page()


@pytest.fixture
def picture(pytestconfig: pytest.Config) -> Picture:
    """See ``Picture``."""
    folder: str | None = pytestconfig.getoption("--pictures")

    async def keep(page: "Page", name: str, height: int = 1_250) -> None:
        if folder is None:
            return
        await page.set_viewport_size({"width": 1400, "height": height})
        await page.wait_for_timeout(1_000)  # fonts and colours
        await page.screenshot(path=Path(folder) / f"{name}.png")

    return keep


# A stack of their own: the one that all tests share has no codec server.


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def codec_settings(state_dirs: Path) -> CodecServerSettings:
    """A codec server's settings, before the stack runs whose Web UI must know its port."""
    folder = StateFolder.at(state_dirs / "browser")
    ring = key_provider(Settings(state_dir=folder.path))
    return await development_settings(ring, port=ports.choose(["codec"], folder.ports)["codec"])


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(browser: "Browser", state_dirs: Path, codec_settings: CodecServerSettings) -> AsyncIterator[Stack]:
    """Temporal with its Web UI, and PostgreSQL; not without a browser to look at them with."""
    del browser
    endpoint = ui_endpoint(codec_settings.port)
    own = Settings(state_dir=state_dirs / "browser")
    async with servers(own, codec_endpoint=endpoint) as running_stack:
        yield running_stack


@pytest.fixture(scope="package")
def settings(stack: Stack, state_dirs: Path) -> Settings:
    """Settings that lead to `stack`."""
    return Settings.model_validate(
        {"state_dir": state_dirs / "browser", "database_url": stack.database_url, "workflow_sandbox": False}
    )


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def client(stack: Stack, settings: Settings) -> Client:
    """A connection to the stack's Temporal server."""
    return await connect(settings, target=stack.temporal_address)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(stack: Stack, settings: Settings, client: Client) -> str:
    """The address of the stack's database, with everything that cases need."""
    await prepare(settings, client, stack.database_url)
    return stack.database_url


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, application_name="tests") as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def vault(settings: Settings, database: str) -> AsyncIterator[Vault]:
    """This stack's own: the one of all tests, once made, would stay on the other stack."""
    async with opened_vault(settings, database) as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def codec_server(
    stack: Stack, settings: Settings, codec_settings: CodecServerSettings, pool: asyncpg.Pool, vault: Vault
) -> AsyncIterator[CodecServerSettings]:
    """The settings of a codec server that runs for the stack's Web UI."""
    assert stack.ui_address
    complete = codec_settings.model_copy(update={"ui_origins": origins_of(stack.ui_address), "open_to_ui": True})
    async with running(complete, key_provider(settings), pool, vault):
        yield complete


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def world(
    settings: Settings, client: Client, database: str, pool: asyncpg.Pool, vault: Vault
) -> AsyncIterator[World]:
    """A shop whose cases a worker carries on."""
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    async with running_worker(settings, skipper.client, database):
        yield World(Aftersales(client, settings.task_queue, pool, vault, Policies()), skipper, pool)
