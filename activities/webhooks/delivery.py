"""Delivering events to endpoints (X4): each at least once, those of a case in order, again for days if need be.

One process at a time delivers to an endpoint, by a lease. It reads the feed from where the endpoint has come to. What
is taken costs no row: the place moves on by pages. What is not taken waits in a table, and with it all later events of
its case; other cases go on. An endpoint that takes nothing at all is left in peace for a while that doubles, and then
asked with one event.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg

from activities.measures import Measures
from activities.postgres import feed, webhooks
from activities.postgres.connection import Connection
from activities.postgres.feed import BEGINNING, NotInFeed, Place, Row
from activities.postgres.webhooks import READER, Failed, Lease, Waiting
from activities.webhooks import endpoints
from activities.webhooks.endpoints import Endpoint, EndpointsError
from activities.webhooks.posting import NotTaken, Poster

_PAGE: Final = 500
_ROUND_SECONDS: Final = 45.0
_END_SECONDS: Final = 3.0
_LEASE: Final = timedelta(seconds=90)
"""Longer than a round and the last attempts in it."""
_FIRST_RETRY: Final = timedelta(seconds=10)
_LONGEST_RETRY: Final = timedelta(hours=1)
_ENOUGH_TO_REST: Final = 5
"""So many cases in one round of which nothing was taken, and none of which something was: it is the endpoint."""

_log = logging.getLogger(__name__)


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain."""
    return min(_FIRST_RETRY * 2 ** min(attempts - 1, 20), _LONGEST_RETRY)


class _Round:
    """What came of one round with an endpoint."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._until = asyncio.get_running_loop().time() + _ROUND_SECONDS
        self.taken = 0
        self.refused = 0

    @property
    def over(self) -> bool:
        return self._stopping.is_set() or asyncio.get_running_loop().time() >= self._until


class WebhookDelivery:
    """Delivers to the endpoints that a file names, for as long as it runs; a changed file is taken up by itself."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        poster: Poster,
        path: Path,
        *,
        anywhere: bool,
        give_up: timedelta,
        poll_seconds: float = 5,
        measures: Measures | None = None,
    ) -> None:
        """``give_up`` is how long an event is tried before it is left to an operator.

        Raises:
            EndpointsError: the file is wrong.
        """
        self._pool = pool
        self._poster = poster
        self._path = path
        self._anywhere = anywhere
        self._give_up = give_up
        self._poll_seconds = poll_seconds
        self._measures = measures or Measures()
        self._stopping = asyncio.Event()
        self._read_at = self._changed_at()
        self._endpoints = endpoints.read(path, anywhere=anywhere)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Deliver in the background for as long as the context lasts; each endpoint at its own pace."""
        self._stopping.clear()
        task = asyncio.create_task(self._run(), name="webhooks")
        try:
            yield
        finally:
            self._stopping.set()
            await task

    async def deliver(self) -> None:
        """Deliver what is due to each endpoint, until nothing is.

        Raises:
            asyncpg.PostgresError, OSError: the database does not answer. What an endpoint does never raises.
        """
        self._reread()
        for name in self._endpoints:
            await self._serve(name)

    async def _run(self) -> None:
        serving: dict[str, asyncio.Task[None]] = {}
        while not self._stopping.is_set():
            self._reread()
            for name in self._endpoints:
                if name not in serving or serving[name].done():
                    serving[name] = asyncio.create_task(self._served(name), name=f"webhook {name}")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._poll_seconds)
        if serving:
            _, slow = await asyncio.wait(serving.values(), timeout=_END_SECONDS)
            for each in slow:
                each.cancel()

    async def _served(self, name: str) -> None:
        try:
            await self._serve(name)
        except Exception as error:
            _log.warning("%s is not told of events: the database cannot be used (%s)", name, type(error).__name__)

    async def _serve(self, name: str) -> None:
        while (endpoint := self._endpoints.get(name)) and await self._round(name, endpoint):
            pass

    async def _round(self, name: str, endpoint: Endpoint) -> bool:
        """One round with an endpoint; whether there may be more to deliver at once."""
        async with self._pool.acquire() as connection:
            held = await webhooks.lease(connection, name, uuid4(), _LEASE)
        if held is None:
            return False
        course = _Round(self._stopping)
        asking = held.failures > 0
        more = await self._page(held, endpoint, course, asking=asking)
        if not (asking and course.refused):
            more = await self._again(held, endpoint, course, 1 if asking and not course.taken else _PAGE) or more
        in_vain = course.refused > 0 and not course.taken
        if in_vain:
            failures = held.failures + 1 if asking or course.refused >= _ENOUGH_TO_REST else 0
        else:
            failures = 0 if course.taken else held.failures
        rest = backoff(failures) if in_vain and failures else timedelta(0)
        async with self._pool.acquire() as connection:
            ours = await webhooks.give_back(connection, held, failures, rest)
        return ours and more and not rest and not self._stopping.is_set()

    async def _page(self, held: Lease, endpoint: Endpoint, course: _Round, *, asking: bool) -> bool:
        """Tell the endpoint of what it was not told yet, of one event where it is asked; whether there is more."""
        reader = f"{READER}{held.endpoint}"
        async with self._pool.acquire() as connection:
            rows, place = await self._unread(connection, reader, endpoint)
            whole = len(rows) == _PAGE
            wanted = [each for row in rows if (each := _wanted(row, endpoint))]
            behind = await webhooks.held_up(connection, held.endpoint, [each.case_id for each in wanted])
        if asking and (first := next((each for each in wanted if each.case_id not in behind), None)):
            whole = True
            rows = [row for row in rows if row.place <= first.place]
            wanted = [each for each in wanted if each.place <= first.place]
        aside = {each.place for each in wanted if each.case_id in behind}
        unseen: set[Place] = set()
        refused: list[Failed] = []

        async def tell(case: Sequence[Waiting]) -> None:
            for number, each in enumerate(case):
                if course.over:
                    unseen.update(later.place for later in case[number:])
                    return
                if failure := await self._attempt(held.endpoint, endpoint, each, course):
                    refused.append(failure)
                    aside.update(later.place for later in case[number:])
                    return

        await _a_few_at_once(endpoint.at_once, [partial(tell, case) for case in _by_case(wanted, behind)])
        handled = next((number for number, row in enumerate(rows) if row.place in unseen), len(rows))
        last = rows[handled - 1].place if handled else place
        async with self._pool.acquire() as connection, connection.transaction():
            if not await webhooks.holds(connection, held):
                return False
            await webhooks.put_aside(
                connection, held.endpoint, (each for each in wanted if each.place in aside and each.place <= last)
            )
            await self._refused(connection, held.endpoint, refused)
            await feed.confirm(connection, reader, last)
        return whole or bool(unseen)

    async def _again(self, held: Lease, endpoint: Endpoint, course: _Round, limit: int) -> bool:
        """Try again what the endpoint has not taken; whether more of it is due."""
        async with self._pool.acquire() as connection:
            due = await webhooks.due(connection, held.endpoint, limit)
        taken: list[Place] = []
        refused: list[Failed] = []

        async def attempt(each: Waiting) -> None:
            if course.over:
                return
            if failure := await self._attempt(held.endpoint, endpoint, each, course):
                refused.append(failure)
            else:
                taken.append(each.place)

        await _a_few_at_once(endpoint.at_once, [partial(attempt, each) for each in due])
        if due:
            async with self._pool.acquire() as connection, connection.transaction():
                if not await webhooks.holds(connection, held):
                    return False
                await webhooks.taken(connection, held.endpoint, taken)
                await self._refused(connection, held.endpoint, refused)
        return bool(taken)

    async def _refused(self, connection: Connection, name: str, refused: Sequence[Failed]) -> None:
        for _ in range(await webhooks.failed(connection, name, refused, self._give_up)):
            self._measures.webhook(name, "dead")

    async def _unread(self, connection: Connection, reader: str, endpoint: Endpoint) -> tuple[list[Row], Place]:
        place = await feed.place_of(connection, reader)
        if place is None:
            place = await feed.end(connection) if endpoint.begins == "now" else BEGINNING
            await feed.confirm(connection, reader, place)
        try:
            return await feed.read(connection, place, _PAGE), place
        except NotInFeed as error:
            # Nothing can be told of what is gone: an operator decides, and forgets the endpoint's place.
            _log.error("%s is not told of events any more: %s", reader, error)
            return [], place

    async def _attempt(self, name: str, endpoint: Endpoint, told: Waiting, course: _Round) -> Failed | None:
        body = told.event.encode()
        try:
            await self._poster.post(endpoint.url, endpoint.keys, str(json.loads(body)["id"]), body)
        except NotTaken as error:
            course.refused += 1
            self._measures.webhook(name, "failed")
            again = max(backoff(told.attempts + 1), timedelta(seconds=error.retry_after))
            return Failed(told.place, error.code, again)
        course.taken += 1
        self._measures.webhook(name, "delivered")
        return None

    def _changed_at(self) -> int:
        with suppress(OSError):
            return self._path.stat().st_mtime_ns
        return 0

    def _reread(self) -> None:
        """Take a changed file up; where it is wrong, or gone for a moment, what was read before counts."""
        changed = self._changed_at()
        if changed == self._read_at:
            return
        self._read_at = changed
        try:
            self._endpoints = endpoints.read(self._path, anywhere=self._anywhere)
        except EndpointsError as error:
            _log.error("the webhooks of before go on: %s", error)


def _wanted(row: Row, endpoint: Endpoint) -> Waiting | None:
    event = json.loads(row.event)
    if endpoint.types and event["type"] not in endpoint.types:
        return None
    if endpoint.merchant_id and event["merchant_id"] != endpoint.merchant_id:
        return None
    return Waiting(row.place, event["case_id"], row.event)


def _by_case(wanted: Sequence[Waiting], behind: set[str]) -> list[list[Waiting]]:
    cases: dict[str, list[Waiting]] = {}
    for each in wanted:
        if each.case_id not in behind:
            cases.setdefault(each.case_id, []).append(each)
    return list(cases.values())


async def _a_few_at_once(most: int, works: Sequence[Callable[[], Awaitable[None]]]) -> None:
    left = iter(works)

    async def one_after_the_other() -> None:
        for work in left:
            await work()

    await asyncio.gather(*(one_after_the_other() for _ in range(min(most, len(works)))))
