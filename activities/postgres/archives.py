"""Months of closed cases as the database has them, and which are in the archive (``casebook.archives``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from activities.postgres.connection import Connection

CASES: Final = "closed_cases"
LINES: Final = "closed_log"
TABLES: Final = (CASES, LINES)
"""What a month has."""

_OF_MONTH: Final = """
    closed_at >= $1::date::timestamp AT TIME ZONE 'UTC'
    AND closed_at < ($1::date + interval '1 month') AT TIME ZONE 'UTC'
"""


@dataclass(frozen=True)
class Part:
    """A part of a month in the archive."""

    month: date
    part: int
    cases: int
    lines: int
    manifest: str
    """SHA-256 of its manifest."""
    exported_at: datetime
    dropped_at: datetime | None
    """Since when it is in the archive alone."""
    restored_at: datetime | None


@dataclass(frozen=True)
class Month:
    """A month that the database has, whole or in part."""

    month: date
    restored: bool
    """It was read back: it stays until an operator drops it."""


async def parts(connection: Connection, month: date | None = None) -> list[Part]:
    """What is known of the archive, oldest first; of one month, or of all."""
    rows = await connection.fetch(
        "SELECT * FROM casebook.archives WHERE $1::date IS NULL OR month = $1 ORDER BY month, part", month
    )
    return [Part(**dict(row)) for row in rows]


async def months(connection: Connection) -> list[Month]:
    """The months that the database has, oldest first."""
    rows = await connection.fetch(
        r"""
        SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month, EXISTS (
            SELECT FROM casebook.archives a
            WHERE a.month = to_date(right(c.relname, 7), 'YYYY_MM') AND a.restored_at IS NOT NULL
        ) AS restored
        FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
        WHERE inhparent = 'casebook.closed_cases'::regclass ORDER BY 1
        """
    )
    return [Month(row["month"], row["restored"]) for row in rows]


async def counted(connection: Connection, month: date) -> dict[str, int]:
    """How many rows the database has of a month, in each table."""
    return {
        table: await connection.fetchval(f"SELECT count(*) FROM casebook.{table} WHERE {_OF_MONTH}", month)  # noqa: S608
        for table in TABLES
    }


async def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """The columns of a table in their order, each with its type."""
    rows = await connection.fetch(
        """
        SELECT attname, format_type(atttypid, NULL) AS kind FROM pg_attribute
        WHERE attrelid = ('casebook.' || $1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        """,
        table,
    )
    return {row["attname"]: row["kind"] for row in rows}


async def cases_after(
    connection: Connection, columns: Mapping[str, Mapping[str, str]], month: date, after: str, at_most: int
) -> dict[str, list[tuple[Any, ...]]]:
    """So many cases of a month behind this one, in the database's order, with all of their lines: by table.

    JSON as text. Without a case where there are no more.
    """
    cases = await connection.fetch(
        f"""
        SELECT {_written(columns[CASES])} FROM casebook.{CASES}
        WHERE {_OF_MONTH} AND case_id > $2 ORDER BY case_id LIMIT $3
        """,  # noqa: S608 -- names of columns
        month,
        after,
        at_most,
    )
    lines = await connection.fetch(
        f"""
        SELECT {_written(columns[LINES])} FROM casebook.{LINES}
        WHERE {_OF_MONTH} AND case_id = ANY ($2) ORDER BY case_id, position
        """,  # noqa: S608 -- the same
        month,
        [row["case_id"] for row in cases],
    )
    return {CASES: [tuple(row) for row in cases], LINES: [tuple(row) for row in lines]}


def _written(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name}::text" if kind == "jsonb" else name for name, kind in columns.items())


async def enter(connection: Connection, part: Part) -> None:
    """Note that a part is in the archive as well; parts that were not dropped are replaced by it."""
    await connection.execute("DELETE FROM casebook.archives WHERE month = $1 AND dropped_at IS NULL", part.month)
    await connection.execute(
        """
        INSERT INTO casebook.archives (month, part, cases, lines, manifest, exported_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        part.month,
        part.part,
        part.cases,
        part.lines,
        part.manifest,
        part.exported_at,
    )


async def hold(connection: Connection, month: date) -> None:
    """Nothing of the month changes until the commit."""
    await connection.execute("SELECT casebook.hold_month($1)", month)


async def drop(connection: Connection, part: Part, at: datetime) -> bool:
    """Drop a month that was compared with this part of the archive in the same transaction.

    False where another export took the part's place since it was looked up: what was compared lies there no more.
    """
    await connection.execute("SELECT casebook.drop_month($1, $2, $3)", part.month, part.cases, part.lines)
    done: str = await connection.execute(
        "UPDATE casebook.archives SET dropped_at = $4 WHERE month = $1 AND part = $2 AND manifest = $3",
        part.month,
        part.part,
        part.manifest,
        at,
    )
    return done == "UPDATE 1"


async def make(connection: Connection, month: date) -> None:
    """Make room for a month, where there is none."""
    await connection.execute("SELECT casebook.make_month($1)", month)


async def put_back(
    connection: Connection, table: str, columns: Mapping[str, str], given: Sequence[tuple[Any, ...]]
) -> None:
    """Write rows of a month again, as they were."""
    kinds = ["text" if kind == "jsonb" else kind for kind in columns.values()]
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))
    cast = ", ".join(f"{name}::jsonb" if kind == "jsonb" else name for name, kind in columns.items())
    await connection.execute(
        f"""
        INSERT INTO casebook.{table} ({", ".join(columns)})
        SELECT {cast} FROM unnest({arrays}) AS given ({", ".join(columns)})
        """,  # noqa: S608 -- names of columns
        *([row[number] for row in given] for number in range(len(columns))),
    )


async def restored(connection: Connection, part: Part, at: datetime) -> None:
    """Note that the database has a part again."""
    await connection.execute(
        "UPDATE casebook.archives SET dropped_at = NULL, restored_at = $3 WHERE month = $1 AND part = $2",
        part.month,
        part.part,
        at,
    )


async def closed_at(connection: Connection, case_id: str) -> datetime | None:
    """When a case closed that has moved; None for any other."""
    return await connection.fetchval("SELECT closed_at FROM casebook.closed_keys WHERE case_id = $1", case_id)
