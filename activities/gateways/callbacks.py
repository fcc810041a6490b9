"""Callbacks of outside systems: what came over HTTP, and what an adapter makes of it (X3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from activities.gateways.payment import GatewayAnswer


@dataclass(frozen=True)
class CallbackRequest:
    """A request as it came. Whoever takes it has bounded the body."""

    body: bytes
    """Not decoded: signatures are over bytes."""
    headers: Mapping[str, str]
    """Names in small letters."""
    received_at: datetime
    """Real time, in UTC: for the provider's replay window."""
    query: str = ""
    """The part of the address after ``?``, as it came."""


@dataclass(frozen=True)
class CallbackReply:
    """What the provider is to be answered once the callback is kept."""

    body: bytes = b""
    content_type: str = "text/plain"
    status: int = 200


REFUSAL: Final = CallbackReply(b'{"error": "refused"}', "application/json", 400)
"""What a provider is answered that wants nothing special: it goes by the status."""


@dataclass(frozen=True)
class ReadCallback:
    """What a genuine callback says."""

    key: str
    """The provider's id of the notification; the same when it comes again. At most 64 of A-Z a-z 0-9 _ . : -"""
    answer: "GatewayAnswer | None"
    """How a refund stands; None for a notification about something else, which is answered and forgotten.

    Its ``settled_at`` is the moment that the callback speaks of.
    """
    said_at: datetime
    """When the provider says that it happened: a callback that comes out of order tells of an earlier moment."""
    reply: CallbackReply = field(default_factory=CallbackReply)
    amount: int | None = None
    """Of what refund it tells, in our minor units, from 1 to 10**15; None where the provider does not say. By it a
    callback about another refund under our number is told from ours."""


class Refused(StrEnum):
    """Why a callback is not taken."""

    FORGED = "forged"
    """The signature is missing, wrong, or by a key that is not the provider's."""
    STALE = "stale"
    """Signed rightly, too long ago: played again, perhaps."""
    UNREADABLE = "unreadable"
    """Signed rightly, and no sense can be made of it: a person must look, and the provider should send it again."""


class CallbackRefused(Exception):  # noqa: N818 -- it is a finding
    """A callback that changes nothing and is counted. ``detail`` names a field or a rule, and quotes nothing."""

    def __init__(self, why: Refused, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else str(why))
        self.why = why
        self.detail = detail
