"""The settings of the Alipay adapter: ``AFTERSALES_ALIPAY_*``. Secrets are files, and stay out of logs (X1)."""

import base64
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import Field, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

_PEM: Final = b"-----BEGIN"


class AlipaySettings(BaseSettings):
    """One application at Alipay's open platform, with keys (RSA2)."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSALES_ALIPAY_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    app_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{10,32}$")] = Field(
        description="The application's id at Alipay's open platform."
    )
    private_key_file: Path = Field(
        description="The application's private key: PEM, or the bare base64 that Alipay's own tool writes."
    )
    public_key_file: Path = Field(
        description="Alipay's public key (not the application's), by which answers and callbacks are verified."
    )
    gateway_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?]+$")] = Field(
        default="https://openapi.alipay.com/gateway.do",
        description="Where the API is; `https://openapi-sandbox.dl.alipaydev.com/gateway.do` is the sandbox.",
    )

    @cached_property
    def private_key(self) -> RSAPrivateKey:
        """By which requests are signed."""
        raw = self.private_key_file.read_bytes().strip()
        key = load_pem_private_key(raw, None) if raw.startswith(_PEM) else load_der_private_key(_der(raw), None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(f"{self.private_key_file} holds no RSA key")
        return key

    @cached_property
    def public_key(self) -> RSAPublicKey:
        """By which answers and callbacks are verified."""
        raw = self.public_key_file.read_bytes().strip()
        key = load_pem_public_key(raw) if raw.startswith(_PEM) else load_der_public_key(_der(raw))
        if not isinstance(key, RSAPublicKey):
            raise TypeError(f"{self.public_key_file} holds no RSA key")
        return key


def _der(base64_text: bytes) -> bytes:
    return base64.b64decode(b"".join(base64_text.split()), validate=True)
