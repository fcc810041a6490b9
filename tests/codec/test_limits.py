"""How often somebody may ask the codec server."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from starter.request_rates import Rate


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_as_many_as_a_minute_allows_may_come_at_once() -> None:
    rate = Rate(60, Clock())
    assert [rate.wait("a") for _ in range(60)] == [0] * 60
    assert rate.wait("a") == 1
    # Being refused costs nothing.
    assert rate.wait("a") == 1


def test_what_costs_more_counts_as_more() -> None:
    rate = Rate(60, Clock())
    assert rate.wait("a", 50) == 0
    assert rate.wait("a", 20) == 10
    assert rate.wait("a", 10) == 0
    # Beyond what a minute allows it takes all of one, and not for ever.
    assert rate.wait("b", 1000) == 0
    assert rate.wait("b") == 1


def test_it_is_refilled_evenly() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    for _ in range(60):
        rate.wait("a")
    clock.now += 0.5
    assert rate.wait("a") == 0.5
    clock.now += 1.5
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 1]


def test_rest_saves_nothing_up_beyond_a_minute() -> None:
    clock = Clock()
    rate = Rate(3, clock)
    rate.wait("a")
    clock.now += 3600
    assert [rate.wait("a") == 0 for _ in range(4)] == [True, True, True, False]


def test_each_name_has_its_own() -> None:
    rate = Rate(1, Clock())
    assert rate.wait("a") == 0
    assert rate.wait("b") == 0
    assert rate.wait("a") > 0


def test_many_names_forget_only_who_is_idle() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    for number in range(1500):
        rate.wait(f"idle {number}")
    clock.now += 59
    rate.wait("busy")
    clock.now += 1.5
    # Everybody but `busy` may ask again, and is forgotten now.
    rate.wait("newcomer")
    assert rate.wait("busy") > 50
    assert len(rate._buckets) == 2  # pyright: ignore[reportPrivateUsage]


@given(
    per_minute=st.integers(1, 1000),
    steps=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_no_rhythm_of_asking_gets_more_than_it_allows(per_minute: int, steps: list[float]) -> None:
    clock = Clock()
    rate = Rate(per_minute, clock)
    start, granted = clock.now, 0
    for step in steps:
        clock.now += step
        wait = rate.wait("a")
        granted += wait == 0
        if wait:
            # And whoever waits as long as told gets in (but for the last bit of a float).
            clock.now += wait + 1e-6
            assert rate.wait("a") == 0
            granted += 1
        assert granted <= per_minute + (clock.now - start) * per_minute / 60 + 1e-3
