"""``aftersales http token``: tokens that count at the service, and what production must be told."""

import asyncio
import json

import pytest

from starter.commands import http
from starter.commands.failures import UsageError
from starter.http_service import HttpServiceSettings, Role
from starter.settings import Settings
from tests.http_service.conftest import SECRET


def test_a_token_counts_at_the_service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AFTERSALES_HTTP_TOKEN_SECRET", SECRET)

    assert http.token(Role.ORDERS, "shop", "30m", as_json=True) == 0

    made = json.loads(capsys.readouterr().out)["token"]
    claims = HttpServiceSettings.model_validate({"port": 0, "token_secret": SECRET}).tokens().claims(made)
    assert (claims["role"], claims["sub"], claims["aud"]) == ("orders", "shop", "aftersales-http")


def test_a_token_is_one_line_that_a_shell_can_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AFTERSALES_HTTP_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("COLUMNS", "40")

    assert http.token(Role.ORDERS, "shop", "30m") == 0

    (made,) = capsys.readouterr().out.splitlines()
    claims = HttpServiceSettings.model_validate({"port": 0, "token_secret": SECRET}).tokens().claims(made)
    assert claims["sub"] == "shop"


@pytest.mark.parametrize(("subject", "lifetime", "option"), [("two words", "30m", "--as"), ("shop", "48h", "--for")])
def test_a_token_that_would_not_count_is_not_made(
    monkeypatch: pytest.MonkeyPatch, subject: str, lifetime: str, option: str
) -> None:
    monkeypatch.setenv("AFTERSALES_HTTP_TOKEN_SECRET", SECRET)

    with pytest.raises(UsageError, match=option):
        http.token(Role.ORDERS, subject, lifetime)


def test_production_must_say_how_it_knows_tokens() -> None:
    nothing = {"http_token_secret": None, "http_token_public_key": None}
    production = Settings().model_copy(update={"environment": "production", **nothing})

    with pytest.raises(UsageError, match="AFTERSALES_HTTP_TOKEN_PUBLIC_KEY or AFTERSALES_HTTP_TOKEN_SECRET"):
        asyncio.run(http._settings(production))  # pyright: ignore[reportPrivateUsage]
