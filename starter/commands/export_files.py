"""The file that an export is written to: for its owner only, and gone on with where it was interrupted (P5)."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from starter.commands.failures import UsageError

_PRIVATE: Final = 0o600
_LONGEST_TAIL: Final = 1 << 20


@contextmanager
def export_file(file: Path, new_key: str) -> Generator[tuple[BinaryIO, str]]:
    """The file to write to, and the export's key, which outlasts an interruption in a file beside it.

    Raises:
        UsageError: the file is something else's, cannot be made, or another process is writing it.
    """
    beside = file.with_name(f"{file.name}.cursor")
    if file.exists() and not beside.exists():
        raise UsageError("exists already: name a new file", "FILE")
    with private(beside, os.O_RDWR | os.O_CREAT, "FILE") as cursor:
        try:
            fcntl.flock(cursor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("another export is writing it", "FILE") from None
        key = cursor.read().decode()
        if not key:
            key = new_key
            cursor.write(key.encode())
            # Before anything is debited under it.
            _to_disk(cursor)
        with private(file, os.O_RDWR | os.O_CREAT, "FILE") as lines:
            yield lines, key
            _to_disk(lines)
        beside.unlink(missing_ok=True)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def private(file: Path, flags: int, option: str) -> BinaryIO:
    """A file that only its owner reads. ``UsageError`` where it cannot be opened."""
    try:
        return os.fdopen(os.open(file, flags, _PRIVATE), "r+b")
    except OSError as error:
        raise UsageError(f"cannot be opened: {error.strerror}", option) from error


def last_row(lines: BinaryIO) -> int:
    """The row on the last whole line, 0 without one; what was written of another is cut off.

    Raises:
        UsageError: that line is none of an export's.
    """
    size = lines.seek(0, os.SEEK_END)
    lines.seek(max(0, size - _LONGEST_TAIL))
    whole, newline, rest = lines.read().rpartition(b"\n")
    lines.truncate(size - len(rest))
    lines.seek(0, os.SEEK_END)
    try:
        return int(json.loads(whole.rpartition(b"\n")[2])["row"]) if newline else 0
    except (ValueError, KeyError, TypeError):
        raise UsageError("its last line is not one of an export", "FILE") from None
