"""Which Nexus endpoints there are, and as whom those who call through each may act (section 12)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workflows.messages.actors import Actor, Role

_ENDPOINT: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,199}")
_MERCHANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_ROLES: Final = (Role.BUYER, Role.MERCHANT, Role.PLATFORM)
"""Who asks for something. Carriers, the gateway and the clock tell facts, and not through Nexus."""


@dataclass(frozen=True)
class Rights:
    """As whom the callers of an endpoint may act."""

    roles: frozenset[Role]
    merchants: frozenset[str] | None
    """In cases of these only; None for those of every merchant."""

    def may_act_as(self, actor: Actor) -> bool:
        """Whether they may speak for ``actor``: of a merchant, for one of their own."""
        return actor.role in self.roles and (actor.role is not Role.MERCHANT or self.may_see(actor.id))

    def may_see(self, merchant_id: str) -> bool:
        """Whether cases of this merchant are theirs to see."""
        return self.merchants is None or merchant_id in self.merchants


def read_endpoints(text: str) -> Mapping[str, Rights]:
    """The endpoints by name, from the setting.

    Raises:
        ValueError: it is not written as it must be; the text says how.
    """
    found: dict[str, Rights] = {}
    for word in (each.strip() for each in text.split(",") if each.strip()):
        name, _, rights = word.partition("=")
        roles, at, merchants = rights.partition("@")
        named = frozenset(merchants.split("+")) if at else None
        if not _ENDPOINT.fullmatch(name) or name in found:
            raise ValueError("must name each endpoint once, by letters, digits and dashes: checkout=buyer")
        if not roles or not set(roles.split("+")) <= set(_ROLES):
            raise ValueError(f"must say for each endpoint some of the roles {', '.join(_ROLES)}, with + between")
        if named is not None and not all(map(_MERCHANT.fullmatch, named)):
            raise ValueError("must name after @ merchants by their ids, with + between")
        found[name] = Rights(frozenset(map(Role, roles.split("+"))), named)
    if not found:
        raise ValueError("must name at least one endpoint: checkout=buyer")
    return found
