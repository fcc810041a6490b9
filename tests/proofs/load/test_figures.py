"""The arithmetic of what a run under load has measured, and the page that it writes."""

import pytest

from tests.proofs.load.arrivals import Offered, Sample, Traffic
from tests.proofs.load.fairness import QUIET, Fairness
from tests.proofs.load.figures import growth, latency, percentile
from tests.proofs.load.gateway_down import GatewayDown
from tests.proofs.load.page import page
from tests.proofs.load.parked import Parked
from tests.proofs.load.rates import Lengths, Phase, Rates, Window, holds, returned, windows
from tests.proofs.load.report import PARTS, Report, Scale
from tests.proofs.load.shop import Order
from tests.proofs.load.soak import Soak

pytestmark = pytest.mark.in_memory

_LENGTHS = Lengths(probe=10, hold=100, twice=10, back=100, within=2)


def _offered(due: float, command: float | None) -> Offered:
    return Offered(Order("o-1", "m-1", "b-1"), due, opening=0.1, command=command)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.99) == 0
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([*range(1, 101)], 0.99) == 99
    assert percentile([*range(1, 201)], 0.99) == 198
    assert str(latency([0.001] * 99 + [5])) == "1 / 1"


def test_what_only_wavers_is_flat_and_what_climbs_is_not() -> None:
    wavers = growth([100 + number % 7 for number in range(120)], hours=1)
    assert wavers.flat
    climbs = growth([100 + number / 6 + number % 7 for number in range(120)], hours=1)
    assert not climbs.flat
    assert climbs.per_hour == pytest.approx(20, rel=0.1)
    assert climbs.bound < 20
    # So little an hour that it is none, however certain.
    assert growth([10_000 + number / 6 for number in range(120)], hours=1).flat
    with pytest.raises(ValueError, match="at least 12"):
        growth([1.0] * 11, hours=1)


def test_a_rate_is_held_where_neither_what_waits_nor_a_command_grows() -> None:
    phase = Phase("probe", 0, 10, [_offered(each, 0.1) for each in range(10)])

    def held(waiting: int, command: float) -> bool:
        traffic = Traffic(ground=None, orders=iter(()))  # pyright: ignore[reportArgumentType] -- nothing is asked
        traffic.samples = [Sample(9.5, 100, 0, 100 - waiting), Sample(12, 100, 0, 0)]
        phase.offered[0].command = command
        return holds(traffic, phase, 10, _LENGTHS)

    # Ten a second, at which merchants look for five seconds, and two more seconds' worth.
    assert held(waiting=70, command=0.1)
    assert not held(waiting=71, command=0.1)
    assert not held(waiting=50, command=2.1)


def test_windows_count_what_fell_due_and_what_ended_in_them() -> None:
    phase = Phase("hold", 0, 100, [_offered(each, 0.1 if each < 50 else 0.4) for each in range(100)])
    samples = [Sample(each, each, each, max(each - 5, 0)) for each in range(101)]
    found = windows(samples, phase)
    assert [each.offered for each in found] == [1.0] * 10
    assert found[5].ended == 1.0
    assert found[9].waiting == 5
    assert (found[4].command.p99, found[5].command.p99) == (100, 400)


def test_latency_has_returned_in_the_first_stretch_that_is_as_before() -> None:
    held = Phase("hold", 0, 100, [_offered(each, 0.1) for each in range(100)])
    slow = [_offered(100 + each, 3.0 if each < 35 else 0.14) for each in range(80)]
    assert returned(held, slow, 100) == 40
    assert returned(held, slow[:35], 100) is None


def test_each_part_has_its_section() -> None:
    some = latency([0.02])
    tried = Rates([(8, True), (16, False)], 8, cases=10, drained=90, windows=[Window("hold", 1, 8, 8, 40, some, some)])
    soaked = Soak(4, 3600, 14_400, {"worker": growth([1e8] * 12, 1)}, {"worker": [10**8] * 10}, [some] * 2, [some] * 2)
    away = GatewayDown(4, 900, 2700, 9000, 3600, 50, command_before=some, ended_by=[(60, 7)])
    found = Report(
        rates=tried,
        parked=Parked(100, 20, commands={"cached": some}, herd=50, drained=70),
        gateway=away,
        soak=soaked,
        seconds=dict.fromkeys(PARTS, 60.0),
    )

    text = page(Scale(), found, "")

    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## The highest rate, twice of it, and back",
        "## 100 cases that wait",
        "## The gateway is away for an hour",
        "## 60 minutes at 4 cases a second",
    ]
    assert "gone 90 s later" in text
    assert "before that not by the end of the run" in text
    assert "the clocks of open cases were moved by 2,700 s more" in text
    assert "| worker | 100.0 MB | 100.0 MB | 0.0 MB | ± 0.0 MB | flat |" in text


def test_a_page_keeps_the_sections_of_parts_that_were_not_run() -> None:
    found = Fairness(waiting=300)
    for when, seconds in ((QUIET, 0.02), ("as many are opened", 0.05)):
        found.opened[when] = found.command[when] = latency([seconds])
    first = page(Scale(waiting=300), Report(fairness=found, seconds={"fairness": 60}), "")
    assert 'ARGS="--waiting 300 --parts fairness"' in first
    assert "| as many are opened | 50 / 50 | 2.5 | 50 / 50 | 2.5 |" in first
    again = page(Scale(), Report(), first)
    assert again == first
