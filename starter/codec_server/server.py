"""The server itself: who may ask, what is answered, and what is told of it in the log (P6).

Neither answers of failure nor the log hold anything of a payload or a token. A failure's text is the status line's
reason too: that is what the Web UI shows.
"""

import asyncio
import json
import logging
import math
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from aiohttp import web
from temporalio.api.common.v1 import Payload

from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.vault import Vault
from activities.privacy.codec import MOST_INFLATED, EncryptionCodec, PayloadTooLarge, is_encrypted
from activities.privacy.keys import KeyProvider, KeyRingError, UnknownKey
from activities.privacy.sealing import Tampered
from starter.codec_server import decoration, wire
from starter.codec_server.access import Caller, NotAllowed, Role, Unauthenticated
from starter.codec_server.behind_references import BehindReferences
from starter.codec_server.configuration import UI_PATH, CodecServerSettings
from starter.request_rates import Rate

_log: Final = logging.getLogger("codec")
_http_log: Final = logging.getLogger("codec.http")
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type, x-namespace, authorization, authorization-extras",
    "Access-Control-Max-Age": "600",
}
_UNREACHABLE: Final = (TimeoutError, *NO_ANSWER)
_LONGEST_KEY_ID: Final = 32
_SMALL_BODY: Final = 64 * 1024
"""Bytes. A larger body counts as a request for each of them, and is worked on beside the event loop."""


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    # What is no HTTP is quoted in the traceback: the path too.
    record.exc_info = None
    return True


_http_log.addFilter(_without_what_was_sent)


class _Refused(Exception):  # noqa: N818 -- named after what happened
    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def application(
    settings: CodecServerSettings,
    keys: KeyProvider,
    pool: asyncpg.Pool,
    vault: Vault,
    clock: Callable[[], float] = time.monotonic,
) -> web.Application:
    """The server as an application of aiohttp; ``clock`` counts the seconds of its limit on requests.

    Raises:
        UnusableKey: the file with public keys cannot be used.
    """
    server = _CodecServer(settings, keys, BehindReferences(pool, vault, settings.reveals_per_hour), clock)
    made = web.Application(middlewares=[server.guard], client_max_size=settings.max_body_bytes)
    for prefix in ("", "/as/{token}", UI_PATH):
        for action, handler in (("decode", server.decode), ("encode", server.encode)):
            # However many slashes stand before it: people end the endpoint's URL with one.
            path = f"{prefix}/{{_:/*}}{action}"
            made.router.add_post(path, handler)
            made.router.add_options(path, server.preflight)
    return made


@asynccontextmanager
async def running(
    settings: CodecServerSettings, keys: KeyProvider, pool: asyncpg.Pool, vault: Vault
) -> AsyncGenerator[str]:
    """The server for as long as the context lasts; gives its address as a URL.

    Raises:
        UnusableKey: the file with public keys cannot be used.
        OSError: the port is taken.
    """
    runner = web.AppRunner(
        application(settings, keys, pool, vault),
        # It would hold paths, and so tokens.
        access_log=None,
        logger=_http_log,
        # What comes compressed could not be measured before it is unpacked.
        auto_decompress=False,
        shutdown_timeout=5,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield f"http://{settings.host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _as_it_is(payload: Payload) -> Payload:
    return payload


class _CodecServer:
    def __init__(
        self,
        settings: CodecServerSettings,
        keys: KeyProvider,
        behind: BehindReferences,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._tokens = settings.tokens()
        self._codec = EncryptionCodec(keys)
        self._behind = behind
        self._rate = Rate(settings.requests_per_minute, clock)

    async def preflight(self, request: web.Request) -> web.Response:
        """A browser asks whether it may ask."""
        return web.Response(status=204, headers=_PREFLIGHT if "Origin" in request.headers else {})

    async def decode(self, request: web.Request) -> web.Response:
        """Payloads in clear, with notes as the caller's role has them."""
        caller = self._admitted(request)
        sealed = await self._read(request, caller)
        opened = await self._opened(sealed)
        # What did not come out of the ring may name any reference that somebody has guessed.
        ours = [is_encrypted(each) for each in sealed]
        found = decoration.references(each for each, own in zip(opened, ours, strict=True) if own)
        notes = await self._notes(caller, found)
        shown = [decoration.noted(each, notes) if own else each for each, own in zip(opened, ours, strict=True)]
        return self._answer(request, caller, shown)

    async def encode(self, request: web.Request) -> web.Response:
        """Payloads encrypted, without the notes that were copied with them."""
        caller = self._admitted(request)
        if caller.role is Role.AUDITOR:
            # What an auditor has seen in clear must not come back in a payload.
            raise _Refused(403, "an auditor looks, and writes nothing")
        plain = await self._read(request, caller, decoration.bare if caller.role is Role.OPERATOR else _as_it_is)
        return self._answer(request, caller, await self._codec.encode(plain))

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Pages of the Web UI only; and whatever goes wrong becomes an answer that quotes nothing."""
        origin = request.headers.get("Origin")
        known = origin is None or origin in self._settings.ui_origins
        try:
            if not known:
                raise _Refused(403, "pages of this origin may not ask")
            response = await handler(request)
        except Exception as error:
            refused = _explained(error)
            _log.info("refused with %d: %s", refused.status, refused.reason)
            response = _refusal(refused)
        if origin is not None and known:
            # Failures too: a page may read why.
            response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _notes(self, caller: Caller, references: Sequence[str]) -> Mapping[str, str]:
        if not references:
            return {}
        match caller.role:
            case Role.OPERATOR:
                return await self._behind.masked(references)
            case Role.AUDITOR:
                return await self._behind.clear(references, caller)
            case Role.SERVICE:
                return {}

    def _admitted(self, request: web.Request) -> Caller:
        caller = self._web_ui(request) or self._tokens.caller(_token(request))
        self._count(caller)
        namespace = request.headers.get("X-Namespace")
        if namespace is None:
            raise _Refused(400, "the header X-Namespace is missing")
        if namespace not in self._settings.namespaces:
            raise _Refused(403, "payloads of this namespace are not opened here")
        return caller

    def _web_ui(self, request: web.Request) -> Caller | None:
        """The embedded Web UI, which has no log-in: it is known by the origin of its pages, which the guard checks."""
        if not request.path.startswith(f"{UI_PATH}/"):
            return None
        if not self._settings.open_to_ui or "Origin" not in request.headers:
            raise Unauthenticated("without a token only the pages of an embedded Web UI may ask")
        return Caller(Role.OPERATOR, "web-ui")

    def _count(self, caller: Caller, requests: int = 1) -> None:
        if wait := self._rate.wait(f"{caller.role} {caller.subject}", requests):
            raise _Refused(429, "too many requests: wait a little", Retry_After=str(math.ceil(wait)))

    async def _read(
        self, request: web.Request, caller: Caller, change: Callable[[Payload], Payload] = _as_it_is
    ) -> list[Payload]:
        """The request's payloads, changed; nobody waits for the work that another's large body takes."""
        body = await request.read()

        def read() -> list[Payload]:
            return [change(each) for each in wire.read(body)]

        if len(body) <= _SMALL_BODY:
            return read()
        self._count(caller, len(body) // _SMALL_BODY)
        return await asyncio.to_thread(read)

    async def _opened(self, payloads: Sequence[Payload]) -> list[Payload]:
        opened: list[Payload] = []
        size = 0
        # One by one: a small body can hold much that is deflated.
        for each in payloads:
            opened += await self._codec.decode([each])
            size += opened[-1].ByteSize()
            if size > MOST_INFLATED:
                raise PayloadTooLarge(f"the payloads hold more than {MOST_INFLATED} bytes in all")
        return opened

    def _answer(self, request: web.Request, caller: Caller, payloads: Sequence[Payload]) -> web.Response:
        action = request.path.rsplit("/", 1)[-1]
        _log.info("%s by %s %s: %d payloads", action, caller.role, caller.subject, len(payloads))
        return web.Response(text=wire.written(payloads), content_type="application/json")


def _token(request: web.Request) -> str:
    if token := request.match_info.get("token"):
        return token
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("a token is needed: `Authorization: Bearer ...`, or /as/<token> in the URL")
    return token.strip()


def _explained(error: Exception) -> _Refused:
    match error:
        case _Refused():
            return error
        case Unauthenticated():
            return _Refused(401, str(error), WWW_Authenticate="Bearer")
        case NotAllowed():
            return _Refused(403, str(error))
        case wire.MalformedBody():
            return _Refused(400, str(error))
        case wire.TooManyPayloads() | PayloadTooLarge():
            return _Refused(413, str(error))
        case web.HTTPRequestEntityTooLarge():
            return _Refused(413, "the body is too large")
        case web.HTTPException():
            return _Refused(error.status, error.reason)
        case UnknownKey():
            # It comes from outside: it may be anything.
            key_id = ascii(error.key_id[:_LONGEST_KEY_ID])
            return _Refused(422, f"this is encrypted under the key {key_id}, which is not in the key ring")
        case Tampered():
            return _Refused(422, "this cannot be opened: it was changed, or encrypted under another key of that id")
        case KeyRingError():
            return _Refused(503, "the key ring cannot be read")
        case _ if isinstance(error, _UNREACHABLE):
            return _Refused(503, "the vault cannot be reached, or did not record the look: nothing is shown")
        case _:
            # Where it happened, not what it says: that may quote a payload.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s in\n%s", type(error).__name__, frames)
            return _Refused(500, "the codec server failed; its log says where")


def _refusal(refused: _Refused) -> web.Response:
    return web.Response(
        status=refused.status,
        reason=refused.reason,
        text=json.dumps({"error": refused.reason}),
        content_type="application/json",
        headers=refused.headers,
    )
