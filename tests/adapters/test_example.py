"""The adapter that docs/adapters.md writes keeps the promises of the port (section 10, X3, X6)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from activities.gateways.kit import Ground, Promise, promises
from activities.gateways.limits import Limits
from activities.gateways.payment import RefundInstruction
from starter.adapter_factories import factory_of
from starter.adapters import payment_limits
from starter.settings import Settings, SettingsError
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
