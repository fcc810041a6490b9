"""Which cases the demo pays through a provider, and what it says where the provider's server is not there."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from activities.gateways.order_records import OrderRecord
from starter.commands.failures import UsageError
from starter.demo import providers, script, shop
from tests.cli.test_demo import START
from workflows.messages.payouts import TenderKind


def test_most_cases_are_paid_and_those_that_no_provider_pays_are_left_out() -> None:
    orders: Mapping[str, OrderRecord] = {each.order_no: each for each in shop.orders(START)}
    cash = frozenset(no for no, each in orders.items() if any(t.kind is TenderKind.CASH for t in each.tenders))
    played = providers.playable(script.scripts(), cash)

    assert len(played) >= 60
    assert cash
    assert not any(each.gateway or each.account or each.subject in cash for each in played)
    for group in script.groups(script.scripts()):
        assert len({each in played for each in group}) == 1, "a group is played as a whole"


@pytest.mark.parametrize("name", providers.PROVIDERS)
async def test_an_installed_package_says_what_it_lacks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str) -> ModuleType:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(providers.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="tests of a checkout"):
        async with providers.opened_provider(name, tmp_path):
            pass
