"""What a codec server must be told, and what it is told in development."""

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from activities.privacy.keys import KeyProvider
from starter.codec_server.access import Tokens

_SECRET_LENGTH: Final = 32
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
UI_PATH: Final = "/ui"
"""What the Web UI of development puts before ``/decode`` and ``/encode``, instead of a token."""


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("an origin is http:// or https://, a host, and a port where it is not the usual one")
    return text.lower()


Origin = Annotated[str, AfterValidator(_origin)]
"""Where the Web UI comes from, as a browser writes it: ``https://temporal.example.com``."""


class CodecServerSettings(BaseModel):
    """Where the server listens, whom it serves, how it knows them, and how much it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)]
    """0 takes any port that is free."""
    ui_origins: tuple[Origin, ...] = ()
    """Browsers may ask from pages of these only."""
    namespaces: Annotated[tuple[str, ...], Field(min_length=1)]
    """Payloads of these only are opened."""
    token_secret: SecretStr | None = None
    """With it tokens are signed under HS256. At least 32 characters."""
    token_public_key: Path | None = None
    """Instead of it: a file with a PEM public key or a JSON Web Key Set, for tokens signed under RS256 or ES256."""
    longest_token_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """A token that counts for longer than this from now on does not count at all."""
    open_to_ui: bool = False
    """Whether pages of ``ui_origins`` are an operator's without a token. For development on the loopback only."""
    issuer: str = "aftersales"
    """A token's ``iss`` must be this."""
    audience: str = "aftersales-codec"
    """A token's ``aud`` must be this, or hold it."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 8 * 1024 * 1024
    requests_per_minute: Annotated[int, Field(ge=1)] = 1200
    """Of one person or program. A case's page in the Web UI takes about a hundred, at once."""
    reveals_per_hour: Annotated[int, Field(ge=1)] = 60
    """How many real phones and streets an auditor may see within any hour (P8)."""

    @model_validator(mode="after")
    def _one_way_to_know_tokens(self) -> Self:
        if (self.token_secret is None) == (self.token_public_key is None):
            raise ValueError("a codec server needs either a token secret or a file with public keys")
        if self.token_secret is not None and len(self.token_secret.get_secret_value()) < _SECRET_LENGTH:
            raise ValueError(f"a token secret must be at least {_SECRET_LENGTH} characters long")
        if self.open_to_ui and self.host not in _LOOPBACK:
            raise ValueError("only a server on the loopback can do without a token")
        return self

    def tokens(self) -> Tokens:
        """What knows this server's tokens.

        Raises:
            UnusableKey: the file with public keys cannot be read, or holds none that fits.
        """
        if self.token_secret is not None:
            secret = self.token_secret.get_secret_value()
            return Tokens.under_secret(secret, self.issuer, self.audience, self.longest_token)
        assert self.token_public_key is not None
        return Tokens.under_public_keys(self.token_public_key, self.issuer, self.audience, self.longest_token)

    @property
    def longest_token(self) -> timedelta:
        """How far ahead a token's end may lie."""
        return timedelta(hours=self.longest_token_hours)


async def development_settings(
    keys: KeyProvider, *, port: int, namespace: str = "default", ui_address: str | None = None
) -> CodecServerSettings:
    """A server on the loopback whose token secret follows from the key ring: who has the ring needs no other."""
    secret = hmac.digest((await keys.current()).secret, b"tokens of the codec server", hashlib.sha256).hex()
    return CodecServerSettings(
        port=port,
        open_to_ui=ui_address is not None,
        namespaces=(namespace,),
        ui_origins=origins_of(ui_address) if ui_address else (),
        token_secret=SecretStr(secret),
    )


def ui_endpoint(port: int) -> str:
    """The URL by which the embedded Web UI decodes as an operator. It holds no secret: lists of processes show it.

    For development: whoever can open the Web UI on the loopback is an operator.
    """
    return f"http://127.0.0.1:{port}{UI_PATH}"


def origins_of(ui_address: str) -> tuple[str, ...]:
    """The origins of a Web UI on the loopback: people open it by its number and by its name."""
    parts = urlsplit(ui_address)
    return tuple(dict.fromkeys(f"{parts.scheme}://{host}:{parts.port}" for host in (parts.hostname, "localhost")))
