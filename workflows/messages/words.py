"""Words of closed lists (stages, kinds, reasons, ...), and what is done with one that a newer release has added.

Where something is decided, or paid, a word that is not known is not guessed at: what holds it is not read, the attempt
fails, and is made again until a worker that knows the word makes it. Where something is only shown, the word is shown
as it was written.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, Self

_AS_WRITTEN: Final = ContextVar("words are shown as they were written", default=False)


@contextmanager
def shown_as_written() -> Generator[None]:
    """Read words that this release does not know as they were written: for what is shown, and decides nothing."""
    before = _AS_WRITTEN.set(True)
    try:
        yield
    finally:
        _AS_WRITTEN.reset(before)


class Word(StrEnum):
    """A word of a closed list. An unknown one is an error, except within ``shown_as_written``."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not _AS_WRITTEN.get():
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown
