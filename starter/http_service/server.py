"""The service itself: its paths, who may ask under which, and what is answered where something fails."""

import asyncio
import logging
import math
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from aiohttp import web
from temporalio.common import MetricMeter

from activities.gateways.carrier import Carrier
from activities.gateways.orders import OrderSource
from activities.gateways.payment import PaymentGateway
from activities.postgres.vault import Vault
from starter.access_tokens import Unauthenticated
from starter.events import Events
from starter.events_http import routes
from starter.http_service.callbacks import Callbacks
from starter.http_service.configuration import HttpServiceSettings, Role
from starter.http_service.counts import Counts
from starter.http_service.handing_on import Cases, HandingOn
from starter.http_service.pushes import Pushes
from starter.http_service.reading_orders import ReadingOrders
from starter.http_service.refusals import WHO, NotTaken, answered
from starter.http_service.turns import Turns
from starter.request_rates import Rate

_log: Final = logging.getLogger("http")
_http_log: Final = logging.getLogger("http.server")
_UNDER: Final = {"/v1/orders": Role.ORDERS, "/v1/parcels": Role.CARRIERS, "/v1/events": Role.EVENTS}


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    # What is no HTTP is quoted in the traceback: the path too.
    record.exc_info = None
    return True


_http_log.addFilter(_without_what_was_sent)


class HttpService:
    """Everything that the service is made of."""

    def __init__(
        self,
        settings: HttpServiceSettings,
        pool: asyncpg.Pool,
        vault: Vault,
        cases: Cases,
        payments: PaymentGateway,
        carriers: Carrier,
        *,
        meter: MetricMeter = MetricMeter.noop,
        orders: OrderSource | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``orders`` is a stream that orders are read from; ``clock`` counts the seconds of the limits.

        Raises:
            UnusableKey: the file with public keys cannot be used.
        """
        self.settings = settings
        counts = Counts(meter)
        self.handing_on = HandingOn(pool, cases, counts)
        wake = self.handing_on.wake
        # Each door has connections that the other cannot take: callbacks come however many orders are pushed.
        self.callbacks = Callbacks(
            settings, pool, payments, carriers, counts, wake, Turns(4, 2, most_waiting=100), clock
        )
        self.pushes = Pushes(settings, pool, vault, counts, wake, Turns(3, 2, most_waiting=20))
        self.reading_orders = ReadingOrders(orders, self.pushes.read) if orders else None
        self.events = Events(pool)
        self._tokens = settings.tokens()
        self._rate = Rate(settings.requests_per_minute, clock)

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Knows who asks, and answers where something fails: without anything of what was sent."""
        try:
            self._admit(request)
            response = await handler(request)
        except NotTaken as refused:
            response = answered(refused)
        except Unauthenticated as error:
            response = answered(NotTaken(401, str(error), WWW_Authenticate="Bearer"))
        except web.HTTPException as error:
            response = answered(NotTaken(error.status, error.reason))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            # Where it happened, not what it says: that may quote what was sent.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s in\n%s", type(error).__name__, frames)
            response = answered(NotTaken(500, "the service failed; its log says where"))
        if not response.prepared:
            response.headers["Cache-Control"] = "no-store"
        return response

    def _admit(self, request: web.Request) -> None:
        needed = next((role for path, role in _UNDER.items() if f"{request.path}/".startswith(f"{path}/")), None)
        if needed is None:
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("a token is needed: `Authorization: Bearer ...`")
        claims = self._tokens.claims(token.strip())
        if claims.get("role") != needed:
            raise NotTaken(403, f"the token's role must be {needed}")
        request[WHO] = f"{needed} {claims['sub']}"
        if wait := self._rate.wait(request[WHO]):
            raise NotTaken(429, "too many requests: wait a little", Retry_After=str(math.ceil(wait)))


def application(service: HttpService) -> web.Application:
    """The service as an application of aiohttp."""
    made = web.Application(middlewares=[service.guard])
    made.router.add_post("/callbacks/payments", service.callbacks.payments)
    made.router.add_post("/callbacks/carriers", service.callbacks.carriers)
    made.router.add_put("/v1/orders/{order_no}", service.pushes.order)
    made.router.add_post("/v1/orders", service.pushes.orders)
    made.router.add_post("/v1/parcels/events", service.pushes.parcel_events)
    made.router.add_routes(routes(service.events))
    return made


@asynccontextmanager
async def running(service: HttpService) -> AsyncGenerator[str]:
    """The service for as long as the context lasts; gives its address as a URL.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(
        application(service),
        access_log=None,
        logger=_http_log,
        # What comes compressed could not be measured before it is unpacked.
        auto_decompress=False,
        shutdown_timeout=10,
    )
    await runner.setup()
    working = {asyncio.create_task(service.handing_on.run(), name="handing the inbox on")}
    if service.reading_orders:
        working.add(asyncio.create_task(service.reading_orders.run(), name="reading orders"))
    try:
        await web.TCPSite(runner, service.settings.host, service.settings.port).start()
        yield f"http://{service.settings.host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        for task in working:
            task.cancel()
        await asyncio.wait(working)
