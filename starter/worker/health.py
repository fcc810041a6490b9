"""What a worker tells an orchestrator that asks by HTTP how it is.

- ``/startupz``: it has come up, once and for all.
- ``/livez``: its event loop answers, and no worker has ended by itself. What is outside, and how busy it is, does not
  count: to start it anew would help nobody.
- ``/readyz``: it takes work, and has all that work needs. It turns off when the process begins to end.

Each answers 200 or 503 with ``{"ok", "state", "reasons"}``. A reason is a text of ours: addresses, names of users and
whatever else a driver's error quotes stay inside.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from aiohttp import web
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError, RPCStatusCode

from activities.postgres import schema
from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.schema_mismatch import SETUP_COMMAND, SchemaMismatch
from activities.privacy.keys import KeyRingError
from starter.settings import Settings, SettingsError
from starter.vault import key_provider, key_store_stands
from starter.worker.roles import Workers

Look = Callable[[], Awaitable[str | None]]
"""Looks at one thing that work needs; the answer is what is wrong with it, None for nothing."""

_PATIENCE: Final = 2.0
_FRESH_SECONDS: Final = 1.0
"""How long an answer holds: whoever asks a hundred times a second costs the database no more than who asks once."""
_ABSENT: Final = (RPCError, *NO_ANSWER)
_SILENT: Final = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_http_log: Final = logging.getLogger("health.http")


class State(StrEnum):
    """How far the process has come."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"


class Probed(Protocol):
    """Something that tells how it is: why it is not well, or nothing."""

    state: State

    async def startup(self) -> list[str]:
        """Why it has not come up yet."""
        ...

    async def liveness(self) -> list[str]:
        """Why the process will not do anything any more."""
        ...

    async def readiness(self) -> list[str]:
        """Why it takes no work, or could not do it."""
        ...


class Health:
    """How one worker process is."""

    def __init__(self) -> None:
        self.state = State.STARTING
        self._workers: Workers | None = None
        self._looks: Mapping[str, Look] = {}
        self._looking = asyncio.Lock()
        self._last: tuple[float, list[str]] | None = None

    def runs(self, workers: Workers, looks: Mapping[str, Look]) -> None:
        """The workers have been started; ``looks`` are what readiness depends on, by name."""
        self._workers, self._looks, self.state = workers, looks, State.RUNNING

    def drains(self) -> None:
        """From now on nothing new is taken."""
        self.state = State.DRAINING

    async def startup(self) -> list[str]:
        """Why it has not come up yet."""
        if self.state is State.DRAINING:
            return []
        if self._workers is None:
            return ["starting: not connected yet"]
        return [f"starting: queue {queue} is not asked for work yet" for queue in self._idle()]

    async def liveness(self) -> list[str]:
        """Why the process will not do anything any more."""
        if self._workers is None or self.state is State.DRAINING:
            return []
        return [f"worker: the one on queue {queue} has ended" for queue in self._workers.ended]

    async def readiness(self) -> list[str]:
        """Why it takes no work, or could not do it."""
        match self.state:
            case State.STARTING:
                return ["starting: not connected yet"]
            case State.DRAINING:
                return ["draining: asked to stop, nothing new is taken"]
            case State.RUNNING:
                polling = [f"worker: queue {queue} is not asked for work" for queue in self._idle()]
                return polling + await self._found()

    def _idle(self) -> tuple[str, ...]:
        return self._workers.not_polling if self._workers else ()

    async def _found(self) -> list[str]:
        async with self._looking:
            if self._last is None or time.monotonic() - self._last[0] > _FRESH_SECONDS:
                found = await asyncio.gather(*(look_at(name, look) for name, look in self._looks.items()))
                self._last = time.monotonic(), [reason for reason in found if reason]
            return self._last[1]


@asynccontextmanager
async def answering(health: Probed, listen: str | None) -> AsyncGenerator[str | None]:
    """Answers on ``listen`` (``host:port``) for as long as the context lasts; gives the address, None without one.

    Raises:
        OSError: the port is taken.
    """
    if listen is None:
        yield None
        return
    host, _, port = listen.rpartition(":")
    application = web.Application()
    for path, look in (
        ("/startupz", health.startup),
        ("/livez", health.liveness),
        ("/readyz", health.readiness),
    ):
        application.router.add_get(path, _handler(health, look))
    runner = web.AppRunner(application, access_log=None, logger=_http_log, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        name, number = runner.addresses[0][:2]
        yield f"http://{f'[{name}]' if ':' in name else name}:{number}"
    finally:
        await runner.cleanup()


def what_work_needs(settings: Settings, workers: Workers, database_url: str) -> dict[str, Look]:
    """What readiness depends on. Connections of its own: a pool that is busy is no outage."""

    async def temporal() -> str | None:
        client = workers.client  # another one once certificates were renewed
        # Not the server's health, which it tells everybody: a key that has expired must show here.
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=_PATIENCE)
        )
        return None

    async def database() -> str | None:
        # Whether it may start on a newer one was asked at its start. One that came since was migrated beneath it, and a
        # migration removes nothing that the release before uses.
        try:
            await schema.check(database_url, newer_fits=True)
        except SchemaMismatch as mismatch:
            return str(mismatch)
        return None

    async def keys() -> str | None:
        try:
            await key_provider(settings).current()
        except (SettingsError, KeyRingError) as error:
            return str(error)
        return None

    async def key_store() -> str | None:
        return None if await key_store_stands(settings, database_url) else f"is missing: run `{SETUP_COMMAND}`"

    return {"Temporal": temporal, "database": database, "keys": keys, "key store": key_store}


async def look_at(name: str, look: Look) -> str | None:
    """What is wrong with one thing, by its name; None for nothing."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reason = await look()
    except TimeoutError:
        reason = f"no answer within {_PATIENCE:g} s"
    except RPCError as error:
        reason = f"{'does not answer' if error.status in _SILENT else 'refuses'} ({error.status.name})"
    except _ABSENT as error:
        reason = f"does not answer ({type(error).__name__})"
    return f"{name}: {reason}" if reason else None


def _handler(
    health: Probed, look: Callable[[], Awaitable[list[str]]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        reasons = await look()
        document = {"ok": not reasons, "state": health.state, "reasons": reasons}
        return web.json_response(document, status=503 if reasons else 200)

    return handle
