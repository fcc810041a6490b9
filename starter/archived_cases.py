"""Cases that are in the archive alone, as the client reads them: there, whenever somebody asks (``Archive.recall``)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from activities.gateways.archive_store import ArchiveDamaged, ArchiveUnreachable, NotInArchive
from activities.postgres import recalled
from activities.postgres.connection import Connection
from activities.postgres.recalled import Recalled
from starter.database import answering, reading
from starter.errors import Unreachable
from starter.settings import variable_name

if TYPE_CHECKING:
    from activities.archive import Archive  # which loads a library that not every installation has


class ArchiveAway(Unreachable):
    """A case is in the archive alone, and that cannot be read here and now: the text says why."""

    def __init__(self, case_id: str, closed_at: datetime, why: str) -> None:
        super().__init__(f"{case_id} is in the archive of {closed_at:%Y-%m} alone: {why}")


class ArchivedCases:
    """Reads cases out of the archive, each for as long as somebody asks for it."""

    def __init__(self, pool: asyncpg.Pool, archive: "Callable[[], Archive] | None" = None) -> None:
        """Without an archive, there is nothing to read them from."""
        self._pool = pool
        self._archive = archive

    @asynccontextmanager
    async def whole(self, *case_ids: str, needed: bool = True) -> AsyncGenerator[Connection]:
        """A connection to read with, on which these cases are read like any other, also those in the archive alone.

        Where ``needed`` is false, one that cannot be read is what its slim row says.

        Raises:
            ArchiveAway: one of them is in the archive alone, which cannot be read here and now.
            Unreachable: the database does not answer.
        """
        async with reading(self._pool) as connection:
            away = {each: at for each in dict.fromkeys(case_ids) if (at := await recalled.away_since(connection, each))}
            if not away:
                yield connection
                return
        found: list[Recalled] = []
        for case_id, closed_at in away.items():
            with nullcontext() if needed else suppress(ArchiveAway):
                found.append(await self._read(case_id, closed_at))
        async with reading(self._pool) as connection, connection.transaction():
            if found:
                await recalled.show(connection, found)
            yield connection

    async def _read(self, case_id: str, closed_at: datetime) -> Recalled:
        if self._archive is None:
            raise ArchiveAway(case_id, closed_at, f"{variable_name('archive')} would say where that is")
        try:
            with answering():
                return await self._archive().recall(case_id)
        except (ArchiveUnreachable, ArchiveDamaged, NotInArchive) as error:
            raise ArchiveAway(case_id, closed_at, str(error)) from error
