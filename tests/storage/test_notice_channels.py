"""Notices by e-mail and by a service of the platform's own: what arrives, and what becomes of what does not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

import asyncpg
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from activities.notices import outbox
from activities.notices.addresses import VaultAddresses
from activities.notices.channels import Channel, ChannelName
from activities.notices.sender import NoticeSender
from activities.notices.smtp import SmtpChannel, SmtpSettings
from activities.notices.webhook_channel import NoticeWebhookSettings, WebhookChannel
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.webhooks.posting import posting
from activities.webhooks.signing import is_ours, new_secret
from tests.storage.test_notices import CASE, NOW, goods_underway, queue
from workflows.messages.actors import buyer, merchant
from workflows.messages.persons import Reach, merchant_person

ADDRESS = "laurel@shop.example.com"


class Post:
    """What a real SMTP server was given, and what it answers."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.recipients: list[str] = []

    async def handle_RCPT(  # noqa: N802 -- as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients.append(address)
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(BytesParser(policy=default).parsebytes(content))
        return "250 OK"


@pytest_asyncio.fixture(loop_scope="session")
async def post() -> AsyncIterator[tuple[Post, int]]:
    """A real SMTP server, and its port."""
    handler = Post()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    yield handler, server.sockets[0].getsockname()[1]
    server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pool(own_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(own_database, max_size=6) as pool:
        yield pool


def e_mails(port: int) -> Mapping[ChannelName, Channel]:
    settings = SmtpSettings(host="127.0.0.1", port=port, sender="cases@example.com", encryption="none")
    return {ChannelName.E_MAIL: SmtpChannel(settings)}


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
