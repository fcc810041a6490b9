"""A7: every kind of case pays an order back into the allowance that paid for it, and ends as it does otherwise."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from activities.gateways.payment_stub_modes import Behaviour
from starter.interpreter.interpreter import Interpreter
from tests.replay.in_memory import MemoryWorld, told_in_memory, walk_in
from tests.replay.paths import PATHS
from tests.replay.registry import merchant_of
from workflows.messages.payouts import PaidBy
from workflows.rules.allowance import split

BEGAN = datetime(2026, 3, 2, 2, tzinfo=UTC)


class PaidOtherwise(MemoryWorld):
    """As ``MemoryWorld``, where orders are paid from a wallet; it notes what does not come to the same otherwise."""

    told_gateway = False

    async def behave(self, behaviour: Behaviour) -> None:
        """What the gateway does with refunds is nothing to those that it is not told of."""
        self.told_gateway = True
        await super().behave(behaviour)


class PaidWithAllowances(PaidOtherwise):
    """The same, with each order that names no tenders paid from an allowance of its own."""

    async def order(self, **facts: Any) -> str:
        """See MemoryWorld."""
        total = sum((facts.get("lines") or {"1": 10_000}).values()) + facts.get("freight", 0)
        if facts.get("tenders") or not total:
            return await super().order(**facts)
        numbers, self._numbers = self._numbers, count(1_000 + len(self.interpreter.shop.accounts))
        allowance_id = await self.allowance(principal=2 * total, bonus=total)
        self._numbers = numbers  # the story's own are as they were
        return await super().order(**facts, spent={allowance_id: total})


def told(name: str, world: type[PaidOtherwise]) -> PaidOtherwise:
    """The world in which a story was told."""
    interpreter = Interpreter(BEGAN)
    told_to = world(interpreter, merchant_of(name))
    walk_in(PATHS[name], told_to)
    return told_to


def ends(interpreter: Interpreter) -> dict[str, tuple[object, ...]]:
    """How each case has ended, and what it has paid."""
    outcomes = {case: interpreter.outcome(case) for case in interpreter.cases()}
    return {
        case: (end.outcome, end.refunded, end.compensated, end.refusal, end.decided_by) if end else ()
        for case, end in outcomes.items()
    }


OF_THE_GATEWAY = frozenset(name for name in PATHS if told_in_memory(name) and told(name, PaidOtherwise).told_gateway)
"""Stories of what the gateway does, which it does not do with what it is not told of."""


def test_few_stories_are_of_the_gateway() -> None:
    assert 0 < len(OF_THE_GATEWAY) < len(PATHS) / 6


@pytest.mark.parametrize("name", [name for name in PATHS if told_in_memory(name) and name not in OF_THE_GATEWAY])
def test_a_story_ends_alike_and_the_allowance_has_its_money_back(name: str) -> None:
    otherwise = told(name, PaidOtherwise)

    world = told(name, PaidWithAllowances).interpreter

    assert ends(world) == ends(otherwise.interpreter)
    for order in world.shop.orders.values():
        fund = world.ledger.funds.get(f"order/{order.order_no}")
        for tender, allowance_id in order.allowances.items():
            legs = [each for each in fund.legs.values() if each.leg.tender == tender] if fund else []
            facts = world.shop.accounts[allowance_id].facts
            assert {each.standing.paid_by for each in legs} <= {PaidBy.ALLOWANCE}
            assert facts.spent == order.paid - sum(each.leg.amount for each in legs)
            spent = split(facts.principal, facts.bonus, order.paid).principal_spent
            back = sum(each.leg.principal or 0 for each in legs)
            assert spent - back == split(facts.principal, facts.bonus, facts.spent).principal_spent
            assert not any(each.leg.refund_no in world.gateway.refunds for each in legs)
