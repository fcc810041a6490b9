"""A month of closed cases as files: Parquet, with a manifest of what is in them (``Manifest``).

A file has some cases only, all of whose lines are in another one beside it: so one case is read without the rest of its
month. A column of JSON is kept as its text, so that it comes back to the letter.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import compute, parquet  # pyright: ignore[reportMissingTypeStubs]
from pydantic import Field

from workflows.messages.message import Message

CASES_IN_A_FILE: Final = 1_000
"""Reading one case reads so many, and the manifest names a month's cases by so many."""

Row = tuple[Any, ...]

_arrow: Any = pyarrow  # which has no types
_parquet: Any = parquet
_compute: Any = compute

_TYPES: Final[Mapping[str, Any]] = {
    "text": _arrow.string(),
    "jsonb": _arrow.string(),
    "integer": _arrow.int32(),
    "bigint": _arrow.int64(),
    "boolean": _arrow.bool_(),
    "date": _arrow.date32(),
    "timestamp with time zone": _arrow.timestamp("us", tz="UTC"),
}


class ArchivedFile(Message):
    """One file of a month, and what must be found in it."""

    name: Annotated[str, Field(pattern=r"^[a-z]+-[0-9]+\.parquet$")]
    """Without the folder."""
    rows: int
    bytes: int
    sha256: str


class Slice(Message):
    """Some cases of a month, whole."""

    first: str
    """The least id of its cases by code point. Where the database sorts otherwise, slices overlap."""
    last: str
    """The greatest."""
    files: dict[str, ArchivedFile]
    """By the table whose rows they have."""

    def may_have(self, case_id: str) -> bool:
        """Whether the case can be one of its."""
        return self.first <= case_id <= self.last


class Manifest(Message):
    """What a part of a month consists of. It is written after its files, so that where it is they are."""

    format: Literal[2] = 2
    month: str
    """``YYYY-MM``: in which its cases closed, by UTC."""
    part: int
    """Mostly 1; a month from which cases came back and closed anew elsewhere, or late ones came, has more."""
    revision: str
    """Of the database's schema."""
    columns: dict[str, dict[str, str]]
    """Of each table the columns in their order, each with its PostgreSQL type."""
    slices: tuple[Slice, ...]

    def folder(self) -> str:
        """What the names of its files begin with."""
        return folder_of(self.month, self.part)

    def rows(self, table: str) -> int:
        """How many rows of a table it has."""
        return sum(each.files[table].rows for each in self.slices)


def folder_of(month: str, part: int) -> str:
    """What the names of a part's files begin with."""
    return f"{month}/{part}"


def write(path: Path, columns: Mapping[str, str], rows: Sequence[Row]) -> ArchivedFile:
    """Write rows into a file; what must be found in it. ``columns``: in the rows' order, with their PostgreSQL types.

    Raises:
        ValueError: a type is not known here.
    """
    if unknown := {each for each in columns.values() if each not in _TYPES}:
        raise ValueError(f"no column can be archived that is {', '.join(sorted(unknown))}")
    schema = _arrow.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    arrays = [_arrow.array([row[number] for row in rows], type=field.type) for number, field in enumerate(schema)]
    _parquet.write_table(_arrow.table(arrays, schema=schema), path, compression="zstd")
    return ArchivedFile(name=path.name, rows=len(rows), bytes=path.stat().st_size, sha256=digest_of(path))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_rows(rows: Sequence[Row]) -> str:
    """SHA-256 of rows in their order, as hex digits: the same of equal rows, be they of a file or of the database.

    So a month is compared without its files lying beside it.
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, default=_written).encode() + b"\n")
    return digest.hexdigest()


def _written(moment: date) -> str:
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else moment.isoformat()


def rows_of(path: Path) -> list[Row]:
    """The rows of a file, in their order."""
    table = _parquet.read_table(path)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def rows_of_case(path: Path, columns: Mapping[str, str], case_id: str) -> list[dict[str, Any]]:
    """The rows of one case, by the names of their ``columns``, whose PostgreSQL types are given; JSON is decoded."""
    rows = _parquet.read_table(path, filters=_compute.field("case_id") == case_id).to_pylist()
    return [
        {name: json.loads(value) if value and columns[name] == "jsonb" else value for name, value in row.items()}
        for row in rows
    ]
