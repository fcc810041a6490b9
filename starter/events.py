"""``aftersales.events``: what happens to cases, as a feed that a program reads at its own pace (X4)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Final

import asyncpg
from pydantic import TypeAdapter, ValidationError

from activities.postgres import feed
from activities.postgres.feed import BEGINNING, NotInFeed, Place, Reader, Row
from activities.postgres.webhooks import READER
from starter.database import reading, transaction
from starter.errors import RefusedReading
from workflows.messages.cases import Refusal
from workflows.messages.events import Event, FeedEvent, FeedPage, FeedQuery
from workflows.messages.message import Identifier
from workflows.messages.problems import problems

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


class Events:
    """The feed of case events, oldest first, each at least once.

    Whoever reads keeps a cursor, here under a name of its own or where its own data are, and reads on from there.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, query: FeedQuery | Mapping[str, object] | None = None) -> FeedPage:
        """The events behind ``query.after``; the next page is that of the same query with ``after=page.next``.

        Raises:
            RefusedReading: a field is wrong; or events behind the cursor have been removed, or it lies ahead of the
                feed, so that reading on from it would leave events out.
            Unreachable: the database does not answer.
        """
        asked = _checked(query)
        after = Place.of(asked.after) if asked.after else BEGINNING
        try:
            async with reading(self._pool) as connection:
                rows = await feed.read(connection, after, asked.limit)
                return page_of(rows, asked, after)
        except NotInFeed as error:
            raise refused_place(error) from error

    async def end(self) -> str:
        """The cursor behind all events so far: for a reader that wants to know only what comes.

        Raises:
            Unreachable: the database does not answer.
        """
        async with reading(self._pool) as connection:
            return str(await feed.end(connection))

    async def follow(
        self,
        query: FeedQuery | Mapping[str, object] | None = None,
        *,
        reader: str | None = None,
        every: float = 1.0,
    ) -> AsyncGenerator[FeedEvent]:
        """All events behind ``query.after``, and those that come, for as long as somebody asks for the next one.

        With the name of a ``reader``, the place is kept in the database: what was handed out is confirmed when the
        next one is asked for, page by page. So a program that dies is told some events again and misses none. Its lag
        is measured. ``every`` is how many seconds pass between looks at a feed that has nothing new.

        Raises:
            RefusedReading, Unreachable: as in ``page``.
        """
        asked = _checked(query)
        name = reader_name(reader) if reader else None
        after = asked.after or (await self.place_of(name) if name else None)
        while True:
            page = await self.page(asked.model_copy(update={"after": after}))
            for each in page.events:
                yield each
            if page.next != after:
                after = page.next
                if name:
                    await self.confirm(name, after)
            if not page.more:
                await asyncio.sleep(every)

    async def place_of(self, reader: str) -> str | None:
        """The cursor that a named reader has confirmed last; None for one that is new.

        Raises:
            Unreachable: the database does not answer.
        """
        async with reading(self._pool) as connection:
            place = await feed.place_of(connection, reader)
        return str(place) if place else None

    async def confirm(self, reader: str, cursor: str) -> None:
        """Keep how far a named reader has come.

        Raises:
            RefusedReading: the name or the cursor is none.
            Unreachable: the database does not answer.
        """
        place = Place.of(_checked({"after": cursor}).after or "")
        async with transaction(self._pool) as connection:
            await feed.confirm(connection, reader_name(reader), place)

    async def forget(self, reader: str) -> bool:
        """Keep a reader's place no longer, nor measure its lag; whether there was one of this name.

        Raises:
            Unreachable: the database does not answer.
        """
        async with transaction(self._pool) as connection:
            return await feed.forget(connection, reader)

    async def readers(self) -> list[Reader]:
        """All named readers, and since when the first event waits for each.

        Raises:
            Unreachable: the database does not answer.
        """
        async with reading(self._pool) as connection:
            return await feed.readers(connection)


def page_of(rows: list[Row], asked: FeedQuery, after: Place) -> FeedPage:
    """The page that these rows behind ``after`` make, without what was not asked for."""
    told = [FeedEvent(cursor=str(row.place), event=Event.model_validate_json(row.event)) for row in rows]
    return FeedPage(
        events=tuple(
            each
            for each in told
            if (not asked.types or each.event.type in asked.types)
            and (asked.merchant_id is None or each.event.merchant_id == asked.merchant_id)
        ),
        next=str(rows[-1].place if rows else after),
        more=len(rows) == asked.limit,
    )


def refused_place(error: NotInFeed) -> RefusedReading:
    """The refusal of a cursor from which reading on would leave events out."""
    return RefusedReading(
        Refusal(code="not_in_feed", field=error.field, rule=error.rule, explanation=str(error)),
    )


def reader_name(reader: str) -> str:
    """The name of a reader, checked.

    Raises:
        RefusedReading: it is none that a reader may have.
    """
    try:
        name = _NAME.validate_python(reader)
    except ValidationError:
        name = READER
    if name.startswith(READER):
        explanation = f"a reader's name has 1 to 64 of A-Z a-z 0-9 _ . : - and does not begin with {READER}"
        raise RefusedReading(Refusal(code="malformed", field="reader", rule="X4", explanation=explanation))
    return name


def _checked(query: FeedQuery | Mapping[str, object] | None) -> FeedQuery:
    if query is None:
        return FeedQuery()
    if isinstance(query, FeedQuery):
        return query
    try:
        return FeedQuery.model_validate(query)
    except ValidationError as error:
        first = problems(error)[0]
        refusal = Refusal(code="malformed", field=first.field, rule="X4", explanation=first.reason)
        raise RefusedReading(refusal) from None
