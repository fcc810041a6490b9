"""Who may ask when: limits and turns by source, so that one that floods us keeps nobody else waiting."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from aiohttp import web

_IPV6_NETWORK: Final = 64
"""Bits: whoever has one address of version 6 has all of such a network."""


class Turns:
    """At most so many at once of each source, and of all; who waits longest is next."""

    def __init__(self, together: int, each: int, *, most_waiting: int) -> None:
        """``most_waiting`` of one source wait at once; beyond that a turn is refused."""
        self._all = asyncio.Semaphore(together)
        self._each = each
        self._most = each + most_waiting
        self._sources: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def turn(self, source: str) -> AsyncGenerator[bool]:
        """One turn of this source; False where too many of it wait already."""
        async with self.place(source) as turn:
            if turn is None:
                yield False
                return
            async with turn:
                yield True

    @asynccontextmanager
    async def place(self, source: str) -> AsyncGenerator[AbstractAsyncContextManager[None] | None]:
        """A place among those of this source who wait, and the turn, to be entered later; None where too many wait.

        For who is still being sent something: with a turn in its hand, whoever sends slowly would keep all waiting.
        """
        own, there = self._sources.get(source, (asyncio.Semaphore(self._each), 0))
        if there >= self._most:
            yield None
            return
        self._sources[source] = (own, there + 1)
        try:
            yield self._taken(own)
        finally:
            own, there = self._sources[source]
            if there == 1:
                del self._sources[source]
            else:
                self._sources[source] = (own, there - 1)

    @asynccontextmanager
    async def _taken(self, own: asyncio.Semaphore) -> AsyncGenerator[None]:
        async with own, self._all:
            yield


def address_of(request: web.Request, proxies: int) -> str:
    """Who has sent a request, as far as the network can tell.

    ``proxies`` of ours stand before us, and each has put down who asked it. What stands before that anybody can write.
    """
    asked = request.remote or "unknown"
    if proxies:
        said = [part.strip() for header in request.headers.getall("X-Forwarded-For", []) for part in header.split(",")]
        if len(said) >= proxies:
            asked = said[-proxies]
    try:
        address = ipaddress.ip_address(asked.strip("[]"))
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
