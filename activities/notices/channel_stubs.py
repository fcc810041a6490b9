"""Stand-ins for the channels, in PostgreSQL: they store what was sent, and fail when told to."""

from collections.abc import Mapping

import asyncpg

from activities.notices.channels import Channel, ChannelName, ChannelUnavailable, OutgoingNotice
from activities.postgres.connection import Connection


class ChannelStub:
    """A channel that stores what it is sent in ``channels.sent``, each ``dedup_key`` once.

    It uses a pool of its own: what it has stored stays, whatever becomes of the sender's transaction.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def ping(self) -> str:
        """Whether the stub's database answers."""
        await self._pool.fetchval("SELECT 1")
        return "a stand-in: nobody is told"

    async def send(self, message: OutgoingNotice) -> None:
        """Store the notice, unless failures are left that the channel was told to make.

        Raises:
            ChannelUnavailable: it was told to.
        """
        taken = await self._pool.fetchval(
            """
            WITH failing AS (
                UPDATE channels.failures SET remaining = remaining - 1
                WHERE channel = $1 AND remaining > 0
                RETURNING true
            ), stored AS (
                INSERT INTO channels.sent (channel, dedup_key, recipient_role, recipient_id, template, language, text)
                SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT FROM failing)
                ON CONFLICT DO NOTHING
            )
            SELECT NOT EXISTS (SELECT FROM failing)
            """,
            message.channel,
            message.dedup_key,
            message.recipient.role,
            message.recipient.id,
            message.template,
            message.language,
            message.text,
        )
        if not taken:
            raise ChannelUnavailable


def stub_channels(pool: asyncpg.Pool) -> Mapping[ChannelName, Channel]:
    """A stand-in for every channel, all on one pool."""
    stub = ChannelStub(pool)
    return dict.fromkeys(ChannelName, stub)


async def fail_next(connection: Connection, channel: ChannelName, times: int) -> None:
    """Tell a channel's stand-in to be unavailable so many times from now on; 0 makes it work again."""
    await connection.execute(
        """
        INSERT INTO channels.failures (channel, remaining) VALUES ($1, $2)
        ON CONFLICT (channel) DO UPDATE SET remaining = excluded.remaining
        """,
        channel,
        times,
    )
