"""What stands behind the ports is named by settings, and production works with no stub."""

from contextlib import AsyncExitStack
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from starter.adapters import PORTS, Adapters
from starter.settings import Settings, SettingsError
from starter.vault import key_store_url
from tests.worker import own_adapters
from tests.worker.processes import worker_process
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind

OWN = "tests.worker.own_adapters"


def production(settings: Settings, database: str) -> dict[str, str]:
    """The environment of a worker in production, on the servers of the tests."""
    return {
        "AFTERSALES_ENVIRONMENT": "production",
        "AFTERSALES_KEY_FILE": str(Path(settings.state_dir, "keys")),
        "AFTERSALES_KEY_STORE_URL": key_store_url(settings, database),
        "AFTERSALES_LOOKUP_KEY": "of these tests, and long enough for it",
    }


@pytest.mark.parametrize(
    ("role", "named"),
    [
        ("money", ["AFTERSALES_PAYMENTS"]),
        ("notifications", ["AFTERSALES_CARRIERS", "AFTERSALES_NUMBERS", "AFTERSALES_NOTICES"]),
    ],
)
async def test_production_does_not_start_on_a_stub(
    role: str, named: list[str], own_settings: Settings, database: str
) -> None:
    environment = production(own_settings, database)
    async with worker_process(own_settings, AFTERSALES_ROLE=role, **environment) as worker:
        assert await worker.ended() == 2
        (line,) = worker.output.read_text().splitlines()
    assert line.startswith(f"{', '.join(named)} must name an adapter in production")


async def test_a_refund_is_paid_by_an_adapter_that_is_only_named_and_whose_secret_only_who_pays_has(
    shop: World, own_settings: Settings, database: str
) -> None:  # X1
    named = {f"AFTERSALES_{port.upper()}": f"{OWN}:{port}" for port in ("payments", "carriers", "notices")}
    environment = production(own_settings, database) | named
    async with (
        worker_process(own_settings, AFTERSALES_ROLE="workflows", **environment),
        worker_process(own_settings, AFTERSALES_ROLE="money", **{own_adapters.SECRET: "s"}, **environment),
    ):
        case = await shop.refund()
        outcome = await case.act_and_wait(Approve(key="a", by=merchant(shop.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    paid = await shop.pool.fetchval("SELECT gateway_ref FROM ledger.legs WHERE case_id = $1", case.id)
    assert paid == own_adapters.REFERENCE


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module:gateway", "cannot be found"),
        (f"{OWN}:missing", "cannot be found"),
        (f"{OWN}:not_a_factory", "no function"),
        ("acme", "; there are .*stub"),
    ],
)
async def test_an_adapter_that_cannot_be_made_is_told_by_its_setting(name: str, why: str) -> None:
    settings = Settings.model_validate({"payments": name})
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsError, match=f"^AFTERSALES_PAYMENTS: .*{name}.*{why}"):
            await Adapters.opened(settings, stack, MagicMock(), MagicMock())


async def test_what_another_role_calls_refuses_every_call() -> None:  # X1
    settings = Settings(role="workflows")
    async with AsyncExitStack() as stack:
        adapters = await Adapters.opened(settings, stack, MagicMock(), MagicMock())

    with pytest.raises(SettingsError, match="AFTERSALES_PAYMENTS is called by workers of the role money.*submit"):
        await adapters.payments.submit(MagicMock())
    with pytest.raises(
        SettingsError, match="AFTERSALES_CARRIERS is called by workers of the role notifications.*track"
    ):
        await adapters.carriers.track(MagicMock(), MagicMock())
    assert adapters.channels == {}


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("name", ["None", "a.b", "a.b:", ":c", "a b:c", "a.b:c.d()"])
def test_an_adapter_has_a_name_of_one_form(port: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"package\.module:factory"):
        Settings.model_validate({port: name})
