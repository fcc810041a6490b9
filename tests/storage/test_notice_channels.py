"""Notices by e-mail and by a service of the platform's own: what arrives, and what becomes of what does not."""

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from activities.gateways.kits.channels import Arranging, Ground, promises
from activities.gateways.kits.promise import Promise
from activities.notices import outbox, smtp, webhook_channel
from activities.notices.addresses import VaultAddresses
from activities.notices.channel_stubs import ChannelStub, fail_next
from activities.notices.channels import Channel, ChannelName, NoticeRefused, OutgoingNotice
from activities.notices.sender import NoticeSender
from activities.notices.smtp import SmtpChannel, SmtpSettings
from activities.notices.webhook_channel import NoticeWebhookSettings, WebhookChannel
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.webhooks.posting import posting
from activities.webhooks.signing import is_ours, new_secret
from tests.patience import PATIENCE
from tests.storage.test_notices import CASE, NOW, goods_underway, queue
from workflows.messages.actors import buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.persons import Reach, merchant_person

ADDRESS = "laurel@shop.example.com"
OPEN: list[SmtpChannel] = []
"""The channels of a test, with connections that are kept."""


class Post:
    """What a real SMTP server was given, and what it answers."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.recipients: list[str] = []
        self.connections: list[SMTP] = []
        self.next = ""
        """How the next e-mail is treated: lost once it is kept, or never answered."""

    async def handle_RCPT(  # noqa: N802 -- as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients.append(address)
        if self.next.isdigit():
            once, self.next = self.next, ""
            return f"{once} <{address}>"
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        wrong, self.next = self.next, ""
        if wrong != "hang":
            self.mails.append(BytesParser(policy=default).parsebytes(content))
        if wrong == "lose" and server.transport is not None:
            server.transport.close()
        if wrong:
            await asyncio.Event().wait()  # until the connection has ended
        return "250 OK"


@pytest_asyncio.fixture(loop_scope="session")
async def post() -> AsyncIterator[tuple[Post, int]]:
    """A real SMTP server, and its port."""
    handler = Post()
    loop = asyncio.get_running_loop()

    def connected() -> SMTP:
        handler.connections.append(SMTP(handler, loop=loop))
        return handler.connections[-1]

    server = await loop.create_server(connected, "127.0.0.1", 0)
    yield handler, server.sockets[0].getsockname()[1]
    while OPEN:
        await OPEN.pop().close()
    server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as pool:
        yield pool


def e_mails(port: int) -> Mapping[ChannelName, Channel]:
    settings = SmtpSettings(host="127.0.0.1", port=port, sender="cases@example.com", encryption="none")
    OPEN.append(SmtpChannel(settings))
    return {ChannelName.E_MAIL: OPEN[-1]}


async def states(pool: asyncpg.Pool) -> list[tuple[str, str | None, bool]]:
    rows = await pool.fetch(
        "SELECT channel, last_failure, undeliverable_at IS NOT NULL AS given_up FROM notices.outbox "
        "WHERE channel = 'e_mail' AND sent_at IS NULL"
    )
    return [(row["channel"], row["last_failure"], row["given_up"]) for row in rows]


async def test_an_e_mail_arrives_under_the_address_of_the_vault(
    pool: asyncpg.Pool, vault: Vault, post: tuple[Post, int]
) -> None:  # P6
    handler, port = post
    sender = NoticeSender(pool, e_mails(port), "zh", addresses=VaultAddresses(pool, vault))
    await queue(pool, goods_underway(merchant("m-1")))

    await sender.send_due(NOW, 10)
    assert await states(pool) == [("e_mail", "no_address", False)], "somebody may yet tell it"
    async with pool.acquire() as connection, connection.transaction():
        for known in ("old@shop.example.com", ADDRESS):
            reach = Reach(e_mail=SecretStr(known))
            await vault.keep_reach(connection, merchant_person("m-1"), reach, datetime.now(UTC))
    await sender.send_due(NOW + timedelta(minutes=1), 10)

    (mail,) = handler.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (ADDRESS, "cases@example.com", "售后通知：DY-1001")
    assert mail.get_content_type() == "text/plain"
    assert "商品已发出" in mail.get_content()
    assert await states(pool) == []
    kept = await pool.fetchval("SELECT string_agg(o::text, '') FROM notices.outbox o")
    assert ADDRESS not in kept, "it is opened to be used, and kept nowhere else"


async def test_a_connection_is_used_again_as_long_as_the_server_knows_it(post: tuple[Post, int]) -> None:
    handler, port = post
    channel = e_mails(port)[ChannelName.E_MAIL]
    notice = OutgoingNotice(
        dedup_key="0",
        channel=ChannelName.E_MAIL,
        recipient=merchant("m-1"),
        template=NoticeTemplate.GOODS_UNDERWAY,
        language="en",
        text="DY-1001",
        address=SecretStr(ADDRESS),
    )

    async def send(*keys: str) -> None:
        await asyncio.gather(*(channel.send(notice.model_copy(update={"dedup_key": key})) for key in keys))

    await send("1")
    handler.answer = "550 no"  # which leaves the connection as it was
    with pytest.raises(NoticeRefused):
        await send("2")
    handler.answer = "250 OK"
    await send("3")
    assert len(handler.connections) == 1
    await send(*map(str, range(4, 20)))
    assert len(handler.connections) <= 4

    for each in handler.connections:
        assert each.transport
        each.transport.close()
    await send("20")
    assert sorted(int(mail["Message-ID"][1:].partition("@")[0]) for mail in handler.mails) == [1, *range(3, 21)]


async def test_what_is_refused_for_good_is_shown_and_can_be_tried_anew(
    pool: asyncpg.Pool, vault: Vault, post: tuple[Post, int]
) -> None:
    handler, port = post
    async with pool.acquire() as connection, connection.transaction():
        reach = Reach(e_mail=SecretStr(ADDRESS))
        await vault.keep_reach(connection, merchant_person("m-1"), reach, datetime.now(UTC))
    sender = NoticeSender(pool, e_mails(port), "zh", addresses=VaultAddresses(pool, vault))
    await queue(pool, goods_underway(merchant("m-1")))
    handler.answer = f"450 <{ADDRESS}> is busy"

    await sender.send_due(NOW, 10)
    assert await states(pool) == [("e_mail", "address_refused", False)]
    handler.answer = f"550 <{ADDRESS}> is unknown"
    await sender.send_due(NOW + timedelta(minutes=1), 10)

    assert await states(pool) == [("e_mail", "address_refused", True)]
    async with pool.acquire() as connection:
        (lost,) = await outbox.given_up(connection, "e_mail", 10)
        assert (lost.case_id, lost.recipient_id, lost.attempts) == (CASE, "m-1", 2)
        assert ADDRESS not in str(lost)
        assert await outbox.given_up(connection, "sms", 10) == []
        assert await outbox.try_again(connection, "e_mail", "refund/another/k-1") == 0
        assert await outbox.try_again(connection, "e_mail", CASE) == 1
    handler.answer = "250 OK"
    await sender.send_due(NOW + timedelta(minutes=1), 10)
    assert len(handler.mails) == 1


async def test_trying_again_has_an_end(pool: asyncpg.Pool) -> None:
    """Nothing listens there. Three days are tried: every ten seconds at first, every hour at last."""
    sender = NoticeSender(pool, e_mails(9), "en", addresses=None, give_up=timedelta(days=3))
    await queue(pool, goods_underway(merchant("m-1")))
    at, attempts = NOW, 0
    while not (await states(pool))[0][2]:
        await sender.send_due(at, 10)
        attempts += 1
        at = await pool.fetchval("SELECT next_attempt_at FROM notices.outbox WHERE channel = 'e_mail'") or at
        assert attempts < 200

    assert timedelta(days=3) <= at - NOW < timedelta(days=3, hours=2)


async def test_a_service_of_the_platforms_own_is_told_by_signed_requests(pool: asyncpg.Pool, vault: Vault) -> None:
    secret, told, answers = new_secret(), list[dict[str, Any]](), [503, 400]

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        assert is_ours(secret, request.headers, body, time.time())
        told.append({"id": request.headers["webhook-id"], **json.loads(body)})
        return web.Response(status=answers.pop(0) if answers else 204)

    application = web.Application()
    application.router.add_post("/notices", hear)
    async with pool.acquire() as connection, connection.transaction():
        reach = Reach(phone=SecretStr("13800000000"))
        await vault.keep_reach(connection, "buyer/b-1", reach, datetime.now(UTC))
    async with TestServer(application) as server, posting(anywhere=True) as poster:
        url = str(server.make_url("/notices"))
        settings = NoticeWebhookSettings(url=url, secret=SecretStr(secret), with_address=True, private_addresses=True)
        channels = {ChannelName.SMS: WebhookChannel(settings, poster)}
        sender = NoticeSender(pool, channels, "en", addresses=VaultAddresses(pool, vault))
        await queue(pool, goods_underway(buyer("b-1")))
        await sender.send_due(NOW, 10)
        await sender.send_due(NOW + timedelta(minutes=1), 10)
        async with pool.acquire() as connection:
            (lost,) = await outbox.given_up(connection, "sms", 10)
            assert lost.last_failure == "http_400"
            await outbox.try_again(connection, None, None)
        await sender.send_due(NOW + timedelta(minutes=2), 10)

    assert len({each["id"] for each in told}) == 1, "the same notice each time"
    last = told[-1]
    assert (last["id"], last["recipient"], last["address"]) == (
        last["dedup_key"],
        {"role": "buyer", "id": "b-1"},
        "13800000000",
    )
    assert "the goods have shipped" in last["text"]


# The promises of a channel ------------------------------------------------------------------------------


def some_notice() -> OutgoingNotice:
    return OutgoingNotice(
        dedup_key=uuid4().hex,
        channel=ChannelName.E_MAIL,
        recipient=buyer("b-of-the-kit"),
        template=NoticeTemplate.GOODS_UNDERWAY,
        language="en",
        text="DY-1001: the goods have shipped",
        subject="DY-1001",
        address=SecretStr(ADDRESS),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def by_mail(post: tuple[Post, int], monkeypatch: pytest.MonkeyPatch) -> Ground:
    """SMTP knows no key: an e-mail that came twice has one Message-ID."""
    handler, port = post

    def once(wrong: str) -> Arranging:
        async def arrange() -> None:
            handler.next = wrong
            if wrong == "hang":
                monkeypatch.setattr(smtp, "_SECONDS", 2.0)

        return arrange

    async def arrived() -> Iterable[str]:
        return [each["Message-ID"] for each in handler.mails]

    return Ground(
        channel=e_mails(port)[ChannelName.E_MAIL],
        notice=some_notice,
        arrived=arrived,
        fail_next=once("450"),
        refuse_next=once("550"),
        lose_next_answer=once("lose"),
        hang_next=once("hang"),
        within=PATIENCE,
    )


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_smtp_keeps_the_promises(promise: Promise[Ground], by_mail: Ground) -> None:
    await promise(by_mail)


@pytest_asyncio.fixture(loop_scope="session")
async def by_webhook() -> AsyncIterator[Ground]:
    """The receiver keeps each id once, as docs/events.md tells receivers to."""
    secret, told, wrong = new_secret(), list[str](), list[str]()

    def once(what: str) -> Arranging:
        async def arrange() -> None:
            wrong.append(what)

        return arrange

    async def hear(request: web.Request) -> web.Response:
        what = wrong.pop() if wrong else ""
        if what.isdigit():
            return web.Response(status=int(what), text=ADDRESS)
        if what != "hang" and request.headers["webhook-id"] not in told:
            told.append(request.headers["webhook-id"])
        if what == "lose" and request.transport:
            request.transport.close()
        if what:
            await over.wait()
        return web.Response(status=204)

    async def arrived() -> Iterable[str]:
        return told

    application, over = web.Application(), asyncio.Event()
    application.router.add_post("/notices", hear)
    async with TestServer(application) as server, posting(anywhere=True, seconds=2.0) as poster:
        settings = NoticeWebhookSettings(
            url=str(server.make_url("/notices?token=of-the-platform")),
            secret=SecretStr(secret),
            with_address=True,
            private_addresses=True,
        )
        yield Ground(
            channel=WebhookChannel(settings, poster),
            notice=some_notice,
            arrived=arrived,
            fail_next=once("503"),
            refuse_next=once("422"),
            lose_next_answer=once("lose"),
            hang_next=once("hang"),
            secrets=(secret, "of-the-platform"),
            within=PATIENCE,
        )
        over.set()


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_a_service_of_the_platforms_own_is_told_as_promised(promise: Promise[Ground], by_webhook: Ground) -> None:
    await promise(by_webhook)


@pytest.mark.parametrize("promise", promises("fail_next"), ids=str)
async def test_the_stand_in_keeps_the_promises(promise: Promise[Ground], database: str) -> None:
    async with await open_pool(database, max_size=4) as pool:

        async def fail() -> None:
            async with pool.acquire() as connection:
                await fail_next(connection, ChannelName.E_MAIL, 1)

        async def arrived() -> Iterable[str]:
            rows = await pool.fetch("SELECT dedup_key FROM channels.sent WHERE recipient_id = 'b-of-the-kit'")
            return [row["dedup_key"] for row in rows]

        await promise(Ground(channel=ChannelStub(pool), notice=some_notice, arrived=arrived, fail_next=fail))


def test_a_channel_gives_up_before_the_sender_does() -> None:
    waits = inspect.signature(NoticeSender).parameters["send_timeout"].default
    assert vars(smtp)["_SECONDS"] < waits
    assert vars(webhook_channel)["_SECONDS"] < waits
