"""``aftersales archive``: a month to the archive, back, and a case read there."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest_asyncio

from activities.postgres.pool import open_pool
from tests.cli.shell import Shell
from tests.storage.money import some_id
from tests.storage.shop import case_of

LONG_AGO = datetime(2021, 5, 20, tzinfo=UTC)
"""Before all that other tests close."""


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=1) as pool:
        yield pool


async def test_a_month_goes_to_the_archive_and_comes_back(shell: Shell, pool: asyncpg.Pool, tmp_path: Path) -> None:
    case = await case_of(pool, some_id("m"), some_id("o"), opened_at=LONG_AGO)
    await pool.execute(
        "UPDATE casebook.cases SET closed_at = $2, outcome = 'refunded', stage = 'closed' WHERE case_id = $1",
        case,
        LONG_AGO,
    )
    await pool.execute("SELECT casebook.move_closed('2021-06-01', 10)")
    kept = shell.having(AFTERSALES_ARCHIVE=str(tmp_path))

    exported = await kept.json("archive", "export", "2021-05")
    verified = await kept.run("archive", "verify", "2021-05")
    there = await kept.json("archive", "list")
    dropped = await kept.json("archive", "drop", "2021-05")
    read = await kept.json("archive", "read", case)
    listed = await kept.json("archive", "list")
    restored = await kept.run("archive", "restore", "2021-05")

    assert (exported["parts"][0]["cases"], exported["parts"][0]["dropped_at"]) == (1, None)
    assert verified.out.strip() == "2021-05/1: 1 cases, 0 lines found whole"
    assert {"month": "2021-05", "cases": 1, "lines": 0} in there["database"]
    assert dropped["parts"][0]["manifest"] == exported["parts"][0]["manifest"]
    assert (read["case"]["case_id"], read["case"]["opened"], read["log"]) == (case, {}, [])
    assert [each["month"] for each in listed["archive"] if each["dropped_at"]] == ["2021-05"]
    assert restored.code == 0
    assert (await kept.run("archive", "read", case)).code == 5, "the database has it again"
    assert "database and archive" in (await kept.run("archive", "list")).out


async def test_what_cannot_be_done_is_said(shell: Shell, tmp_path: Path) -> None:
    kept = shell.having(AFTERSALES_ARCHIVE=str(tmp_path))

    nothing = await kept.run("archive", "export", "1999-01", "--json")
    no_month = await kept.run("archive", "drop", "May")
    nowhere = await shell.run("archive", "export", "2021-05")

    assert (nothing.code, nothing.document["error"]) == (5, "the database has no closed cases of 1999-01")
    assert (no_month.code, "YYYY-MM" in no_month.err) == (2, True)
    assert (nowhere.code, "AFTERSALES_ARCHIVE" in nowhere.err) == (2, True)
