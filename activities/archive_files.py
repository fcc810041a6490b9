"""A month of closed cases as files: Parquet, with a manifest of what is in them (``Manifest``).

A column of JSON is kept as its text, so that it comes back to the letter. Rows are sorted by case, so that one case is
found without reading all.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import compute, parquet  # pyright: ignore[reportMissingTypeStubs]

from workflows.messages.message import Message

ROWS_AT_ONCE: Final = 5_000

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

    name: str
    """Without the folder."""
    table: str
    """Whose rows it has."""
    columns: dict[str, str]
    """In their order, each with its PostgreSQL type."""
    rows: int
    bytes: int
    sha256: str


class Manifest(Message):
    """What a part of a month consists of. It is written after its files, so that where it is they are."""

    format: int = 1
    month: str
    """``YYYY-MM``: in which its cases closed, by UTC."""
    part: int
    """Mostly 1; a month from which cases came back and closed anew elsewhere, or late ones came, has more."""
    revision: str
    """Of the database's schema."""
    files: tuple[ArchivedFile, ...]

    def folder(self) -> str:
        """What the names of its files begin with."""
        return folder_of(self.month, self.part)


def folder_of(month: str, part: int) -> str:
    """What the names of a part's files begin with."""
    return f"{month}/{part}"


class TableFile:
    """Writes rows of one table into a file."""

    def __init__(self, path: Path, table: str, columns: Mapping[str, str]) -> None:
        """``columns`` are those of the rows, in their order, each with its PostgreSQL type.

        Raises:
            ValueError: a type is not known here.
        """
        if unknown := {each for each in columns.values() if each not in _TYPES}:
            raise ValueError(f"no column of {table} can be archived that is {', '.join(sorted(unknown))}")
        self._path, self._table, self._columns = path, table, dict(columns)
        self._schema = _arrow.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
        self._file: Any = None
        self._rows = 0

    def __enter__(self) -> Self:
        self._file = _parquet.ParquetWriter(self._path, self._schema, compression="zstd")
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._file.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        arrays = [_arrow.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._file.write_table(_arrow.table(arrays, schema=self._schema))
        self._rows += len(rows)

    def written(self) -> ArchivedFile:
        """What must be found in the file, once it is closed."""
        return ArchivedFile(
            name=self._path.name,
            table=self._table,
            columns=self._columns,
            rows=self._rows,
            bytes=self._path.stat().st_size,
            sha256=digest_of(self._path),
        )


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_of(path: Path) -> Iterator[list[Row]]:
    """The rows of a file, some thousands at a time, in their order."""
    file: Any = _parquet.ParquetFile(path)
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
        columns = [column.to_pylist() for column in batch.columns]
        yield list(zip(*columns, strict=True))


def rows_of_case(path: Path, columns: Mapping[str, str], case_id: str) -> list[dict[str, Any]]:
    """The rows of one case, by the names of their ``columns``, whose PostgreSQL types are given; JSON is decoded."""
    rows = _parquet.read_table(path, filters=_compute.field("case_id") == case_id).to_pylist()
    return [
        {name: json.loads(value) if value and columns[name] == "jsonb" else value for name, value in row.items()}
        for row in rows
    ]


async def same_rows(there: AsyncIterator[Sequence[Row]], kept: Iterator[list[Row]]) -> bool:
    """Whether both have the same rows in the same order, however they are divided."""
    left: list[Row] = []
    async for batch in there:
        while len(left) < len(batch):
            more = next(kept, None)
            if more is None:
                return False
            left += more
        if left[: len(batch)] != [tuple(row) for row in batch]:
            return False
        del left[: len(batch)]
    return not left and next(kept, None) is None
