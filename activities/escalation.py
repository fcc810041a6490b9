"""The escalation ladder as it stands at one moment (L4)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from activities.calendar.working_days import Calendar
from activities.working_time import next_opening
from workflows.messages.policy import Policy
from workflows.rules.escalation_ladder import Rung, ladder_of


@dataclass(frozen=True)
class RungNow:
    """One rung, and whether somebody is there."""

    rung: Rung
    open_now: bool
    opens_at: datetime
    """In UTC; the moment itself where it is open."""
    warnings: tuple[str, ...] = ()


def ladder_at(at: datetime, policy: Policy, *, calendar: Calendar | None = None) -> tuple[RungNow, ...]:
    """Every rung that a profile names at this moment, from the first one up, with the calendar's warnings.

    Raises:
        ValueError: ``at`` has no offset.
    """
    return tuple(_at(rung, at, calendar) for rung in ladder_of(policy))


def _at(rung: Rung, at: datetime, calendar: Calendar | None) -> RungNow:
    if rung.hours is None:
        return RungNow(rung, open_now=True, opens_at=at.astimezone(UTC))
    opens_at, warnings = next_opening(at, rung.hours, calendar=calendar)
    return RungNow(rung, open_now=opens_at == at, opens_at=opens_at, warnings=warnings)
