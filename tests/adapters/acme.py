"""A payment provider as the page on adapters invents it, for its example to be tried against."""

import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from activities.gateways.callbacks import CallbackRequest

SECRET = "acme's and ours"


@dataclass
class Acme:
    """The provider's book, and what it is told to do wrong next, by number."""

    refunds: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    next: dict[str, str] = field(default_factory=dict[str, str])
    moved: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    async def pay(self, request: web.Request) -> web.Response:
        number, body = request.match_info["number"], await request.json()
        wrong = self.next.pop(number, "")
        if wrong == "turn away":
            return web.json_response({"error": "TOO_MANY"}, status=429, headers={"retry-after": "7"})
        if wrong == "lose request":
            return web.Response(status=502, text="<html>")
        if number not in self.refunds:
            now = datetime.now(UTC).isoformat()
            state = (
                {"state": "declined", "code": "CARD_LOST"} if wrong == "decline" else {"state": "paid", "paid_at": now}
            )
            self.refunds[number] = {"id": f"ac_{len(self.refunds)}", "number": number, **body, **state}
            if state["state"] == "paid":
                self.moved.append((number, body["amount"]))
        if wrong == "lose answer":
            return web.Response(status=502, text="<html>")
        return web.json_response(self.refunds[number])

    async def tell(self, request: web.Request) -> web.Response:
        found = self.refunds.get(request.match_info["number"])
        return web.json_response(found or {"error": "NO_SUCH_REFUND"}, status=200 if found else 404)

    async def statement(self, request: web.Request) -> web.Response:
        day = request.match_info["day"]
        return web.json_response(
            {"refunds": [each for each in self.refunds.values() if each.get("paid_at", "").startswith(day)]}
        )

    async def account(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "demo"})

    def callback(self, number: str) -> CallbackRequest:
        now = datetime.now(UTC)
        sent = str(int(now.timestamp()))
        mac = hmac.new(SECRET.encode(), sent.encode() + number.encode(), hashlib.sha256).hexdigest()
        return CallbackRequest(number.encode(), {"acme-time": sent, "acme-signature": mac}, now)


@asynccontextmanager
async def serving(acme: Acme) -> AsyncGenerator[str]:
    """The provider on a free port of this machine; its address."""
    application = web.Application()
    application.add_routes(
        [
            web.put("/refunds/{number}", acme.pay),
            web.get("/refunds/{number}", acme.tell),
            web.get("/statements/{day}", acme.statement),
            web.get("/account", acme.account),
        ]
    )
    async with TestServer(application) as server:
        yield str(server.make_url("/")).rstrip("/")
