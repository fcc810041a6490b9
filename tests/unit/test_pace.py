"""A bounded rate is kept to whatever has taken long before."""

import pytest

from starter.pace import Pace


class Clock:
    """Moves as it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def begun_within(pace: Pace, clock: Clock, seconds: float) -> int:
    """How many begin, each as soon as it may."""
    end, begun = clock.now + seconds, 0
    while clock.now + (wait := pace.wait()) <= end:
        clock.now += wait
        begun += 1
    return begun


@pytest.mark.parametrize("rate", [0.5, 4, 50])
def test_so_many_begin_in_a_second(rate: float) -> None:
    clock = Clock()

    assert begun_within(Pace(rate, clock), clock, 60) == pytest.approx(60 * rate, abs=1)


@pytest.mark.parametrize("lost", [0.3, 5, 3_600])
def test_what_was_lost_is_made_up_for_by_a_second_at_most(lost: float) -> None:
    clock = Clock()
    pace = Pace(10, clock)
    begun_within(pace, clock, 2)

    clock.now += lost

    assert begun_within(pace, clock, 10) <= 10 * (10 + 1) + 1
