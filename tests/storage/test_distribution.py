"""By what the database can be split: docs/capacity.md says it of each table, and is held to the schema here."""

import re
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

PAGE = Path(__file__).parents[2] / "docs/capacity.md"
SECTION = re.compile(r"### Outgrowing one database\n(.*?)\n## ", re.DOTALL)
ROW = re.compile(r"^\| (by merchant|first .*?|everywhere|in one place|stand-ins) \| (.*) \|$", re.MULTILINE)
STAND_INS = {"carrier", "channels", "gateway", "numbers"}
"""Schemas of what is another system's in production."""


def told() -> dict[str, str]:
    """Where the page says that each table lies."""
    section = SECTION.search(PAGE.read_text(encoding="utf-8"))
    assert section
    return {
        table: place
        for place, tables in ROW.findall(section[1])
        for table in re.findall(r"`([a-z]+\.[a-z_]+)`", tables)
    }


@pytest_asyncio.fixture(loop_scope="session")
async def columns(own_database: str) -> dict[str, set[str]]:
    """The columns of each table."""
    connection = await asyncpg.connect(own_database)
    rows = await connection.fetch(
        """
        SELECT table_schema || '.' || table_name AS name, array_agg(column_name::text) AS columns
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema', 'public')
        GROUP BY 1
        """
    )
    await connection.close()
    return {row["name"]: set(row["columns"]) for row in rows if row["name"].split(".")[0] not in STAND_INS}


async def test_the_page_says_of_each_table_where_it_would_lie(columns: dict[str, set[str]]) -> None:
    assert told().keys() == columns.keys()


async def test_what_is_split_by_merchant_carries_it(columns: dict[str, set[str]]) -> None:
    placed = told()
    carry = {table for table, names in columns.items() if "merchant_id" in names}

    assert {table for table, place in placed.items() if place == "by merchant"} == carry
    assert not [table for table in carry if placed[table].startswith("first")]


@pytest.mark.parametrize("table", sorted(table for table, place in told().items() if place.startswith("first")))
async def test_what_would_have_to_carry_it_is_reached_by_what_the_page_names(
    columns: dict[str, set[str]], table: str
) -> None:
    (by,) = re.findall(r"`([a-z_]+)`", told()[table])

    assert by in columns[table]
