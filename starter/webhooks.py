"""The webhooks of a worker process, as the settings have them (X4)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from activities.measures import Measures
from activities.webhooks.delivery import WebhookDelivery
from activities.webhooks.endpoints import EndpointsError
from activities.webhooks.posting import posting
from starter.settings import Settings, SettingsError, variable_name


@asynccontextmanager
async def webhooks_delivered(settings: Settings, pool: asyncpg.Pool, measures: Measures) -> AsyncGenerator[None]:
    """Deliver events for as long as the context lasts, where a file says to whom.

    Raises:
        SettingsError: the file is wrong.
    """
    if settings.webhooks is None:
        yield
        return
    anywhere = settings.posts_anywhere
    async with posting(anywhere=anywhere) as poster:
        try:
            delivery = WebhookDelivery(
                pool,
                poster,
                settings.webhooks,
                anywhere=anywhere,
                give_up=timedelta(days=settings.webhook_days),
                poll_seconds=settings.notice_poll_seconds,
                measures=measures,
            )
        except EndpointsError as error:
            raise SettingsError(f"{variable_name('webhooks')}: {error}") from error
        async with delivery.running():
            yield
