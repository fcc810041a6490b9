"""The settings of the Stripe adapter."""

from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

API: Final = "https://api.stripe.com"
_ACCOUNT: Final = r"acct_[A-Za-z0-9]+"


class StripeSettings(BaseSettings):
    """What the Stripe adapter is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSALES_STRIPE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    secret_key: SecretStr = Field(
        description="Secret or restricted key of the Stripe account (`sk_live_...`, `rk_live_...`). Needs refunds "
        "(write), charges, balance and balance transactions (read)."
    )
    webhook_secrets: SecretStr | None = Field(
        default=None,
        description="Signing secrets of the webhook endpoints (`whsec_...`), with commas between: while one is "
        "rotated, the old and the new one. Without it, all callbacks are refused.",
    )
    webhook_tolerance_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="How far a callback's timestamp may lie from our clock; others are refused as played again.",
    )
    account: str | None = Field(
        default=None,
        pattern=f"^{_ACCOUNT}$",
        description="Connected account (`acct_...`) that charges belong to where the order feed names none. Without "
        "it, the key's own.",
    )
    statement_accounts: str = Field(
        default="",
        pattern=rf"^({_ACCOUNT}(\s*,\s*{_ACCOUNT})*)?$",
        description="Further connected accounts whose balances are read for the statement, with commas between: each "
        "that takes direct charges.",
    )
    reverse_transfers: bool = Field(
        default=False,
        description="For destination charges: take what the merchant pays back from the connected account that the "
        "charge was passed on to. What the platform pays stays the platform's.",
    )
    api_base: str = Field(
        default=API, pattern=r"^https?://[^/?#]+$", description="Where Stripe's API is. Another one only for tests."
    )

    @field_validator("secret_key")
    @classmethod
    def _is_a_secret_key(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sk_", "rk_")):
            raise ValueError("must be a secret key or a restricted one, which begin with sk_ or rk_")
        return value

    @model_validator(mode="after")
    def _webhook_secrets_look_like_secrets(self) -> Self:
        if self.webhook_secrets is not None and not all(each.startswith("whsec_") for each in self.signing_secrets):
            raise ValueError("AFTERSALES_STRIPE_WEBHOOK_SECRETS must be secrets that begin with whsec_")
        return self

    @property
    def signing_secrets(self) -> tuple[str, ...]:
        """The secrets of the webhook endpoints."""
        text = self.webhook_secrets.get_secret_value() if self.webhook_secrets else ""
        return tuple(part.strip() for part in text.split(",") if part.strip())

    @property
    def stated_accounts(self) -> tuple[str | None, ...]:
        """The accounts of which a statement is read; None for the key's own."""
        others = (part.strip() for part in self.statement_accounts.split(",") if part.strip())
        return tuple(dict.fromkeys((self.account, *others)))

    @property
    def live(self) -> bool:
        """Whether money moves: a key of a sandbox pays nothing."""
        return "_test_" not in self.secret_key.get_secret_value()
