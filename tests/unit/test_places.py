"""G6: a profile counts by its own zone, calendar, working hours and currency."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.calendar.countries import calendar_of, works_at
from activities.calendar.working_days import SHANGHAI, Day, bring_into_force, built_in
from activities.deadlines import due
from activities.notices.templates import render
from activities.policies import Policies, PolicyError
from activities.working_time import add_working_days, is_open
from workflows.messages.cases import NoticeTemplate, Span
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.place import CHINA, Place
from workflows.messages.policy import Policy
from workflows.messages.stages import CaseKind
from workflows.rules.reasons import reason_of
from workflows.rules.windows import window_ends

BERLIN = ZoneInfo("Europe/Berlin")
PLACE = Place(time_zone="Europe/Berlin", calendar="DE-BE", currency="EUR")


def eu() -> Policy:
    found = Policies().get("eu")
    assert found is not None
    return found


def berlin(*moment: int) -> datetime:
    year, month, day, *clock = moment
    return datetime(year, month, day, *clock, tzinfo=BERLIN)


def shanghai(*moment: int) -> datetime:
    return berlin(*moment).replace(tzinfo=SHANGHAI)


def order(signed_at: datetime | None) -> OrderFacts:
    return OrderFacts(
        order_no="o",
        marketplace="eu",
        merchant_id="m",
        buyer_id="b",
        currency="EUR",
        lines=(OrderLine(line="1", sku="s", quantity=1, paid=100),),
        freight=0,
        tenders=(),
        paid_at=berlin(2026, 1, 1),
        signed_at=signed_at,
    )


@pytest.mark.parametrize(
    ("day", "calendar", "works"),
    [
        (date(2026, 3, 8), "DE-BE", False),  # Sunday, and Women's Day
        (date(2027, 3, 8), "DE-BE", False),  # Monday: Women's Day, in Berlin
        (date(2027, 3, 8), "DE-BY", True),
        (date(2026, 1, 6), "DE-BY", False),  # Epiphany, in Bavaria
        (date(2026, 1, 6), "DE-BE", True),
        (date(2026, 10, 3), "DE-BE", False),
        (date(2026, 12, 25), "DE-BE", False),
        (date(2026, 10, 2), "DE-BE", True),  # China's National Day holidays
    ],
)
def test_holidays_are_those_of_the_state(day: date, calendar: str, works: bool) -> None:
    assert works_at(Place(time_zone="Europe/Berlin", calendar=calendar))(day) is works


def test_who_does_not_say_where_it_is_counts_as_ever() -> None:
    assert calendar_of(None) is calendar_of(CHINA)
    assert calendar_of(None).zone == ZoneInfo("Asia/Shanghai")


IN_CHINA = {
    "currency": Place(currency="CNY"),
    "language": Place(language="zh"),
    "closes": Place(closes=21),
    "zone": Place(time_zone="Asia/Urumqi"),
}


@pytest.mark.parametrize("place", IN_CHINA.values(), ids=IN_CHINA)
def test_a_profile_in_china_that_states_where_it_is_counts_by_our_sources(place: Place, tmp_path: Path) -> None:
    """Section 9, G6."""
    ours = built_in()

    assert calendar_of(place).version == ours.version
    assert calendar_of(place).day(date(2005, 12, 31)) == ours.day(date(2005, 12, 31)) == Day(works=True, known=True)
    assert due(Span(working_days=5, place=place), shanghai(2099, 9, 28)).warnings == ("calendar_unknown_year",)
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\nversion = 7\nnot_working = [2026-03-09]')
    bring_into_force(file)
    try:
        assert calendar_of(place).version.endswith("+own/7")
        assert not works_at(place)(date(2026, 3, 9))
    finally:
        bring_into_force(None)
    assert works_at(place)(date(2026, 3, 9))


def test_working_hours_in_china_are_those_of_the_profile() -> None:  # D5, G6
    late = due(Span(working_minutes=4 * 60, place=IN_CHINA["closes"]), shanghai(2026, 3, 6, 18))
    west = due(Span(working_minutes=4 * 60, place=IN_CHINA["zone"]), shanghai(2026, 3, 6, 18))

    assert late.at == shanghai(2026, 3, 9, 10).astimezone(UTC)
    assert west.at == shanghai(2026, 3, 9, 13).astimezone(UTC)  # 11:00 there


def test_it_can_be_open_round_the_clock() -> None:  # D5
    always = Place(time_zone="Europe/Berlin", calendar="DE-BE", opens=0, closes=24)

    assert due(Span(working_minutes=240, place=always), berlin(2026, 5, 13, 22)).at == berlin(2026, 5, 15, 2)
    assert due(Span(working_minutes=120, place=always), berlin(2026, 5, 13, 22)).at == berlin(2026, 5, 14)
    assert is_open(berlin(2026, 5, 15), calendar=calendar_of(always))
    assert not is_open(berlin(2026, 5, 14), calendar=calendar_of(always))  # Ascension


@pytest.mark.parametrize("hours", [(18, 9), (18, 18), (24, 24)])
@pytest.mark.parametrize("calendar", ["CN", "DE-BE"])
def test_hours_that_never_open_are_the_usual_ones_in_a_case_that_has_them(
    hours: tuple[int, int], calendar: str
) -> None:
    """G6: they were not refused when it was opened, and its steps must not fail for ever."""
    opens, closes = hours
    place = Place(calendar=calendar, opens=opens, closes=closes)

    assert due(Span(working_minutes=240, place=place), shanghai(2026, 3, 3, 10)).at == shanghai(2026, 3, 3, 14)


def test_a_case_whose_country_is_not_known_any_more_counts_by_weekdays() -> None:  # section 9, G6
    gone = Place(time_zone="Europe/Berlin", calendar="XX")

    found = due(Span(working_minutes=4 * 60, place=gone), berlin(2026, 5, 13, 14))

    assert (found.at, found.warnings) == (berlin(2026, 5, 13, 18).astimezone(UTC), ("calendar_unknown_year",))
    assert due(Span(working_days=1, place=gone), berlin(2026, 5, 15, 14)).at == berlin(2026, 5, 19)


def test_working_days_end_at_midnight_there() -> None:  # R5
    ends, warnings = add_working_days(berlin(2026, 12, 23, 15), 2, calendar_of(PLACE))

    assert (ends, warnings) == (berlin(2026, 12, 29).astimezone(UTC), ())  # 24th works in Berlin; 25th to 27th do not


def test_working_hours_are_those_there() -> None:  # D5
    span = Span(working_minutes=4 * 60, place=Place(time_zone="Europe/Berlin", calendar="DE-BE", opens=8, closes=16))

    found = due(span, berlin(2026, 5, 13, 14))  # Wednesday; the next day is Ascension

    assert found.at == berlin(2026, 5, 15, 10).astimezone(UTC)
    assert found.calendar.endswith("DE-BE")


@pytest.mark.parametrize(
    ("signed", "last"),
    [
        (berlin(2026, 6, 1, 23, 59), berlin(2026, 6, 15)),  # the day itself does not count; a Monday
        (berlin(2026, 6, 2, 0, 1), berlin(2026, 6, 16)),
        (berlin(2026, 6, 6, 10), berlin(2026, 6, 22)),  # the 14th day is a Saturday
        (berlin(2026, 12, 11, 10), berlin(2026, 12, 28)),  # Christmas Day, a Friday
        (berlin(2026, 3, 20, 10), berlin(2026, 4, 7)),  # Good Friday, then Easter Monday
        (berlin(2026, 10, 20, 10), berlin(2026, 11, 3)),  # over the end of summer time
    ],
)
def test_fourteen_days_of_withdrawal_end_with_a_working_day(signed: datetime, last: datetime) -> None:
    """CRD 9(2)(b), Regulation 1182/71 art. 3."""
    policy = eu()
    reason = reason_of("withdrawal", policy)

    ends = window_ends(CaseKind.RETURN, reason, order(signed), policy, works_at(policy.counted_at))

    assert ends == (last + timedelta(days=1)).astimezone(UTC)


def test_goods_that_have_not_come_can_be_withdrawn_from() -> None:
    assert window_ends(CaseKind.RETURN, reason_of("withdrawal", eu()), order(None), eu()) is None


def test_each_reason_in_the_eu_has_a_german_label() -> None:
    assert all(each.label.de for each in eu().reasons)


def test_each_article_that_the_profile_names_is_told_of_in_the_docs() -> None:
    named = re.findall(r"\b(?:CRD|SGD|TR) ([0-9]+a?)", Path("workflows/rules/policies/eu.toml").read_text("utf-8"))
    section = Path("docs/profiles.md").read_text("utf-8").partition("## The profile for the European Union")[2]
    rows = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    several = {
        str(number)
        for first, last in re.findall(r"([0-9]+) to ([0-9]+)", rows)
        for number in range(int(first), int(last) + 1)
    }

    assert len(named) > 20
    assert set(named) <= several | set(re.findall(r"[0-9]+a?", rows))
    assert "A lawyer must check it" in section


@pytest.mark.parametrize(
    ("old", "new"), [('calendar = "DE-BE"', 'calendar = "XX"'), ("Europe/Berlin", "Europe/Nowhere")]
)
def test_a_place_that_is_not_known_is_refused_at_start(tmp_path: Path, old: str, new: str) -> None:
    text = Path("workflows/rules/policies/eu.toml").read_text(encoding="utf-8")
    (tmp_path / "eu.toml").write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(PolicyError, match=r"eu\.toml: place"):
        Policies(tmp_path)


def test_a_notice_tells_the_time_there() -> None:
    fields: dict[str, str | int] = {
        "subject": "EU-1",
        "amount": 7200,
        "currency": "EUR",
        "due": "2026-06-01T10:00:00+00:00",
        "time_zone": "Europe/Berlin",
        "language": "en",
    }

    told = render(NoticeTemplate.REQUEST_CONFIRMED, fields, "zh")

    assert "2026-06-01 12:00 (Europe/Berlin)" in told
    assert "72.00 EUR" in told
    assert "Beijing" not in told
