"""Notices: queued with their step, sent after it, once for the recipient, whatever fails in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker

from activities.notices import outbox
from activities.notices.channel_stubs import ChannelStub, fail_next, stub_channels
from activities.notices.channels import Channel, ChannelName, OutgoingNotice
from activities.notices.resend import NoticeActivities
from activities.notices.sender import NoticeSender
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from starter.worker.runner import runner_for
from tests.patience import PATIENCE
from workflows.messages.actors import GATEWAY, Actor, Role, buyer, merchant, officer
from workflows.messages.cases import Notice, NoticeTemplate
from workflows.messages.notices import NoticeResendRequest, ResendNotices, SendReport
from workflows.notices import NoticeResend
from workflows.rules.worker_roles import WorkerRole, queue_of

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
"""What the clock says while notices are sent; cases may be ahead of it or behind it."""
AT = datetime(2030, 1, 1, tzinfo=UTC)
"""A case's time."""
CASE = "refund/DY-1001/k-1"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    # A database of its own: a sender sends everything that it finds.
    pool = await open_pool(own_database, max_size=20)
    yield pool
    await pool.close()


@pytest.fixture
def sender(pool: asyncpg.Pool) -> NoticeSender:
    return NoticeSender(pool, stub_channels(pool), "en")


def goods_underway(to: Actor, **more: str | int) -> Notice:
    return Notice(template=NoticeTemplate.GOODS_UNDERWAY, to=to, fields={"subject": "DY-1001", **more})


async def queue_in(
    connection: Connection,
    *notices: Notice,
    step: int = 1,
    case: str = CASE,
    routes: Mapping[Role, tuple[ChannelName, ...]] = outbox.ROUTES,
) -> None:
    """As a step does, in its transaction."""
    statement = outbox.insertion(4, case_id="$1", step="$2", at="$3")
    await connection.execute(statement, case, step, AT, *outbox.arguments(notices, routes))


async def queue(pool: asyncpg.Pool, *notices: Notice, step: int = 1, case: str = CASE) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await queue_in(connection, *notices, step=step, case=case)


async def sent(pool: asyncpg.Pool) -> list[tuple[str, str, str]]:
    """Recipient, channel and text of everything that the channels have stored."""
    rows = await pool.fetch(
        """
        SELECT recipient_role || ':' || recipient_id AS recipient, channel, text FROM channels.sent
        ORDER BY recipient_role, recipient_id, channel, text
        """
    )
    return [(row["recipient"], row["channel"], row["text"]) for row in rows]


async def waiting(pool: asyncpg.Pool) -> list[tuple[str, str | None, int]]:
    """Channel, last failure and attempts of what is not sent."""
    rows = await pool.fetch(
        "SELECT channel, last_failure, attempts FROM notices.outbox WHERE sent_at IS NULL ORDER BY channel"
    )
    return [(row["channel"], row["last_failure"], row["attempts"]) for row in rows]


TEXT = "[After-sales] DY-1001: the goods have shipped; they must come back before the refund."


async def test_each_role_is_told_by_its_channels(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    recipients = (buyer("b-1"), merchant("m-1"), officer("o-1"), GATEWAY)
    await queue(pool, *(goods_underway(to) for to in recipients))
    assert await sender.send_due(NOW, 100) == SendReport(sent=5, failed=0, undeliverable=0, more=False)
    assert await sent(pool) == [
        ("buyer:b-1", "in_station", TEXT),
        ("buyer:b-1", "sms", TEXT),
        ("merchant:m-1", "e_mail", TEXT),
        ("merchant:m-1", "in_station", TEXT),
        ("platform:o-1", "in_station", TEXT),
    ]


async def test_routes_can_be_set(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    async with pool.acquire() as connection:
        routes = {buyer("b-1").role: (ChannelName.E_MAIL,)}
        notices = (goods_underway(buyer("b-1")), goods_underway(merchant("m-1")))
        await queue_in(connection, *notices, routes=routes)
    await sender.send_due(NOW, 100)
    assert await sent(pool) == [("buyer:b-1", "e_mail", TEXT)]


async def test_a_step_that_is_rolled_back_tells_nobody(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    async def broken_step() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await queue_in(connection, goods_underway(buyer("b-1")))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await broken_step()
    assert (await sender.send_due(NOW, 100)).sent == 0
    assert await sent(pool) == []


async def test_the_same_step_again_tells_once_and_another_step_tells_again(
    pool: asyncpg.Pool, sender: NoticeSender
) -> None:
    notice = goods_underway(officer("o-1"))
    await queue(pool, notice, notice)
    await queue(pool, notice)
    await sender.send_due(NOW, 100)
    await queue(pool, notice)
    assert (await sender.send_due(NOW, 100)).sent == 0
    assert len(await sent(pool)) == 1
    await queue(pool, notice, step=2)
    await queue(pool, notice, case="refund/DY-1001/k-2")
    assert (await sender.send_due(NOW, 100)).sent == 2
    assert len(await sent(pool)) == 3


async def test_a_failing_channel_is_tried_again_later_and_later_while_others_go_out(
    pool: asyncpg.Pool, sender: NoticeSender
) -> None:
    async with pool.acquire() as connection:
        await fail_next(connection, ChannelName.SMS, 2)
    await queue(pool, goods_underway(buyer("b-1")))
    assert await sender.send_due(NOW, 100) == SendReport(sent=1, failed=1, undeliverable=0, more=False)
    assert await waiting(pool) == [("sms", "channel_unavailable", 1)]
    assert await sent(pool) == [("buyer:b-1", "in_station", TEXT)]

    first_retry = NOW + timedelta(seconds=10)
    assert await sender.send_due(first_retry - timedelta(seconds=1), 100) == SendReport(
        sent=0, failed=0, undeliverable=0, more=False
    )
    assert (await sender.send_due(first_retry, 100)).failed == 1
    second_retry = first_retry + timedelta(seconds=20)
    assert (await sender.send_due(second_retry - timedelta(seconds=1), 100)).sent == 0
    assert (await sender.send_due(second_retry, 100)).sent == 1
    assert await waiting(pool) == []
    assert await sent(pool) == [("buyer:b-1", "in_station", TEXT), ("buyer:b-1", "sms", TEXT)]


async def test_the_wait_between_attempts_ends_at_an_hour(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    async with pool.acquire() as connection:
        await fail_next(connection, ChannelName.IN_STATION, 1000)
    await queue(pool, goods_underway(officer("o-1")))
    now = NOW
    for _ in range(30):
        assert (await sender.send_due(now, 1)).failed == 1
        now += timedelta(hours=1)


class DiesAfterSending:
    """A channel after which the sender's process ends: the notice is delivered, and nobody notes it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.delivered = asyncio.Event()

    async def send(self, message: OutgoingNotice) -> None:
        await self._channel.send(message)
        self.delivered.set()
        await asyncio.Event().wait()


async def test_a_sender_that_dies_after_sending_leaves_one_delivery(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    channel = DiesAfterSending(ChannelStub(pool))
    dying = NoticeSender(pool, dict.fromkeys(ChannelName, channel), "en", send_timeout=60)
    await queue(pool, goods_underway(officer("o-1")))
    process = asyncio.create_task(dying.send_due(NOW, 100))
    await asyncio.wait_for(channel.delivered.wait(), PATIENCE)
    process.cancel()
    await asyncio.wait([process])
    assert await waiting(pool) == [("in_station", None, 1)]

    assert (await sender.send_due(NOW + timedelta(seconds=59), 100)).sent == 0
    assert (await sender.send_due(NOW + timedelta(seconds=60), 100)).sent == 1
    assert await sent(pool) == [("platform:o-1", "in_station", TEXT)]
    assert await waiting(pool) == []


class Kept:
    """A channel that keeps the keys of what it is sent, and answers only if it is to."""

    def __init__(self, *, answers: bool) -> None:
        self.keys: list[str] = []
        self._answers = answers

    async def send(self, message: OutgoingNotice) -> None:
        self.keys.append(message.dedup_key)
        if not self._answers:
            await asyncio.Event().wait()


async def test_each_kill_of_a_sender_repeats_at_most_the_batch_in_hand(pool: asyncpg.Pool) -> None:
    for step in range(1, 16):
        await queue(pool, goods_underway(officer("o-1")), step=step)
    deaths: list[Kept] = []
    for minute in (0, 2):
        deaths.append(Kept(answers=False))
        dying = NoticeSender(pool, dict.fromkeys(ChannelName, deaths[-1]), "en", send_timeout=60)
        process = asyncio.create_task(dying.send_due(NOW + timedelta(minutes=minute), 100))
        async with asyncio.timeout(PATIENCE):
            while len(deaths[-1].keys) < 10:
                await asyncio.sleep(0.01)
        process.cancel()
        await asyncio.wait([process])
    survivor = Kept(answers=True)
    last = NoticeSender(pool, dict.fromkeys(ChannelName, survivor), "en")
    await last.send_due(NOW + timedelta(minutes=4), 100)

    assert [len(set(death.keys)) for death in deaths] == [10, 10], "once for each kill"
    assert len(survivor.keys) == len(set(survivor.keys)) == 15, "and once for good"
    assert {key for death in deaths for key in death.keys} <= set(survivor.keys), "a channel sees a repeat by its key"


class Silent:
    """A channel that never answers."""

    async def send(self, message: OutgoingNotice) -> None:
        del message
        await asyncio.Event().wait()


class Broken:
    """A channel whose client library raises whatever it likes, with the recipient in its text."""

    async def send(self, message: OutgoingNotice) -> None:
        raise KeyError(message.recipient.id)


@pytest.mark.parametrize(("channel", "failure"), [(Silent(), "channel_timeout"), (Broken(), "channel_error")])
async def test_whatever_a_channel_does_is_a_failure_to_be_tried_again(
    pool: asyncpg.Pool,
    sender: NoticeSender,
    channel: Channel,
    failure: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = NoticeSender(pool, {ChannelName.IN_STATION: channel}, "en", send_timeout=0.01)
    await queue(pool, goods_underway(officer("o-secret")))
    assert (await bad.send_due(NOW, 100)).failed == 1
    assert await waiting(pool) == [("in_station", failure, 1)]
    assert "o-secret" not in caplog.text  # P6
    assert (await sender.send_due(NOW + timedelta(hours=1), 100)).sent == 1


async def test_what_cannot_be_put_into_words_stops_neither_the_step_nor_the_others(
    pool: asyncpg.Pool, sender: NoticeSender
) -> None:
    await queue(
        pool,
        goods_underway(officer("o-1"), subject=1),
        goods_underway(officer("o-2"), subject="\x00\ud800"),
        goods_underway(officer("o-3")),
    )
    assert await sender.send_due(NOW, 100) == SendReport(sent=1, failed=0, undeliverable=2, more=False)
    assert await sent(pool) == [("platform:o-3", "in_station", TEXT)]
    assert await waiting(pool) == [("in_station", "not_renderable", 1)] * 2
    assert await sender.send_due(NOW + timedelta(days=9), 100) == SendReport(
        sent=0, failed=0, undeliverable=0, more=False
    )


async def test_a_notice_of_a_newer_release_waits_for_a_worker_of_that_release(
    pool: asyncpg.Pool, sender: NoticeSender
) -> None:
    await queue(pool, goods_underway(officer("o-1")), goods_underway(officer("o-2")), goods_underway(officer("o-3")))
    ended: dict[str, str | int] = {"subject": "DY-1001", "outcome": "newer"}
    await queue(pool, Notice(template=NoticeTemplate.CASE_CLOSED, to=officer("o-4"), fields=ended))
    await pool.execute("UPDATE notices.outbox SET template = 'newer' WHERE recipient_id = 'o-1'")
    await pool.execute("UPDATE notices.outbox SET recipient_role = 'newer' WHERE recipient_id = 'o-2'")
    assert await sender.send_due(NOW, 100) == SendReport(sent=1, failed=3, undeliverable=0, more=False)
    await pool.execute("UPDATE notices.outbox SET template = 'goods_underway', recipient_role = 'platform'")
    assert (await sender.send_due(NOW + timedelta(hours=1), 100)).sent == 3


async def test_a_limit_is_kept_and_told(pool: asyncpg.Pool, sender: NoticeSender) -> None:
    await queue(pool, *(goods_underway(officer(f"o-{number}")) for number in range(25)))
    activities = NoticeActivities(sender)
    assert await activities.resend_notices(ResendNotices(at=NOW, limit=12)) == SendReport(
        sent=12, failed=0, undeliverable=0, more=True
    )
    assert await activities.resend_notices(ResendNotices(at=NOW, limit=100)) == SendReport(
        sent=13, failed=0, undeliverable=0, more=False
    )
    assert len(await sent(pool)) == 25


class Counting:
    """A channel that keeps no keys: it shows what is sent more than once."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def send(self, message: OutgoingNotice) -> None:
        self.keys.append(message.dedup_key)
        await asyncio.sleep(0)


async def test_senders_side_by_side_take_each_notice_once(pool: asyncpg.Pool) -> None:
    await queue(pool, *(goods_underway(officer(f"o-{number}")) for number in range(60)))
    channel = Counting()
    senders = [NoticeSender(pool, dict.fromkeys(ChannelName, channel), "en") for _ in range(4)]
    reports = await asyncio.gather(*(each.send_due(NOW, 100) for each in senders))
    assert sum(report.sent for report in reports) == 60
    assert len(channel.keys) == len(set(channel.keys)) == 60


async def eventually_sent(pool: asyncpg.Pool, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await sent(pool)) < number:
            await asyncio.sleep(0.01)


async def test_a_running_sender_sends_what_it_finds_and_what_it_is_woken_for(pool: asyncpg.Pool) -> None:
    sender = NoticeSender(pool, stub_channels(pool), "zh", poll_seconds=3600)
    await queue(pool, goods_underway(officer("o-1")))
    async with sender.running():
        await eventually_sent(pool, 1)
        await queue(pool, goods_underway(officer("o-2")))
        sender.wake()
        await eventually_sent(pool, 2)
    assert {text for _, _, text in await sent(pool)} == {"【售后】DY-1001 的商品已发出，需商品退回后才能退款。"}


async def test_a_running_sender_tries_again_by_itself(pool: asyncpg.Pool) -> None:
    sender = NoticeSender(pool, stub_channels(pool), "en", poll_seconds=0.01)
    async with pool.acquire() as connection:
        await fail_next(connection, ChannelName.IN_STATION, 1)
    await queue(pool, goods_underway(officer("o-1")))
    async with sender.running():
        async with asyncio.timeout(PATIENCE):
            while await waiting(pool) != [("in_station", "channel_unavailable", 1)]:
                await asyncio.sleep(0.01)
        await pool.execute("UPDATE notices.outbox SET next_attempt_at = now()")
        await eventually_sent(pool, 1)


class Gate:
    """A channel that delivers when it is let."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def send(self, message: OutgoingNotice) -> None:
        self.entered.set()
        await self.open.wait()
        await self._channel.send(message)


async def test_stopping_ends_what_is_being_sent_and_leaves_the_rest(pool: asyncpg.Pool) -> None:
    gate = Gate(ChannelStub(pool))
    sender = NoticeSender(pool, dict.fromkeys(ChannelName, gate), "en", send_timeout=60)
    await queue(pool, *(goods_underway(officer(f"o-{number}")) for number in range(25)))

    async def until_told_to_stop() -> None:
        async with sender.running():
            await gate.entered.wait()

    stopping = asyncio.create_task(until_told_to_stop())
    await asyncio.wait_for(gate.entered.wait(), PATIENCE)
    gate.open.set()
    await asyncio.wait_for(stopping, PATIENCE)
    done = len(await sent(pool))
    assert 0 < done < 25
    assert [attempts for _, _, attempts in await waiting(pool)] == [0] * (25 - done)


async def test_waking_where_nothing_runs_and_an_outbox_out_of_reach_harm_nobody(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    sender = NoticeSender(pool, stub_channels(pool), "en", poll_seconds=0.01)
    sender.wake()
    await pool.execute("ALTER TABLE notices.outbox RENAME TO elsewhere")
    async with sender.running():
        async with asyncio.timeout(PATIENCE):
            while "UndefinedTableError" not in caplog.text:
                await asyncio.sleep(0.01)
        await pool.execute("ALTER TABLE notices.elsewhere RENAME TO outbox")
        await queue(pool, goods_underway(officer("o-1")))
        await eventually_sent(pool, 1)


async def test_one_round_of_the_scheduled_workflow_sends_up_to_its_limit(
    pool: asyncpg.Pool, sender: NoticeSender, client: Client
) -> None:
    await queue(pool, *(goods_underway(officer(f"o-{number}")) for number in range(15)))
    name = f"notices-{uuid4().hex}"
    runner = runner_for(sandboxed=True, versioned=False)
    outside = queue_of(WorkerRole.NOTIFICATIONS, name)
    async with (
        Worker(
            client,
            task_queue=name,
            workflows=[NoticeResend],
            workflow_runner=runner,
        ),
        Worker(client, task_queue=outside, activities=[NoticeActivities(sender).resend_notices]),
    ):
        report = await client.execute_workflow(
            NoticeResend.run, NoticeResendRequest(limit=11), id=name, task_queue=name
        )
    assert report == SendReport(sent=11, failed=0, undeliverable=0, more=True)
    assert len(await sent(pool)) == 11
