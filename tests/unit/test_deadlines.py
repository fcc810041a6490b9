"""Deadlines, the notices before them, and what pause windows do to both (section 9)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.calendar import working_days
from activities.calendar.working_days import SHANGHAI, Calendar, Day, built_in
from activities.deadlines import due, left
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import Due, Span
from workflows.messages.pauses import (
    DeclareExemption,
    DeclarePause,
    ExemptionReason,
    LiftPause,
    PauseReason,
    PauseWindow,
)
from workflows.messages.stages import CaseKind

CALENDAR = built_in()
SPANS = [Span(minutes=48 * 60), Span(seconds=48 * 3600)]


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


class Unpublished(Calendar):
    """As on the last working days of 2026, before the next year's holidays are published."""

    def day(self, day: date) -> Day:
        return Day(works=day.weekday() < 5, known=day.year < 2027)


def window(starts: datetime, ends: datetime, *, lifted: datetime | None = None) -> PauseWindow:
    return PauseWindow(
        id="w",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.UNSHIPPED_REFUND,),
        starts_at=starts,
        ends_at=ends,
        declared_by=officer("f-1"),
        declared_at=starts,
        lifted_by=officer("f-2") if lifted else None,
        lifted_at=lifted,
    )


FESTIVAL = window(shanghai(2, 15), shanghai(2, 24))


def test_minutes_run_on_the_clock() -> None:  # R1
    deadline = due(Span(minutes=48 * 60, reminder_minutes=12 * 60), shanghai(2, 14, 10))
    assert deadline == Due(at=shanghai(2, 16, 10), remind_at=shanghai(2, 15, 22))


def test_seconds_run_on_the_clock() -> None:  # D3
    assert due(Span(seconds=61), shanghai(3, 3)).at == shanghai(3, 3) + timedelta(seconds=61)


def test_arrival_is_counted_in_working_days() -> None:  # R5
    deadline = due(Span(working_days=1, reminder_minutes=60), shanghai(9, 30, 23))
    assert deadline == Due(at=shanghai(10, 9), remind_at=shanghai(10, 8, 23), calendar=CALENDAR.version)


def test_evidence_is_due_in_working_hours() -> None:  # D5
    deadline = due(Span(working_minutes=240, reminder_minutes=120), shanghai(3, 6, 17))
    assert deadline == Due(at=shanghai(3, 9, 12), remind_at=shanghai(3, 9, 10), calendar=CALENDAR.version)


def test_a_notice_that_falls_on_closing_time_goes_at_the_next_opening() -> None:  # D4, D5
    # At 18:00 exactly 3 hours are left; less than that only from Monday, 9:00, on.
    assert due(Span(working_minutes=240, reminder_minutes=180), shanghai(3, 6, 17)).remind_at == shanghai(3, 9, 9)


def test_an_outright_deadline_is_what_was_said() -> None:
    until = shanghai(3, 5, 12)
    assert due(Span(until=until, reminder_minutes=60), shanghai(3, 3)) == Due(at=until, remind_at=shanghai(3, 5, 11))


def test_time_can_have_begun_before() -> None:
    span = Span(minutes=600, since=shanghai(3, 3, 2), reminder_minutes=60)
    assert due(span, shanghai(3, 3, 5)) == Due(at=shanghai(3, 3, 12), remind_at=shanghai(3, 3, 11))
    assert due(span, shanghai(3, 3, 11)) == Due(at=shanghai(3, 3, 12))
    # Long ago: it is overdue.
    assert due(span, shanghai(3, 8)) == Due(at=shanghai(3, 3, 12))
    working = Span(working_minutes=240, since=shanghai(3, 6, 17))
    assert due(working, shanghai(3, 9, 11)).at == shanghai(3, 9, 12)
    arrival = Span(working_days=1, since=shanghai(3, 6, 17))
    assert due(arrival, shanghai(3, 9, 11)).at == shanghai(3, 10)


@pytest.mark.parametrize("unit", ["minutes", "working_minutes"])
def test_no_notice_where_less_is_left_from_the_beginning(unit: str) -> None:
    at = shanghai(3, 3, 10)
    span = Span.model_validate({unit: 60, "reminder_minutes": 60})
    assert due(span, at).remind_at is None
    assert due(span.model_copy(update={"reminder_minutes": 61}), at).remind_at is None
    assert due(span.model_copy(update={"reminder_minutes": 59}), at).remind_at == shanghai(3, 3, 10, 1)


def test_nothing_left_is_due_at_once() -> None:  # D3
    assert due(Span(), shanghai(2, 16), [FESTIVAL]) == Due(at=shanghai(2, 16))


@pytest.mark.parametrize(
    ("arrival", "warnings"),
    [
        pytest.param(shanghai(1, 1, year=2027), (), id="with-the-last-day-of-the-year"),
        pytest.param(shanghai(1, 2, year=2027), ("calendar_unknown_year",), id="with-the-first-of-the-next"),
    ],
)
def test_a_limit_for_money_keeps_the_calendar_that_its_arrival_was_counted_by(
    arrival: datetime, warnings: tuple[str, ...]
) -> None:  # R5, section 9
    limit = Span(until=arrival + timedelta(hours=1), arrival=arrival)
    unpublished = Unpublished()

    deadline = due(limit, shanghai(12, 30, 10), calendar=unpublished)

    assert deadline == Due(at=arrival + timedelta(hours=1), calendar=unpublished.version, warnings=warnings)


def test_what_arrives_at_once_needs_no_calendar() -> None:  # R5
    at = shanghai(12, 31, 10)
    assert due(Span(until=at + timedelta(hours=1), arrival=at), at) == Due(at=at + timedelta(hours=1))


@settings(max_examples=300)
@given(
    year=st.integers(2000, 2100),
    shift=st.timedeltas(min_value=timedelta(days=-6), max_value=timedelta(days=6)),
    days=st.integers(1, 60),
    minutes=st.integers(1, 90 * 60),
)
def test_a_deadline_over_the_end_of_a_year_is_later_and_warns_of_what_is_not_known(
    year: int, shift: timedelta, days: int, minutes: int
) -> None:  # section 9, R5, D5, R18
    """For each year that a moment from outside may lie in."""
    at = datetime(year, 12, 31, 16, tzinfo=UTC) + shift  # midnight in Shanghai
    for span in (Span(working_days=days), Span(working_minutes=minutes)):
        deadline = due(span, at)
        last = (deadline.at - timedelta.resolution).astimezone(SHANGHAI).date()
        first = at.astimezone(SHANGHAI).date() + timedelta(days=1)
        between = [CALENDAR.day(first + timedelta(days=after)) for after in range((last - first).days + 1)]

        assert deadline.at > at
        assert deadline.calendar == CALENDAR.version
        assert CALENDAR.day(last).works
        if not all(day.known for day in between):
            assert deadline.warnings == ("calendar_unknown_year",)
        if span.working_days:
            assert sum(day.works for day in between) == days
            limit = due(Span(until=deadline.at + timedelta(hours=1), arrival=deadline.at), at)
            assert (limit.warnings, limit.calendar) == (deadline.warnings, deadline.calendar)


@pytest.mark.skipif(CALENDAR.day(date(2027, 1, 1)).known, reason="2027 is published")
def test_a_deadline_in_2027_warns() -> None:  # section 9
    for span in (Span(working_minutes=240), Span(working_days=1)):
        deadline = due(span, shanghai(12, 31, 17))
        assert deadline.warnings == ("calendar_unknown_year",)
    assert due(Span(minutes=240), shanghai(12, 31, 23)).warnings == ()


def test_working_time_by_a_calendar_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\nversion = 7\nnot_working = [2026-03-09]')
    calendar = Calendar(file)
    deadline = due(Span(working_minutes=240), shanghai(3, 6, 17), calendar=calendar)
    assert (deadline.at, deadline.calendar) == (shanghai(3, 10, 12), calendar.version)
    assert deadline.calendar.endswith("+own/7")


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize(
    ("at", "ends"),
    [
        pytest.param(shanghai(2, 14, 10), shanghai(2, 25, 10), id="in-between"),
        pytest.param(shanghai(2, 18, 10), shanghai(2, 26), id="begins-inside"),
        pytest.param(shanghai(2, 15), shanghai(2, 26), id="begins-with-it"),
    ],
)
def test_a_window_stops_the_clock(span: Span, at: datetime, ends: datetime) -> None:  # section 9
    assert due(span, at, [FESTIVAL]) == Due(at=ends, warnings=("paused",))


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(shanghai(2, 12), id="long-before"),
        pytest.param(shanghai(2, 13), id="ends-as-it-starts"),
        pytest.param(shanghai(2, 24), id="begins-as-it-ends"),
    ],
)
def test_a_window_that_does_not_meet_the_time_moves_nothing(at: datetime) -> None:
    assert due(SPANS[0], at, [FESTIVAL]) == due(SPANS[0], at)


def test_windows_that_overlap_stop_the_clock_once() -> None:
    windows = [
        window(shanghai(3, 10), shanghai(3, 12)),
        window(shanghai(3, 11), shanghai(3, 13)),
        window(shanghai(3, 9, 12), shanghai(3, 14)),
        window(shanghai(3, 10), shanghai(3, 11)),
    ]
    assert due(SPANS[0], shanghai(3, 9), windows).at == shanghai(3, 15, 12)


def test_a_lifted_window_counts_up_to_its_lifting() -> None:
    at = shanghai(2, 14, 10)
    lifted = window(shanghai(2, 15), shanghai(2, 24), lifted=shanghai(2, 17))
    assert due(SPANS[0], at, [lifted]) == Due(at=shanghai(2, 18, 10), warnings=("paused",))
    for never in (shanghai(2, 15), shanghai(2, 10)):
        assert due(SPANS[0], at, [window(shanghai(2, 15), shanghai(2, 24), lifted=never)]) == due(SPANS[0], at)


def test_a_window_moves_a_deadline_that_is_running_from_its_beginning() -> None:
    # Asked again at the moment of the declaration, it is still the beginning that counts.
    began_at = shanghai(2, 14, 10)
    assert due(SPANS[0], began_at).at == shanghai(2, 16, 10)
    again = due(SPANS[0].model_copy(update={"since": began_at}), shanghai(2, 14, 20), [FESTIVAL])
    assert again.at == shanghai(2, 25, 10)


@pytest.mark.parametrize(
    ("reminder", "remind_at"),
    [
        pytest.param(40 * 60, shanghai(2, 14, 18), id="before-the-window"),
        pytest.param(34 * 60, shanghai(2, 24), id="as-it-starts"),
        pytest.param(12 * 60, shanghai(2, 24, 22), id="after-it"),
    ],
)
def test_the_notice_goes_by_the_running_time(reminder: int, remind_at: datetime) -> None:  # D4
    span = Span(minutes=48 * 60, reminder_minutes=reminder)
    assert due(span, shanghai(2, 14, 10), [FESTIVAL]).remind_at == remind_at


def test_working_hours_lose_those_of_the_window() -> None:  # D5
    outage = window(shanghai(3, 6, 17, 30), shanghai(3, 9, 10))
    deadline = due(Span(working_minutes=240), shanghai(3, 6, 17), [outage])
    assert deadline == Due(at=shanghai(3, 9, 13, 30), calendar=CALENDAR.version, warnings=("paused",))


def test_a_window_outside_working_hours_moves_no_working_time() -> None:
    holiday = window(shanghai(2, 14, 18), shanghai(2, 24, 9))
    span = Span(working_minutes=240)
    assert due(span, shanghai(2, 14, 17), [holiday]) == due(span, shanghai(2, 14, 17))


def test_windows_move_neither_money_nor_what_is_outright() -> None:  # R5
    at = shanghai(2, 14, 10)
    for span in (Span(working_days=1, reminder_minutes=60), Span(until=shanghai(2, 16), reminder_minutes=60)):
        assert due(span, at, [FESTIVAL]) == due(span, at)


def test_a_pause_over_an_unknown_year_leaves_it_out() -> None:
    # 28 and 29 December 2000, Thursday and Friday, would count; the window takes them away.
    pause = window(shanghai(12, 28, year=2000), shanghai(1, 1, year=2001))
    deadline = due(Span(working_minutes=60), shanghai(12, 28, 10, year=2000), [pause])
    assert (deadline.at, deadline.warnings) == (shanghai(1, 2, 10, year=2001), ("paused",))


DAY = 24 * 60
START = shanghai(2, 9)
WORKING = {day: CALENDAR.day((START + timedelta(days=day)).date()).works for day in range(120)}


def counts(minute: int, pauses: Sequence[tuple[int, int]], *, working: bool) -> bool:
    """Whether a minute after START counts."""
    if any(starts <= minute < ends for starts, ends in pauses):
        return False
    return not working or (WORKING[minute // DAY] and 9 * 60 <= minute % DAY < 18 * 60)


def minute_by_minute(
    begins: int, length: int, reminder: int, pauses: Sequence[tuple[int, int]], *, working: bool
) -> tuple[int, int | None]:
    """Slow, and obviously right: the end, and the first minute that runs with no more than the reminder left."""
    minute, left, remind_at = begins, length, None
    while left:
        if counts(minute, pauses, working=working):
            if left == reminder:
                remind_at = minute
            left -= 1
        minute += 1
    return minute, remind_at if remind_at is not None and remind_at > begins else None


pause_windows = st.lists(
    st.tuples(
        st.integers(0, 20 * DAY),
        st.integers(1, 6 * DAY),
        st.one_of(st.none(), st.integers(-DAY, 7 * DAY)),
    ),
    max_size=5,
)
"""Start, length, and how long after its start it was lifted."""


@settings(max_examples=150)
@given(
    begins=st.integers(0, 10 * DAY),
    length=st.integers(1, 3 * DAY),
    reminder=st.integers(0, 3 * DAY),
    windows=pause_windows,
    working=st.booleans(),
)
def test_a_clock_with_windows_is_what_counting_each_minute_gives(
    begins: int, length: int, reminder: int, windows: list[tuple[int, int, int | None]], working: bool
) -> None:  # section 9, D5
    length = length if not working else max(length // 4, 1)

    def moment(minute: int) -> datetime:
        return START + timedelta(minutes=minute)

    declared = [
        window(moment(start), moment(start + long), lifted=None if after is None else moment(start + after))
        for start, long, after in windows
    ]
    pauses = [(start, start + (long if after is None else min(long, after))) for start, long, after in windows]
    unit = {"working_minutes": length} if working else {"minutes": length}
    deadline = due(Span.model_validate({**unit, "reminder_minutes": reminder}), moment(begins), declared)

    ends, remind_at = minute_by_minute(begins, length, reminder, pauses, working=working)
    unmoved, _ = minute_by_minute(begins, length, 0, [], working=working)
    assert deadline.at == moment(ends)
    assert deadline.remind_at == (None if remind_at is None else moment(remind_at))
    assert deadline.warnings == (("paused",) if ends > unmoved else ())


def declaration(**changes: object) -> dict[str, object]:
    return {
        "id": "spring-2026",
        "reason": "spring_festival",
        "kinds": ["unshipped_refund"],
        "starts_at": datetime(2026, 2, 15, tzinfo=UTC),
        "ends_at": datetime(2026, 2, 24, tzinfo=UTC),
        "by": officer("f-1"),
        **changes,
    }


def test_a_pause_may_be_sixty_days_long() -> None:
    ends = datetime(2026, 2, 15, tzinfo=UTC) + timedelta(days=60)
    assert DeclarePause.model_validate(declaration(ends_at=ends)).ends_at == ends


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["everything"]}, "kinds"),
        ({"reason": "tired"}, "reason"),
        ({"by": merchant("m-1")}, "only the platform"),
        ({"by": buyer("b-1")}, "only the platform"),
        ({"ends_at": datetime(2026, 2, 15, tzinfo=UTC)}, "before ends_at"),
        ({"ends_at": datetime(2026, 4, 16, 0, 1, tzinfo=UTC)}, "60 days"),
        ({"starts_at": datetime(2026, 2, 15)}, "starts_at"),  # noqa: DTZ001 -- the point of the test
        ({"until": "2026-03-01"}, "until"),
    ],
)
def test_a_wrong_declaration_is_refused(changes: dict[str, object], complaint: str) -> None:  # section 9
    with pytest.raises(ValidationError, match=complaint):
        DeclarePause.model_validate(declaration(**changes))


def test_only_the_platform_lifts_and_excuses() -> None:  # section 9, L2
    with pytest.raises(ValidationError, match="only the platform"):
        LiftPause(id="spring-2026", by=merchant("m-1"))
    excuse = {
        "id": "e-1",
        "reason": ExemptionReason.PROMOTION_PEAK,
        "starts_at": datetime(2026, 11, 1, tzinfo=UTC),
        "ends_at": datetime(2026, 11, 12, tzinfo=UTC),
    }
    assert DeclareExemption.model_validate({**excuse, "by": officer("f-1")}).merchants == ()
    with pytest.raises(ValidationError, match="only the platform"):
        DeclareExemption.model_validate({**excuse, "by": merchant("m-1")})
    with pytest.raises(ValidationError, match="before ends_at"):
        DeclareExemption.model_validate({**excuse, "by": officer("f-1"), "ends_at": excuse["starts_at"]})
    with pytest.raises(ValidationError, match="reason"):
        DeclareExemption.model_validate({**excuse, "by": officer("f-1"), "reason": "outage"})


def test_a_process_counts_by_the_overrides_that_were_brought_into_force(tmp_path: Path) -> None:  # section 9
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\nversion = 7\ncomplete = []\nworking = []\nnot_working = [2026-03-04]\n')
    tuesday_evening = datetime(2026, 3, 3, 10, tzinfo=UTC)  # 18:00 in Shanghai
    four_hours = Span(working_minutes=240)

    before = due(four_hours, tuesday_evening)
    working_days.bring_into_force(own)
    try:
        changed = due(four_hours, tuesday_evening)
    finally:
        working_days.bring_into_force(None)

    assert changed.at - before.at == timedelta(days=1)
    assert changed.calendar.endswith("+own/7")
    assert due(four_hours, tuesday_evening) == before


def pause_of(starts: datetime, hours: float) -> PauseWindow:
    return PauseWindow(
        id="w",
        reason=PauseReason.OUTAGE,
        kinds=(CaseKind.RETURN,),
        starts_at=starts,
        ends_at=starts + timedelta(hours=hours),
        declared_by=officer("o-1"),
        declared_at=starts,
    )


@given(
    ran=st.integers(min_value=0, max_value=100 * 60),
    stopped_after=st.integers(min_value=0, max_value=200 * 60),
    paused_hours=st.integers(min_value=1, max_value=72),
)
def test_what_is_left_of_a_stopped_clock_is_what_it_still_needs(
    ran: int, stopped_after: int, paused_hours: int
) -> None:  # D3
    """Stopped and started again at once, a clock ends when it would have ended, whatever pauses lie about it."""
    began = datetime(2026, 3, 3, tzinfo=UTC)
    windows = (pause_of(began + timedelta(minutes=ran), paused_hours),)
    span = Span(minutes=100 * 60, since=began)
    at = began + timedelta(minutes=stopped_after)

    ends = due(span, at, windows).at
    remaining = left(span, at, windows)

    assert timedelta() <= remaining <= timedelta(minutes=100 * 60)
    if ends > at:
        assert due(Span(seconds=int(remaining.total_seconds())), at, windows).at == ends
    else:
        assert remaining == timedelta()
