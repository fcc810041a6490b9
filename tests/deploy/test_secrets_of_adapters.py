"""Each process is given the secrets of the adapters that it makes, and starts without those of the others (X1)."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, cast

import pytest

from activities.webhooks.signing import new_secret
from starter.adapter_registry import BUILT_IN
from starter.adapters import PORTS, Adapters, HttpAdapters
from starter.settings import Settings, SettingsError
from tests.deploy import noting_adapters
from tests.deploy.manifests import OVERLAYS, Pod, pods
from tests.deploy.test_compose import OUR_SERVICES, mounted
from tests.gateways.wechatpay_server import Keys
from workflows.rules.worker_roles import WorkerRole

NOTING: Final = noting_adapters.__name__
OF_ADAPTERS: Final = {f"aftersales-{port}" for port in PORTS}
HTTP: Final = "http"
CALLING: Final = (*WorkerRole, HTTP)
"""The processes that call adapters, as the component of their pods says."""
PRODUCTION: Final = {
    "environment": "production",
    "lookup_key": "of these tests, and long enough for it",
    "key_file": "/run/aftersales/keys/keys",
    "key_store_url": "postgresql://a/keys",
}
KEY_FILES: Final = ("private-key.pem", "public-key.pem", "api-v3-key")
KEYS: Final = Keys()


async def opened(component: str | None, adapters: dict[str, str]) -> None:
    """Make what the process of this component makes, as it starts, and close it again."""
    nothing = cast("Any", None)
    settings = Settings.model_validate(PRODUCTION | adapters)
    async with AsyncExitStack() as stack:
        if component == HTTP:
            await HttpAdapters.opened(settings, stack, nothing)
        elif component in set(WorkerRole):
            settings = settings.model_copy(update={"role": component})
            await Adapters.opened(settings, stack, nothing, nothing)


async def made_by(component: str | None) -> set[str]:
    """The ports whose adapters the process of this component makes."""
    noting_adapters.MADE.clear()
    await opened(component, {port: f"{NOTING}:{port}" for port in PORTS})
    return set(noting_adapters.MADE)


def component_of(pod: Pod) -> str | None:
    return pod.labels.get("app.kubernetes.io/component")


@pytest.mark.parametrize("overlay", OVERLAYS)
async def test_a_pod_is_given_the_secrets_of_the_adapters_that_it_makes_and_of_no_other(overlay: str) -> None:  # X1
    for pod in pods(overlay):
        made = await made_by(component_of(pod))
        assert pod.given & OF_ADAPTERS == {f"aftersales-{port}" for port in made}, pod.name
        assert ("aftersales-payment-files" in pod.files) == ("payments" in made), pod.name
    assert {component_of(pod) for pod in pods(overlay)} >= set(CALLING)


async def test_a_container_is_given_the_secrets_of_the_adapters_that_it_makes_and_of_no_other() -> None:  # X1
    given = {
        name: {each for each in mounted(service) if each.endswith(".env")} for name, service in OUR_SERVICES.items()
    }
    for name, service in OUR_SERVICES.items():
        made = await made_by(HTTP if name == HTTP else service["environment"].get("AFTERSALES_ROLE"))
        assert given[name] - {"settings.env"} == {f"{port}.env" for port in made & {"payments", "notices"}}, name
        assert "/run/secrets/*.env" in service["entrypoint"][2]
    assert given["worker-money"] != given["worker-workflows"] != given["worker-notifications"]


def settings_of(provider: str, mounted: Path) -> dict[str, str]:
    """What everybody is told of the adapters, where the files of the payment adapter would be in ``mounted``."""
    private, public, key = (str(mounted / name) for name in KEY_FILES)
    return {
        "stripe": {},
        "alipay": {"AFTERSALES_ALIPAY_PRIVATE_KEY_FILE": private, "AFTERSALES_ALIPAY_PUBLIC_KEY_FILE": public},
        "wechatpay": {
            "AFTERSALES_WECHATPAY_PRIVATE_KEY_FILE": private,
            "AFTERSALES_WECHATPAY_PUBLIC_KEY_FILE": public,
            "AFTERSALES_WECHATPAY_API_V3_KEY_FILE": key,
        },
    }[provider] | {
        "AFTERSALES_NOTICE_WEBHOOK_URL": "https://notices.example.com/",
        "AFTERSALES_SMTP_HOST": "mail.example.com",
        "AFTERSALES_SMTP_SENDER": "cases@example.com",
    }


def secrets_of(provider: str) -> dict[str, dict[str, str]]:
    """What is in the Secrets of the adapters, by their names, and under the name of a file what is in it."""
    return {
        "aftersales-payments": {
            "stripe": {"AFTERSALES_STRIPE_SECRET_KEY": "sk_test_1"},
            "alipay": {"AFTERSALES_ALIPAY_APP_ID": "2021000000000000"},
            "wechatpay": {
                "AFTERSALES_WECHATPAY_MCHID": "1900000109",
                "AFTERSALES_WECHATPAY_CERTIFICATE_SERIAL": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
                "AFTERSALES_WECHATPAY_PUBLIC_KEY_ID": "PUB_KEY_ID_0119",
            },
        }[provider],
        "aftersales-notices": {"AFTERSALES_NOTICE_WEBHOOK_SECRET": new_secret()},
        "aftersales-payment-files": dict(
            zip(KEY_FILES, (Keys.private(KEYS.merchant), Keys.public(KEYS.platform), "k" * 32), strict=True)
        ),
    }


@pytest.mark.parametrize("component", CALLING)
@pytest.mark.parametrize("provider", BUILT_IN["payments"])
async def test_a_process_starts_with_its_own_secrets_and_with_none_fewer(
    provider: str, component: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # X1
    (pod,) = [each for each in pods("production") if component_of(each) == component]
    told = {"payments": provider, "carriers": "none", "numbers": "none", "notices": "smtp+notice-webhook"}
    secrets, folder = secrets_of(provider), tmp_path / "payments"
    folder.mkdir()
    for name, value in settings_of(provider, folder).items():
        monkeypatch.setenv(name, value)
    if "aftersales-payment-files" in pod.files:
        for name, text in secrets["aftersales-payment-files"].items():
            (folder / name).write_text(text)
    given = [name for name in ("aftersales-payments", "aftersales-notices") if name in pod.given]
    for name in given:
        for variable, value in secrets[name].items():
            monkeypatch.setenv(variable, value)

    await opened(component, told)

    for name in given:
        variable = next(iter(secrets[name]))
        with monkeypatch.context() as lacking:
            lacking.delenv(variable)
            with pytest.raises(SettingsError, match=f"{variable} is missing"):
                await opened(component, told)
