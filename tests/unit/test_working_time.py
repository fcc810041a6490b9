"""Working days and hours in Asia/Shanghai (section 9): arrival of money (R5), time for evidence (D5)."""

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import cast

import chinese_calendar  # pyright: ignore[reportMissingTypeStubs]
import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.calendar.overrides import CalendarError, read_overrides
from activities.calendar.working_days import SHANGHAI, WORKING_HOURS, Calendar, Day, Sessions, built_in
from activities.working_time import (
    add_working_days,
    is_open,
    next_opening,
    use_up,
    working_time,
)

HOTLINE: Sessions = ((time(8, 30), time(12)), (time(14), time(17, 30)))
UNKNOWN = ("calendar_unknown_year",)

published = cast("Callable[[date], bool]", chinese_calendar.is_workday)
law = holidays.country_holidays("CN")
unpublished_2027 = pytest.mark.skipif(built_in().day(date(2027, 1, 1)).known, reason="2027 is published")


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


@unpublished_2027
def test_2027_is_counted_by_the_holidays_of_the_law_with_a_warning() -> None:  # section 9
    # 1 July 2027 is a Thursday; 1 and 2 May are a weekend, of which the law gives Monday and Tuesday instead.
    assert add_working_days(shanghai(2027, 7, 1, 9), 2) == (shanghai(2027, 7, 6), UNKNOWN)
    assert add_working_days(shanghai(2027, 4, 30, 9), 1) == (shanghai(2027, 5, 6), UNKNOWN)
    assert add_working_days(shanghai(2027, 2, 5, 9), 1) == (shanghai(2027, 2, 12), UNKNOWN)  # Spring Festival


def test_a_year_that_will_never_be_known_is_counted_by_the_law_with_a_warning() -> None:
    assert add_working_days(shanghai(1998, 7, 2, 9), 2) == (shanghai(1998, 7, 7), UNKNOWN)
    assert add_working_days(shanghai(2150, 7, 2, 9), 2) == (shanghai(2150, 7, 7), UNKNOWN)  # by weekdays alone


@unpublished_2027
def test_counting_into_an_unknown_year_warns_and_counting_up_to_it_does_not() -> None:
    # 30 December 2026 is a Wednesday, 1 January 2027 a Friday: a holiday by law, whatever the notice will add.
    assert add_working_days(shanghai(2026, 12, 30, 9), 1) == (shanghai(2027, 1, 1), ())
    assert add_working_days(shanghai(2026, 12, 30, 9), 3) == (shanghai(2027, 1, 6), UNKNOWN)


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


def add_working_time(
    at: datetime, minutes: int, sessions: Sessions | None = None, *, calendar: Calendar | None = None
) -> tuple[datetime, tuple[str, ...]]:
    """When so much working time is over, as a deadline counts it (D5)."""
    return use_up(working_time(at, sessions, calendar=calendar), timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("at", "minutes", "end"),
    [
        pytest.param(shanghai(2026, 3, 3, 9), 240, shanghai(2026, 3, 3, 13), id="no-lunch-break"),
        pytest.param(shanghai(2026, 3, 3, 14), 240, shanghai(2026, 3, 3, 18), id="used-up-at-closing-time"),
        pytest.param(shanghai(2026, 3, 3, 14, 1), 240, shanghai(2026, 3, 4, 9, 1), id="one-minute-left"),
        pytest.param(shanghai(2026, 3, 3, 9), 540, shanghai(2026, 3, 3, 18), id="a-whole-day"),
        pytest.param(shanghai(2026, 3, 6, 17), 240, shanghai(2026, 3, 9, 12), id="friday-17h-to-monday-12h"),
        pytest.param(shanghai(2026, 3, 3, 7), 240, shanghai(2026, 3, 3, 13), id="before-opening"),
        pytest.param(shanghai(2026, 3, 3, 18), 240, shanghai(2026, 3, 4, 13), id="at-closing-time"),
        pytest.param(shanghai(2026, 3, 7, 11), 240, shanghai(2026, 3, 9, 13), id="on-a-saturday"),
        pytest.param(shanghai(2026, 2, 28, 17), 240, shanghai(2026, 3, 2, 12), id="on-a-make-up-saturday"),
        pytest.param(shanghai(2026, 2, 27, 17), 240, shanghai(2026, 2, 28, 12), id="into-a-make-up-saturday"),
        pytest.param(shanghai(2026, 9, 30, 17), 240, shanghai(2026, 10, 8, 12), id="national-day-week"),
        pytest.param(shanghai(2026, 2, 14, 16), 240, shanghai(2026, 2, 24, 11), id="spring-festival"),
        pytest.param(shanghai(2026, 1, 3, 10), 240, shanghai(2026, 1, 4, 13), id="new-year-make-up-sunday"),
    ],
)
def test_a_demand_runs_in_working_hours(at: datetime, minutes: int, end: datetime) -> None:  # D5
    assert add_working_time(at, minutes) == (end, ())


def test_seconds_are_not_lost() -> None:
    at = shanghai(2026, 3, 6, 17, 59) + timedelta(seconds=30, microseconds=5)
    end, _ = add_working_time(at, 1)
    assert end == shanghai(2026, 3, 9, 9) + timedelta(seconds=30, microseconds=5)
    assert end.tzinfo is UTC


def test_with_a_lunch_break() -> None:  # L4
    assert add_working_time(shanghai(2026, 3, 3, 11), 60, HOTLINE) == (shanghai(2026, 3, 3, 12), ())
    assert add_working_time(shanghai(2026, 3, 3, 11), 61, HOTLINE) == (shanghai(2026, 3, 3, 14, 1), ())
    assert add_working_time(shanghai(2026, 3, 3, 12), 211, HOTLINE) == (shanghai(2026, 3, 4, 8, 31), ())


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        pytest.param(shanghai(2026, 3, 3, 9), shanghai(2026, 3, 3, 9), id="at-opening"),
        pytest.param(shanghai(2026, 3, 3, 8, 59), shanghai(2026, 3, 3, 9), id="before"),
        pytest.param(shanghai(2026, 3, 3, 17, 59), shanghai(2026, 3, 3, 17, 59), id="last-minute"),
        pytest.param(shanghai(2026, 3, 6, 18), shanghai(2026, 3, 9, 9), id="at-closing-time"),
        pytest.param(shanghai(2026, 2, 28, 10), shanghai(2026, 2, 28, 10), id="make-up-saturday"),
        pytest.param(shanghai(2026, 10, 1, 10), shanghai(2026, 10, 8, 9), id="holiday"),
    ],
)
def test_open_or_when_it_opens(at: datetime, opens: datetime) -> None:
    assert next_opening(at) == (opens, ())
    assert is_open(at) is (at == opens)


@unpublished_2027
def test_a_demand_warns_only_of_a_day_that_mattered() -> None:  # section 9
    # 31 December 2026 is a Thursday.
    assert add_working_time(shanghai(2026, 12, 31, 14), 240) == (shanghai(2026, 12, 31, 18), ())
    assert add_working_time(shanghai(2026, 12, 31, 14), 241) == (shanghai(2027, 1, 4, 9, 1), UNKNOWN)
    assert add_working_time(shanghai(2026, 12, 31, 17), 240) == (shanghai(2027, 1, 4, 12), UNKNOWN)  # D5
    assert next_opening(shanghai(2026, 12, 31, 18)) == (shanghai(2027, 1, 4, 9), UNKNOWN)


def test_a_day_that_is_over_does_not_warn() -> None:
    # 31 December 2000 is in an unknown year; what begins after its closing time runs in 2001 alone.
    assert add_working_time(shanghai(2000, 12, 31, 18), 60) == (shanghai(2001, 1, 2, 10), ())
    assert add_working_time(shanghai(2000, 12, 31, 17, 59), 60) == (shanghai(2001, 1, 2, 10), UNKNOWN)


def test_a_weekend_that_was_only_assumed_warns(tmp_path: Path) -> None:
    # 2028 ends with a Sunday, and could have made it a working day.
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\nversion = 1\ncomplete = [2029]\nnot_working = [2029-01-01]')
    calendar = Calendar(file)
    saturday = shanghai(2028, 12, 30, 10)
    assert not calendar.day(saturday.date()).known
    assert add_working_time(saturday, 60, calendar=calendar) == (shanghai(2029, 1, 2, 10), UNKNOWN)


def minutes_of(sessions: Sessions) -> list[tuple[int, int]]:
    return [(opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute) for opens, closes in sessions]


@cache
def plainly(day: date) -> tuple[bool, bool]:
    try:
        return published(day), True
    except NotImplementedError:
        weekend = day.isoweekday() in {6, 7}
        return (day in law.weekend_workdays) if weekend else day not in law, day.year in range(2001, 2004)


def minute_by_minute(at: datetime, minutes: int, sessions: Sessions) -> tuple[datetime, tuple[str, ...]]:
    """Slow, and obviously right: look at each minute, and count it or not."""
    here = at.astimezone(SHANGHAI)
    today, minute = here.date(), here.hour * 60 + here.minute
    left, warnings = minutes, ()
    while left:
        if any(opens <= minute < closes for opens, closes in minutes_of(sessions)):
            works, known = plainly(today)
            left -= works
            warnings = warnings if known else UNKNOWN
        minute += 1
        if minute == 24 * 60:
            today, minute = today + timedelta(days=1), 0
    return datetime.combine(today, time(), tzinfo=SHANGHAI) + timedelta(minutes=minute), warnings


INTERESTING_DAYS = [
    datetime(2000, 12, 26, tzinfo=UTC),  # out of an unknown year
    datetime(2003, 12, 26, tzinfo=UTC),  # out of one that the second source knows alone
    datetime(2024, 12, 28, tzinfo=UTC),
    datetime(2026, 2, 8, tzinfo=UTC),  # Spring Festival and its make-up Saturdays
    datetime(2026, 9, 16, tzinfo=UTC),  # Mid-Autumn, National Day and their make-up days
    datetime(2026, 9, 28, tzinfo=UTC),
    datetime(2026, 12, 24, tzinfo=UTC),  # into a year that may be unknown
    datetime(2098, 12, 26, tzinfo=UTC),  # and one that certainly is
]


@settings(max_examples=150)
@given(
    day=st.sampled_from(INTERESTING_DAYS),
    shift=st.integers(0, 14 * 24 * 60),
    minutes=st.one_of(st.integers(1, 600), st.sampled_from([240, 420, 540, 1080, 1620])),
    sessions=st.sampled_from([WORKING_HOURS, HOTLINE]),
)
def test_working_time_is_what_counting_each_minute_gives(
    day: datetime, shift: int, minutes: int, sessions: Sessions
) -> None:  # D5, section 9
    at = day + timedelta(minutes=shift)
    end, warnings = add_working_time(at, minutes, sessions)
    # An end at closing time is the same in both: the minute before it was the last to count.
    assert (end, warnings) == minute_by_minute(at, minutes, sessions)
    opening, _ = next_opening(at, sessions)
    assert opening == minute_by_minute(at, 1, sessions)[0] - timedelta(minutes=1)
    assert is_open(at, sessions) is (opening == at)


def test_wrong_hours_are_refused() -> None:
    at = shanghai(2026, 3, 2, 9)
    for wrong in ((), ((time(9), time(9)),), ((time(14), time(18)), (time(9), time(12)))):
        with pytest.raises(ValueError, match="sessions"):
            add_working_time(at, 1, wrong)
    for ask in (next_opening, is_open, working_time):
        with pytest.raises(ValueError, match="offset"):
            ask(at.replace(tzinfo=None))


@functools.cache
def _holidays_of(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("CN", years=year)


def test_both_sources_say_the_same_of_each_day_that_they_have_published() -> None:  # section 9
    """Where a new release differs on a day, the State Council's notice decides, and an override keeps it."""
    calendar, day, differs = built_in(), date(2004, 1, 1), list[str]()
    while True:
        try:
            first, second = published(day), _holidays_of(day.year).is_working_day(day)
        except NotImplementedError:
            break
        if not calendar.day(day).known:
            differs.append(f"{day}: chinesecalendar {first}, holidays {second}")
        day += timedelta(days=1)
    assert day >= date(2027, 1, 1)
    assert not differs


def test_a_make_up_saturday_that_one_source_lacks_is_worked() -> None:  # section 9
    assert not published(date(2005, 12, 31))
    assert built_in().day(date(2005, 12, 31)) == Day(works=True, known=True)


def test_what_the_sources_do_not_agree_on_is_not_known(tmp_path: Path) -> None:  # section 9
    saturday = date(2005, 12, 31)
    assert Calendar(own(tmp_path, "")).day(saturday) == Day(works=False, known=False)
    assert add_working_days(shanghai(2005, 12, 30), 1, Calendar(own(tmp_path, ""))) == (shanghai(2006, 1, 5), UNKNOWN)


def test_a_year_that_one_source_has_published_is_known() -> None:  # section 9
    # Sunday 2001-12-30 was worked for New Year; chinesecalendar begins with 2004.
    assert built_in().day(date(2001, 12, 30)) == Day(works=True, known=True)
    assert built_in().day(date(2000, 12, 31)) == Day(works=False, known=False)


@given(day=st.dates())
def test_every_day_that_can_be_written_has_an_answer(day: date) -> None:  # section 9, R18
    assert built_in().day(day).known <= (2001 <= day.year <= 2100)


def own(folder: Path, text: str) -> Path:
    file = folder / "own.toml"
    file.write_text(f'name = "own"\nversion = 3\n{text}', encoding="utf-8")
    return file


def test_our_own_word_goes_before_the_package(tmp_path: Path) -> None:
    # 3 and 7 March 2026 are a plain Tuesday and Saturday; 1 October is National Day.
    calendar = Calendar(own(tmp_path, "not_working = [2026-03-03]\nworking = [2026-03-07, 2026-10-01]"))
    assert calendar.day(date(2026, 3, 3)) == Day(works=False, known=True)
    assert calendar.day(date(2026, 3, 7)) == Day(works=True, known=True)
    assert calendar.day(date(2026, 10, 1)) == Day(works=True, known=True)
    assert calendar.day(date(2026, 10, 2)) == Day(works=False, known=True)
    assert add_working_days(shanghai(2026, 3, 2), 1, calendar) == (shanghai(2026, 3, 5), ())
    assert add_working_time(shanghai(2026, 3, 2, 17), 120, calendar=calendar) == (shanghai(2026, 3, 4, 10), ())


def test_a_single_day_of_an_unknown_year_is_known_and_the_others_are_not(tmp_path: Path) -> None:
    calendar = Calendar(own(tmp_path, "not_working = [2099-01-01]"))
    assert calendar.day(date(2099, 1, 1)) == Day(works=False, known=True)
    assert calendar.day(date(2099, 1, 5)) == Day(works=True, known=False)


def test_a_year_that_is_entered_completely_is_known(tmp_path: Path) -> None:
    # 1 January 2099 is a Thursday.
    calendar = Calendar(
        own(tmp_path, "complete = [2099]\nnot_working = [2099-01-01, 2099-01-02]\nworking = [2099-01-04]")
    )
    assert add_working_time(shanghai(2099, 1, 1, 9), 600, calendar=calendar) == (shanghai(2099, 1, 5, 10), ())
    assert not calendar.day(date(2100, 1, 1)).known


def test_a_complete_year_is_ours_alone(tmp_path: Path) -> None:
    calendar = Calendar(own(tmp_path, "complete = [2026]\nnot_working = [2026-01-01]"))
    assert calendar.day(date(2026, 10, 1)) == Day(works=True, known=True)
    assert calendar.day(date(2026, 2, 28)) == Day(works=False, known=True)


def test_the_calendar_names_its_sources_and_their_releases(tmp_path: Path) -> None:
    package, _, overrides = Calendar(own(tmp_path, "")).version.partition("+")
    name, _, release = package.partition("/")
    assert (name, overrides) == ("chinesecalendar", "own/3")
    assert release[0].isdigit()
    assert built_in().version == f"{package}+overrides/{read_overrides().version}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("holidays = [2027-01-01]", "holidays: Extra inputs"),
        ("working = [2027-02-06]\nnot_working = [2027-02-06]", "2027-02-06 is both working and not_working"),
        ("working = [2027-02-06, 2027-02-06]", "2027-02-06 is entered twice"),
        ('working = ["2027-02-06"]', "working.0: "),
        ("working = [2027-02-06T00:00:00]", "working.0: "),
        ("working = [2027-02-30]", "own.toml: "),
        ("working = [2027-02-06", "own.toml: "),
        ("complete = [2027]\nworking = [2027-02-06]", "2027 is complete, but no day"),
        ("complete = [27]", "complete.0: "),
        ('complete = ["2027"]', "complete.0: "),
    ],
)
def test_wrong_overrides_name_the_file_and_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(CalendarError) as wrong:
        Calendar(own(tmp_path, text))
    assert "own.toml" in str(wrong.value)
    assert complaint in str(wrong.value)


@pytest.mark.parametrize(
    "text", ['name = "own"', "version = 1", 'name = "own"\nversion = 0', 'name = "我的"\nversion = 1']
)
def test_overrides_have_a_name_and_a_version(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CalendarError, match=r"own\.toml: (name|version)"):
        read_overrides(file)


def test_overrides_that_are_not_text_are_an_error_of_the_calendar(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(CalendarError, match=r"own\.toml"):
        read_overrides(file)
