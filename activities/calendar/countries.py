"""Working days of any place: China's by our own sources, others' by the holidays package (G6)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from functools import cache, lru_cache
from importlib import import_module, metadata
from typing import Final, Protocol, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from activities.calendar.working_days import SATURDAY, WORKING_HOURS, Calendar, Day, in_force
from workflows.messages.place import CHINA, Place

_MOST_KEPT: Final = 64
"""How many places are kept with their calendars."""


class _Holidays(Protocol):
    def is_working_day(self, key: date) -> bool: ...


@cache
def _holidays(calendar: str, year: int) -> _Holidays:
    # Imported when the first day is looked up, as in ``working_days``.
    of_country = cast("Callable[..., _Holidays]", import_module("holidays").country_holidays)
    country, _, part = calendar.partition("-")
    return of_country(country, subdiv=part or None, years=year, expand=False)


class _Days(Protocol):
    """The days of a country, and by which sources."""

    @property
    def version(self) -> str: ...

    def day(self, day: date) -> Day: ...


class UnknownCalendarError(ValueError):
    """The package does not have the country, or the part of it."""


class PlaceCalendar(Calendar):
    """The days of a country, in the zone and the working hours of a place."""

    def __init__(self, days: _Days, time_zone: str, opens: int, closes: int) -> None:
        """Raises ValueError where there is no such zone."""
        try:
            self.zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"no time zone {time_zone} (G6)") from error
        # A case that was opened when such hours were not refused goes on, in the usual ones.
        self.sessions = ((time(opens), time(closes % 24)),) if opens < closes else WORKING_HOURS
        self.version = days.version
        self._day = days.day

    def day(self, day: date) -> Day:
        """What kind of day this is there."""
        return self._day(day)


def calendar_of(place: Place | None) -> Calendar:
    """The calendar that a profile there counts by; China's, by our own sources, where it does not say.

    A stored profile may name a country that the package has no more. So that its cases go on, days are Monday to Friday
    then, and none of them is known.
    """
    try:
        return known_calendar(place)
    except UnknownCalendarError:
        return _at(_weekdays, place or CHINA)


def known_calendar(place: Place | None) -> Calendar:
    """The same, for a profile that is to come into force.

    Raises:
        UnknownCalendarError: the package does not have the country, or the part of it.
        ValueError: there is no such zone.
    """
    if place is None or place == CHINA:
        return in_force()
    return _at(in_force() if place.calendar == CHINA.calendar else _by_law(place.calendar), place)


def works_at(place: Place | None) -> Callable[[date], bool]:
    """Which days are working days there."""
    return lambda day: calendar_of(place).day(day).works


def _at(days: _Days, place: Place) -> Calendar:
    return _kept(days, place.time_zone, place.opens, place.closes)


_kept = lru_cache(maxsize=_MOST_KEPT)(PlaceCalendar)


@dataclass(frozen=True)
class _ByLaw:
    """Monday to Friday but for the public holidays of the law of a country, worked out for every year."""

    calendar: str

    @property
    def version(self) -> str:
        return f"holidays/{metadata.version('holidays')}:{self.calendar}"

    def day(self, day: date) -> Day:
        return Day(works=_holidays(self.calendar, day.year).is_working_day(day), known=True)


@cache
def _by_law(calendar: str) -> _ByLaw:
    try:
        _holidays(calendar, 2026)
    except NotImplementedError as error:
        raise UnknownCalendarError(f"no calendar {calendar} (G6)") from error
    return _ByLaw(calendar)


class _Weekdays:
    """Where nothing is known of a country."""

    version: str = "weekdays"

    def day(self, day: date) -> Day:
        return Day(works=day.weekday() < SATURDAY, known=False)


_weekdays: Final = _Weekdays()
