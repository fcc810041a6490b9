"""One signed request to somebody else's server, and whether it was taken."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from activities.webhooks.public_addresses import NotPublic, PublicOnly, is_numeric, is_public
from activities.webhooks.signing import signed

_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_RETRY_AFTER: Final = 3600
_OK = range(200, 300)
_CONNECTIONS: Final = 512
_CONNECTIONS_EACH: Final = 64
"""To one server: however slow it is, others have theirs."""


class NotTaken(Exception):  # noqa: N818 -- it is the receiver's answer
    """The receiver has not taken the request, or has not said so. ``code`` says why in a word."""

    def __init__(self, code: str, retry_after: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        """Seconds before which the receiver does not want to hear of it again."""


class Poster:
    """Sends signed requests. It follows no redirection, reads no answer's body, and uses no proxy."""

    def __init__(self, session: aiohttp.ClientSession, *, anywhere: bool) -> None:
        self._session = session
        self._anywhere = anywhere

    async def post(self, url: str, keys: Sequence[bytes], id: str, body: bytes) -> None:
        """Send a body once; ``id`` is the same for each attempt at the same.

        Raises:
            NotTaken: no 2xx came in time.
        """
        parts = urlsplit(url)
        if not self._anywhere and is_numeric(parts.hostname or "") and not is_public(parts.hostname or ""):
            raise NotTaken("private_address")
        headers = {"content-type": "application/json", **signed(keys, id, int(time.time()), body)}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status, again = answer.status, answer.headers.get("retry-after", "")
        except NotPublic:
            raise NotTaken("private_address") from None
        except aiohttp.ClientConnectorError as error:
            # The text of the error may quote the address, with what stands in it.
            code = "private_address" if isinstance(error.__cause__, NotPublic) else "unreachable"
            raise NotTaken(code) from None
        except TimeoutError:
            raise NotTaken("timeout") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise NotTaken("unreachable") from None
        if status not in _OK:
            wait = int(again) if again.isascii() and again.isdecimal() and len(again) < 10 else 0
            raise NotTaken(f"http_{status}", min(wait, _LONGEST_RETRY_AFTER))


@asynccontextmanager
async def posting(*, anywhere: bool, seconds: float = _TIMEOUT_SECONDS) -> AsyncGenerator[Poster]:
    """What sends requests for as long as the context lasts, each answered within ``seconds`` or given up.

    ``anywhere`` lets them go to private addresses too.
    """
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS, limit_per_host=_CONNECTIONS_EACH, resolver=None if anywhere else PublicOnly()
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "aftersales"},
    ) as session:
        yield Poster(session, anywhere=anywhere)
