"""How often is looked again: the waits grow and have a limit (R8, section 10)."""

from datetime import timedelta
from itertools import islice

from activities.policies import Policies
from workflows.rules.polling import gateway_polls, room_polls


def test_the_gateway_is_asked_less_and_less_often_but_never_given_up() -> None:  # section 10
    policy = Policies().get("douyin")
    assert policy is not None

    waits = list(islice(gateway_polls(policy.payment), 12))

    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=9)]
    assert waits[-1] == timedelta(hours=24)
    assert waits == sorted(waits)


def test_room_is_looked_for_soon_and_then_less_often() -> None:  # R8
    policy = Policies().get("douyin")
    assert policy is not None

    waits = list(islice(room_polls(policy.refund), 10))

    assert (waits[0], waits[-1]) == (timedelta(seconds=5), timedelta(hours=1))
    assert waits == sorted(waits)
