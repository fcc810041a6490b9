"""Stores that are put back to an earlier moment, and what the runbook has an operator do then (docs/operations.md).

The embedded stack has one database server for what are several systems: the vault with its keys, the inbox, and the
stubs of gateway, carriers and channels are not restored with the case book, and keep what they have. The copy of the
shop's data is restored with it, and the shop sends again what is missing there: orders, allowances, addresses.
"""

import asyncio
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from activities.postgres.connecting import connect
from starter.vault import key_store_url
from tests.proofs.chaos.ground import Ground

_OTHERS: Final = ("vault", "numbers", "gateway", "carrier", "channels", "inbox")
"""Schemas of other systems, and of what only services write: none of it is the case book's."""
_SHOP: Final = ("shop",)
_OURS: Final = "frozen_by = NULL, frozen_at = NULL, validity_ended_at = NULL, voided_at = NULL, paid_back_at = NULL"
"""What only cases write of an allowance."""
_ROUNDS: Final = 20
"""While everything goes on, servers are killed in the middle of some of them."""


def copy_of_temporal(ground: Ground, into: Path) -> None:
    """What the Temporal server has now."""
    with (
        closing(sqlite3.connect(ground.settings.state_dir / "temporal.db")) as now,
        closing(sqlite3.connect(into)) as kept,
    ):
        now.backup(kept)


async def put_temporal_back(ground: Ground, copy: Path) -> None:
    """Have the server go on from the copy. To be called when nobody works with it."""
    ground.kill_temporal()
    there = ground.settings.state_dir / "temporal.db"
    for each in (there, there.with_name("temporal.db-wal"), there.with_name("temporal.db-shm")):
        each.unlink(missing_ok=True)
    await asyncio.to_thread(shutil.copy, copy, there)
    await ground.stack.restart_temporal()


async def copy_of_book(ground: Ground, into: Path) -> None:
    """What the database server has now, as a crash at this moment would leave it."""
    ground.kill_postgres()
    await _copied(ground.settings.state_dir / "postgres", into)
    await ground.stack.restart_postgres()


async def put_book_back(ground: Ground, copy: Path) -> None:
    """Have the case book go on from the copy. To be called when nobody works with it."""
    url = ground.stack.database_url
    kept = [(each, await _told(each, schemas)) for each, schemas in _others(ground, url)]
    shop = await _told(url, _SHOP)
    ground.kill_postgres()
    there = ground.settings.state_dir / "postgres"
    await asyncio.to_thread(shutil.rmtree, there)
    await _copied(copy, there)
    await ground.stack.restart_postgres()
    await _tell_missing(url, shop)
    for each, tables in kept:
        await _tell(each, tables)


async def compare(ground: Ground) -> None:
    """What the runbook says where Temporal was restored."""
    await _until_nothing_is_found(ground, "--compare")


async def rebuild(ground: Ground, since: datetime) -> None:
    """What the runbook says where the case book was restored."""
    await _until_nothing_is_found(ground, "--rebuild", "--since", f"{since:%Y-%m-%dT%H:%M:%S%z}")


async def _until_nothing_is_found(ground: Ground, *words: str) -> None:
    for _ in range(_ROUNDS):
        code, out = await ground.command("recover", *words, "--start", "--rate", "200", "--json")
        found: dict[str, Any] = (
            json.loads(out) if out.startswith("{") else {"found": [], "by_reason": {_last_line(out): 1}}
        )
        for why, number in found["by_reason"].items():
            ground.met[f"recover {words[0]}: {why}"] += number
        if code == 0 and not found["found"]:
            return
    ground.unexpected.append(f"recover {' '.join(words)}: still finds something after {_ROUNDS} times")


def _last_line(out: str) -> str:
    """Why a command ended, of all that it has said: its error in a sentence, without what the server adds to it."""
    last = ([line for line in out.splitlines() if line.strip()] or ["nothing"])[-1]
    if not last.startswith("{"):
        return last
    return re.split(r"[\n,(]", json.loads(last)["message"])[0].strip()


def _others(ground: Ground, url: str) -> Sequence[tuple[str, tuple[str, ...]]]:
    return ((url, _OTHERS), (key_store_url(ground.settings, url), ("public",)))


async def _told(url: str, schemas: Sequence[str]) -> dict[tuple[str, str], bytes]:
    """Every table of these schemas, with its rows in PostgreSQL's binary form."""
    connection = await connect(url)
    try:
        found = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1)", [*schemas]
        )
        tables: dict[tuple[str, str], bytes] = {}
        for row in found:
            rows = io.BytesIO()
            await connection.copy_from_table(row[1], schema_name=row[0], output=rows, format="binary")
            tables[row[0], row[1]] = rows.getvalue()
        return tables
    finally:
        await connection.close()


async def _tell(url: str, tables: dict[tuple[str, str], bytes]) -> None:
    connection = await connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for schema, table in tables:
                await connection.execute(f'DELETE FROM "{schema}"."{table}"')
            for (schema, table), rows in tables.items():
                await connection.copy_to_table(table, schema_name=schema, source=io.BytesIO(rows), format="binary")
        await _sequences_after_all(connection)
    finally:
        await connection.close()


async def _tell_missing(url: str, tables: dict[tuple[str, str], bytes]) -> None:
    """Rows that are not there any more; what is there stays as it was restored."""
    connection = await connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for (schema, table), rows in tables.items():
                await connection.execute(f'CREATE TEMP TABLE told AS TABLE "{schema}"."{table}" WITH NO DATA')
                await connection.copy_to_table("told", source=io.BytesIO(rows), format="binary")
                if table == "allowances":
                    await connection.execute(f"UPDATE told SET {_OURS}")
                await connection.execute(
                    f'INSERT INTO "{schema}"."{table}" OVERRIDING SYSTEM VALUE TABLE told ON CONFLICT DO NOTHING'
                )
                await connection.execute("DROP TABLE told")
        await _sequences_after_all(connection)
    finally:
        await connection.close()


async def _sequences_after_all(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Numbers that are given by a sequence go on after those that were."""
    owned = await connection.fetch(
        """
        SELECT format('%I.%I', tables.nspname, class.relname) AS of_table, attribute.attname AS of_column,
               pg_get_serial_sequence(format('%I.%I', tables.nspname, class.relname), attribute.attname) AS sequence
        FROM pg_attribute AS attribute
        JOIN pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
        JOIN pg_namespace AS tables ON tables.oid = class.relnamespace AND tables.nspname = ANY($1)
        WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
        """,
        [*_OTHERS, *_SHOP],
    )
    for row in owned:
        if row["sequence"]:
            await connection.execute(
                f'SELECT setval($1::regclass, greatest((SELECT max("{row["of_column"]}") FROM {row["of_table"]}), 1))',
                row["sequence"],
            )


async def _copied(source: Path, target: Path) -> None:
    """With its owner and its rights, which PostgreSQL insists on."""
    process = await asyncio.create_subprocess_exec("cp", "-a", str(source), str(target))
    assert await process.wait() == 0
