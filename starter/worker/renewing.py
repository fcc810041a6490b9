"""Certificates and keys for Temporal that are renewed while a worker runs: it takes them up by itself.

A version that holds cases runs for weeks, longer than many a certificate counts, and is not deployed anew.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from temporalio.envconfig import ClientConnectConfig

from starter.connection import connect, temporal_config
from starter.settings import Settings, SettingsError
from starter.worker.roles import Workers

LOOK_SECONDS: Final = 30.0
"""How often the files are looked at."""
_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def renewed(
    settings: Settings, workers: Workers, in_use: ClientConnectConfig, *, every: float = LOOK_SECONDS
) -> AsyncGenerator[None]:
    """Give the workers a new client whenever Temporal's configuration has changed, while the context lasts.

    The configuration is what the environment's variables and the files that they name come to: certificate and key,
    the authority, a profile with an API key. ``in_use`` is what it came to before the workers' client connected. What
    cannot be read, or connects to nobody, leaves the workers with the client that they have, and is tried again.
    """
    if settings.embeds_temporal:
        yield
        return
    looking = asyncio.create_task(_look(settings, workers, in_use, every), name="renewed credentials")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look(settings: Settings, workers: Workers, in_use: ClientConnectConfig, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            found = temporal_config(settings)
            if found != in_use:
                workers.go_on_with(await connect(settings))
                in_use = found
                _log.info("Temporal's certificates or keys have changed on disk and are in use")
        except (SettingsError, ConnectionError) as error:
            # Two files may be replaced one after the other; and the old ones may count for a while.
            _log.warning("Temporal's certificates or keys have changed on disk and do not work: %s", error)
