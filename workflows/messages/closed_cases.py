"""Moving closed cases out of the way: the scheduled workflow's messages and its activities."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Instant, Message


class MoveClosed(Message):
    """What the activity is given: cases that have been closed for so long at ``at`` (business time)."""

    at: Instant
    batch: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Cases in a transaction."""
    seconds: Annotated[int, Field(ge=1, le=120)] = 20
    """For how long one activity moves batches, one after the other."""


class MovedReport(Message):
    """What moving has come to."""

    cases: int = 0
    lines: int = 0
    """Of their logs."""
    notices: int = 0
    """That were sent, and are not kept."""
    funds: int = 0
    """Of orders of which nothing is paid back any more."""
    legs: int = 0
    """Of those funds."""
    more: bool = False
    """The time was up: there may be more that are due."""
    months: tuple[str, ...] = ()
    """Once nothing more is due: those that are to go to the archive, as ``YYYY-MM``."""

    def plus(self, later: "MovedReport") -> "MovedReport":
        """Both together."""
        return MovedReport(
            cases=self.cases + later.cases,
            lines=self.lines + later.lines,
            notices=self.notices + later.notices,
            funds=self.funds + later.funds,
            legs=self.legs + later.legs,
            more=later.more,
            months=later.months,
        )


class ArchiveMonth(Message):
    """One month that is to go to the archive, at this moment (business time)."""

    at: Instant
    month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]


class ArchivedMonth(Message):
    """What went there: nothing where it had gone before."""

    cases: int = 0
    lines: int = 0


class ClosedCasesRun(Message):
    """What the workflow is started with; in its next run, what it has come to so far."""

    at: Instant | None = None
    """The business time of the round; the workflow's own when it begins."""
    so_far: MovedReport = MovedReport()


async def move_closed_cases(request: MoveClosed) -> MovedReport:
    """Move cases that have been closed for long, batch by batch."""
    raise NotImplementedError


async def archive_month(request: ArchiveMonth) -> ArchivedMonth:
    """Write a month into the archive, compare all of it, and drop it from the database."""
    raise NotImplementedError
