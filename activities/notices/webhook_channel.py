"""Notices handed to a service of the platform's own by signed requests: it has the providers of SMS and of pushes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.notices.channels import Channel, ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from activities.webhooks.posting import NotTaken, Poster, posting
from activities.webhooks.signing import key_of

_NOT_WORTH_TRYING: Final = frozenset({"http_400", "http_404", "http_410", "http_422"})
"""What a service answers that will never take this notice."""
_SECONDS: Final = 4.0
"""Until a request is given up; the sender gives a channel five in all."""


class NoticeWebhookSettings(BaseSettings):
    """Where notices go, and what they are signed with."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSALES_NOTICE_WEBHOOK_", hide_input_in_errors=True, env_ignore_empty=True
    )

    url: str = Field(pattern=r"^https?://[^\s@]+$", description="Where notices go: `https://host/path`.")
    secret: SecretStr = Field(description="What requests are signed with, as `aftersales webhooks secret` makes one.")
    with_address: bool = Field(
        default=False,
        description="Whether the recipient's phone number or e-mail address goes along. Without it the service looks "
        "it up by the id.",
    )
    private_addresses: bool = Field(
        default=False,
        description="Whether the service may be within our own network, and be spoken to without TLS.",
    )

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if urlsplit(self.url).scheme != "https" and not self.private_addresses:
            raise ValueError("AFTERSALES_NOTICE_WEBHOOK_URL must begin with https:// (X4)")
        return self

    @field_validator("secret")
    @classmethod
    def _is_one(cls, secret: SecretStr) -> SecretStr:
        key_of(secret.get_secret_value())
        return secret


class WebhookChannel:
    """Hands notices on by requests that are signed as webhooks of events are; ``webhook-id`` is the ``dedup_key``."""

    def __init__(self, settings: NoticeWebhookSettings, poster: Poster) -> None:
        self._url = settings.url
        self._keys = [key_of(settings.secret.get_secret_value())]
        self.wants_address = settings.with_address
        self._poster = poster

    async def send(self, message: OutgoingNotice) -> None:
        """See ``Channel``."""
        try:
            await self._poster.post(self._url, self._keys, message.dedup_key, message.in_clear())
        except NotTaken as error:
            if error.code in _NOT_WORTH_TRYING:
                raise NoticeRefused(error.code) from None
            raise ChannelUnavailable(error.code) from None


@asynccontextmanager
async def _opened(settings: NoticeWebhookSettings) -> AsyncGenerator[Mapping[ChannelName, Channel]]:
    async with posting(anywhere=settings.private_addresses, seconds=_SECONDS) as poster:
        yield dict.fromkeys(ChannelName, WebhookChannel(settings, poster))


def notice_webhook() -> AbstractAsyncContextManager[Mapping[ChannelName, Channel]]:
    """All channels by one service.

    Raises:
        ValidationError: a setting is wrong or missing.
    """
    return _opened(NoticeWebhookSettings())  # pyright: ignore[reportCallIssue] -- from the environment


notice_webhook.settings = NoticeWebhookSettings  # pyright: ignore[reportFunctionMemberAccess] -- as in ``smtp``
