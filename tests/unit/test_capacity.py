"""The arithmetic of docs/capacity.md, and that the page tells what it comes to."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import measured, page, sizing
from tests.benchmarks.sizing import Assumptions, CaseCost
from tests.costs import page as costs

ASSUMED = Assumptions()
COST = CaseCost(
    worker_ms=60,
    temporal_ms=90,
    postgres_ms=12,
    transactions=40,
    rows=30,
    stored_bytes=10_000,
    wal_bytes=20_000,
    transitions=10,
    open_history_bytes=4_000,
    history_bytes=10_000,
    temporal_bytes=30_000,
    memory_bytes=50_000,
    actions=7,
)


def test_the_page_is_what_was_measured_comes_to() -> None:
    text = page.FILE.read_text(encoding="utf-8")
    made = page.parts(measured.read(), page.counted_actions())
    assert page.filled(text, made) == text, "run python -m tests.benchmarks.page"


def test_the_longest_way_is_that_of_the_page_on_costs() -> None:
    counted = costs.rows(costs.FILE.read_text(encoding="utf-8"))
    longest = max(row.figures["events"] for row in counted.values())

    assert f"The longest way here has {longest} events." in page.FILE.read_text(encoding="utf-8")


def test_a_part_without_a_place_in_the_page_is_an_error() -> None:
    text = "<!-- generated: one -->\nold\n<!-- end -->\n"
    assert page.filled(text, {"one": "new"}) == "<!-- generated: one -->\nnew\n<!-- end -->\n"
    with pytest.raises(ValueError, match="one"):
        page.filled(text, {"one": "new", "two": "new"})


def test_a_thousand_cases_a_second() -> None:
    needs = sizing.for_rate(COST, 1000, ASSUMED)
    assert needs.worker_cores == pytest.approx(100)
    assert needs.workers == 100
    assert needs.money_workers == math.ceil(1000 / 60)
    assert needs.notice_workers == math.ceil(1000 * 4 * 0.3 / 60)
    assert needs.postgres_cores == pytest.approx(20)
    assert needs.shards == 512
    assert needs.history_processes == 2
    assert needs.bytes_a_year == pytest.approx(1000 * 10_000 * 365 * 86_400)
    assert needs.primaries == 20, "the size of 90 days: 77.76 TB in primaries of 4 TB"
    assert needs.resource_units == 14
    assert needs.retained_bytes == pytest.approx(1000 * 86_400 * 30 * 10_000)


@pytest.mark.parametrize(
    ("change", "primaries"),
    [
        ({"primary_cores": 2, "kept_days": 1}, 10),
        ({"primary_wal_bytes": 4e6, "kept_days": 1}, 5),
        ({"primary_bytes": 1e12, "kept_days": 90}, 78),
    ],
)
def test_whatever_runs_out_first_decides_over_primaries(change: dict[str, float], primaries: int) -> None:
    assert sizing.for_rate(COST, 1000, replace(ASSUMED, **change)).primaries == primaries


def test_a_few_cases_still_want_two_of_each_process() -> None:
    needs = sizing.for_rate(COST, 0.01, ASSUMED)
    assert (needs.workers, needs.money_workers, needs.notice_workers, needs.history_processes) == (2, 2, 2, 2)
    assert needs.primaries == 1


def test_open_cases_want_room_and_shards() -> None:
    needs = sizing.for_open(COST, 1e8, ASSUMED)
    assert needs.shards == 8192
    assert needs.active_bytes == 4e11
    assert needs.active_dollars == pytest.approx(400 * 730 * 0.042)
    assert needs.cache_bytes == 5e12
    assert needs.cache_workers == 5000


@given(st.floats(0, 1e9), st.floats(0, 1e10))
def test_shards_are_a_power_of_two_that_all_fits_into(transitions: float, executions: float) -> None:
    shards = sizing.shards_for(transitions, executions, ASSUMED)
    assert shards & (shards - 1) == 0
    assert shards >= ASSUMED.least_shards
    assert executions / shards <= ASSUMED.executions_per_shard
    assert transitions * ASSUMED.persistence_seconds / shards <= ASSUMED.shard_use
    assert shards == ASSUMED.least_shards or shards < 2.000001 * max(
        executions / ASSUMED.executions_per_shard, transitions * ASSUMED.persistence_seconds / ASSUMED.shard_use
    )


def test_actions_cost_what_the_price_list_says_in_its_example() -> None:
    assert sizing.action_dollars(11.25e6) == (pytest.approx(525), True)


def test_actions_beyond_the_price_list_cost_its_last_price() -> None:
    within, listed = sizing.action_dollars(200e6)
    assert listed
    assert within == pytest.approx(250 + 225 + 400 + 1050 + 1500 + 2500)
    beyond, listed = sizing.action_dollars(300e6)
    assert not listed
    assert beyond == pytest.approx(within + 2500)


def test_storage_and_plan_cost_what_the_price_list_says() -> None:
    bill = sizing.price(sizing.PLAN_ACTIONS, active_bytes=3.5e9, retained_bytes=1100e9)
    assert bill.actions == 0
    assert bill.active == pytest.approx(730 * 0.042)
    assert bill.retained == pytest.approx(1000 * 730 * 0.00105)
    assert bill.plan == sizing.PLAN_LEAST_DOLLARS
    assert sizing.price(300e6, 0, 0).plan == pytest.approx(0.1 * sizing.action_dollars(297.5e6)[0])


def test_how_long_a_case_is_open_follows_from_how_many_are() -> None:
    assert sizing.mean_open_seconds(864_000, 10) == 86_400
