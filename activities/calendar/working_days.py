"""Working days in mainland China: which they are, and by which sources (section 9)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final, cast

import chinese_calendar  # pyright: ignore[reportMissingTypeStubs]

from activities.calendar.overrides import read_overrides

_SATURDAY: Final = 5
_published = cast("Callable[[date], bool]", chinese_calendar.is_workday)


@dataclass(frozen=True)
class Day:
    """One day of the calendar."""

    works: bool
    known: bool
    """False where nobody has published the year yet: Monday to Friday are taken for working days."""


class Calendar:
    """The working days by our own overrides, else by the chinesecalendar package, else by the weekday.

    The weekday is the fallback for years that nobody knows; for a year that the overrides declare complete it
    is the truth.
    """

    def __init__(self, overrides: Path | None = None) -> None:
        """``overrides`` is a file like the built-in one; None for the built-in one.

        Raises:
            CalendarError: the file is wrong.
            OSError: it cannot be opened.
        """
        self._overrides = read_overrides(overrides)
        self._complete = frozenset(self._overrides.complete)
        self.version: Final = (
            f"chinesecalendar/{metadata.version('chinesecalendar')}+{self._overrides.name}/{self._overrides.version}"
        )
        """The sources and their releases: ``chinesecalendar/1.11.0+overrides/1``."""
        self._days: dict[date, Day] = {}

    def day(self, day: date) -> Day:
        """What kind of day this is, in Shanghai; never fails for a year that is not published."""
        if day not in self._days:
            self._days[day] = self._look_up(day)
        return self._days[day]

    def _look_up(self, day: date) -> Day:
        ours = self._overrides.works(day)
        if ours is not None:
            return Day(works=ours, known=True)
        if day.year in self._complete:
            return Day(works=day.weekday() < _SATURDAY, known=True)
        try:
            return Day(works=_published(day), known=True)
        except NotImplementedError:
            return Day(works=day.weekday() < _SATURDAY, known=False)


@cache
def built_in() -> Calendar:
    """The calendar with the built-in overrides."""
    return Calendar()


_chosen: list[Calendar] = []


def in_force() -> Calendar:
    """The calendar that this process counts by: the one brought into force last, else the built-in one."""
    return _chosen[-1] if _chosen else built_in()


def bring_into_force(overrides: Path | None) -> None:
    """Count by the overrides of this file from now on, in the whole process; None for the built-in ones.

    Raises:
        CalendarError: the file is wrong.
        OSError: it cannot be opened.
    """
    _chosen[:] = [Calendar(overrides)] if overrides else []
