"""A small Stripe on the loopback, by its API reference: what it refuses, repeats, pages and signs; and how it fails."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
DAY = 86_400
NOON = 1_795_867_200
"""2026-11-28 12:00 UTC."""


class Fault(StrEnum):
    """What goes wrong with one request."""

    ERROR = "error"
    """500, and nothing was done."""
    ERROR_AFTER_PAYING = "error_after_paying"
    LOST_ANSWER = "lost_answer"
    """Paid, and the connection is closed."""
    BROKEN_OFF = "broken_off"
    """Paid, and the connection is closed in the middle of the answer."""
    GARBAGE = "garbage"
    """Paid, and a proxy answers 200 with HTML."""
    BAD_GATEWAY = "bad_gateway"
    """502 with HTML of a proxy, before Stripe."""
    RATE_LIMITED = "rate_limited"
    LOCK_TIMEOUT = "lock_timeout"
    IN_USE = "in_use"
    """Another request with the same key is under way."""
    SLOW = "slow"
    """Paid, and never answered."""
    PROXY_REFUSES = "proxy_refuses"
    """400 that is not of Stripe's shape."""
    FORBIDDEN = "forbidden"
    DECLINED = "declined"
    """400: the charge is disputed."""


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: int, type_: str, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"type": type_, "message": message}
        self.body |= {name: value for name, value in (("code", code), ("param", param)) if value}


def invalid(message: str, code: str | None = None, param: str | None = None, status: int = 400) -> _Refused:
    return _Refused(status, "invalid_request_error", code, message, param)


@dataclass
class StripeServer:
    """The state of the accounts behind one key. Tests set what the next refunds come to."""

    now: int = NOON
    base: str = ""
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    """The oldest first."""
    transactions: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[tuple[str | None, str], tuple[int, str, int, dict[str, Any]]] = field(default_factory=dict)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    """Each for the next request of a method."""
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Method, path, parameters and headers of each request."""
    next_status: str = "succeeded"
    pending_reason: str | None = None
    balance_short: bool = False
    settlement: tuple[str, float] | None = None
    """The currency of the account's balance and the rate, where it is another than the charge's."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    answer_with: dict[str, Any] = field(default_factory=dict)
    """What the next refund object says otherwise."""

    def charge(self, amount: int, currency: str = "cny", *, account: str | None = None, intent: bool = False) -> str:
        number = f"{len(self.charges) + 1:06}"
        made: dict[str, Any] = {"id": f"ch_{number}", "amount": amount, "currency": currency, "account": account}
        made |= {"payment_intent": f"pi_{number}" if intent else None, "disputed": False}
        self.charges[made["id"]] = made
        return made["payment_intent"] or made["id"]

    def pay(self, charge: str, amount: int, number: str) -> None:
        """A refund that was sent before."""
        self._create({"charge": charge, "amount": str(amount), "metadata[aftersales_refund]": number}, None)

    def left(self, charge: dict[str, Any]) -> int:
        gone = ("failed", "canceled")
        of_it = [each for each in self.refunds if each["charge"] == charge["id"] and each["status"] not in gone]
        return charge["amount"] - sum(each["amount"] for each in of_it)

    def turn(self, refund_id: str, status: str, **fields: Any) -> list[dict[str, Any]]:
        """A refund comes to another status; the events of it."""
        refund = next(each for each in self.refunds if each["id"] == refund_id)
        before = {"status": refund["status"]}
        refund |= {"status": status, "pending_reason": None, **fields}
        if status in {"failed", "canceled"}:
            self._book(refund, "refund_failure", +1)
        events = [self.event("refund.updated", refund, before), self.event("charge.refund.updated", refund, before)]
        return [*([self.event("refund.failed", refund)] if status == "failed" else []), *events]

    def event(self, kind: str, about: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
        data = {"object": dict(about)} | ({"previous_attributes": before} if before else {})
        made: dict[str, Any] = {"id": f"evt_{kind.replace('.', '')}{about['id']}", "object": "event", "type": kind}
        return made | {"created": self.now, "livemode": False, "api_version": "2026-10-28.endive", "data": data}

    def _book(self, refund: dict[str, Any], kind: str, sign: int) -> None:
        currency, rate = self.settlement or (refund["currency"], 1.0)
        line: dict[str, Any] = {"id": f"txn_{len(self.transactions) + 1:06}", "object": "balance_transaction"}
        line |= {"amount": sign * int(refund["amount"] * rate), "currency": currency, "created": self.now}
        line |= {"type": kind, "source": refund["id"], "account": self._account_of(refund)}
        self.transactions.append(line)

    def _account_of(self, refund: dict[str, Any]) -> str | None:
        return self.charges[refund["charge"]]["account"]

    def _charge_named(self, told: dict[str, str], account: str | None) -> dict[str, Any]:
        charge, intent = told.get("charge"), told.get("payment_intent")
        if (charge is None) == (intent is None):
            raise invalid("One of the following params should be provided: payment_intent or charge.")
        param, wanted = ("charge", charge) if charge else ("payment_intent", intent)
        for each in self.charges.values():
            if wanted in {each["id"], each["payment_intent"]} and each["account"] == account:
                return each
        raise invalid(f"No such {param}: '{wanted}'", "resource_missing", param, 404)

    def _create(self, told: dict[str, str], account: str | None) -> dict[str, Any]:
        charge = self._charge_named(told, account)
        amount = told.get("amount", "")
        if not amount.isdecimal() or int(amount) < 1:
            raise invalid("Invalid integer", "parameter_invalid_integer", "amount")
        if charge["disputed"]:
            raise invalid("This charge has been charged back.", "charge_disputed", "charge")
        if self.left(charge) == 0:
            raise invalid("The charge has already been refunded.", "charge_already_refunded", "charge")
        if int(amount) > self.left(charge):
            raise invalid("Refund amount is greater than unrefunded amount on charge", param="amount")
        if self.balance_short:
            raise invalid("Insufficient funds in your Stripe balance to refund this amount.", "balance_insufficient")
        refund: dict[str, Any] = {"id": f"re_{len(self.refunds) + 1:06}", "object": "refund", "amount": int(amount)}
        refund |= {"charge": charge["id"], "currency": charge["currency"], "created": self.now, "reason": None}
        refund |= {"status": self.next_status, "failure_reason": None, "pending_reason": self.pending_reason}
        refund |= {"payment_intent": charge["payment_intent"], "metadata": _nested(told, "metadata")}
        refund |= self.answer_with
        self.refunds.append(refund)
        self._book(refund, "refund", -1)
        return refund

    async def create(self, request: web.Request) -> web.StreamResponse:
        told = {name: str(value) for name, value in (await request.post()).items()}
        known = {"charge", "payment_intent", "amount", "reason", "reverse_transfer", "refund_application_fee"}
        strange = sorted(name for name in told if name not in known and not name.startswith("metadata["))
        account, key = request.headers.get("Stripe-Account"), request.headers["Idempotency-Key"]
        fault = self._fault("POST")
        match fault:
            case Fault.RATE_LIMITED:
                raise _Refused(429, "invalid_request_error", "rate_limit", "Too many requests hit the API too quickly.")
            case Fault.LOCK_TIMEOUT:
                raise _Refused(429, "invalid_request_error", "lock_timeout", "This object cannot be accessed right now")
            case Fault.BAD_GATEWAY:
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case Fault.PROXY_REFUSES:
                return web.Response(
                    status=400, text='{"error": {"message": "blocked"}}', content_type="application/json"
                )
            case Fault.IN_USE:
                raise invalid("There is another request in progress.", "idempotency_key_in_use", status=409)
            case Fault.FORBIDDEN:
                raise invalid("The provided key does not have the required permissions", status=403)
            case _:
                pass
        if strange:
            raise invalid(f"Received unknown parameter: {strange[0]}", "parameter_unknown", strange[0])
        self.keys = {each: kept for each, kept in self.keys.items() if kept[0] > self.now - DAY}
        asked = json.dumps(told, sort_keys=True)
        if kept := self.keys.get((account, key)):
            if kept[1] != asked:
                raise _Refused(400, "idempotency_error", None, "Keys can only be used with the same parameters")
            return web.json_response(kept[3], status=kept[2], headers={"Idempotent-Replayed": "true"})
        status, body = 200, {}
        try:
            if fault is Fault.DECLINED:
                raise invalid("This charge has been charged back.", "charge_disputed", "charge")
            if fault is Fault.ERROR:
                raise _Refused(500, "api_error", None, "An unknown error occurred")
            body = dict(self._create(told, account))
            if fault is Fault.ERROR_AFTER_PAYING:
                raise _Refused(500, "api_error", None, "An unknown error occurred")
        except _Refused as refused:
            status, body = refused.status, {"error": refused.body}
        self.keys[account, key] = (self.now, asked, status, body)
        return await self._answered(request, status, body, fault)

    async def _answered(
        self, request: web.Request, status: int, body: dict[str, Any], fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case Fault.LOST_ANSWER:
                assert request.transport is not None
                request.transport.abort()
            case Fault.BROKEN_OFF:
                half = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
                await half.prepare(request)
                await half.write(b'{"id": "re_')
                assert request.transport is not None
                request.transport.close()
                return half
            case Fault.SLOW:
                await self.ending.wait()
            case Fault.GARBAGE:
                return web.Response(text="<html>Welcome to the hotel</html>", content_type="text/html")
            case _:
                pass
        return web.json_response(body, status=status)

    async def list_refunds(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault("GET")
        if fault is Fault.ERROR:
            raise _Refused(500, "api_error", None, "An unknown error occurred")
        if fault is Fault.RATE_LIMITED:
            raise _Refused(429, "invalid_request_error", "rate_limit", "Too many requests hit the API too quickly.")
        told = dict(request.query)
        charge = self._charge_named(told, request.headers.get("Stripe-Account"))
        found = [each for each in reversed(self.refunds) if each["charge"] == charge["id"]]
        return self._page(found, told)

    async def list_transactions(self, request: web.Request) -> web.StreamResponse:
        told = dict(request.query)
        since, until = int(told.get("created[gte]", 0)), int(told.get("created[lt]", 2**40))
        account = request.headers.get("Stripe-Account")
        found = [
            each | {"source": next(refund for refund in self.refunds if refund["id"] == each["source"])}
            if told.get("expand[0]") == "data.source"
            else each
            for each in reversed(self.transactions)
            if each["account"] == account
            and told.get("type") in {None, each["type"]}
            and since <= each["created"] < until
        ]
        return self._page(found, told)

    def _page(self, found: list[dict[str, Any]], told: dict[str, str]) -> web.StreamResponse:
        limit = int(told.get("limit", 10))
        if not 1 <= limit <= 100:
            raise invalid("Invalid limit", param="limit")
        if after := told.get("starting_after"):
            found = found[[each["id"] for each in found].index(after) + 1 :]
        body = {"object": "list", "url": "/v1", "has_more": len(found) > limit, "data": found[:limit]}
        return web.json_response(body)

    async def balance(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "balance", "available": [], "pending": [], "livemode": False})

    def _fault(self, method: str) -> Fault | None:
        for place, (of_method, fault) in enumerate(self.faults):
            if of_method == method:
                del self.faults[place]
                return fault
        return None

    def posts(self) -> list[dict[str, str]]:
        """The parameters of each refund that was asked for."""
        return [told for method, _, told, _ in self.seen if method == "POST"]

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        told = {name: str(value) for name, value in (await request.post() or request.query).items()}
        self.seen.append((request.method, request.path, told, dict(request.headers)))
        try:
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                raise invalid("Invalid API Key provided", status=401)
            return await handler(request)
        except _Refused as refused:
            return web.json_response({"error": refused.body}, status=refused.status, headers={"Request-Id": "req_1"})


def signed(body: bytes, secret: str, at: int) -> str:
    """The header ``Stripe-Signature`` of a webhook."""
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _nested(told: dict[str, str], name: str) -> dict[str, str]:
    return {key[len(name) + 1 : -1]: value for key, value in told.items() if key.startswith(f"{name}[")}


@asynccontextmanager
async def stripe_server() -> AsyncGenerator[StripeServer]:
    """A server on a free port of the loopback."""
    server = StripeServer()
    application = web.Application(middlewares=[server.guard])
    application.router.add_post("/v1/refunds", server.create)
    application.router.add_get("/v1/refunds", server.list_refunds)
    application.router.add_get("/v1/balance_transactions", server.list_transactions)
    application.router.add_get("/v1/balance", server.balance)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.ending.set()
        await runner.cleanup()
