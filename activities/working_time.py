"""Working days in Asia/Shanghai (SPEC section 9), as far as the arrival of money counts by them (R5)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from typing import Final, cast
from zoneinfo import ZoneInfo

import chinese_calendar  # pyright: ignore[reportMissingTypeStubs]

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

UNKNOWN_YEAR: Final = "calendar_unknown_year"
"""The warning for a year whose holidays are not published yet: plain weekdays were counted."""

_SATURDAY: Final = 5
_is_workday = cast("Callable[[date], bool]", chinese_calendar.is_workday)


def add_working_days(at: datetime, days: int) -> tuple[datetime, tuple[str, ...]]:
    """The end of the ``days``-th working day after the day of ``at``, in UTC, and warnings.

    The day ends at 24:00 in Asia/Shanghai, because money arrives at any time of it. Make-up Saturdays and
    Sundays are working days. In a year that the calendar does not know, Monday to Friday count, and
    ``calendar_unknown_year`` is among the warnings. 0 days is ``at`` itself.

    Raises:
        ValueError: ``at`` has no offset, or ``days`` is negative.
    """
    if at.utcoffset() is None:
        raise ValueError("a moment needs its offset")
    if days < 0:
        raise ValueError("working days are counted forwards only")
    if days == 0:
        return at, ()
    warnings: tuple[str, ...] = ()
    day = at.astimezone(SHANGHAI).date()
    left = days
    while left:
        day += timedelta(days=1)
        works, known = _working_day(day)
        left -= works
        if not known:
            warnings = (UNKNOWN_YEAR,)
    midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=SHANGHAI)
    return midnight.astimezone(UTC), warnings


@cache
def calendar_version() -> str:
    """The calendar that days are counted by, and its release: ``chinesecalendar/1.11.0``."""
    return f"chinesecalendar/{version('chinesecalendar')}"


def _working_day(day: date) -> tuple[bool, bool]:
    """Whether this is a working day, and whether the calendar knows the year."""
    try:
        return _is_workday(day), True
    except NotImplementedError:
        return day.weekday() < _SATURDAY, False
