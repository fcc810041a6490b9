"""One case, as a platform's services see it that reach the database as well."""

from typing import ClassVar

import asyncpg
from temporalio.client import Client

from activities.postgres import book_views, case_rows
from activities.postgres.timelines import Stay, timeline_of
from starter.archived_cases import ArchiveAway, ArchivedCases
from starter.database import reading
from starter.errors import UnknownCase
from starter.light.case import LightCase
from starter.light.reached import Reached
from starter.running import Runs
from starter.telemetry.spans import call_of_the_client
from workflows.kinds.admission import FACTS, refused_stranger
from workflows.messages.cases import CaseView, LogEntry, Outcome
from workflows.messages.stages import Stopped
from workflows.rules.admission import Parties


class PostgresCaseBook:
    """See ``CaseBook``."""

    complete: ClassVar[bool] = True

    def __init__(self, pool: asyncpg.Pool, archived: ArchivedCases | None = None) -> None:
        self._pool = pool
        self._archived = archived or ArchivedCases(pool)

    async def parties(self, case_id: str) -> Parties | None:
        """See ``CaseBook``."""
        async with reading(self._pool) as connection:
            row = await case_rows.find(connection, case_id)
        return Parties(row.merchant_id, row.buyer_id) if row else None

    async def view(self, case_id: str, stopped: Stopped) -> CaseView | None:
        """See ``CaseBook``. Of a case in an archive that cannot be read, what its slim row says."""
        async with self._archived.whole(case_id, needed=False) as connection:
            return await book_views.view_in_book(connection, case_id, stopped)

    async def outcome(self, case_id: str) -> Outcome | None:
        """See ``CaseBook``.

        Raises:
            ArchiveAway: the case is in the archive alone, which cannot be read.
        """
        async with self._archived.whole(case_id) as connection:
            return await book_views.outcome_in_book(connection, case_id)

    async def log(self, case_id: str) -> list[LogEntry]:
        """See ``CaseBook``. Empty where the case is in an archive that cannot be read."""
        try:
            return await self.whole_log(case_id)
        except ArchiveAway:
            return []

    async def whole_log(self, case_id: str) -> list[LogEntry]:
        """The whole case log, oldest first; empty where the book has no such case.

        Raises:
            ArchiveAway: the case is in the archive alone, which cannot be read.
        """
        async with self._archived.whole(case_id) as connection:
            return await case_rows.log_of(connection, case_id)

    async def timeline(self, case_id: str) -> list[Stay]:
        """The stages that a case has been in, oldest first; empty where the book has no such case.

        Raises:
            ArchiveAway: the case is in the archive alone, which cannot be read.
        """
        async with self._archived.whole(case_id) as connection:
            return await timeline_of(connection, case_id)


def reached_with_book(temporal: Client, runs: Runs, book: PostgresCaseBook) -> Reached:
    """What the cases of a client are reached by that reaches the database too."""
    return Reached(
        temporal,
        runs,
        book,
        span=call_of_the_client,
        refused_stranger=refused_stranger,
        told_as_fact=lambda command: command.fact and command.by.role in FACTS[type(command)],
    )


class Case(LightCase):
    """One case, by its id, with all that the case book has of it."""

    def __init__(self, reached: Reached, book: PostgresCaseBook, identifier: str, *, existed: bool = False) -> None:
        """See ``Aftersales.case``. ``existed``: asked for once more, so that nothing was opened (section 11)."""
        super().__init__(reached, identifier, existed=existed)
        self._book = book

    async def log(self) -> list[LogEntry]:
        """The whole case log, oldest first (section 12).

        Raises:
            UnknownCase: the case book has no such case.
            Unreachable: the database does not answer, or the archive, where the case is in it alone.
        """
        entries = await self._book.whole_log(self.id)
        if not entries:
            raise UnknownCase(self.id)
        return entries

    async def timeline(self) -> list[Stay]:
        """The stages that the case has been in, oldest first; empty as long as the case book has no such case.

        Raises:
            Unreachable: the database does not answer, or the archive, where the case is in it alone.
        """
        return await self._book.timeline(self.id)
