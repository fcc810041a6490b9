"""Who asks: a signed token says who it is, in which role, and for an auditor why."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from starter.access_tokens import AccessTokens, NotAllowed, Unauthenticated, UnusableKey, signed

__all__ = ["Caller", "NotAllowed", "Role", "Tokens", "Unauthenticated", "UnusableKey", "minted"]

_LONGEST_REASON: Final = 500


class Role(StrEnum):
    """As what somebody asks."""

    OPERATOR = "operator"
    """Sees masked values, and writes."""
    AUDITOR = "auditor"
    """Sees clear values for a stated reason, each look recorded, and writes nothing."""
    SERVICE = "service"
    """A program: payloads as they are, nothing beside them."""


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    role: Role
    subject: str
    reason: str = ""
    """Why an auditor looks; empty for the others."""


class Tokens(AccessTokens):
    """Knows which tokens count at the codec server, and what they say."""

    def caller(self, token: str) -> Caller:
        """Whose token this is.

        Raises:
            Unauthenticated: it does not count here.
            NotAllowed: it counts, and names no role of ours, or an auditor's says no reason.
        """
        claims = self.claims(token)
        subject = str(claims["sub"])
        try:
            role = Role(claims.get("role", ""))
        except ValueError:
            raise NotAllowed(f"the token's role must be one of {', '.join(Role)}") from None
        if role is not Role.AUDITOR:
            return Caller(role, subject)
        reason = claims.get("reason")
        if not isinstance(reason, str) or not 0 < len(reason.strip()) <= _LONGEST_REASON:
            raise NotAllowed(f"an auditor's token must say why, in a claim `reason` of up to {_LONGEST_REASON} letters")
        return Caller(role, subject, reason.strip())


def minted(
    secret: str,
    issuer: str,
    audience: str,
    *,
    role: Role,
    subject: str,
    lifetime: timedelta,
    reason: str | None = None,
) -> str:
    """A token under a shared secret, from now on for ``lifetime``; an auditor's needs a reason."""
    claims = {"role": str(role)} if reason is None else {"role": str(role), "reason": reason}
    return signed(secret, issuer, audience, subject=subject, lifetime=lifetime, **claims)
