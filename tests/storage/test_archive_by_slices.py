"""A month goes to the archive and comes back slice by slice: it may be larger than the temporary folder."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from activities import archive
from activities.archive import Archive
from activities.gateways.archive_store import ArchiveDamaged, ArchiveFolder
from activities.postgres import archives
from activities.postgres.pool import open_pool
from tests.storage.money import NOON
from tests.storage.test_closed_cases import closed_case, in_book, move

NOVEMBER = date(2026, 11, 1)
LATER = NOON + timedelta(days=500)
CASES = 4
MANIFEST, OF_A_SLICE = "manifest.json", ("cases", "log")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as opened:
        yield opened


@dataclass
class Watching:
    """A store that looks, at each call, at what lies in the temporary folder."""

    store: ArchiveFolder
    temporary: Path
    seen: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    """Of each call the file that it was about, and the names of the files that lay there when it had ended."""

    async def put(self, name: str, file: Path) -> None:
        await self.store.put(name, file)
        self._look(name)

    async def get(self, name: str, file: Path) -> bool:
        found = await self.store.get(name, file)
        self._look(name)
        return found

    async def ping(self) -> str:
        return await self.store.ping()

    def _look(self, name: str) -> None:
        self.seen.append((name.rpartition("/")[2], sorted(self.lying())))

    def lying(self) -> list[str]:
        return [each.name for each in self.temporary.rglob("*") if each.is_file()]


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """A store, with one case in a slice and a temporary folder of its own."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(archive, "CASES_IN_A_FILE", 1)
    return Watching(ArchiveFolder(tmp_path / "archive"), temporary)


def files_of(number: int) -> list[str]:
    return [f"{name}-{number:05}.parquet" for name in OF_A_SLICE]


async def test_no_more_than_one_slice_lies_in_the_temporary_folder(pool: asyncpg.Pool, watching: Watching) -> None:
    cases = [await closed_case(pool, days=-day) for day in range(CASES)]
    await move(pool)
    book, kept = await in_book(pool), Archive(pool, watching)
    files = [name for number in range(CASES) for name in files_of(number + 1)]

    for do, order in (
        (kept.export(NOVEMBER, LATER), [*files, MANIFEST]),  # the manifest last: where it is, the others are
        (kept.verify(NOVEMBER), [MANIFEST, *files]),
        (kept.drop(NOVEMBER, LATER), [MANIFEST, *files]),
        (kept.restore(NOVEMBER, LATER), [MANIFEST, *files]),
    ):
        watching.seen.clear()
        await do
        assert [name for name, _ in watching.seen] == order
        for name, lay in watching.seen:
            slice_of = [MANIFEST] if name == MANIFEST else files_of(int(name[-13:-8]))
            assert name in lay
            assert set(lay) <= set(slice_of), f"beside {name}"
        assert watching.lying() == []
    assert await in_book(pool) == book

    await kept.drop(NOVEMBER, LATER)
    watching.seen.clear()
    assert (await kept.read(cases[0].case_id))["case"]["case_id"] == cases[0].case_id
    assert max(len(lay) for _, lay in watching.seen) == len(OF_A_SLICE)
    assert watching.lying() == []


@pytest.mark.parametrize(
    "change", ["closed_cases SET run_id = run_id || 'x'", "closed_log SET at = at + interval '1 us'"]
)
async def test_one_value_that_differs_is_found(pool: asyncpg.Pool, watching: Watching, change: str) -> None:
    for day in range(CASES):
        await closed_case(pool, days=-day)
    await move(pool)
    kept = Archive(pool, watching)
    await kept.export(NOVEMBER, LATER)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # no trigger refuses it
        await connection.execute(
            f"UPDATE casebook.{change} WHERE case_id = (SELECT max(case_id) FROM casebook.closed_cases)"
        )
    book = await in_book(pool)

    for ask in (kept.verify(NOVEMBER), kept.drop(NOVEMBER, LATER)):
        with pytest.raises(ArchiveDamaged, match="other rows than the database: export it anew"):
            await ask

    assert await in_book(pool) == book
    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)


async def test_what_was_exported_anew_meanwhile_is_not_dropped(
    pool: asyncpg.Pool, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest would not be the one that is noted, and nobody could read the month again."""
    await closed_case(pool)
    await move(pool)
    kept, held = Archive(pool, watching), archives.hold
    await kept.export(NOVEMBER, LATER)
    book = await in_book(pool)

    async def after_another_export(connection: asyncpg.Connection, month: date) -> None:
        await pool.execute("UPDATE alembic_version SET version_num = 'tried'")  # so that the manifest is another one
        await kept.export(NOVEMBER, LATER)
        await held(connection, month)

    monkeypatch.setattr(archives, "hold", after_another_export)
    with pytest.raises(ArchiveDamaged, match="exported anew meanwhile"):
        await kept.drop(NOVEMBER, LATER)

    assert await in_book(pool) == book
    monkeypatch.setattr(archives, "hold", held)
    await kept.drop(NOVEMBER, LATER)
    await kept.restore(NOVEMBER, LATER)
    assert await in_book(pool) == book
