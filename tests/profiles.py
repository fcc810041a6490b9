"""Profiles for tests: the built-in ones, and Douyin's with a negotiation."""

from typing import Final

from activities.policies import Policies
from workflows.messages.policy import Policy


def _built_in(name: str) -> Policy:
    policy = Policies().get(name)
    assert policy
    return policy


BUILT_IN: Final = {name: _built_in(name) for name in Policies().names()}
NEGOTIATED: Final = BUILT_IN["douyin"].model_copy(
    update={
        "name": "negotiated",
        "dispute": BUILT_IN["douyin"].dispute.model_copy(update={"negotiation_hours": 24}),
    }
)
"""Douyin's profile with a negotiation before the platform steps in, which Douyin has not (D2)."""
ALL: Final = {**BUILT_IN, NEGOTIATED.name: NEGOTIATED}
