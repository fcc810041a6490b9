"""Cases that are in the archive alone, as the client reads them: read back once somebody asks (``Archive.recall``)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from activities.gateways.archive_store import ArchiveDamaged, ArchiveUnreachable, NotInArchive
from activities.postgres import recalled
from activities.postgres.connection import Connection
from starter.database import answering, reading
from starter.errors import Unreachable
from starter.settings import variable_name

if TYPE_CHECKING:
    from activities.archive import Archive  # which loads a library that not every installation has

FoundT = TypeVar("FoundT")


class ArchiveAway(Unreachable):
    """A case is in the archive alone, and that cannot be read here and now: the text says why."""

    def __init__(self, case_id: str, closed_at: datetime, why: str) -> None:
        super().__init__(f"{case_id} is in the archive of {closed_at:%Y-%m} alone: {why}")


class ArchivedCases:
    """Reads cases back. Reading one takes as long as its month is large; afterwards it is read like any other."""

    def __init__(self, pool: asyncpg.Pool, archive: "Callable[[], Archive] | None" = None) -> None:
        """Without an archive, there is nothing to read them from."""
        self._pool = pool
        self._archive = archive

    async def fetch(self, case_id: str) -> bool:
        """Read a case back that is away; whether it was: then whoever found nothing of it may look again.

        Raises:
            ArchiveAway: it is away, and stays so.
            Unreachable: the database does not answer.
        """
        async with reading(self._pool) as connection:
            closed_at = await recalled.away_since(connection, case_id)
        if closed_at is None:
            return False
        if self._archive is None:
            raise ArchiveAway(case_id, closed_at, f"{variable_name('archive')} would say where that is")
        try:
            with answering():
                await self._archive().recall(case_id)
        except (ArchiveUnreachable, ArchiveDamaged, NotInArchive) as error:
            raise ArchiveAway(case_id, closed_at, str(error)) from error
        return True

    async def ask(
        self, case_id: str, question: Callable[[Connection], Awaitable[FoundT]], *, needed: bool = True
    ) -> FoundT:
        """What the question finds in the database; where that is nothing, once more with the case read back.

        ``needed``: errors as in ``fetch``; else nothing is found where the archive cannot be read.
        """
        async with reading(self._pool) as connection:
            found = await question(connection)
        if found or not await (self.fetch if needed else self.fetch_if_reached)(case_id):
            return found
        async with reading(self._pool) as connection:
            return await question(connection)

    async def fetch_if_reached(self, case_id: str) -> bool:
        """As ``fetch``, for whoever can do with what the slim row says; False where the archive cannot be read."""
        try:
            return await self.fetch(case_id)
        except ArchiveAway:
            return False
