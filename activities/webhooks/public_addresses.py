"""Where requests of ours may go: to addresses of the public internet only, unless a setting lets them go anywhere.

Checked is the address that the connection goes to, after the name was resolved: a name that leads to a public address
when it is checked, and to one of ours when it is used, gets nowhere.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class NotPublic(OSError):  # noqa: N818 -- it is a finding about the address
    """A host has an address that is not of the public internet."""


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the public internet, also where an IPv4 one is put into an IPv6 one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _NAT64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if within is not None:
            return within.is_global and not within.is_multicast
    return found.is_global and not found.is_multicast


def is_numeric(host: str) -> bool:
    """Whether a host is written as an address, which nobody resolves."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that have an address which is not public."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See base class.

        Raises:
            NotPublic: one of its addresses is not public.
        """
        found: Sequence[ResolveResult] = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise NotPublic("the host has an address that is not public")
        return list(found)

    async def close(self) -> None:
        """See base class."""
        await self._resolver.close()
