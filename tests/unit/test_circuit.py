"""A provider account that does not answer is left alone, tried, and called again by itself (section 10)."""

from hypothesis import given
from hypothesis import strategies as st

from activities.gateways.circuit import FIRST_REST, LONGEST_REST, THRESHOLD, TRIES, Admitted, Circuit
from activities.gateways.pace import Pace


def down(circuit: Circuit, now: float = 0.0) -> None:
    """As many different refunds come to nothing as it takes."""
    for number in range(THRESHOLD):
        call = circuit.admit(now)
        assert call
        opened = circuit.failed(call, f"RF-{number}", now)
        assert opened == (number == THRESHOLD - 1)


def tries(circuit: Circuit, now: float) -> list[Admitted]:
    found: list[Admitted] = []
    while call := circuit.admit(now):
        found.append(call)
    return found


def test_it_opens_after_different_refunds_and_says_for_how_long() -> None:
    circuit = Circuit()
    down(circuit)
    assert circuit.admit(FIRST_REST - 0.1) is None
    assert circuit.rest(FIRST_REST - 10) == 10
    assert not circuit.closed


def test_one_refund_that_always_fails_opens_nothing() -> None:
    circuit = Circuit()
    for _ in range(THRESHOLD * 10):
        call = circuit.admit(0)
        assert call
        circuit.failed(call, "RF-1", 0)
    assert circuit.closed


def test_an_answer_in_between_starts_the_count_anew() -> None:
    circuit = Circuit()
    for number in range(THRESHOLD * 3):
        call = circuit.admit(0)
        assert call
        if number % (THRESHOLD - 1) == 0:
            circuit.answered(call)
        else:
            circuit.failed(call, f"RF-{number}", 0)
    assert circuit.closed


def test_a_few_tries_are_let_through_and_the_first_answer_ends_it() -> None:
    circuit = Circuit()
    down(circuit)
    first, *others = tries(circuit, FIRST_REST)
    assert len(others) == TRIES - 1
    assert circuit.rest(FIRST_REST) > 0, "the others wait until something is heard"
    assert circuit.answered(first)
    assert len([circuit.admit(FIRST_REST) for _ in range(100)]) == 100
    assert not circuit.failed(others[0], "RF-9", FIRST_REST), "an old try says nothing of the circuit that has closed"
    assert circuit.closed


def test_tries_that_fail_rest_for_twice_as_long_up_to_the_longest() -> None:
    circuit, now, rests = Circuit(), 0.0, list[float]()
    down(circuit)
    for _ in range(6):
        now += circuit.rest(now)
        for number, call in enumerate(tries(circuit, now)):
            circuit.failed(call, f"RF-{number}", now)
        rests.append(circuit.rest(now))
    assert rests == [60, 120, 240, 300, 300, 300]
    call = circuit.admit(now + LONGEST_REST)
    assert call
    circuit.answered(call)
    down(circuit, now)
    assert circuit.rest(now) == FIRST_REST, "each outage begins with a short rest"


def test_what_the_provider_names_itself_is_kept_to_within_bounds() -> None:
    circuit = Circuit()
    for number in range(THRESHOLD):
        circuit.failed(Admitted(), f"RF-{number}", 0, at_least=90 if number < THRESHOLD - 1 else 100)
    assert circuit.rest(0) == 100


@given(st.lists(st.tuples(st.sampled_from(["answered", "failed", "not_made"]), st.floats(0, 400)), max_size=80))
def test_an_hour_of_outage_costs_few_calls_and_never_jams(events: list[tuple[str, float]]) -> None:
    """Whatever was heard, in whatever order: within the longest rest a call can be made again."""
    circuit, now = Circuit(), 0.0
    under_way: list[Admitted] = []
    for number, (said, later) in enumerate(events):
        now += later
        if call := circuit.admit(now):
            under_way.append(call)
        if under_way:
            call = under_way.pop(0)
            match said:
                case "answered":
                    circuit.answered(call)
                case "failed":
                    circuit.failed(call, f"RF-{number}", now)
                case _:
                    circuit.not_made(call)
    for call in under_way:
        circuit.not_made(call)
    assert circuit.admit(now + LONGEST_REST)

    hour, calls = Circuit(), 0
    down(hour)
    for second in range(3600):
        for number, call in enumerate(tries(hour, second)):
            calls += 1
            hour.failed(call, f"RF-{number}", second)
    assert calls <= 50


def test_calls_go_out_evenly_after_as_many_at_once() -> None:
    pace = Pace(10)
    waits = [pace.take(100.0) for _ in range(25)]
    assert waits[:10] == [0] * 10
    assert [round(each, 3) for each in waits[10:13]] == [0.1, 0.2, 0.3]
    assert round(pace.wait(100.0), 3) == 1.6
    assert pace.wait(103.0) == 0


def test_less_than_one_call_a_second() -> None:
    pace = Pace(0.1)
    assert [round(pace.take(0.0)) for _ in range(3)] == [0, 10, 20]
