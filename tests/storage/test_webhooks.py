"""Events by webhook (X4): at least once, those of a case in order, and what is not taken holds up nobody else."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from activities.postgres import webhooks
from activities.postgres.pool import open_pool
from activities.webhooks.delivery import WebhookDelivery
from activities.webhooks.posting import posting
from activities.webhooks.signing import is_ours, new_secret
from tests.contract.schemas import HTTP, named
from tests.patience import PATIENCE
from tests.storage.money import some_id
from tests.storage.shop import case_of
from tests.storage.test_feed import a_case
from tests.storage.test_repeated_steps import step, write
from workflows.messages.stages import StageName

DAYS = timedelta(days=3)


class Receiver:
    """A server of somebody else's, which refuses what it is told to."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.taken: list[tuple[str, int]] = []
        self.asked = 0
        self.refuses: set[str] = set()
        self.is_down = False
        self.holds: asyncio.Event | None = None
        self.together: set[str] = set()
        self.most_together = 0

    async def hear(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.read()
        event = json.loads(body)
        assert is_ours(self.secret, request.headers, body, time.time())
        assert request.headers["webhook-id"] == event["id"]
        assert named("Event", HTTP).is_valid(event), event
        assert event["case_id"] not in self.together, "the one before is not answered yet"
        self.together.add(event["case_id"])
        self.most_together = max(self.most_together, len(self.together))
        if self.holds:
            await self.holds.wait()
        self.together.remove(event["case_id"])
        if self.is_down or event["case_id"] in self.refuses:
            return web.Response(status=500)
        self.taken.append((event["case_id"], event["sequence"]))
        return web.Response(status=204)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as pool:
        yield pool


class Site:
    """An endpoint, and the processes that deliver to it."""

    def __init__(self, pool: asyncpg.Pool, receiver: Receiver, path: Path, stack: AsyncExitStack) -> None:
        self.pool = pool
        self.receiver = receiver
        self.path = path
        self._stack = stack

    async def process(self, give_up: timedelta = DAYS) -> WebhookDelivery:
        poster = await self._stack.enter_async_context(posting(anywhere=True))
        return WebhookDelivery(self.pool, poster, self.path, anywhere=True, give_up=give_up, poll_seconds=0.05)

    async def later(self) -> None:
        """As if the time to try again had come."""
        await self.pool.execute("UPDATE webhooks.waiting SET next_attempt_at = '-infinity'")
        await self.pool.execute("UPDATE webhooks.endpoints SET rests_until = '-infinity'")

    async def standing(self) -> webhooks.EndpointStanding:
        async with self.pool.acquire() as connection:
            (found,) = await webhooks.standing(connection)
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hooks", receiver.hear)
    async with TestServer(application) as server, AsyncExitStack() as stack:
        path = tmp_path / "webhooks.toml"
        path.write_text(
            f"[endpoints.crm]\nurl = '{server.make_url('/hooks')}'\n"
            f"secrets = ['{receiver.secret}', '{new_secret()}']\nbegins = 'oldest'\n"
        )
        yield Site(pool, receiver, path, stack)


async def test_several_cases_are_told_of_at_once_and_each_in_its_order(site: Site) -> None:
    cases = [await a_case(site.pool) for _ in range(5)]
    for number in (1, 2):
        for case in cases:
            await write(site.pool, step(case, number, "deadline_near"))
    site.path.write_text(site.path.read_text() + "at_once = 3\n")
    site.receiver.holds = asyncio.Event()
    delivering = asyncio.create_task((await site.process()).deliver())
    async with asyncio.timeout(PATIENCE):
        while site.receiver.asked < 3:
            await asyncio.sleep(0.01)
    assert site.receiver.together == set(cases[:3])
    site.receiver.holds.set()
    await delivering

    assert site.receiver.most_together == 3
    for case in cases:
        assert [sequence for told, sequence in site.receiver.taken if told == case] == [1, 2]


async def test_a_case_that_is_not_taken_waits_and_others_go_on(site: Site) -> None:  # X4
    stuck, other = await a_case(site.pool), await a_case(site.pool)
    for number in (1, 2):
        await write(site.pool, step(stuck, number, "deadline_near"))
        await write(site.pool, step(other, number, "deadline_near"))
    process = await site.process()
    site.receiver.refuses = {stuck}

    await process.deliver()
    await write(site.pool, step(stuck, 3, "deadline_near"))
    await process.deliver()

    assert site.receiver.taken == [(other, 1), (other, 2)]
    assert site.receiver.asked == 3, "what comes behind is not tried before it"
    standing = await site.standing()
    assert (standing.waiting, standing.dead, standing.oldest) == (3, 0, None)

    site.receiver.refuses, site.receiver.taken = set(), []
    await process.deliver()
    assert site.receiver.taken == [], "not before its time"
    await site.later()
    await process.deliver()

    assert site.receiver.taken == [(stuck, 1), (stuck, 2), (stuck, 3)]
    assert (await site.standing()).waiting == 0


async def test_what_is_never_taken_is_left_to_an_operator(site: Site) -> None:  # X4
    stuck = await a_case(site.pool)
    for number in (1, 2):
        await write(site.pool, step(stuck, number, "deadline_near"))
    process = await site.process(give_up=timedelta(0))
    site.receiver.refuses = {stuck}
    await process.deliver()
    site.receiver.refuses = set()
    await site.later()
    await process.deliver()

    assert site.receiver.taken == [], "it is given up, and holds its case up"
    async with site.pool.acquire() as connection:
        (letter,) = await webhooks.dead(connection, None, 10)
        assert (letter.case_id, letter.attempts, letter.last_failure, letter.behind) == (stuck, 1, "http_500", 1)
        assert await webhooks.replay(connection, "crm", "refund/another/k-1") == 0
        assert await webhooks.replay(connection, "crm", stuck) == 1
    await process.deliver()
    assert site.receiver.taken == [(stuck, 1), (stuck, 2)]

    site.receiver.refuses = {stuck}
    for number in (3, 4):
        await write(site.pool, step(stuck, number, "deadline_near"))
    await process.deliver()
    async with site.pool.acquire() as connection:
        assert await webhooks.discard(connection, "crm", stuck) == 1
    site.receiver.refuses = set()
    await process.deliver()
    assert site.receiver.taken == [(stuck, 1), (stuck, 2), (stuck, 4)]


async def test_an_endpoint_that_is_down_is_left_in_peace_and_asked_with_one(site: Site) -> None:
    cases = [await a_case(site.pool) for _ in range(6)]
    for case in cases:
        await write(site.pool, step(case, 1, "deadline_near"))
    process = await site.process()
    site.receiver.is_down = True
    await process.deliver()
    assert site.receiver.asked == 6
    for case in cases:
        await write(site.pool, step(case, 2, "deadline_near"))
    fresh = [await a_case(site.pool) for _ in range(3)]
    for case in fresh:
        await write(site.pool, step(case, 1, "deadline_near"))

    await process.deliver()
    assert site.receiver.asked == 6, "it rests"
    await site.later()
    await process.deliver()
    assert site.receiver.asked == 7, "one event asks"
    standing = await site.standing()
    assert (standing.failures, standing.rests_until is not None) == (2, True)

    site.receiver.is_down = False
    await site.later()
    await process.deliver()

    assert sorted(site.receiver.taken) == sorted(
        [*((case, n) for case in cases for n in (1, 2)), *((c, 1) for c in fresh)]
    )
    assert all(site.receiver.taken.index((case, 1)) < site.receiver.taken.index((case, 2)) for case in cases)
    standing = await site.standing()
    assert (standing.failures, standing.rests_until) == (0, None)


async def test_one_process_delivers_and_what_it_had_in_hand_comes_again(site: Site) -> None:  # X4
    case = await a_case(site.pool)
    await write(site.pool, step(case, 1, "deadline_near"))
    first, second = await site.process(), await site.process()
    site.receiver.holds = asyncio.Event()
    dying = asyncio.create_task(first.deliver())
    while not site.receiver.asked:
        await asyncio.sleep(0.01)

    await second.deliver()
    assert site.receiver.asked == 1, "another has it in hand"
    dying.cancel()
    site.receiver.holds.set()
    await site.pool.execute("UPDATE webhooks.endpoints SET lease_until = now()")
    await second.deliver()

    assert site.receiver.taken[-1] == (case, 1)
    assert site.receiver.asked == 2
    assert (await site.standing()).oldest is None


async def test_events_that_an_endpoint_does_not_want_are_passed_over(site: Site) -> None:
    site.path.write_text(site.path.read_text() + "types = ['case.moved']\nmerchant_id = 'm-wanted'\n")
    wanted = await case_of(site.pool, "m-wanted", some_id("o"), stage=StageName.SHIPPED_REVIEW)
    await site.pool.execute("UPDATE casebook.cases SET log_length = 1, step = 0 WHERE case_id = $1", wanted)
    for case in (wanted, await a_case(site.pool)):
        await write(site.pool, step(case, 1, "deadline_near"))
        await write(site.pool, step(case, 2, "approved", stage=StageName.PAYING))
    process = await site.process()

    async with process.running():
        while not site.receiver.taken:
            await asyncio.sleep(0.01)
        changed = site.path.read_text().replace("merchant_id = 'm-wanted'\n", "")
        site.path.write_text("is no toml")
        site.path.write_text(changed)
        another = await a_case(site.pool)
        await write(site.pool, step(another, 1, "approved", stage=StageName.PAYING))
        while len(site.receiver.taken) < 2:
            await asyncio.sleep(0.01)

    assert site.receiver.taken == [(wanted, 2), (another, 1)]
    async with site.pool.acquire() as connection:
        assert await webhooks.forget(connection, "crm")
        assert not await webhooks.forget(connection, "crm")
