"""Old months of closed cases: written to the archive, read back and compared, dropped, and brought back.

A month is dropped only in the transaction in which every row of it was found in the archive, byte for byte. What is in
the archive alone is still found by its slim row (``casebook.closed_keys``), and counts for the rules.

A month may be larger than any temporary folder: on its way to or from the store, no more than the two files of one
slice lie there.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from activities import archive_files
from activities.archive_files import CASES_IN_A_FILE, ArchivedFile, Manifest, Row, Slice
from activities.gateways.archive_store import ArchiveDamaged, ArchiveStore, NotInArchive
from activities.postgres import archives
from activities.postgres.archives import CASES, LINES, TABLES, Part
from activities.postgres.connection import Connection
from activities.postgres.recalled import Recalled
from workflows.messages.reading import read_own_json

_MANIFEST: Final = "manifest.json"
Columns = Mapping[str, Mapping[str, str]]
"""Of each table the columns in their order, with their types."""
Rows = Mapping[str, Sequence[Row]]
"""Of each table."""
_FILES: Final = {CASES: "cases", LINES: "log"}
"""What the names of a table's files begin with."""


class Archive:
    """The archive of one database, in one store."""

    def __init__(self, pool: asyncpg.Pool, store: ArchiveStore) -> None:
        self._pool = pool
        self._store = store

    async def export(self, month: date, at: datetime) -> Part:
        """Write what the database has of a month into the archive; again, it takes the place of what was not dropped.

        Each slice is put before the next one is read, in one transaction: until it ends the month cannot be dropped.

        Raises:
            NotInArchive: the database has nothing of the month.
            ArchiveUnreachable: the store does not answer; nothing is noted.
        """
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            number = 1 + max(
                (each.part for each in await archives.parts(connection, month) if each.dropped_at), default=0
            )
            columns = {table: await archives.columns_of(connection, table) for table in TABLES}
            name = archive_files.folder_of(f"{month:%Y-%m}", number)
            slices: list[Slice] = []
            after = ""
            while (rows := await archives.cases_after(connection, columns, month, after, CASES_IN_A_FILE))[CASES]:
                with _scratch() as folder:
                    slices.append(await asyncio.to_thread(_write, folder, len(slices) + 1, columns, rows))
                    for file in slices[-1].files.values():
                        await self._store.put(f"{name}/{file.name}", folder / file.name)
                after = _ids(columns, rows)[-1]
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
            if not slices:
                raise NotInArchive(f"the database has no closed cases of {month:%Y-%m}")
            manifest = Manifest(
                month=f"{month:%Y-%m}", part=number, revision=revision, columns=columns, slices=tuple(slices)
            )
            with _scratch() as folder:
                (folder / _MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
                await self._store.put(f"{name}/{_MANIFEST}", folder / _MANIFEST)  # last: where it is, the others are
                part = Part(
                    month=month,
                    part=number,
                    cases=manifest.rows(CASES),
                    lines=manifest.rows(LINES),
                    manifest=archive_files.digest_of(folder / _MANIFEST),
                    exported_at=at,
                    dropped_at=None,
                    restored_at=None,
                )
            await archives.enter(connection, part)
        return part

    async def verify(self, month: date) -> list[Part]:
        """Read all parts of a month back: hashes and counts; and row by row where the database has them as well.

        Raises:
            NotInArchive: there are none.
            ArchiveDamaged: something is missing, or differs.
            ArchiveUnreachable: the store does not answer.
        """
        async with self._pool.acquire() as connection:
            found = await archives.parts(connection, month)
        if not found:
            raise NotInArchive(f"{month:%Y-%m} is not in the archive")
        for part in found:
            read = await self._read_back(part)
            if part.dropped_at is None:
                async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
                    await _compare(connection, part, read)
        return found

    async def drop(self, month: date, at: datetime) -> Part:
        """Drop what the database has of a month: what is in the archive alone from now on.

        Raises:
            NotInArchive: it was not exported.
            ArchiveDamaged: the archive has not the same rows, as where a case came back since; export it anew.
            ArchiveUnreachable: the store does not answer.
        """
        async with self._pool.acquire() as connection:
            exported = [each for each in await archives.parts(connection, month) if each.dropped_at is None]
        if not exported:
            raise NotInArchive(f"{month:%Y-%m} was not exported since it changed, or the database does not have it")
        (part,) = exported
        read = await self._read_back(part)  # before anything is held: nobody who writes to the month waits for a store
        async with self._pool.acquire() as connection, connection.transaction():
            await archives.hold(connection, month)
            if read.manifest.columns != {table: await archives.columns_of(connection, table) for table in TABLES}:
                raise ArchiveDamaged(f"{read.manifest.folder()} has other columns than the database: export it anew")
            await _compare(connection, part, read)
            if not await archives.drop(connection, part, at):
                raise ArchiveDamaged(f"{read.manifest.folder()} was exported anew meanwhile: drop it again")
        return part

    async def restore(self, month: date, at: datetime) -> list[Part]:
        """Write a month that is in the archive alone into the database again, all of it or nothing.

        It stays until somebody drops it.

        Raises:
            NotInArchive: no part of it is in the archive alone.
            ArchiveDamaged: the archive does not hold what was put there; nothing is written.
            ArchiveUnreachable: the store does not answer.
        """
        async with self._pool.acquire() as connection:
            dropped = [each for each in await archives.parts(connection, month) if each.dropped_at]
        if not dropped:
            raise NotInArchive(f"no part of {month:%Y-%m} is in the archive alone")
        # The transaction waits for the store, slice by slice: nobody sees what it writes before it ends, and only the
        # first case of another month would have to wait for it.
        async with self._pool.acquire() as connection, connection.transaction():
            await archives.make(connection, month)
            for part in dropped:
                manifest = await self._manifest(part)
                for each in manifest.slices:
                    async with self._fetched(manifest, each) as folder:
                        for table, file in each.files.items():
                            rows = await asyncio.to_thread(archive_files.rows_of, folder / file.name)
                            await archives.put_back(connection, table, manifest.columns[table], rows)
                await archives.restored(connection, part, at)
        return dropped

    async def read(self, case_id: str) -> dict[str, Any]:
        """One case that is in the archive alone, with its log, as its rows were, JSON decoded.

        Raises:
            NotInArchive: it is not there, or the database has it.
            ArchiveDamaged: the archive does not hold what was put there.
            ArchiveUnreachable: the store does not answer.
        """
        found = await self._find(case_id)
        return {"case": found[CASES][0], "log": found[LINES]}

    async def recall(self, case_id: str) -> Recalled:
        """One case that is in the archive alone, for whoever reads it (``recalled.show``). Errors as in ``read``."""
        found = await self._find(case_id)
        row = found[CASES][0]
        del row["state"]  # which nobody reads who may not go on with the case, and may name an account (T4)
        return Recalled(case_id, row["closed_at"], row, found[LINES])

    async def _find(self, case_id: str) -> dict[str, list[dict[str, Any]]]:
        """The rows of one case that is in the archive alone, by their tables."""
        async with self._pool.acquire() as connection:
            closed_at = await archives.closed_at(connection, case_id)
            month = closed_at.astimezone(UTC).date().replace(day=1) if closed_at else None
            parts = [each for each in await archives.parts(connection, month) if each.dropped_at] if month else []
        for part in parts:
            manifest = await self._manifest(part)
            for each in manifest.slices:
                if each.may_have(case_id):
                    async with self._fetched(manifest, each) as folder:
                        found = {
                            table: await asyncio.to_thread(
                                archive_files.rows_of_case, folder / file.name, manifest.columns[table], case_id
                            )
                            for table, file in each.files.items()
                        }
                    if found[CASES]:
                        return found
        raise NotInArchive(f"{case_id} is not in the archive alone")

    async def _read_back(self, part: Part) -> "_ReadBack":
        """All of a part, slice by slice, each found to be what the manifest says."""
        manifest = await self._manifest(part)
        digests: list[dict[str, str]] = []
        for each in manifest.slices:
            async with self._fetched(manifest, each) as folder:
                digests.append(await asyncio.to_thread(_digests, folder, each))
        return _ReadBack(manifest, digests)

    @asynccontextmanager
    async def _fetched(self, manifest: Manifest, wanted: Slice) -> AsyncGenerator[Path]:
        """The files of one slice in a folder, each found to be what the manifest says."""
        with _scratch() as folder:
            for file in wanted.files.values():
                await self._fetch(f"{manifest.folder()}/{file.name}", folder / file.name, file.sha256)
            yield folder

    async def _manifest(self, part: Part) -> Manifest:
        name = archive_files.folder_of(f"{part.month:%Y-%m}", part.part)
        with _scratch() as folder:
            await self._fetch(f"{name}/{_MANIFEST}", folder / _MANIFEST, part.manifest)
            written = (folder / _MANIFEST).read_text(encoding="utf-8")
        try:
            manifest = read_own_json(Manifest, written)
        except ValueError as error:
            raise ArchiveDamaged(f"{name} was written in another form than this release reads") from error
        if any(each.files.keys() != set(TABLES) for each in manifest.slices):
            raise ArchiveDamaged(f"{name} has other tables than are known here")
        if (manifest.rows(CASES), manifest.rows(LINES)) != (part.cases, part.lines):
            raise ArchiveDamaged(f"{name}: the manifest counts other rows than were written")
        return manifest

    async def _fetch(self, name: str, file: Path, sha256: str) -> None:
        if not await self._store.get(name, file):
            raise ArchiveDamaged(f"{name} is missing")
        if await asyncio.to_thread(archive_files.digest_of, file) != sha256:
            raise ArchiveDamaged(f"{name} is not what was written: its SHA-256 differs")


@dataclass(frozen=True)
class _ReadBack:
    """What was found in the archive of a part."""

    manifest: Manifest
    digests: Sequence[Mapping[str, str]]
    """Of each slice that of its rows, by table."""


@contextmanager
def _scratch() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="aftersales-archive-") as folder:
        yield Path(folder)


def _digests(folder: Path, of: Slice) -> dict[str, str]:
    return {
        table: archive_files.digest_of_rows(archive_files.rows_of(folder / file.name))
        for table, file in of.files.items()
    }


def _write(folder: Path, number: int, columns: Columns, rows: Rows) -> Slice:
    ids = _ids(columns, rows)
    files: dict[str, ArchivedFile] = {
        table: archive_files.write(folder / f"{name}-{number:05}.parquet", columns[table], rows[table])
        for table, name in _FILES.items()
    }
    return Slice(first=min(ids), last=max(ids), files=files)


def _ids(columns: Columns, rows: Rows) -> list[str]:
    where = list(columns[CASES]).index("case_id")
    return [row[where] for row in rows[CASES]]


async def _compare(connection: Connection, part: Part, read: _ReadBack) -> None:
    manifest, after = read.manifest, ""
    for each, digests in zip(manifest.slices, read.digests, strict=True):
        there = await archives.cases_after(connection, manifest.columns, part.month, after, each.files[CASES].rows)
        for table, file in each.files.items():
            if await asyncio.to_thread(archive_files.digest_of_rows, there[table]) != digests[table]:
                raise ArchiveDamaged(
                    f"{manifest.folder()}/{file.name} has other rows than the database: export it anew"
                )
        after = _ids(manifest.columns, there)[-1]
    if (await archives.cases_after(connection, manifest.columns, part.month, after, 1))[CASES]:
        raise ArchiveDamaged(f"the database has more cases than {manifest.folder()}: export it anew")
