"""The adapter that docs/adapters.md writes keeps the promises of the port (section 10, X3, X6)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from activities.gateways.kit import Ground, Promise, promises
from activities.gateways.limits import Limits
from activities.gateways.payment import RefundInstruction
from starter.adapter_factories import factory_of, made
from starter.adapters import payment_limits
from starter.settings import Settings, SettingsError
from starter.settings_page import documentation
from tests.adapters import example
from tests.adapters.acme import SECRET, Acme, serving
from tests.storage.test_payment_kit import instruction

NAMED = "acme_refunds:AcmeRefunds"


@pytest_asyncio.fixture(loop_scope="session")
async def ground(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    acme = Acme()
    async with serving(acme) as address:
        monkeypatch.setenv("AFTERSALES_ACME_URL", address)
        monkeypatch.setenv("AFTERSALES_ACME_SECRET", SECRET)
        example.imported()

        async def paid(refund: RefundInstruction) -> int:
            return sum(amount for number, amount in acme.moved if number.startswith(refund.lasting_number))

        def once(wrong: str):
            async def arrange(refund: RefundInstruction) -> None:
                acme.next[refund.number] = wrong

            return arrange

        async def callback(refund: RefundInstruction):
            return acme.callback(refund.number)

        async with factory_of("payments", NAMED)() as gateway:
            yield Ground(
                gateway=gateway,
                instruction=instruction,
                paid=paid,
                lose_next_answer=once("lose answer"),
                lose_next_request=once("lose request"),
                decline_next=once("decline"),
                turn_next_away=once("turn away"),
                callback=callback,
                statement_day=lambda _: datetime.now(UTC).date(),
            )


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_the_example_keeps_its_promises(promise: Promise, ground: Ground) -> None:
    await promise(ground)


def test_the_limits_are_known_without_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:  # X6
    example.imported()
    monkeypatch.delenv("AFTERSALES_ACME_SECRET", raising=False)
    limits = payment_limits(Settings.model_validate({"payments": NAMED}))
    assert isinstance(limits, Limits)
    assert limits.steps == {"KWD": 10}


def test_a_misspelt_variable_of_an_adapter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    example.imported()
    monkeypatch.setenv("AFTERSALES_ACME_SECRT", "x")
    with pytest.raises(
        SettingsError, match="AFTERSALES_ACME_SECRT is not a setting: did you mean AFTERSALES_ACME_SECRET"
    ):
        factory_of("payments", NAMED)


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        (NAMED, {"AFTERSALES_ACME_URL": "http://x"}, "AFTERSALES_ACME_SECRET is missing"),
        (
            "stripe",
            {"AFTERSALES_STRIPE_SECRET_KEY": "pk_live_oops"},
            "AFTERSALES_STRIPE_SECRET_KEY: must be a secret key",
        ),
        (
            "stripe",
            {"AFTERSALES_STRIPE_SECRET_KEY": "sk_1", "AFTERSALES_STRIPE_ACCOUNT": "x"},
            "AFTERSALES_STRIPE_ACCOUNT: ",
        ),
        (
            "alipay",
            {
                "AFTERSALES_ALIPAY_APP_ID": "2014072300007148",
                "AFTERSALES_ALIPAY_PRIVATE_KEY_FILE": "/nowhere/key",
                "AFTERSALES_ALIPAY_PUBLIC_KEY_FILE": "/nowhere/key",
            },
            "/nowhere/key: No such file",
        ),
    ],
)
def test_a_wrong_setting_of_an_adapter_is_told_by_its_variable(
    name: str, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never with its value."""
    example.imported()
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as wrong:
        made("payments", name)
    assert said in str(wrong.value)
    assert "pk_live_oops" not in str(wrong.value)


def test_the_page_on_settings_has_those_of_each_built_in_adapter() -> None:
    page = documentation()
    for variable in (
        "AFTERSALES_STRIPE_SECRET_KEY",
        "AFTERSALES_WECHATPAY_API_V3_KEY_FILE",
        "AFTERSALES_ALIPAY_APP_ID",
    ):
        assert f"| `{variable}` | required |" in page
