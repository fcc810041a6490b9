"""The business time that stand-ins live in, where tests and the demo move the clocks of cases.

No port speaks of it: a real provider has a clock of its own.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

_MOVED: Final[ContextVar[datetime | None]] = ContextVar("business time of the case that asks", default=None)


@contextmanager
def business_time(at: datetime) -> Generator[None]:
    """What stand-ins take for now, within the context and in this task only."""
    before = _MOVED.set(at)
    try:
        yield
    finally:
        _MOVED.reset(before)


def stub_now() -> datetime:
    """The business time of the case that asks; without one, the time of the machine."""
    return _MOVED.get() or datetime.now(UTC)
