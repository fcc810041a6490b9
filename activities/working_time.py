"""Working days and working hours by a calendar (section 9, G6): arrival of money (R5), time for evidence (D5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Final

from activities.calendar.working_days import MIDNIGHT, Calendar, Sessions, in_force

UNKNOWN_YEAR: Final = "calendar_unknown_year"
"""The warning for a day that is not known yet: counted by the holidays of the law, without days that are moved."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Stretch:
    """The time from one moment up to another, and whether it counts."""

    starts: datetime
    ends: datetime
    counts: bool = True
    known: bool = True
    """False where ``counts`` was only assumed, in a year that the calendar does not know."""


def add_working_days(at: datetime, days: int, calendar: Calendar | None = None) -> tuple[datetime, tuple[str, ...]]:
    """The end of the ``days``-th working day after the day of ``at``, in UTC, and warnings.

    The day ends at 24:00 in the calendar's zone, because money arrives at any time of it. Make-up Saturdays and
    Sundays are working days. In a year that the calendar does not know, the holidays of the law are left out, and
    ``calendar_unknown_year`` is among the warnings. 0 days is ``at`` itself.

    Raises:
        ValueError: ``at`` has no offset, or ``days`` is negative.
    """
    _has_offset(at)
    if days < 0:
        raise ValueError("working days are counted forwards only")
    if days == 0:
        return at, ()
    calendar = calendar or in_force()
    warnings: tuple[str, ...] = ()
    date = at.astimezone(calendar.zone).date()
    left = days
    while left:
        date += _DAY
        day = calendar.day(date)
        left -= day.works
        if not day.known:
            warnings = (UNKNOWN_YEAR,)
    midnight = datetime.combine(date + _DAY, time.min, tzinfo=calendar.zone)
    return midnight.astimezone(UTC), warnings


def unknown_days(at: datetime, ends: datetime, calendar: Calendar | None = None) -> tuple[str, ...]:
    """The warnings of what was counted in working days from the day of ``at`` to one that is over at ``ends``."""
    calendar = calendar or in_force()
    date, last = at.astimezone(calendar.zone).date(), (ends - timedelta.resolution).astimezone(calendar.zone).date()
    while date < last:
        date += _DAY
        if not calendar.day(date).known:
            return (UNKNOWN_YEAR,)
    return ()


def next_opening(
    at: datetime, sessions: Sessions | None = None, *, calendar: Calendar | None = None
) -> tuple[datetime, tuple[str, ...]]:
    """The first moment from ``at`` on at which it is open, in UTC, and warnings; ``at`` itself when it is.

    Raises:
        ValueError: ``at`` has no offset, or the sessions are not in order.
    """
    return use_up(working_time(at, sessions, calendar=calendar), timedelta())


def is_open(at: datetime, sessions: Sessions | None = None, *, calendar: Calendar | None = None) -> bool:
    """Whether ``at`` lies in a session of a working day: at 9:00 it does, at 18:00 it does no longer.

    Raises:
        ValueError: ``at`` has no offset, or the sessions are not in order.
    """
    return next_opening(at, sessions, calendar=calendar)[0] == at


def working_time(
    begins: datetime, sessions: Sessions | None = None, *, calendar: Calendar | None = None
) -> Iterator[Stretch]:
    """The sessions of all days from ``begins`` on, in UTC and without end; those of working days count.

    Raises:
        ValueError: ``begins`` has no offset, or the sessions are not in order.
    """
    _has_offset(begins)
    calendar = calendar or in_force()
    sessions = calendar.sessions if sessions is None else sessions
    edges = [edge for session in sessions for edge in session]
    if edges and edges[-1] == MIDNIGHT:
        edges[-1] = time.max
    if not edges or any(later <= earlier for earlier, later in pairwise(edges)):
        raise ValueError("sessions are in order, and each ends after it starts")
    return _sessions(begins.astimezone(UTC), sessions, calendar)


def use_up(
    stretches: Iterable[Stretch], length: timedelta, *, resumed: bool = False
) -> tuple[datetime, tuple[str, ...]]:
    """The moment at which ``length`` of the time that counts is over, and warnings. The time is without end.

    Where that is the end of a stretch, it is this end; with ``resumed`` it is the moment at which the time
    goes on: the first from which on less is left of something longer.
    """
    left = length
    warnings: tuple[str, ...] = ()
    for each in stretches:
        if not each.known:
            warnings = (UNKNOWN_YEAR,)
        if not each.counts:
            continue
        room = each.ends - each.starts
        if left < room or (left == room and not resumed):
            return each.starts + left, warnings
        left -= room
    raise ValueError("the time has an end")


def _has_offset(at: datetime) -> None:
    if at.utcoffset() is None:
        raise ValueError("a moment needs its offset")


def _sessions(begins: datetime, sessions: Sessions, calendar: Calendar) -> Iterator[Stretch]:
    date = begins.astimezone(calendar.zone).date()
    while True:
        for opens, closes in sessions:
            starts = datetime.combine(date, opens, tzinfo=calendar.zone).astimezone(UTC)
            last = date + _DAY if closes == MIDNIGHT else date
            ends = datetime.combine(last, closes, tzinfo=calendar.zone).astimezone(UTC)
            if begins < ends:
                # Asked only now: a day that no longer matters must not warn.
                day = calendar.day(date)
                yield Stretch(max(begins, starts), ends, counts=day.works, known=day.known)
        date += _DAY
