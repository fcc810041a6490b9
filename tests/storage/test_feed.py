"""The feed of events (X4): written with the step, read in the order of commits, and nothing is passed over."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import asyncpg
import jsonschema_rs
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from activities.old_events import OldEvents
from activities.postgres import casebook, feed, resuming
from activities.postgres.pool import open_pool
from starter.contract.files import files
from starter.errors import RefusedReading
from starter.events import Events
from starter.events_http import routes
from tests.storage.money import NOON, some_id
from tests.storage.shop import case_of
from tests.storage.test_repeated_steps import SHOP, step, write
from workflows.messages.cases import NewEntry
from workflows.messages.events import EventType
from workflows.messages.stages import Attention, OutcomeKind, StageName


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=4) as pool:
        yield pool


async def a_case(pool: asyncpg.Pool) -> str:
    case = await case_of(pool, some_id("m"), some_id("o"), stage=StageName.SHIPPED_REVIEW)
    await pool.execute("UPDATE casebook.cases SET log_length = 1, step = 0 WHERE case_id = $1", case)
    return case


async def told(pool: asyncpg.Pool) -> list[tuple[str, int, str]]:
    page = await Events(pool).page()
    return [(each.event.case_id, each.event.sequence, each.event.type) for each in page.events]


async def test_a_step_tells_what_it_did_and_names_nobody(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    line = NewEntry(event="approved", by=SHOP, rule="R2", at=NOON, command_key="a1", facts={"account": "vault:x/1"})
    by_the_way = NewEntry(event="command_refused", by=SHOP, rule="R2", at=NOON)

    await write(pool, step(case, 1, "evidence_submitted", "e1"))
    await write(pool, step(case, 2, "approved", entries=(by_the_way, line), stage=StageName.PAYING))
    await write(pool, step(case, 3, "command_refused", entries=(by_the_way,), stage=StageName.PAYING))
    flagged = Attention.OUTCOME_UNKNOWN
    await write(pool, step(case, 4, "command_refused", entries=(), stage=StageName.PAYING, attention=flagged))
    refunded = OutcomeKind.REFUNDED
    await write(pool, step(case, 5, "closed", stage=StageName.CLOSED, outcome=refunded, refunded=4000))
    await write(pool, step(case, 6, "refund_returned", stage=StageName.PAYING))

    page = await Events(pool).page()
    assert [(each.event.sequence, each.event.type) for each in page.events] == [
        (1, EventType.NOTED),
        (2, EventType.MOVED),
        (4, EventType.ATTENTION),
        (5, EventType.CLOSED),
        (6, EventType.REOPENED),
    ], "step 3 is nobody's matter"
    moved, closed = page.events[1].event, page.events[3].event
    assert [(line.event, line.by, line.rule) for line in moved.lines] == [("approved", "merchant", "R2")]
    assert closed.refunded is not None
    assert (closed.refunded.amount, closed.outcome) == (4000, OutcomeKind.REFUNDED)
    written = await pool.fetchval("SELECT string_agg(event::text, '') FROM events.feed")
    assert SHOP.id not in json.dumps([line.model_dump() for line in moved.lines])
    assert "vault:" not in written, "facts stay in the case log"


async def test_an_event_stands_or_falls_with_its_step(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    transaction = None
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await casebook.write_step(connection, step(case, 1, "approved_by_silence", stage=StageName.PAYING))
        await transaction.rollback()
    assert await told(pool) == []

    await write(pool, step(case, 1, "approved_by_silence", stage=StageName.PAYING))
    await write(pool, step(case, 1, "approved_by_silence", stage=StageName.PAYING))

    assert await told(pool) == [(case, 1, EventType.MOVED)]


async def test_a_case_whose_book_was_restored_tells_that_it_waits_and_that_it_goes_on(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    await write(pool, step(case, 1, "approved_by_silence", stage=StageName.PAYING))

    for _ in range(2):  # whoever tries again tells nothing new
        async with pool.acquire() as connection, connection.transaction():
            await resuming.call_for_a_person(connection, case)
    for _ in range(2):
        async with pool.acquire() as connection, connection.transaction():
            await resuming.a_person_has_looked(connection, case)

    _, called, gone_on = [each.event for each in (await Events(pool).page()).events]
    for each, attention in ((called, Attention.BOOK_BEHIND), (gone_on, None)):
        assert (each.type, each.sequence, each.stage) == (EventType.ATTENTION, 1, StageName.PAYING)
        assert each.attention == attention
        assert each.asked is not None
    assert [(line.event, line.by) for line in called.lines] == [("book_behind", "clock")]
    assert called.id != gone_on.id
    async with pool.acquire() as connection, connection.transaction():
        await resuming.call_for_a_person(connection, case)
        told_of = await connection.fetchval("SELECT count(*) FROM events.feed")
    assert told_of == 4


async def test_a_reader_waits_for_what_is_committed_late(pool: asyncpg.Pool) -> None:  # X4
    late, early = await a_case(pool), await a_case(pool)
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_step(connection, step(late, 1, "approved_by_silence", stage=StageName.PAYING))
        await write(pool, step(early, 1, "approved_by_silence", stage=StageName.PAYING))
        first = await Events(pool).page()
        assert first.events == (), "what was written before it is not committed yet, and would be passed over"

    second = await Events(pool).page({"after": first.next})

    assert [each.event.case_id for each in second.events] == [late, early]
    assert (await Events(pool).page({"after": second.next})).events == ()


async def test_events_of_a_case_keep_their_order_whoever_began_first(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")  # it has its number, and has not come to the case yet
        await write(pool, step(case, 1, "deadline_near"))
        await casebook.write_step(connection, step(case, 2, "approved_by_silence", stage=StageName.PAYING))

    assert [sequence for _, sequence, _ in await told(pool)] == [1, 2]


async def test_pages_go_on_where_the_last_one_ended(pool: asyncpg.Pool) -> None:
    case = await a_case(pool)
    for number in range(1, 6):
        await write(pool, step(case, number, "deadline_near"))
    events, after, more = Events(pool), None, True
    found: list[int] = []
    while more:
        page = await events.page({"after": after, "limit": 2, "types": [EventType.NOTED]})
        found += [each.event.sequence for each in page.events]
        after, more = page.next, page.more

    assert found == [1, 2, 3, 4, 5]
    assert not (await events.page({"types": [EventType.CLOSED]})).events
    assert not (await events.page({"merchant_id": "m-somebody-else"})).events
    ahead = await events.end()
    assert not (await events.page({"after": ahead})).events
    await write(pool, step(case, 6, "deadline_near"))
    assert [each.event.sequence for each in (await events.page({"after": ahead})).events] == [6]


async def test_a_named_reader_is_told_again_what_it_has_not_confirmed(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    for number in range(1, 4):
        await write(pool, step(case, number, "deadline_near"))
    events = Events(pool)

    async def read(most: int) -> list[int]:
        found: list[int] = []
        async with aclosing(events.follow({"limit": 2}, reader="crm")) as following:
            async for each in following:
                found.append(each.event.sequence)
                if len(found) == most:
                    break
        return found

    assert await read(1) == [1]
    assert await read(3) == [1, 2, 3], "it died with the first page in hand"
    assert await read(1) == [3], "the first page was confirmed when the second was asked for"
    (reader,) = await events.readers()
    assert (reader.name, reader.oldest is not None) == ("crm", True)
    assert await events.forget("crm")
    assert not await events.forget("crm")


async def test_a_cursor_that_would_leave_events_out_is_refused(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    await write(pool, step(case, 1, "deadline_near"))
    events = Events(pool)
    (first,) = (await events.page()).events
    assert await OldEvents(pool, timedelta(days=1)).remove() == 0
    for number in (2, 3):
        await write(pool, step(case, number, "deadline_near"))
    async with pool.acquire() as connection:
        assert await feed.remove(connection, datetime.now(UTC) + timedelta(days=1), limit=2) == 2

    with pytest.raises(RefusedReading, match=r"not_in_feed: after: .*removed.*X4"):
        await events.page({"after": first.cursor})
    assert [each.event.sequence for each in (await events.page()).events] == [3]
    for wrong in ({"after": "yesterday"}, {"limit": 0}, {"since": "1-1"}):
        with pytest.raises(RefusedReading, match=r"malformed: .*X4"):
            await events.page(wrong)
    for name in ("", "webhook:crm", "two words"):
        with pytest.raises(RefusedReading, match="malformed: reader"):
            await events.confirm(name, first.cursor)


async def test_a_feed_goes_on_where_transactions_are_numbered_anew(pool: asyncpg.Pool) -> None:  # X4
    """As on another server, to which the database was copied."""
    case = await a_case(pool)
    await write(pool, step(case, 1, "deadline_near"))
    await pool.execute("UPDATE events.feed SET position = position + 1000000000")
    copied = str(await pool.fetchval("SELECT position || '-' || id FROM events.feed"))
    events = Events(pool)
    with pytest.raises(RefusedReading, match="not_in_feed: after: this cursor lies ahead"):
        await events.page({"after": copied})

    async with pool.acquire() as connection:
        assert await feed.begin_ahead(connection)
        assert not await feed.begin_ahead(connection)
    await write(pool, step(case, 2, "deadline_near"))

    assert [each.event.sequence for each in (await events.page({"after": copied})).events] == [2]


async def test_the_feed_over_http(pool: asyncpg.Pool) -> None:  # X4
    case = await a_case(pool)
    await write(pool, step(case, 1, "deadline_near"))
    application = web.Application()
    application.add_routes(routes(Events(pool)))
    async with TestClient(TestServer(application)) as client:
        page = await (await client.get("/v1/events?limit=1&types=case.noted,case.closed")).json()
        (only,) = page["events"]
        assert (only["event"]["sequence"], only["cursor"], page["next"]) == (1, only["cursor"], only["cursor"])
        assert "outcome" not in only["event"], "what is not known is left out"
        assert jsonschema_rs.is_valid(json.loads(files()["events.schema.json"]), page)

        waiting = asyncio.create_task(client.get(f"/v1/events?after={page['next']}&wait=30"))
        await write(pool, step(case, 2, "deadline_near"))
        assert [each["event"]["sequence"] for each in (await (await waiting).json())["events"]] == [2]

        for wrong in ("limit=0", "types=case.eaten", "wait=31", "wait=x", "since=1"):
            answer = await client.get(f"/v1/events?{wrong}")
            refusal = (await answer.json())["refusal"]
            assert (answer.status, refusal["code"], refusal["rule"]) == (400, "malformed", "X4")
        async with pool.acquire() as connection:
            await feed.remove(connection, datetime.now(UTC) + timedelta(days=1))
        gone = await client.get("/v1/events?after=1-1")
        assert (gone.status, (await gone.json())["refusal"]["field"]) == (410, "after")
