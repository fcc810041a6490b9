"""Working days in Asia/Shanghai (section 9), and the arrival of money that is counted by them (R5)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.working_time import SHANGHAI, add_working_days, calendar_version


def shanghai(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("at", "days", "end"),
    [
        pytest.param(shanghai(2026, 3, 3, 10), 1, shanghai(2026, 3, 5), id="tuesday-to-wednesday-24h"),
        pytest.param(shanghai(2026, 3, 3, 10), 3, shanghai(2026, 3, 7), id="three-days"),
        pytest.param(shanghai(2026, 3, 6, 10), 1, shanghai(2026, 3, 10), id="over-a-weekend"),
        pytest.param(shanghai(2026, 3, 7, 10), 1, shanghai(2026, 3, 10), id="from-a-saturday"),
        pytest.param(shanghai(2026, 9, 30, 23), 1, shanghai(2026, 10, 9), id="national-day-2026"),
        pytest.param(shanghai(2026, 9, 30, 23), 3, shanghai(2026, 10, 11), id="make-up-saturday-10-october"),
        pytest.param(shanghai(2026, 9, 19, 9), 1, shanghai(2026, 9, 21), id="make-up-sunday-20-september"),
        pytest.param(shanghai(2025, 12, 31, 9), 1, shanghai(2026, 1, 5), id="year-end-make-up-sunday"),
        pytest.param(shanghai(2026, 2, 13, 9), 1, shanghai(2026, 2, 15), id="spring-festival-make-up-saturday"),
        pytest.param(shanghai(2026, 2, 14, 9), 1, shanghai(2026, 2, 25), id="spring-festival"),
    ],
)
def test_counts_the_state_councils_working_days(at: datetime, days: int, end: datetime) -> None:
    assert add_working_days(at, days) == (end, ())


def test_the_day_is_the_one_in_shanghai() -> None:
    # 16:30 UTC on Monday is already Tuesday there: the first working day after it is Wednesday.
    assert add_working_days(datetime(2026, 3, 2, 16, 30, tzinfo=UTC), 1) == (shanghai(2026, 3, 5), ())
    assert add_working_days(datetime(2026, 3, 2, 15, 30, tzinfo=UTC), 1) == (shanghai(2026, 3, 4), ())


def test_the_answer_is_in_utc() -> None:
    end, _ = add_working_days(datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=-5))), 1)
    assert end.isoformat() == "2026-03-03T16:00:00+00:00"


def test_no_days_is_the_moment_itself() -> None:
    holiday = datetime(2026, 10, 1, 3, 4, 5, tzinfo=UTC)
    assert add_working_days(holiday, 0) == (holiday, ())


def test_an_unknown_year_is_counted_by_weekdays_with_a_warning() -> None:
    # 1 July 2027 is a Thursday.
    assert add_working_days(shanghai(2027, 7, 1, 9), 2) == (shanghai(2027, 7, 6), ("calendar_unknown_year",))
    assert add_working_days(shanghai(2003, 7, 3, 9), 2) == (shanghai(2003, 7, 8), ("calendar_unknown_year",))


def test_counting_into_an_unknown_year_warns_and_counting_up_to_it_does_not() -> None:
    # 30 December 2026 is a Wednesday, 1 January 2027 a Friday: a holiday, but nobody has said so yet.
    assert add_working_days(shanghai(2026, 12, 30, 9), 1) == (shanghai(2027, 1, 1), ())
    assert add_working_days(shanghai(2026, 12, 30, 9), 3) == (
        shanghai(2027, 1, 5),
        ("calendar_unknown_year",),
    )


@given(
    at=st.datetimes(
        min_value=datetime(2004, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
        max_value=datetime(2040, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    days=st.integers(min_value=1, max_value=20),
)
def test_one_day_more_is_later_and_every_end_is_a_midnight(at: datetime, days: int) -> None:
    end, _ = add_working_days(at, days)
    later, _ = add_working_days(at, days + 1)
    assert at < end < later
    local = end.astimezone(SHANGHAI)
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        add_working_days(datetime(2026, 3, 2, 9), 1)  # noqa: DTZ001 -- the point of the test
    with pytest.raises(ValueError, match="forwards"):
        add_working_days(shanghai(2026, 3, 2), -1)


def test_the_calendar_names_its_release() -> None:
    name, _, release = calendar_version().partition("/")
    assert name == "chinesecalendar"
    assert release[0].isdigit()
