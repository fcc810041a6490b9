"""What the HTTP service must be told: where it listens, how it knows who asks, and how much it takes."""

import hashlib
import hmac
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from activities.privacy.keys import KeyProvider
from starter.access_tokens import AccessTokens, signed

_SECRET_LENGTH: Final = 32


class Role(StrEnum):
    """What the bearer of a token may do."""

    ORDERS = "orders"
    """Push orders and their changes (X2)."""
    CARRIERS = "carriers"
    """Tell what happened to parcels."""
    EVENTS = "events"
    """Read the feed of events (X4)."""


class HttpServiceSettings(BaseModel):
    """Where the service listens, how it knows who asks, and how much it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)]
    """0 takes any port that is free."""
    token_secret: SecretStr | None = None
    """With it tokens are signed under HS256. At least 32 characters."""
    token_public_key: Path | None = None
    """Instead of it: a file with a PEM public key or a JSON Web Key Set, for tokens signed under RS256 or ES256."""
    longest_token_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    issuer: str = "aftersales"
    audience: str = "aftersales-http"
    proxies: Annotated[int, Field(ge=0, le=9)] = 0
    """How many proxies of ours stand before it: who asks is that many places from the end of ``X-Forwarded-For``."""
    callback_bytes: Annotated[int, Field(ge=1)] = 256 * 1024
    """The longest callback."""
    order_bytes: Annotated[int, Field(ge=1)] = 1024 * 1024
    """The longest order: one body, or one line of many."""
    callbacks_per_minute: Annotated[int, Field(ge=1)] = 3000
    """Of one address."""
    requests_per_minute: Annotated[int, Field(ge=1)] = 6000
    """Of one bearer of tokens."""
    seconds_for_a_body: Annotated[float, Field(gt=0)] = 20.0
    """A sender that sends nothing for so long is hung up on."""

    @model_validator(mode="after")
    def _one_way_to_know_tokens(self) -> Self:
        if (self.token_secret is None) == (self.token_public_key is None):
            raise ValueError("the HTTP service needs either a token secret or a file with public keys")
        if self.token_secret is not None and len(self.token_secret.get_secret_value()) < _SECRET_LENGTH:
            raise ValueError(f"a token secret must be at least {_SECRET_LENGTH} characters long")
        return self

    def tokens(self) -> AccessTokens:
        """What knows this service's tokens.

        Raises:
            UnusableKey: the file with public keys cannot be read, or holds none that fits.
        """
        if self.token_secret is not None:
            secret = self.token_secret.get_secret_value()
            return AccessTokens.under_secret(secret, self.issuer, self.audience, self.longest_token)
        assert self.token_public_key is not None
        return AccessTokens.under_public_keys(self.token_public_key, self.issuer, self.audience, self.longest_token)

    @property
    def longest_token(self) -> timedelta:
        """How far ahead a token's end may lie."""
        return timedelta(hours=self.longest_token_hours)


async def development_secret(keys: KeyProvider) -> SecretStr:
    """A token secret that follows from the key ring: who has the ring needs no other, on a machine of development."""
    return SecretStr(hmac.digest((await keys.current()).secret, b"tokens of the HTTP service", hashlib.sha256).hex())


def minted(settings: HttpServiceSettings, role: Role, subject: str, lifetime: timedelta) -> str:
    """A token under the settings' shared secret, from now on for ``lifetime``."""
    assert settings.token_secret is not None
    secret = settings.token_secret.get_secret_value()
    return signed(secret, settings.issuer, settings.audience, subject=subject, lifetime=lifetime, role=str(role))
