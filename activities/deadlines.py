"""From how long a stage may last to the moment at which it ends."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.calendar.countries import calendar_of
from activities.calendar.working_days import Calendar
from activities.working_time import Stretch, add_working_days, unknown_days, use_up, working_time
from workflows.messages.cases import Due, Span
from workflows.messages.pauses import PauseWindow

PAUSED: Final = "paused"
"""The warning for a deadline that is later because clocks stood or will stand still (section 9)."""

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


def due(span: Span, at: datetime, windows: Sequence[PauseWindow] = (), *, calendar: Calendar | None = None) -> Due:
    """The deadline, and the moment of the notice before it, for a stage that begins at ``at`` (UTC).

    ``windows`` are those of the case's kind. They stop minutes, seconds and working minutes; they move neither
    the arrival of money (R5) nor what is set outright. Asked again with the same ``span`` and ``at`` and other
    windows, it is the deadline as these windows move it.

    The notice goes when ``reminder_minutes`` of the same time are left: never while the clock stands still,
    and not at all where that was not after ``at``. Where ``since`` is long ago, the deadline is before ``at``.
    """
    calendar = calendar or calendar_of(span.place)
    begins = span.since or at
    if span.until and span.arrival and span.arrival > begins:
        warnings = unknown_days(begins, span.arrival, calendar)
        return _due(span, at, span.until, calendar=calendar.version, warnings=warnings)
    if span.until:
        return _due(span, at, span.until)
    if span.working_days:
        ends, warnings = add_working_days(begins, span.working_days, calendar)
        return _due(span, at, ends, calendar=calendar.version, warnings=warnings)
    length = timedelta(minutes=span.minutes or span.working_minutes, seconds=span.seconds)
    if not length:
        return Due.made_of(at=begins)
    unmoved, warnings = use_up(_time(span, begins, calendar), length)
    ends = unmoved
    if windows:
        ends, warnings = use_up(_running(_time(span, begins, calendar), windows), length)
    remind_at = None
    if span.reminder_minutes and (until_then := length - timedelta(minutes=span.reminder_minutes)) >= timedelta():
        remind_at, _ = use_up(_running(_time(span, begins, calendar), windows), until_then, resumed=True)
    return Due.made_of(
        at=ends,
        remind_at=remind_at if remind_at and remind_at > at else None,
        calendar=calendar.version if span.working_minutes else "",
        warnings=(*warnings, PAUSED) if ends > unmoved else warnings,
    )


def left(
    span: Span, at: datetime, windows: Sequence[PauseWindow] = (), *, calendar: Calendar | None = None
) -> timedelta:
    """How much of ``span``, whose time began at its ``since``, has not run yet at ``at``; nothing where it is over.

    It is time of the same kind: what pause windows have stopped, or will stop, does not count (D3).

    Raises:
        ValueError: the span does not say since when it runs.
    """
    if span.until:
        return max(span.until - at, timedelta())
    if span.since is None:
        raise ValueError("a clock that runs began at some moment")
    length = timedelta(minutes=span.minutes or span.working_minutes, seconds=span.seconds)
    running = _running(_time(span, span.since, calendar or calendar_of(span.place)), windows)
    used = timedelta()
    for each in running:
        if each.starts >= at or used >= length:
            break
        if each.counts:
            used += min(each.ends, at) - each.starts
    return max(length - used, timedelta())


def _due(span: Span, at: datetime, ends: datetime, *, calendar: str = "", warnings: tuple[str, ...] = ()) -> Due:
    """A deadline of which the notice goes by the plain clock."""
    remind_at = ends - timedelta(minutes=span.reminder_minutes)
    return Due.made_of(
        at=ends,
        remind_at=remind_at if span.reminder_minutes and remind_at > at else None,
        calendar=calendar,
        warnings=warnings,
    )


def _time(span: Span, begins: datetime, calendar: Calendar) -> Iterable[Stretch]:
    """The time that a span is counted in."""
    return working_time(begins, calendar=calendar) if span.working_minutes else (Stretch(begins, _FOREVER),)


def _running(stretches: Iterable[Stretch], windows: Sequence[PauseWindow]) -> Iterator[Stretch]:
    """What the windows leave of the stretches."""
    pauses = sorted((each.starts_at, each.resumes_at) for each in windows if each.starts_at < each.resumes_at)
    if not pauses:
        yield from (each for each in stretches if each.starts < each.ends)
        return
    for each in stretches:
        goes_on = each.starts
        for stops, resumes in pauses:
            if stops >= each.ends:
                break
            if goes_on < stops:
                yield replace(each, starts=goes_on, ends=stops)
            goes_on = max(goes_on, resumes)
        if goes_on < each.ends:
            yield replace(each, starts=goes_on)
