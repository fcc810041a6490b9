"""Sending what waits in the outbox."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from pydantic import SecretStr

from activities.measures import Measures
from activities.notices import outbox
from activities.notices.channels import (
    Addresses,
    Channel,
    ChannelName,
    ChannelUnavailable,
    NoticeRefused,
    OutgoingNotice,
)
from activities.notices.outbox import Delivery, Failed, Queued, Sent, Undeliverable
from activities.notices.own_texts import BUILT_IN, OwnTexts
from activities.notices.templates import NotKnownHere, NotRenderable
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import NoticeTemplate
from workflows.messages.notices import SendReport
from workflows.messages.place import Language

_BATCH: Final = 10
_GATHERED_SECONDS: Final = 0.05
"""So long notices are gathered after the first one: a busy worker then takes them up by tens and not one by one."""
_ROUND: Final = 500
_LEASE: Final = timedelta(minutes=1)
_FIRST_RETRY: Final = timedelta(seconds=10)
_LONGEST_RETRY: Final = timedelta(hours=1)

_log = logging.getLogger(__name__)


class NoticeSender:
    """Sends notices after their step was committed, at least once each, with a key by which channels see repeats.

    A notice is taken up under a lease, sent outside of any transaction, and marked. A sender that dies in between
    leaves it to be sent again: each kill repeats at most the ten notices in hand, each once, under its key. A channel
    that fails is tried again after a while that doubles up to an hour, for some days; then the notice is left to an
    operator. Nothing here ever fails or delays whoever calls
    ``wake`` (section 10).

    Waiting between attempts is no business time: it is counted by the clock.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        channels: Mapping[ChannelName, Channel],
        language: Language,
        *,
        send_timeout: float = 5,
        poll_seconds: float = 30,
        measures: Measures | None = None,
        addresses: Addresses | None = None,
        texts: OwnTexts = BUILT_IN,
        give_up: timedelta = timedelta(days=3),
    ) -> None:
        """Take the outbox's pool and the channels.

        Args:
            pool: The database of the outbox.
            channels: By which each notice leaves.
            language: In which notices are written that have none of their own (G6).
            send_timeout: Seconds that a channel has to take a notice.
            poll_seconds: How often ``running`` looks by itself for notices whose next attempt is due.
            measures: Measures the calls of channels.
            addresses: Where the addresses of recipients are looked up, for channels that want them.
            texts: The platform's own texts, where it has some.
            give_up: How long a notice is tried that a channel does not take.
        """
        self._addresses = addresses
        self._texts = texts
        self._most_attempts = _attempts_within(give_up)
        self._measures = measures or Measures()
        self._pool = pool
        self._channels = channels
        self._language: Language = language
        self._send_timeout = send_timeout
        self._poll_seconds = poll_seconds
        self._poked = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Have ``running`` send what is new. Returns at once, and does nothing where nothing is running."""
        self._poked.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Send in the background for as long as the context lasts; on leaving, what is being sent is ended."""
        self._stopping = False
        task = asyncio.create_task(self._run(), name="notice sender")
        try:
            yield
        finally:
            self._stopping = True
            self._poked.set()
            await task

    async def send_due(self, now: datetime, limit: int) -> SendReport:
        """Send up to ``limit`` notices that are due at ``now``, in small batches.

        Raises:
            asyncpg.PostgresError, OSError: the outbox cannot be reached. What a channel does never raises.
        """
        deliveries: list[Delivery] = []
        more = True
        while more and len(deliveries) < limit and not self._stopping:
            size = min(_BATCH, limit - len(deliveries))
            batch = await self._send_batch(now, size)
            deliveries += batch
            more = len(batch) == size
        return SendReport(
            sent=sum(isinstance(each, Sent) for each in deliveries),
            failed=sum(isinstance(each, Failed) for each in deliveries),
            undeliverable=sum(isinstance(each, Undeliverable) for each in deliveries),
            more=more,
        )

    async def _run(self) -> None:
        while not self._stopping:
            self._poked.clear()
            try:
                while (await self.send_due(datetime.now(UTC), _ROUND)).more and not self._stopping:
                    pass
            except Exception as error:
                # The outbox keeps everything: the next round is the remedy.
                _log.warning("notices wait: the outbox cannot be used (%s)", type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), self._poll_seconds)
                if not self._stopping:
                    await asyncio.sleep(_GATHERED_SECONDS)

    async def _send_batch(self, now: datetime, size: int) -> list[Delivery]:
        async with self._pool.acquire() as connection:
            batch = await outbox.take(connection, now, now + _LEASE, size)
        deliveries = await asyncio.gather(*(self._send(queued, now) for queued in batch))
        if deliveries:
            async with self._pool.acquire() as connection, connection.transaction():
                await outbox.mark(connection, deliveries, now)
        for queued, delivery in zip(batch, deliveries, strict=True):
            self._measures.notice(queued.channel, type(delivery).__name__.lower())
        return deliveries

    async def _send(self, queued: Queued, now: datetime) -> Delivery:
        again_at = now + min(_FIRST_RETRY * 2 ** min(queued.attempts - 1, 20), _LONGEST_RETRY)
        try:
            template, name = NoticeTemplate(queued.template), ChannelName(queued.channel)
            recipient = Actor(role=Role(queued.recipient_role), id=queued.recipient_id)
            channel = self._channels[name]
        except (ValueError, KeyError):
            # Queued by a newer release: a worker of that release will know it.
            return Failed(queued.id, "not_known_here", again_at)
        try:
            words = self._texts.render(template, queued.fields, self._language)
        except NotKnownHere:
            return Failed(queued.id, "not_known_here", again_at)
        except NotRenderable as error:
            _log.warning("notice %d is undeliverable: %s", queued.id, error)
            return Undeliverable(queued.id, "not_renderable")
        try:
            message = OutgoingNotice(
                dedup_key=queued.dedup_key,
                channel=name,
                recipient=recipient,
                template=template,
                language=words.language,
                text=words.text,
                subject=words.subject,
                html=words.html,
                address=await self._address_for(channel, recipient, name),
            )
            with self._measures.call(name, "send"):
                async with asyncio.timeout(self._send_timeout):
                    await channel.send(message)
        except NoticeRefused as error:
            return Undeliverable(queued.id, error.code)
        except ChannelUnavailable as error:
            code = error.code
        except TimeoutError:
            code = "channel_timeout"
        except Exception as error:
            # The text of a channel's error may quote the recipient.
            _log.warning("channel %s failed with %s", name, type(error).__name__)
            code = "channel_error"
        else:
            return Sent(queued.id)
        if queued.attempts >= self._most_attempts:
            return Undeliverable(queued.id, code)
        return Failed(queued.id, code, again_at)

    async def _address_for(self, channel: Channel, to: Actor, name: ChannelName) -> SecretStr | None:
        wanted = self._addresses is not None and getattr(channel, "wants_address", False)
        return await self._addresses.address(to, name) if wanted and self._addresses else None


def _attempts_within(time: timedelta) -> int:
    """How many attempts at the same notice there are until it has been tried for so long."""
    attempts, passed = 1, timedelta(0)
    while passed < time:
        passed += min(_FIRST_RETRY * 2 ** min(attempts - 1, 20), _LONGEST_RETRY)
        attempts += 1
    return attempts
