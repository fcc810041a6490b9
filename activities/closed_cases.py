"""Moving closed cases to their months, in small transactions, and months of them to the archive."""

import asyncio
import time
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import asyncpg
from temporalio import activity

from activities.gateways.archive_store import NotInArchive
from activities.postgres import archives, closed_cases, past_funds
from workflows.messages.closed_cases import (
    ArchivedMonth,
    ArchiveMonth,
    MoveClosed,
    MovedReport,
    archive_month,
    move_closed_cases,
)

if TYPE_CHECKING:
    from activities.archive import Archive  # which loads a library that not every installation has

_BEAT_SECONDS: Final = 10
_LOOKED_AT: Final = 500
"""Funds in a transaction, most of which stay."""
_WALKED_EVERY: Final = timedelta(hours=20)


class ClosedCases:
    """Moves cases once they have been closed for ``kept_for``, and months once they have been over for ``months``."""

    def __init__(
        self, pool: asyncpg.Pool, kept_for: timedelta, archive: "Archive | None" = None, *, months: int = 13
    ) -> None:
        """Without an archive, months stay."""
        self._pool = pool
        self._kept_for = kept_for
        self._archive = archive
        self._months = months

    @activity.defn(name=move_closed_cases.__name__)
    async def move_closed_cases(self, request: MoveClosed) -> MovedReport:
        """Move batch after batch until none is due or the time is up.

        Each is a transaction of its own: whatever ends this process, a case is where it was, or where it belongs.

        Raises:
            asyncpg.PostgresError, OSError: the database failed; what was moved before stays moved.
        """
        before, began = request.at - self._kept_for, time.monotonic()
        report = MovedReport(more=True)
        while report.more and time.monotonic() - began < request.seconds:
            async with self._pool.acquire() as connection:
                moved = await closed_cases.move(connection, before, request.batch)
            more = moved.cases == request.batch
            report = report.plus(MovedReport(cases=moved.cases, lines=moved.lines, notices=moved.notices, more=more))
            if activity.in_activity():
                activity.heartbeat(report.cases)
            await asyncio.sleep(0)
        if report.more:
            return report
        report = report.plus(await self._move_funds(before, began + request.seconds))
        if self._archive is None:
            return report
        async with self._pool.acquire() as connection:
            there = await archives.months(connection)
        return report.model_copy(
            update={
                "months": tuple(
                    f"{each.month:%Y-%m}"
                    for each in there
                    if not each.restored and _months_between(each.month, request.at.date()) > self._months
                )
            }
        )

    async def _move_funds(self, before: datetime, until: float) -> MovedReport:
        """Once a day, walk over all funds for those that are to leave; where the time is up, the next round goes on."""
        report = MovedReport()
        while time.monotonic() < until:
            async with self._pool.acquire() as connection:
                moved = await past_funds.move(connection, before, before - _WALKED_EVERY, _LOOKED_AT)
            report = report.plus(MovedReport(funds=moved.funds, legs=moved.legs))
            if activity.in_activity():
                activity.heartbeat(moved.looked)
            if moved.looked < _LOOKED_AT:
                break
        return report

    @activity.defn(name=archive_month.__name__)
    async def archive_month(self, request: ArchiveMonth) -> ArchivedMonth:
        """Write one month into the archive, read it back, compare all of it, and drop it here.

        Raises:
            ArchiveDamaged: what was read back is not what was written; nothing was dropped.
            ArchiveUnreachable, asyncpg.PostgresError, OSError: the store or the database failed; nothing was dropped.
        """
        assert self._archive
        month = date.fromisoformat(f"{request.month}-01")
        heart = asyncio.create_task(_beat())
        try:
            await self._archive.export(month, request.at)
            part = await self._archive.drop(month, request.at)
        except NotInArchive:  # an attempt before this one has dropped it
            return ArchivedMonth()
        finally:
            heart.cancel()
        return ArchivedMonth(cases=part.cases, lines=part.lines)


def _months_between(month: date, today: date) -> int:
    return (today.year - month.year) * 12 + today.month - month.month


async def _beat() -> None:
    while activity.in_activity():
        activity.heartbeat()
        await asyncio.sleep(_BEAT_SECONDS)
