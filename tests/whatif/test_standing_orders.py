"""G4, G7: what a standing order has decided, it decides under a tried profile only where that allows it."""

from typing import Any

import pytest

from starter.interpreter.interpreter import Interpreter
from starter.whatif.comparing import Compared, compared
from starter.whatif.telling import AS_THEY_WERE, Rules, told_again
from tests.unit.test_standing_orders import refunds, returns, standing, told
from tests.whatif.remembered import past_of
from tests.whatif.worlds import declared_in, remembering
from workflows.messages.policy import Policy


def tried(world: Interpreter, **allows: Any) -> Compared:
    """The world's one case under its profile with other limits of standing orders."""
    (story,) = past_of(world)
    (case,) = story.cases
    own = case.opened.policy
    assert own
    assert case.opened.standing_order
    limits = own.standing_orders.model_copy(update=allows)
    other = Policy.model_validate(own.model_dump() | {"standing_orders": limits.model_dump()})
    was = told_again(story, declared_in(world), AS_THEY_WERE, world.now)
    return compared(story, case, was, told_again(story, declared_in(world), Rules(other), world.now))


@pytest.mark.parametrize(
    ("allows", "otherwise"),
    [
        ({"up_to": 5_000}, False),
        ({"up_to": 4_999}, True),
        ({"most_a_day": 4_999}, True),
        ({"without_return_up_to": 0}, False),
        ({"kinds": ("return",)}, True),
    ],
)
def test_a_refund_that_one_has_agreed_to(allows: dict[str, Any], otherwise: bool) -> None:
    with remembering():
        world = told(standing())
    refunds(world, "O-1", 5_000, shipped=True)
    world.pass_time(days=1)

    assert bool(tried(world, **allows).otherwise) is otherwise


@pytest.mark.parametrize(
    ("allows", "otherwise"),
    [({"without_return_up_to": 3_000}, False), ({"without_return_up_to": 2_999}, True), ({"up_to": 1}, False)],
)
def test_a_return_that_one_has_paid_without_the_goods(allows: dict[str, Any], otherwise: bool) -> None:
    with remembering():
        world = told(standing(kinds=("return",), does="refund_without_return", up_to=3_000))
    returns(world)
    world.pass_time(days=1)

    assert bool(tried(world, **allows).otherwise) is otherwise
