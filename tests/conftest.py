"""What all tests share: one stack for each test process, and an end of the session that cannot abort."""

import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RetryConfig
from xdist.remote import Producer  # pyright: ignore[reportMissingTypeStubs]
from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

from activities.postgres import schema
from activities.postgres.roles import DatabaseRole
from activities.postgres.vault import Vault
from starter import waiting
from starter.connection import connect
from starter.database_roles import grant_roles
from starter.settings import PREFIX, Settings
from starter.settings_of_others import TEMPORAL_VARIABLES
from starter.stack import Stack
from starter.vault import opened_vault, prepare_key_store
from tests.databases import database_for_one_test, log_in_as
from tests.patience import PATIENCE
from tests.servers import servers

_FIRST = {"test_pauses.py"}
"""Tells each open case of the stack that there is a pause: while other tests have left few."""
_WITHOUT_SERVERS = {"gateways", "processes", "rulebook", "unit"}
_INSTALLED_BY = re.compile(r"on Debian: apt install ([a-z0-9. -]+)")
_SERVERS_OF_THEIR_OWN = ("tests/browser/", "tests/cli/")
_session = pytest.StashKey[pytest.Session]()


class ByServers(LoadFileScheduling):
    """A file's tests in one process, and those of a folder with servers of its own, which would start in each."""

    def _split_scope(self, nodeid: str) -> str:
        together = (folder for folder in _SERVERS_OF_THEIR_OWN if nodeid.startswith(folder))
        return next(together, super()._split_scope(nodeid))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", default=None, help="keep pictures of the Web UI's pages there")
    parser.addoption("--every-reset", action="store_true", help="reset every path at each of its workflow tasks")


def pytest_configure() -> None:
    # Tests run on servers of their own, whatever the shell they are started from points at.
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in TEMPORAL_VARIABLES or name == "DATABASE_URL":
            del os.environ[name]
    # The sandbox loads a workflow's modules anew for each case, and would compile them each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A busy machine is no failure: the client waits as long as a test does, and examples have no time limit each, nor
    # their making one.
    waiting.PATIENCE = timedelta(seconds=PATIENCE)
    hypothesis.settings.register_profile(
        "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("suite")
    # Temporal's server collects its garbage less often, memory for processor time, and hands nothing from one processor
    # to another: there are as many servers as test processes.
    os.environ.setdefault("GOGC", "400")
    os.environ.setdefault("GOMAXPROCS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders that stay together come first, then files with a slow test, and those that need no server last.

    So that parallel processes end together.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.path.name in _FIRST}

    def place(item: pytest.Item) -> tuple[bool, bool, bool]:
        together = item.nodeid.startswith(_SERVERS_OF_THEIR_OWN)
        return not together, item.path not in slow, item.path.parent.name in _WITHOUT_SERVERS

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return ByServers(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_session] = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process at once: the Temporal SDK may abort an interpreter that shuts down after a worker ran.

    By now the summary is printed, or, in a process of xdist, the results are sent.
    """
    session = config.stash.get(_session, None)
    if session is None:
        return
    for line in _what_is_missing(config):
        config.get_terminal_writer().line(line)
    config.get_terminal_writer().flush()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(int(session.exitstatus))


def _what_is_missing(config: pytest.Config) -> list[str]:
    """One line, where tests were skipped for want of a program: how many, and the command that installs it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped: list[pytest.TestReport] = reporter.stats.get("skipped", []) if reporter else []
    found = [match[1] for report in skipped if (match := _INSTALLED_BY.search(str(report.longrepr)))]
    packages = sorted({package for each in found for package in each.split()})
    return [f"{len(found)} skipped for want of programs: apt install {' '.join(packages)}"] if found else []


@pytest.fixture(scope="session")
def state_dirs() -> Iterator[Path]:
    """A folder for the state folders of a test process.

    Not one of pytest's own: those are kept, private to one user, and too long for the path of a socket.
    """
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def state_dir(state_dirs: Path) -> Path:
    """An empty state folder for one test."""
    return Path(tempfile.mkdtemp(dir=state_dirs))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(state_dirs: Path) -> AsyncIterator[Stack]:
    """Temporal and PostgreSQL for this test process. A test that kills one of them starts it again."""
    async with servers(Settings(state_dir=state_dirs / "shared")) as running:
        yield running


@pytest.fixture(scope="session")
def settings(stack: Stack, state_dirs: Path) -> Settings:
    """Settings that lead to `stack`.

    Workers go without the sandbox, which doubles what a case costs them: tests/replay replays every history in it, one
    for each way a case can go, and in tests/chaos a worker has it whose cases outlive a power cut.
    """
    return Settings.model_validate(
        {"state_dir": state_dirs / "shared", "database_url": stack.database_url, "workflow_sandbox": False}
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(stack: Stack, settings: Settings) -> Client:
    """A connection to the stack's Temporal server."""
    patient = RetryConfig(max_elapsed_time_millis=round(PATIENCE * 1_000), max_retries=100)
    return await connect(settings, target=stack.temporal_address, retries=patient)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(stack: Stack, settings: Settings) -> str:
    """The address of the stack's database, with the schema that this code knows, its roles, and a key store beside it.

    As the owner: tests look into the books. Whatever they try is to run as its own role, see below.
    """
    await schema.upgrade(stack.database_url)
    await prepare_key_store(settings, stack.database_url)
    await grant_roles(settings, stack.database_url)
    return stack.database_url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def as_worker(database: str) -> str:
    """The stack's database as a worker has it, with no right but those of its role."""
    return await log_in_as(DatabaseRole.WORKER, database)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def as_client(database: str) -> str:
    """The stack's database as services with the typed client have it."""
    return await log_in_as(DatabaseRole.CLIENT, database)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def as_codec(database: str) -> str:
    """The stack's database as the codec server has it."""
    return await log_in_as(DatabaseRole.CODEC, database)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault(settings: Settings, database: str) -> AsyncIterator[Vault]:
    """The vault of the stack, with persons' keys in a database of their own."""
    async with opened_vault(settings, database) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database(stack: Stack) -> AsyncIterator[str]:
    """The address of a database without a schema, for one test."""
    async with database_for_one_test(stack.database_url) as url:
        yield url
