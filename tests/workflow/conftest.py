"""The whole service for a test: a worker on the stack, the typed client, and a shop to order from."""

from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import cast

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities.policies import Policies
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.client import Aftersales
from starter.settings import Settings
from starter.vault import opened_vault
from tests.processes.observing import undeclared, unsaid
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.world import Working, World
from worker import running_worker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def skipper(client: Client) -> TimeSkipper:
    """Moves the clock of one workflow at a time."""
    return TimeSkipper(client, config=TimeSkippingConfig(enabled=False))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections for tests that look into the books."""
    async with await open_pool(database, max_size=20, application_name="tests") as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker_running(
    settings: Settings, policies: Path, skipper: TimeSkipper, database: str, as_worker: str
) -> AsyncIterator[None]:
    """A worker that runs for the whole session, in its own database role."""
    with_variants = settings.model_copy(update={"policies_dir": policies})
    async with running_worker(with_variants, skipper.client, as_worker):
        yield
    # Whatever the tests did: no case has gone a way that its process does not declare.
    async with await open_pool(database, max_size=1, application_name="tests") as pool:
        found = await undeclared(pool)
        assert found == {}, found
        silent = await unsaid(pool)
        assert silent == [], "every step has a line in the log"


@pytest.fixture(scope="session")
def policies(state_dirs: Path) -> Path:
    """The built-in profiles, and variants of Douyin's, each with a negotiation before the platform steps in (D2).

    ``reviewing``: shipped goods go to the merchant's review (R7); ``terse``: little may be given as evidence (R16).
    """
    folder = state_dirs / "policies"
    folder.mkdir()
    built_in = resources.files("workflows.rules").joinpath("policies")
    for name in Policies().names():
        folder.joinpath(f"{name}.toml").write_text(built_in.joinpath(f"{name}.toml").read_text())
    talks = folder.joinpath("douyin.toml").read_text().replace("negotiation_hours = 0", "negotiation_hours = 24")
    variants = {
        "negotiated": ("", ""),
        "reviewing": ('shipped_meanwhile = "return"', 'shipped_meanwhile = "shipped_review"'),
        "terse": ("evidence_of_a_party = 50", "evidence_of_a_party = 2"),
    }
    for name, (number, other) in variants.items():
        variant = talks.replace('name = "douyin"', f'name = "{name}"')
        assert number in variant
        folder.joinpath(f"{name}.toml").write_text(variant.replace(number, other))
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client_pool(as_client: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections of the typed client, in its own database role."""
    async with await open_pool(as_client, max_size=20, application_name="tests-client") as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault(settings: Settings, as_client: str) -> AsyncIterator[Vault]:
    """The vault as the typed client has it."""
    async with opened_vault(settings, as_client) as opened:
        yield opened


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """A shop with its own merchant: on servers, or in memory where a test or its file is marked ``in_memory``.

    In memory are tests about what cases decide. On servers, a hundred times slower, is of each kind what shows that
    it is carried out, and all that is about the shell, the database, the client, or several who act at once.
    """
    if request.node.get_closest_marker("in_memory") and not request.node.get_closest_marker("on_servers"):
        return cast("World", WorldInMemory())
    return request.getfixturevalue("served_world")


@pytest.fixture
def served_world(
    worker_running: None,
    settings: Settings,
    policies: Path,
    skipper: TimeSkipper,
    pool: asyncpg.Pool,
    client_pool: asyncpg.Pool,
    vault: Vault,
) -> World:
    """A shop with its own merchant, so that tests that run side by side do not meet."""
    del worker_running
    aftersales = Aftersales(skipper.client, settings.task_queue, client_pool, vault, Policies(policies))
    return World(aftersales, skipper, pool, marketplace="negotiated")


@pytest.fixture
def own_settings(world: World, settings: Settings, policies: Path) -> Settings:
    """Settings with a task queue of the test's own, so that its worker can be taken away."""
    return settings.model_copy(update={"task_queue": world.fresh("q"), "policies_dir": policies})


@pytest.fixture
def working(own_settings: Settings, world: World, as_worker: str) -> Working:
    """Runs the worker of ``shop`` for as long as its context lasts."""
    return lambda: running_worker(own_settings, world.skipper.client, as_worker)


@pytest.fixture
def shop(own_settings: Settings, world: World, policies: Path) -> World:
    """A world whose cases wait while nobody is ``working``."""
    aftersales = Aftersales(
        world.skipper.client, own_settings.task_queue, world.aftersales.pool, world.aftersales.vault, Policies(policies)
    )
    return World(aftersales, world.skipper, world.pool, marketplace=world.marketplace)
