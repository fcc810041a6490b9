"""The file that says who is told of events by webhook (X4): address, secrets, which events."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from activities.webhooks.public_addresses import is_numeric, is_public
from activities.webhooks.signing import key_of
from workflows.messages.events import EventType
from workflows.messages.message import Identifier

EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


MOST_AT_ONCE: Final = 64


class EndpointsError(ValueError):
    """The file is wrong. The text names the endpoint, the field and what it must be, and repeats no secret."""


class Endpoint(BaseModel):
    """One receiver of events."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=3)]
    """What requests are signed with, the newest first; the old one stays beside it until the receiver knows the new."""
    types: tuple[EventType, ...] = ()
    """Only events of these types; all of them where none is named."""
    merchant_id: Identifier | None = None
    """Only events of this merchant's cases."""
    at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 32
    """How many cases it is told of at the same moment; of one case it is told one event after the other."""
    begins: Literal["now", "oldest"] = "now"
    """What it is told first: what comes, or the oldest event that is kept."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or parts.fragment:
            raise ValueError("must be https://host/path, without a user in it")
        return url

    @field_validator("secrets")
    @classmethod
    def _secrets_are_some(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for each in secrets:
            key_of(each.get_secret_value())
        return secrets

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What the secrets stand for."""
        return tuple(key_of(each.get_secret_value()) for each in self.secrets)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    endpoints: dict[EndpointName, Endpoint] = Field(default_factory=dict)


_FILE: Final = TypeAdapter(_File)


def read(path: Path, *, anywhere: bool) -> Mapping[str, Endpoint]:
    """The endpoints that a file names; ``anywhere`` lets them be private addresses, and without TLS.

    Raises:
        EndpointsError: it cannot be read, or something in it is wrong.
    """
    try:
        found = _FILE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        raise EndpointsError(f"{path} cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        raise EndpointsError(
            f"{path} is no TOML: {str(error).rpartition('(at ')[2].rstrip(')') or 'somewhere'}"
        ) from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(each) for each in problem["loc"] if each != "[key]")
        raise EndpointsError(f"{path}: {where}: {problem['msg'].removeprefix('Value error, ')} (X4)") from None
    for name, each in found.endpoints.items():
        parts = urlsplit(each.url)
        if not anywhere and parts.scheme != "https":
            raise EndpointsError(f"{path}: endpoints.{name}.url: must begin with https:// (X4)")
        if not anywhere and is_numeric(parts.hostname or "") and not is_public(parts.hostname or ""):
            raise EndpointsError(f"{path}: endpoints.{name}.url: must be an address of the public internet (X4)")
    return found.endpoints
