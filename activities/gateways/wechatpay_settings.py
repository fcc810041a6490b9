"""The settings of the WeChat Pay adapter: ``AFTERSALES_WECHATPAY_*``. Secrets are files, and stay out of logs (X1)."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+$")]


class WeChatPaySettings(BaseSettings):
    """One merchant, or one service provider with its sub-merchants, at WeChat Pay (API v3)."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSALES_WECHATPAY_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    mchid: Annotated[str, StringConstraints(pattern=r"^[0-9]{8,12}$")] = Field(
        description="The merchant's number; in partner mode the service provider's (`sp_mchid`)."
    )
    certificate_serial: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{20,64}$")] = Field(
        description="The serial number of the merchant's API certificate, in hexadecimal."
    )
    private_key_file: Path = Field(description="The merchant's private key (`apiclient_key.pem`), PKCS #8.")
    api_v3_key_file: Path = Field(
        description="A file with the APIv3 key: 32 characters, with which callbacks are encrypted."
    )
    public_key_id: Annotated[str, StringConstraints(pattern=r"^PUB_KEY_ID_[0-9A-Za-z]+$")] | None = Field(
        default=None, description="The id of WeChat Pay's public key, `PUB_KEY_ID_...`; goes with the next one."
    )
    public_key_file: Path | None = Field(
        default=None,
        description="WeChat Pay's public key (`pub_key.pem`), by which answers and callbacks are verified.",
    )
    certificates_folder: Path | None = Field(
        default=None,
        description="A folder with WeChat Pay's platform certificates (`*.pem`), for merchants without its public key, "
        "and beside it while an account moves to it.",
    )
    partner: bool = Field(
        default=False,
        description="Whether the account is a service provider's; each payment names a sub-merchant then.",
    )
    notify_url: Annotated[str, StringConstraints(pattern=r"^https://[^\s?]+$", max_length=256)] | None = Field(
        default=None,
        description="Where WeChat Pay calls back, without a query; else the address set at its merchant platform.",
    )
    base_url: HttpUrl = Field(
        default="https://api.mch.weixin.qq.com",
        description="Where the API is; `https://api2.mch.weixin.qq.com` is WeChat Pay's second place.",
    )

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if (self.public_key_id is None) != (self.public_key_file is None):
            raise ValueError("public_key_id and public_key_file go together")
        if self.public_key_file is None and self.certificates_folder is None:
            raise ValueError("public_key_file or certificates_folder must be set: answers could not be verified")
        if len(self.api_v3_key) != 32:
            raise ValueError("api_v3_key_file must hold 32 characters")
        return self

    @cached_property
    def private_key(self) -> str:
        """PEM."""
        return self.private_key_file.read_text()

    @cached_property
    def api_v3_key(self) -> bytes:
        """32 bytes."""
        return self.api_v3_key_file.read_text().strip().encode()

    @cached_property
    def verifying_keys(self) -> dict[str, RSAPublicKey]:
        """WeChat Pay's keys by the serial number or id that its signatures name, in capitals without leading zeros."""
        keys: dict[str, RSAPublicKey] = {}
        for path in sorted(self.certificates_folder.glob("*.pem")) if self.certificates_folder else ():
            certificate = load_pem_x509_certificate(path.read_bytes())
            keys[f"{certificate.serial_number:X}"] = _rsa(certificate.public_key(), path)
        if self.public_key_id and self.public_key_file:
            keys[self.public_key_id.upper()] = _rsa(
                load_pem_public_key(self.public_key_file.read_bytes()), self.public_key_file
            )
        return keys


def _rsa(key: object, path: Path) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise TypeError(f"{path} holds no RSA key")
    return key
