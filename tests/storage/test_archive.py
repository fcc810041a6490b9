"""The archive: a month leaves as a whole, is found again byte for byte, and nothing is dropped that is not there."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.archive import Archive
from activities.closed_cases import ClosedCases
from activities.gateways.archive_s3 import ArchiveBucket
from activities.gateways.archive_store import (
    ArchiveDamaged,
    ArchiveFolder,
    ArchiveStore,
    ArchiveUnreachable,
    NotInArchive,
)
from activities.gateways.attachments_s3 import S3Settings
from activities.postgres import archives, case_rows, casebook, closed_cases, granting, recalled
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from activities.postgres.recalled import Recalled
from activities.postgres.roles import GRANTS, DatabaseRole
from starter.archived_cases import ArchiveAway, ArchivedCases
from starter.cases import PostgresCaseBook
from tests.databases import log_in_as
from tests.storage.money import NOON
from tests.storage.s3_server import s3_with
from tests.storage.test_closed_cases import closed_case, in_book, move, places
from workflows.messages.closed_cases import ArchiveMonth, MoveClosed
from workflows.messages.payouts import Payout
from workflows.messages.stages import Stopped

NOVEMBER = date(2026, 11, 1)
LATER = NOON + timedelta(days=500)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_with("archive") as endpoint:
        yield endpoint


def bucket(endpoint: str, folder: str, name: str = "archive") -> ArchiveBucket:
    key = SecretStr("k")
    told = S3Settings(bucket=name, endpoint=endpoint, region="us-east-1", access_key=key, secret_key=key)
    return ArchiveBucket(told, folder)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveStore:
    if request.param == "folder":
        return ArchiveFolder(tmp_path / "archive")
    return bucket(request.getfixturevalue("s3"), tmp_path.name)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as opened:
        yield opened


async def test_what_is_restored_is_what_left(pool: asyncpg.Pool, store: ArchiveStore) -> None:
    cases = [await closed_case(pool, days=-day) for day in range(5)]
    october = await closed_case(pool, days=-40)
    await move(pool)
    book, kept = await in_book(pool), Archive(pool, store)

    exported = await kept.export(NOVEMBER, LATER)
    assert await kept.verify(NOVEMBER) == [exported]
    dropped = await kept.drop(NOVEMBER, LATER)
    left = await in_book(pool)
    assert await kept.verify(NOVEMBER)
    restored = await kept.restore(NOVEMBER, LATER)

    assert (exported.part, exported.cases, exported.lines) == (1, 5, 10)
    assert dropped.manifest == exported.manifest
    assert left.keys() == {october.case_id}
    assert [each.part for each in restored] == [1]
    assert await in_book(pool) == book
    assert {each.case_id for each in cases} < book.keys()
    assert (await pool.fetchval("SELECT count(*) FROM casebook.closed_keys")) == 6


async def test_a_case_in_the_archive_alone_is_read_there_and_counts_here(
    pool: asyncpg.Pool, store: ArchiveStore
) -> None:
    wish, other = await closed_case(pool), await closed_case(pool)
    async with pool.acquire() as connection:
        log = await case_rows.log_of(connection, wish.case_id)
        found = await case_rows.find(connection, wish.case_id)
        digest = await casebook.digest_of_request(connection, wish.case_id)
    await move(pool)
    kept = Archive(pool, store)
    await kept.export(NOVEMBER, LATER)
    with pytest.raises(NotInArchive):
        await kept.read(wish.case_id)
    await kept.drop(NOVEMBER, LATER)

    told = await kept.read(wish.case_id)

    assert told["case"]["case_id"] == wish.case_id
    assert [each["event"] for each in told["log"]] == [each.event for each in log]
    assert (await kept.read(other.case_id))["case"]["case_id"] == other.case_id
    async with pool.acquire() as connection:
        assert await case_rows.find(connection, wish.case_id) == found
        assert await casebook.digest_of_request(connection, wish.case_id) == digest
        assert not await closed_cases.bring_back(connection, wish.case_id)
    with pytest.raises(NotInArchive):
        await kept.read("refund/o/none")


async def test_a_case_in_the_archive_alone_is_read_as_before(pool: asyncpg.Pool, tmp_path: Path) -> None:
    wish = await closed_case(pool)
    kept = Archive(pool, ArchiveFolder(tmp_path))
    archived = ArchivedCases(pool, lambda: kept)
    book, there = PostgresCaseBook(pool), PostgresCaseBook(pool, archived)

    async def read(from_there: PostgresCaseBook) -> list[object]:
        async with archived.whole(wish.case_id, "refund/o/none", wish.case_id) as connection:
            whole = [
                await case_rows.policies_of(connection, wish.case_id),
                await case_rows.currency_of(connection, wish.case_id),
            ]
        return [
            *whole,
            await from_there.view(wish.case_id, Stopped.FORGOTTEN),
            await from_there.outcome(wish.case_id),
            await from_there.whole_log(wish.case_id),
            await from_there.timeline(wish.case_id),
        ]

    before = await read(book)
    view = await book.view(wish.case_id, Stopped.FORGOTTEN)
    assert view
    await move(pool)
    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)

    slim = await book.view(wish.case_id, Stopped.FORGOTTEN)
    assert slim
    assert (slim.outcome, slim.refunded, slim.legs, slim.log) == (view.outcome, view.refunded, view.legs, ())
    for ask in (book.whole_log, book.timeline, book.outcome):
        with pytest.raises(ArchiveAway, match="2026-11 alone: AFTERSALES_ARCHIVE would say"):
            await ask(wish.case_id)
    assert await book.log(wish.case_id) == [], "which is asked for the key of a command that comes too late"
    assert await read(there) == before
    assert await book.log(wish.case_id) == [], "only who has read it sees it"

    await kept.restore(NOVEMBER, LATER)
    assert await read(book) == before
    async with pool.acquire() as connection, connection.transaction():
        await recalled.show(connection, [await recalled_of(pool, wish.case_id)])
        assert len(await case_rows.log_of(connection, wish.case_id)) == 2, "it is no second one where its month is back"
    await kept.drop(NOVEMBER, LATER)
    (tmp_path / "2026-11" / "1" / "log-00001.parquet").unlink()
    with pytest.raises(ArchiveAway, match="missing"):
        await there.timeline(wish.case_id)


async def recalled_of(pool: asyncpg.Pool, case_id: str) -> Recalled:
    """A case as the archive would have it."""
    closed_at = await pool.fetchval("SELECT closed_at FROM casebook.closed_keys WHERE case_id = $1", case_id)
    row = await pool.fetchval("SELECT to_jsonb(c) - 'state' FROM casebook.closed_cases c WHERE case_id = $1", case_id)
    log = await pool.fetchval("SELECT jsonb_agg(to_jsonb(l)) FROM casebook.closed_log l WHERE case_id = $1", case_id)
    return Recalled(case_id, closed_at, row, log)


class Counting:
    """A store that counts the bytes that are read from it, by the names of their files."""

    def __init__(self, store: ArchiveStore) -> None:
        self._store = store
        self.read: dict[str, int] = {}

    async def put(self, name: str, file: Path) -> None:
        await self._store.put(name, file)

    async def get(self, name: str, file: Path) -> bool:
        found = await self._store.get(name, file)
        self.read[name] = file.stat().st_size if found else 0
        return found

    async def ping(self) -> str:
        return await self._store.ping()


async def many_like(pool: asyncpg.Pool, wish: Payout, ids: Sequence[str]) -> None:
    """Other cases that have moved with a case, and are as it is."""
    for table in ("closed_keys", "closed_cases", "closed_log"):
        await pool.execute(
            f"""
            INSERT INTO casebook.{table}
            SELECT other.* FROM casebook.{table} AS was CROSS JOIN unnest($2::text[]) AS id
            CROSS JOIN LATERAL jsonb_populate_record(
                NULL::casebook.{table}, to_jsonb(was) || jsonb_build_object('case_id', id, 'run_id', md5(id))
            ) AS other
            WHERE was.case_id = $1
            """,
            wish.case_id,
            ids,
        )


async def test_one_case_is_read_without_the_rest_of_its_month(pool: asyncpg.Pool, store: ArchiveStore) -> None:
    """Also where the database sorts otherwise than by code point: then a file or two more are looked at."""
    wish = await closed_case(pool)
    await move(pool)
    ids = [*(f"refund/DY-{number}/k" for number in range(10_000, 15_000)), "refund/A1/k", "refund/a-1/k", "refund/a1/k"]
    await many_like(pool, wish, ids)
    counting = Counting(store)
    kept = Archive(pool, counting)
    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)
    month = counting.read

    for case_id in (*ids[-3:], *random.sample(ids, 5)):
        counting.read = {}
        found = await kept.read(case_id)
        assert ({found["case"]["case_id"], *(each["case_id"] for each in found["log"])}, len(found["log"])) == (
            {case_id},
            2,
        )
        assert len(counting.read) in (3, 5), "the manifest, and a file of cases and one of lines, or two"
        assert sum(counting.read.values()) < sum(month.values()) / 2
    assert len(month) == 1 + 2 * 6


async def test_nobody_shows_another_a_false_copy(pool: asyncpg.Pool, own_database: str, tmp_path: Path) -> None:
    """A login of the role `client` gives itself whatever it likes, and nobody else anything."""
    wish = await closed_case(pool)
    await move(pool)
    true = await recalled_of(pool, wish.case_id)
    false = replace(true, log=[{**each, "event": "never_was"} for each in true.log])
    kept = Archive(pool, ArchiveFolder(tmp_path))
    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)
    async with pool.acquire() as connection:
        await granting.grant(connection, "tried", GRANTS)
    login = await log_in_as(DatabaseRole.CLIENT, own_database, "tried")

    async def events(connection: Connection) -> list[str]:
        return [each.event for each in await case_rows.log_of(connection, wish.case_id)]

    async with await open_pool(login, max_size=1) as theirs, theirs.acquire() as connection:
        async with connection.transaction():
            await recalled.show(connection, [false])
            assert await events(connection) == ["never_was", "never_was"]
            assert await PostgresCaseBook(pool).log(wish.case_id) == []
            given = await connection.fetchval("SELECT current_setting('casebook.read_back')")
        assert await events(connection) == []
        # As a pooler would, which lets others use this connection afterwards.
        await connection.execute("SELECT set_config('casebook.read_back', $1, false)", given)
        assert await events(connection) == []
    for table in ("cases", "log", "closed_keys", "closed_cases", "closed_log"):
        async with await open_pool(login, max_size=1) as theirs:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await theirs.execute(f"INSERT INTO casebook.{table} DEFAULT VALUES")
    there = PostgresCaseBook(pool, ArchivedCases(pool, lambda: kept))
    assert [each.event for each in await there.log(wish.case_id)] == ["opened", "refund_succeeded"]


async def test_nothing_is_dropped_that_changed_since(pool: asyncpg.Pool, tmp_path: Path) -> None:
    wish, _ = await closed_case(pool), await closed_case(pool)
    await move(pool)
    kept = Archive(pool, ArchiveFolder(tmp_path))
    with pytest.raises(NotInArchive):
        await kept.drop(NOVEMBER, LATER)
    await kept.export(NOVEMBER, LATER)
    async with pool.acquire() as connection:
        await closed_cases.bring_back(connection, wish.case_id)
    book = await in_book(pool)

    with pytest.raises(ArchiveDamaged, match="export it anew"):
        await kept.drop(NOVEMBER, LATER)
    assert await in_book(pool) == book

    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)
    assert (await in_book(pool)).keys() == {wish.case_id}


async def test_what_comes_to_a_month_later_is_another_part(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await closed_case(pool)
    await move(pool)
    kept = Archive(pool, ArchiveFolder(tmp_path))
    await kept.export(NOVEMBER, LATER)
    first = await kept.drop(NOVEMBER, LATER)
    await closed_case(pool)
    await move(pool)
    await kept.export(NOVEMBER, LATER)
    second = await kept.drop(NOVEMBER, LATER)

    assert (first.part, second.part) == (1, 2)
    assert [each.part for each in await kept.restore(NOVEMBER, LATER)] == [1, 2]
    assert await places(pool) == (0, 0, 2, 2, 4)
    merged = await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)
    assert (merged.part, merged.cases) == (1, 2)
    assert len(await kept.restore(NOVEMBER, LATER)) == 1


@pytest.mark.parametrize("name", ["manifest.json", "cases-00001.parquet", "log-00001.parquet"])
async def test_a_damaged_archive_is_told_and_changes_nothing(pool: asyncpg.Pool, tmp_path: Path, name: str) -> None:
    await closed_case(pool)
    await move(pool)
    kept, file = Archive(pool, ArchiveFolder(tmp_path)), tmp_path / "2026-11" / "1" / name
    await kept.export(NOVEMBER, LATER)
    whole = file.read_bytes()

    file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    for ask in (kept.verify(NOVEMBER), kept.drop(NOVEMBER, LATER)):
        with pytest.raises(ArchiveDamaged, match="SHA-256"):
            await ask
    file.unlink()
    with pytest.raises(ArchiveDamaged, match="missing"):
        await kept.drop(NOVEMBER, LATER)
    assert await places(pool) == (0, 0, 1, 1, 2)

    file.write_bytes(whole)
    await kept.drop(NOVEMBER, LATER)
    file.write_bytes(b"")
    with pytest.raises(ArchiveDamaged):
        await kept.restore(NOVEMBER, LATER)
    assert await places(pool) == (0, 0, 1, 0, 0)


class Failing(ArchiveFolder):
    """A store that is away from its n-th call on."""

    def __init__(self, folder: Path, calls: int) -> None:
        super().__init__(folder)
        self.calls = calls

    def _call(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise ArchiveUnreachable("away")

    async def put(self, name: str, file: Path) -> None:
        self._call()
        await super().put(name, file)

    async def get(self, name: str, file: Path) -> bool:
        self._call()
        return await super().get(name, file)


async def there_and_back(kept: Archive) -> None:
    await kept.export(NOVEMBER, LATER)
    await kept.drop(NOVEMBER, LATER)
    await kept.restore(NOVEMBER, LATER)


async def test_wherever_it_breaks_off_it_can_be_done_again(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await closed_case(pool)
    await move(pool)
    book = await in_book(pool)

    for calls in range(9):  # three files are put, fetched to be compared, and fetched to be restored
        kept = Archive(pool, Failing(tmp_path, calls))
        with pytest.raises(ArchiveUnreachable):
            await there_and_back(kept)
        async with pool.acquire() as connection:
            alone = [each for each in await archives.parts(connection) if each.dropped_at]
        if alone:
            await Archive(pool, ArchiveFolder(tmp_path)).restore(NOVEMBER, LATER)
        assert await in_book(pool) == book


async def test_a_month_stays_while_its_drop_is_cut_off(pool: asyncpg.Pool, own_database: str, tmp_path: Path) -> None:
    """The connection goes as with kill -9, once all was compared and the month is gone but for the commit."""
    await closed_case(pool)
    await move(pool)
    kept, book = Archive(pool, ArchiveFolder(tmp_path)), await in_book(pool)
    part = await kept.export(NOVEMBER, LATER)
    connection = await asyncpg.connect(own_database)
    await connection.execute("BEGIN")
    await archives.hold(connection, NOVEMBER)
    await archives.drop(connection, part, LATER)
    connection.terminate()

    assert await in_book(pool) == book
    await kept.drop(NOVEMBER, LATER)


async def test_a_schedule_archives_what_is_old_enough(pool: asyncpg.Pool, tmp_path: Path) -> None:
    for days in (-40, -40, 0):
        await closed_case(pool, days=days)
    kept = Archive(pool, ArchiveFolder(tmp_path))
    activity = ClosedCases(pool, timedelta(days=90), kept, months=13)

    soon = await activity.move_closed_cases(MoveClosed(at=NOON + timedelta(days=100)))
    due = await activity.move_closed_cases(MoveClosed(at=date_of(2027, 12)))
    archived = await activity.archive_month(ArchiveMonth(at=LATER, month=due.months[0]))
    again = await activity.archive_month(ArchiveMonth(at=LATER, month=due.months[0]))

    assert (soon.cases, soon.months, due.months) == (3, (), ("2026-10",))
    assert (archived.cases, archived.lines) == (2, 4)
    assert again.cases == 0, "a round that breaks off after the drop finds nothing left to do"
    assert len(await in_book(pool)) == 1
    await kept.restore(date(2026, 10, 1), LATER)
    assert (await activity.move_closed_cases(MoveClosed(at=date_of(2027, 12)))).months == (), "it was read back to stay"


def date_of(year: int, month: int) -> Any:
    return NOON.replace(year=year, month=month, day=1)


async def test_an_unreachable_store_says_so(s3: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for store in (bucket(s3, "x", "nobodys"), ArchiveFolder(tmp_path / "file")):
        with pytest.raises(ArchiveUnreachable):
            await store.ping()
        with pytest.raises(ArchiveUnreachable):
            await store.put("2026-11/1/cases-00001.parquet", tmp_path / "file")
    for store in (bucket(s3, "x"), ArchiveFolder(tmp_path / "archive")):
        assert await store.ping()
        assert not await store.get("2026-11/1/cases-00001.parquet", tmp_path / "got")
        with pytest.raises(ValueError, match="YYYY-MM"):
            await store.get("../../etc/passwd", tmp_path / "got")
