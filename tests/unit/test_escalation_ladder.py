"""L4: whom a buyer can turn to next, and when somebody is there."""

from datetime import UTC, datetime

import pytest

from activities.calendar.working_days import SHANGHAI
from activities.escalation import ladder_at
from tests.profiles import BUILT_IN
from workflows.rules.escalation_ladder import LADDER, ladder_of


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def test_the_ladder_goes_from_the_platform_to_the_hotline() -> None:  # L4
    assert [rung.code for rung in LADDER] == ["platform_service", "senior_service", "12315"]
    assert all(rung.chinese and rung.english for rung in LADDER)


def test_the_hotline_of_china_is_for_profiles_that_name_it() -> None:  # L4, G6
    with_hotline = {name for name, policy in BUILT_IN.items() if ladder_of(policy) == LADDER}

    assert with_hotline == {"douyin", "cn-2026", "jd-pop", "jd-self"}
    assert [rung.code for rung in ladder_of(BUILT_IN["eu"])] == ["platform_service", "senior_service"]


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        pytest.param(shanghai(3, 3, 8, 29), shanghai(3, 3, 8, 30), id="before-opening"),
        pytest.param(shanghai(3, 3, 8, 30), None, id="at-opening"),
        pytest.param(shanghai(3, 3, 11, 59), None, id="before-lunch"),
        pytest.param(shanghai(3, 3, 12), shanghai(3, 3, 14), id="lunch"),
        pytest.param(shanghai(3, 3, 14), None, id="after-lunch"),
        pytest.param(shanghai(3, 3, 17, 30), shanghai(3, 4, 8, 30), id="evening"),
        pytest.param(shanghai(3, 6, 18), shanghai(3, 9, 8, 30), id="friday-evening"),
        pytest.param(shanghai(2, 28, 9), None, id="make-up-saturday"),
        pytest.param(shanghai(9, 30, 18), shanghai(10, 8, 8, 30), id="national-day"),
    ],
)
def test_the_hotline_answers_on_working_days(at: datetime, opens: datetime | None) -> None:  # L4
    *service, hotline = ladder_at(at, BUILT_IN["douyin"])

    assert hotline.open_now is (opens is None)
    assert hotline.opens_at == (opens or at)
    assert hotline.opens_at.tzinfo is UTC
    assert hotline.warnings == ()
    assert [(each.open_now, each.opens_at) for each in service] == [(True, at), (True, at)]


def test_in_a_year_that_nobody_knows_the_hotline_warns() -> None:  # section 9
    # 2 July 1998 is a Thursday; the calendar begins with 2001.
    _, senior, hotline = ladder_at(shanghai(7, 2, 20, year=1998), BUILT_IN["douyin"])

    assert (hotline.opens_at, hotline.warnings) == (shanghai(7, 3, 8, 30, year=1998), ("calendar_unknown_year",))
    assert senior.warnings == ()


def test_a_moment_needs_its_offset() -> None:
    with pytest.raises(ValueError, match="offset"):
        ladder_at(datetime(2026, 3, 3, 9), BUILT_IN["douyin"])  # noqa: DTZ001 -- the point of the test
