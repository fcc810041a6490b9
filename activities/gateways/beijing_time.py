"""Moments as Chinese payment providers write them: Beijing's time, without saying so."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8))


def moment(beijing: str) -> datetime:
    """A moment such as ``2026-11-28 09:30:00``, in UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        return datetime.strptime(beijing, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).astimezone(UTC)
    except OverflowError as error:  # the first hours of year 1
        raise ValueError("a moment before all years") from error
