"""The HTTP service on the tests' database, in the role of a client, with cases that only note what they are told."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.carrier import ReadEvents
from activities.gateways.carrier_stub import CarrierStub
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres.pool import open_pool
from starter.http_service import HttpService, HttpServiceSettings, Role, application, minted
from tests.storage.own_keys import vault
from workflows.messages.commands import GatewayCallback
from workflows.messages.parcels import CarrierEvent
from workflows.messages.reading import read_json
from workflows.messages.virtual_numbers import OrderCompleted

SECRET = "a secret of these tests, long enough"


class SealingCarrier(CarrierStub):
    """A carrier whose callbacks bear a seal."""

    async def read_events(self, request: CallbackRequest) -> ReadEvents:
        if request.headers.get("seal") != "genuine":
            raise CallbackRefused(Refused.FORGED, "seal")
        return ReadEvents((read_json(CarrierEvent, request.body),))


@dataclass
class NotedCases:
    """Cases that note what they are told, or fail as they were told to."""

    callbacks: list[GatewayCallback] = field(default_factory=list[GatewayCallback])
    events: list[CarrierEvent] = field(default_factory=list[CarrierEvent])
    completions: list[OrderCompleted] = field(default_factory=list[OrderCompleted])
    failing: Exception | None = None

    @property
    def logistics(self) -> "NotedCases":
        return self

    @property
    def numbers(self) -> "NotedCases":
        return self

    async def order_completed(self, fact: OrderCompleted) -> None:
        if self.failing:
            raise self.failing
        self.completions.append(fact)

    async def gateway_callback(self, callback: GatewayCallback) -> None:
        if self.failing:
            raise self.failing
        self.callbacks.append(callback)

    async def carrier_event(self, event: CarrierEvent) -> None:
        if self.failing:
            raise self.failing
        self.events.append(event)


@dataclass
class Door:
    """A service, and somebody who asks it."""

    service: HttpService
    client: TestClient[Any, Any]
    cases: NotedCases
    owner: asyncpg.Pool
    clock: list[float]

    def token(self, role: str, subject: str = "shop") -> dict[str, str]:
        made = minted(self.service.settings, Role(role), subject, timedelta(minutes=5))
        return {"Authorization": f"Bearer {made}"}

    async def kept(self) -> list[asyncpg.Record]:
        return await self.owner.fetch("SELECT * FROM inbox.messages ORDER BY id")

    async def later(self) -> None:
        """The pauses before the next tries are over."""
        await self.owner.execute("UPDATE inbox.messages SET next_at = now() WHERE next_at IS NOT NULL")


Open = Callable[..., AbstractAsyncContextManager[Door]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pools(database: str, as_client: str) -> AsyncIterator[tuple[asyncpg.Pool, asyncpg.Pool]]:
    async with await open_pool(database, max_size=4) as owner, await open_pool(as_client, max_size=10) as client:
        yield owner, client


@pytest_asyncio.fixture(loop_scope="session")
async def open_door(pools: tuple[asyncpg.Pool, asyncpg.Pool]) -> Open:
    """Opens a service with an empty inbox; nothing works on the inbox but what a test has worked on it."""
    owner, pool = pools
    await owner.execute("TRUNCATE inbox.messages")

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncGenerator[Door]:
        usual: dict[str, Any] = {"port": 0, "token_secret": SECRET}
        clock = [0.0]
        cases = NotedCases()
        service = HttpService(
            HttpServiceSettings.model_validate(usual | changes),
            pool,
            vault(),
            cases,
            PaymentGatewayStub(owner),
            SealingCarrier(owner),
            clock=lambda: clock[0],
        )
        async with TestClient(TestServer(application(service))) as client:
            yield Door(service, client, cases, owner, clock)

    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def door(open_door: Open) -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
