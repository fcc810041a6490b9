"""Encryption by a codec server: whoever asks one holds no key (P6)."""

import asyncio
import dataclasses
import inspect
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.json_format import ParseError as NotTheJson
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from activities.privacy.codec import EncryptedFailures
from starter.errors import CodecRefused, Unreachable
from workflows.messages.converter import ShowingConverter, data_converter

_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 64 * 1024 * 1024
_LATER: Final = frozenset({429, 500, 502, 503, 504})
"""What a codec server answers that will do so again in a while."""

Token = Callable[[], str | Awaitable[str]]
"""Gives the token to ask with; called for each request, because tokens end."""


class RemoteCodec(PayloadCodec):
    """Encodes and decodes through a codec server's ``/encode`` and ``/decode``, as the role ``service``."""

    def __init__(self, endpoint: str, namespace: str, token: Token, *, seconds: float = _SECONDS) -> None:
        """``endpoint`` is the server's URL, as the Web UI has it; ``seconds`` is how long an answer may take.

        Raises:
            ValueError: the endpoint is no URL of http or https.
        """
        if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
            raise ValueError("a codec server's endpoint is a URL, such as https://codec.example.com")
        self._endpoint = endpoint.rstrip("/")
        self._namespace = namespace
        self._token = token
        self._seconds = seconds

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Have payloads encrypted.

        Raises:
            CodecRefused: the server refuses: the token counts no longer, say.
            Unreachable: it does not answer.
        """
        return await self._asked("encode", payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Have payloads decrypted. Errors as in ``encode``; one is refused too that is under no key of the server's."""
        return await self._asked("decode", payloads)

    async def _asked(self, action: str, payloads: Sequence[Payload]) -> list[Payload]:
        if not payloads:
            return []
        token = self._token()
        request = urllib.request.Request(  # noqa: S310 -- the scheme was looked at
            f"{self._endpoint}/{action}",
            data=json.dumps({"payloads": [MessageToDict(each) for each in payloads]}).encode(),
            headers={
                "Content-Type": "application/json",
                "X-Namespace": self._namespace,
                "Authorization": f"Bearer {await token if inspect.isawaitable(token) else token}",
            },
            method="POST",
        )
        answer = await asyncio.to_thread(self._sent, request)
        try:
            found = [ParseDict(each, Payload()) for each in json.loads(answer)["payloads"]]
        except (ValueError, KeyError, TypeError, RecursionError, NotTheJson):
            found = []
        if len(found) != len(payloads):
            raise CodecRefused(f"what answers at {self._endpoint} is no codec server")
        return found

    def _sent(self, request: urllib.request.Request) -> bytes:
        try:
            with _OPENER.open(request, timeout=self._seconds) as response:
                return response.read(_LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _LATER:
                    raise Unreachable(f"the codec server cannot answer now ({error.code})") from None
                raise CodecRefused(f"the codec server refuses ({error.code}): {error.reason}") from None
        except OSError as error:
            raise Unreachable("the codec server does not answer") from error


class _NotElsewhere(urllib.request.HTTPRedirectHandler):
    """A token and payloads in clear go to the server that was named and to no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """See base class."""
        del req, fp, code, msg, headers, newurl


_OPENER: Final = urllib.request.build_opener(_NotElsewhere)


def remote_converter(codec: RemoteCodec) -> DataConverter:
    """The data converter of a client that holds no key: our messages, encrypted and decrypted by a codec server."""
    return dataclasses.replace(
        data_converter,
        payload_converter_class=ShowingConverter,
        payload_codec=codec,
        failure_converter_class=EncryptedFailures,
    )
