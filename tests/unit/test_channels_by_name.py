"""Which adapters deliver notices, by a setting (X1): several together, each channel by the first that has it."""

from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from activities.notices.channel_stubs import ChannelStub
from activities.notices.channels import ChannelName
from activities.notices.smtp import SmtpChannel
from activities.notices.webhook_channel import WebhookChannel
from activities.webhooks.signing import new_secret
from starter.adapters import Adapters, refuse_stubs
from starter.settings import Settings, SettingsError, load_settings


async def opened(notices: str) -> Adapters:
    nothing = cast("Any", None)
    async with AsyncExitStack() as stack:
        return await Adapters.opened(Settings(notices=notices), stack, nothing, nothing)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AFTERSALES_SMTP_HOST", "mail.example.com")
    monkeypatch.setenv("AFTERSALES_SMTP_SENDER", "cases@example.com")
    monkeypatch.setenv("AFTERSALES_NOTICE_WEBHOOK_URL", "https://notices.example.com/")
    monkeypatch.setenv("AFTERSALES_NOTICE_WEBHOOK_SECRET", new_secret())
    return monkeypatch


async def test_the_first_adapter_that_has_a_channel_counts(told: pytest.MonkeyPatch) -> None:  # X1
    del told
    both = (await opened("smtp+notice-webhook")).channels
    assert isinstance(both[ChannelName.E_MAIL], SmtpChannel)
    assert isinstance(both[ChannelName.SMS], WebhookChannel)
    assert isinstance((await opened("notice-webhook+smtp")).channels[ChannelName.E_MAIL], WebhookChannel)
    assert isinstance((await opened("smtp+stub")).channels[ChannelName.IN_STATION], ChannelStub)


async def test_a_channel_that_nobody_serves_is_refused_at_start(told: pytest.MonkeyPatch) -> None:  # X1
    del told
    with pytest.raises(SettingsError, match="AFTERSALES_NOTICES: nobody takes notices by in_station, sms"):
        await opened("smtp")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "AFTERSALES_SMTP_SENDER",
            "cases@example.com\nBcc: x@example.com",
            "AFTERSALES_SMTP_SENDER: String should match",
        ),
        (
            "AFTERSALES_SMTP_ENCRYPTION",
            "ssl",
            "AFTERSALES_SMTP_ENCRYPTION: Input should be 'starttls', 'tls' or 'none'",
        ),
        (
            "AFTERSALES_SMTP_HOSTS",
            "hunter2",
            "AFTERSALES_SMTP_HOSTS is not a setting: did you mean AFTERSALES_SMTP_HOST",
        ),
        ("AFTERSALES_NOTICE_WEBHOOK_URL", "http://notices.example.com", "must begin with https://"),
        (
            "AFTERSALES_NOTICE_WEBHOOK_SECRET",
            "whsec_aHVudGVyMg==",
            "AFTERSALES_NOTICE_WEBHOOK_SECRET: a secret is whsec_",
        ),
    ],
)
async def test_a_wrong_setting_of_a_channel_is_named(
    told: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    told.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as refused:
        await opened("smtp+notice-webhook")
    assert value not in str(refused.value)


def test_production_takes_no_stub_beside_another_adapter(monkeypatch: pytest.MonkeyPatch) -> None:  # X1
    production = Settings().model_copy(update={"environment": "production", "notices": "smtp+stub"})

    with pytest.raises(SettingsError, match="AFTERSALES_NOTICES must name an adapter in production"):
        refuse_stubs(production, "notices")
    monkeypatch.setenv("AFTERSALES_NOTICES", "smtp+")
    with pytest.raises(SettingsError, match="AFTERSALES_NOTICES must be the name of an adapter"):
        load_settings()
