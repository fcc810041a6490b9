"""Working days of other countries than China, by the holidays package (G6)."""

from collections.abc import Callable
from datetime import date, time
from functools import cache
from importlib import import_module, metadata
from typing import Final, Protocol, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from activities.calendar.working_days import Calendar, Day, in_force
from workflows.messages.place import CHINA, Place

_CHINA: Final = "CN"


class _Holidays(Protocol):
    def is_working_day(self, key: date) -> bool: ...


@cache
def _holidays(calendar: str, year: int) -> _Holidays:
    # Imported when the first day is looked up, as in ``working_days``.
    of_country = cast("Callable[..., _Holidays]", import_module("holidays").country_holidays)
    country, _, part = calendar.partition("-")
    return of_country(country, subdiv=part or None, years=year, expand=False)


class CountryCalendar(Calendar):
    """Monday to Friday but for the public holidays of the law of a country, or of a part of it.

    They are worked out from the law for every year, so that every day is known.
    """

    def __init__(self, place: Place) -> None:
        """Raises ValueError where there is no such zone, or the package does not have the country, or the part."""
        self._name = place.calendar
        try:
            self.zone = ZoneInfo(place.time_zone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"no time zone {place.time_zone} (G6)") from error
        self.sessions = ((time(place.opens), time(place.closes)),)
        self.version = f"holidays/{metadata.version('holidays')}:{place.calendar}"
        try:
            _holidays(place.calendar, 2026)
        except NotImplementedError as error:
            raise ValueError(f"no calendar {place.calendar} (G6)") from error

    def day(self, day: date) -> Day:
        """What kind of day this is there."""
        return Day(works=_holidays(self._name, day.year).is_working_day(day), known=True)


@cache
def _of(calendar: str, time_zone: str, opens: int, closes: int) -> CountryCalendar:
    return CountryCalendar(Place(calendar=calendar, time_zone=time_zone, opens=opens, closes=closes))


def calendar_of(place: Place | None) -> Calendar:
    """The calendar that a profile there counts by; China's, by our own sources, where it does not say.

    Raises:
        ValueError: the place's calendar is not known.
    """
    if place is None or place == CHINA:
        return in_force()
    return _of(place.calendar, place.time_zone, place.opens, place.closes)


def works_at(place: Place | None) -> Callable[[date], bool]:
    """Which days are working days there. Errors as in ``calendar_of``."""
    return lambda day: calendar_of(place).day(day).works
