"""Working days in mainland China: which they are, and by which sources (section 9).

Two packages are compared: chinesecalendar, which has the State Council's notices year by year, and holidays, which
has them too and works out the days of the law for the years to come. They are asked from here only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Final, Protocol, TypeAlias, cast
from zoneinfo import ZoneInfo

import chinese_calendar  # pyright: ignore[reportMissingTypeStubs]

from activities.calendar.overrides import read_overrides

SATURDAY: Final = 5

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

Sessions: TypeAlias = tuple[tuple[time, time], ...]
"""From when to when somebody is there on a working day, in the calendar's zone, in order; closed at the end itself.
The last one may end at `MIDNIGHT`: that after the day."""

MIDNIGHT: Final = time.min

WORKING_HOURS: Final[Sessions] = ((time(9), time(18)),)
"""D5: no lunch break."""

_chinesecalendar = cast("Callable[[date], bool]", chinese_calendar.is_workday)


class _Holidays(Protocol):
    """What is used of the holidays package."""

    weekend_workdays: set[date]

    def is_working_day(self, key: date) -> bool: ...


@cache
def _holidays(year: int) -> _Holidays:
    # Imported when the first day is looked up: the package brings along every country, which takes a second.
    of_country = cast("Callable[..., _Holidays]", import_module("holidays").country_holidays)
    return of_country("CN", years=year, expand=False)


@dataclass(frozen=True)
class Day:
    """One day of the calendar."""

    works: bool
    known: bool
    """False where nobody has published the year yet, and the holidays of the law were taken without the days that
    are moved around them; also where the sources do not agree on the day."""


class Calendar:
    """The working days by our own overrides, else by two packages that are held against each other.

    Where both have the year published and agree, the day is known. Where one has it published, that one is believed.
    Where they do not agree, chinesecalendar is believed and the day is not known. A year that neither has published
    has the holidays of the law, as the holidays package works them out, and is not known; beyond what it can work
    out, Monday to Friday. For a year that the overrides declare complete they are the truth.
    """

    def __init__(self, overrides: Path | None = None) -> None:
        """``overrides`` is a file like the built-in one; None for the built-in one.

        Raises:
            CalendarError: the file is wrong.
            OSError: it cannot be opened.
        """
        self.zone: ZoneInfo = SHANGHAI
        self.sessions: Sessions = WORKING_HOURS
        self._overrides = read_overrides(overrides)
        self._complete = frozenset(self._overrides.complete)
        packages = ",".join(f"{name}/{metadata.version(name)}" for name in ("chinesecalendar", "holidays"))
        self.version: str = f"{packages}+{self._overrides.name}/{self._overrides.version}"
        """The sources and their releases: ``chinesecalendar/1.11.0,holidays/0.109+overrides/2``."""
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
            return Day(works=day.weekday() < SATURDAY, known=True)
        second = _holidays(day.year)
        works = second.is_working_day(day)
        # Only a notice moves working days to a weekend: by law alone there are none.
        has_notice = any(each.year == day.year for each in second.weekend_workdays)
        try:
            first = _chinesecalendar(day)
        except NotImplementedError:
            return Day(works=works, known=has_notice)
        return Day(works=first, known=first == works or not has_notice)


@cache
def built_in() -> Calendar:
    """The calendar with the built-in overrides."""
    return Calendar()


def load() -> None:
    """Load the packages now: at the first look it would take a second, in which no activity could go on."""
    built_in().day(date(2026, 1, 1))


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
