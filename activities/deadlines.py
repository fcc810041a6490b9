"""From how long a stage may last to the moment at which it ends."""

from datetime import datetime, timedelta

from activities.working_time import add_working_days, calendar_version
from workflows.messages.cases import Due, Span


def due(span: Span, at: datetime) -> Due:
    """The deadline, and the moment of the notice before it, for a stage that begins at ``at`` (UTC)."""
    if span.until:
        ends, calendar, warnings = span.until, "", ()
    elif span.working_days:
        ends, warnings = add_working_days(at, span.working_days)
        calendar = calendar_version()
    else:
        ends, calendar, warnings = at + timedelta(minutes=span.minutes), "", ()
    remind_at = ends - timedelta(minutes=span.reminder_minutes) if span.reminder_minutes else None
    return Due(
        at=ends,
        remind_at=remind_at if remind_at and remind_at > at else None,
        calendar=calendar,
        warnings=warnings,
    )
