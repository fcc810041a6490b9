"""Which lines of a file have been opened: a note beside it, by which an interrupted run is taken up again.

It holds 16 bytes for each line, at the line's place: a digest of what the line said when it was opened, zeros where
none was. A line that has been changed since no longer fits its digest and is opened; so is one that moved to another
place, which is harmless, because its request key leads to the same case. The note can be deleted at any time.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

from starter.commands.failures import UsageError
from starter.commands.request_lines import Line

_SIZE: Final = 16


class OpenedLines:
    """The note of one file, for one case book."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def has(self, line: Line) -> bool:
        """Whether this line was opened as it stands now."""
        return os.pread(self._descriptor, _SIZE, line.number * _SIZE) == _digest(line.text)

    def add(self, line: Line) -> None:
        """Note that this line is open. It is on record as soon as this returns, also if the process is killed."""
        os.pwrite(self._descriptor, _digest(line.text), line.number * _SIZE)


@contextmanager
def opened_lines(file: Path, case_book: str, *, afresh: bool) -> Generator[OpenedLines]:
    """The note beside ``file``; an empty one if it is of another case book than this, or wanted ``afresh``.

    Raises:
        UsageError: another process is at this file, or the note cannot be written.
    """
    beside = file.with_name(f"{file.name}.opened")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"{beside} cannot be written: {error.strerror}", "--from") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError("another process is opening this file", "--from") from None
        # What one case book has opened says nothing of another.
        owner = _digest(case_book.encode())
        if afresh or os.pread(descriptor, _SIZE, 0) != owner:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner, 0)
        yield OpenedLines(descriptor)
    finally:
        os.close(descriptor)


def _digest(text: bytes) -> bytes:
    return blake2b(text.strip(), digest_size=_SIZE).digest()
