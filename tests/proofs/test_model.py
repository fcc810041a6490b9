"""What cases do is what the rulebook says: a small model of it and real cases are told the same stories.

The model is written from the rulebook's text alone (``rules_model``). The long form is ``make proofs``.
"""

import random
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.proofs.moves import DECIDING, SETTINGS, WORDS
from tests.proofs.telling_both import DisagreementError, Telling
from tests.proofs.walking import EVENTS, MODES, ROLES, at_once, walk
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.world import World
from workflows.messages.actors import Role


class ModelAndCase(RuleBasedStateMachine):
    """A case in memory beside the model's."""

    @initialize(name=st.sampled_from(sorted(SETTINGS)))
    def opens(self, name: str) -> None:
        self.telling = Telling(cast("World", WorldInMemory()), name)
        at_once(self.telling.begin())

    @precondition(lambda self: self.telling.words())
    @rule(data=st.data(), seen=st.sampled_from(("", "right", "stale")))
    def command_that_is_open(self, data: st.DataObject, seen: str) -> None:
        word, role = data.draw(st.sampled_from(self.telling.words()))
        at_once(self.telling.send(word, role, seen=seen if word in DECIDING else ""))

    @rule(word=st.sampled_from(WORDS), role=st.sampled_from(ROLES))
    def any_command(self, word: str, role: Role) -> None:
        if self.telling.says(word, role):
            at_once(self.telling.send(word, role))

    @rule()
    def same_command_again(self) -> None:
        at_once(self.telling.again())

    @rule(word=st.sampled_from(("approve", "reject", "confirm_receipt")))
    def strangers_command(self, word: str) -> None:
        at_once(self.telling.stranger(word))

    @rule()
    def silence(self) -> None:
        at_once(self.telling.wait())

    @rule(hours=st.sampled_from((1, 13, 25)))
    def time(self, hours: int) -> None:
        at_once(self.telling.hours(hours))

    @rule(event=st.sampled_from(EVENTS))
    def carriers_word(self, event: str) -> None:
        at_once(self.telling.carrier(event))

    @rule(mode=st.sampled_from(MODES))
    def gateway_misbehaves(self, mode: str) -> None:
        at_once(self.telling.gateway(mode))


TestModelAndCase = ModelAndCase.TestCase
TestModelAndCase.settings = settings(
    max_examples=120,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_random_stories_of_each_setting_go_as_the_model_says(name: str) -> None:
    for number in range(8):
        at_once(walk(cast("World", WorldInMemory()), name, random.Random(f"short/{number}")))


@pytest.mark.parametrize("event", ["shipped", "on_delivery_run", "signed", "refused", "returned_to_warehouse"])
@pytest.mark.parametrize("name", [each for each in sorted(SETTINGS) if "unshipped" in each])
def test_goods_that_have_left_are_not_refunded_blindly(name: str, event: str) -> None:  # R7, R1
    telling = Telling(cast("World", WorldInMemory()), name)
    at_once(telling.begin())
    at_once(telling.carrier(event))
    at_once(telling.hours(25))

    assert f"the carrier: {event}" in telling.told


def test_a_model_that_is_wrong_is_noticed() -> None:
    telling = Telling(cast("World", WorldInMemory()), "shipped refund")
    at_once(telling.begin())
    telling.model.asked -= 1

    with pytest.raises(DisagreementError, match=r"merchant approve\n.*paid by ledger and gateway: \(30000, 30000\)"):
        at_once(telling.send("approve", Role.MERCHANT))
