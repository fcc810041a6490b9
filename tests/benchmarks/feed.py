"""Measures how quickly events are read and delivered: ``python -m tests.benchmarks.feed``. Takes half a minute.

On a database of its own, in a temporary folder. Prints events a second by the typed client and by webhook.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from activities.postgres import schema
from activities.postgres.pool import open_pool
from activities.webhooks.delivery import WebhookDelivery
from activities.webhooks.posting import posting
from activities.webhooks.signing import new_secret
from starter.events import Events
from starter.settings import Settings
from starter.stack import embedded_stack

_EVENT = """
    {"id":"evt_' || lpad(to_hex(n), 26, '0') || '","type":"case.moved","case_id":"refund/O-' || n / 5 || '/k-1",
    "sequence":' || n % 5 || ',"at":"2026-11-23T04:00:00Z","kind":"unshipped_refund","merchant_id":"m-1",
    "order_no":"O-' || n / 5 || '","stage":"paying","due":"2026-11-25T04:00:00Z",
    "asked":{"amount":5900,"currency":"CNY"},"lines":[{"event":"approved","by":"merchant","rule":"R1"}]}
"""


async def measure(events: int, latency: float) -> None:
    """Fill a feed with so many events of cases with five each, read it from end to end, and deliver a tenth of it.

    The receiver of webhooks answers after ``latency`` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="aftersales-") as folder:
        async with embedded_stack(Settings(state_dir=Path(folder))) as stack:
            await schema.upgrade(stack.database_url)
            async with await open_pool(stack.database_url) as pool:
                await pool.execute(
                    f"INSERT INTO events.feed (event) SELECT ('{_EVENT}')::json FROM generate_series(1, $1::int) AS n",
                    events,
                )
                began = time.perf_counter()
                read, after, more = 0, None, True
                while more:
                    page = await Events(pool).page({"after": after, "limit": 1000})
                    read, after, more = read + len(page.events), page.next, page.more
                took = time.perf_counter() - began
                print(f"read {read} events in {took:.1f} s: {read / took:.0f} a second")

                await pool.execute("DELETE FROM events.feed WHERE id > $1", events // 10)
                taken = 0

                async def take(request: web.Request) -> web.Response:
                    nonlocal taken
                    await request.read()
                    await asyncio.sleep(latency)
                    taken += 1
                    return web.Response(status=204)

                application = web.Application()
                application.router.add_post("/", take)
                path = Path(folder) / "webhooks.toml"
                async with TestServer(application) as server, posting(anywhere=True) as poster:
                    url = f"url = '{server.make_url('/')}'"
                    path.write_text(f"[endpoints.crm]\n{url}\nsecrets = ['{new_secret()}']\nbegins = 'oldest'\n")
                    delivery = WebhookDelivery(pool, poster, path, anywhere=True, give_up=timedelta(days=3))
                    began = time.perf_counter()
                    await delivery.deliver()
                    took = time.perf_counter() - began
                print(f"delivered {taken} events in {took:.1f} s: {taken / took:.0f} a second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds until a webhook is answered")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.events, arguments.latency))
    sys.stdout.flush()
    os._exit(0)
