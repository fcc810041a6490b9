"""P3: who may have a virtual number, and until when. P4: how it is called."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.messages.actors import Actor, Role, buyer, carrier, merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.reading import read_own
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    Binding,
    NumberCommand,
    NumberFacts,
    NumberStage,
    NumberStart,
    NumberState,
    NumberSubject,
    NumberTerms,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
    Scope,
    VirtualNumber,
)
from workflows.rules import virtual_numbers as rules
from workflows.rules.bilingual import Language
from workflows.rules.virtual_numbers import Call, Grant, Sms, dial, months_after, obtainable, sms, window_ends

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = NumberTerms()
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NUMBER = VirtualNumber(number="10000000001", extension="0042")
OPEN, RELEASED, SPLIT = NumberFacts(), NumberFacts(released=True), NumberFacts(became_subscription=True)
IDS = {Scope.ORDER: "o-1", Scope.SUB_ORDER: "o-1-1", Scope.CASE: "refund/o-1/k-1"}
ORDERS = (Scope.ORDER, Scope.SUB_ORDER)

FIRST = datetime(2000, 1, 2, tzinfo=UTC)
moments = st.timedeltas(timedelta(0), timedelta(days=365 * 99)).map(lambda later: FIRST + later)
"""Moments that the messages let in."""


def shanghai(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def completed(at: datetime, *, unclaimed: bool = False) -> NumberFacts:
    return NumberFacts(completed_at=at, closed_unclaimed=unclaimed)


def state(
    facts: NumberFacts = OPEN,
    *,
    until: datetime | None = None,
    bound: bool = False,
    number: VirtualNumber | None = NUMBER,
) -> NumberState:
    binding = Binding(no=1, number=number, until=until) if bound else None
    return NumberState(merchant_id="m-1", order_no="o-1", facts=facts, binding=binding)


def subject(scope: Scope) -> NumberSubject:
    return NumberSubject(scope=scope, id=IDS[scope])


# Months --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2026, 11, 28), 3, date(2027, 2, 28)),
        (date(2026, 8, 31), 3, date(2026, 11, 30)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 12, 31), 3, date(2027, 3, 31)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
    ],
)
def test_the_end_of_a_month_is_clamped(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later


@given(st.dates(date(1999, 1, 1), date(2101, 1, 1)), st.integers(1, 36))
@example(date(2026, 11, 30), 3)
def test_a_month_later_is_in_that_month_and_on_that_day_where_there_is_one(day: date, months: int) -> None:
    later = months_after(day, months)

    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day <= day.day
    assert later.day == day.day or (later + timedelta(days=1)).month != later.month


@given(moments)
@example(datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC))
@example(datetime(2026, 11, 30, 16, 0, tzinfo=UTC))
def test_dates_are_shanghais_which_has_no_summer_time(at: datetime) -> None:
    ends = window_ends(at, TERMS)

    local = ends + timedelta(hours=8)  # by hand: no time zone data
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    last_day = (local - timedelta(days=1)).date()
    assert last_day == months_after((at + timedelta(hours=8)).date(), 3)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        (shanghai(2026, 11, 30, 12), shanghai(2027, 3, 1)),  # until the end of February
        (shanghai(2027, 11, 30), shanghai(2028, 3, 1)),  # in a leap year: the 29th
        (shanghai(2026, 11, 30, 23, 59), shanghai(2027, 3, 1)),
        (shanghai(2026, 12, 1), shanghai(2027, 3, 2)),  # still November in UTC
        (datetime(2026, 8, 31, 15, 59, tzinfo=UTC), shanghai(2026, 12, 1)),
        (datetime(2026, 8, 31, 16, 0, tzinfo=UTC), shanghai(2026, 12, 2)),  # September in Shanghai
    ],
)
def test_the_last_day_of_an_order(at: datetime, ends: datetime) -> None:
    assert window_ends(at, TERMS) == ends


def test_the_last_day_is_that_of_the_profile() -> None:  # G6
    at = datetime(2026, 7, 31, 20, tzinfo=UTC)  # July in Berlin, August in Shanghai

    ends = window_ends(at, TERMS, "Europe/Berlin")

    assert ends == datetime(2026, 11, 1, tzinfo=ZoneInfo("Europe/Berlin")), "winter time by then"
    refusal = obtainable(Scope.ORDER, completed(at), TERMS, ends, "Europe/Berlin")
    assert isinstance(refusal, Refusal)
    assert "2026-11-01 00:00 Europe/Berlin" in refusal.explanation
    before = ends - timedelta(microseconds=1)
    assert isinstance(obtainable(Scope.ORDER, completed(at), TERMS, before, "Europe/Berlin"), Grant)


# Who may have one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ORDERS)
def test_before_its_completion_an_orders_number_has_no_end(scope: Scope) -> None:
    assert obtainable(scope, OPEN, TERMS, NOW) == Grant(None)


@pytest.mark.parametrize("scope", ORDERS)
@pytest.mark.parametrize("unclaimed", [False, True])
@given(at=moments, after=st.timedeltas(timedelta(0), timedelta(days=200)))
@example(at=NOW, after=window_ends(NOW, TERMS) - NOW)
@example(at=NOW, after=window_ends(NOW, TERMS) - NOW - timedelta(microseconds=1))
def test_after_it_it_is_two_days_as_long_as_the_window_is_open(
    scope: Scope, unclaimed: bool, at: datetime, after: timedelta
) -> None:
    found = obtainable(scope, completed(at, unclaimed=unclaimed), TERMS, at + after)

    if at + after < window_ends(at, TERMS):
        assert found == Grant(at + after + timedelta(days=2))
    else:
        assert isinstance(found, Refusal)
        assert (found.code, found.rule) == ("too_late", "P3")


@given(moments)
def test_a_cases_number_is_for_fifteen_days_whatever_the_order_does(now: datetime) -> None:
    assert obtainable(Scope.CASE, OPEN, TERMS, now) == Grant(now + timedelta(days=15))


@pytest.mark.parametrize("scope", Scope)
def test_what_was_released_is_released(scope: Scope) -> None:
    found = obtainable(scope, RELEASED, TERMS, NOW)
    assert isinstance(found, Refusal)
    assert found.code == "released"


def test_the_parent_of_a_subscription_has_none() -> None:
    for facts in (SPLIT, completed(NOW).model_copy(update={"became_subscription": True})):
        found = obtainable(Scope.ORDER, facts, TERMS, NOW)
        assert isinstance(found, Refusal)
        assert found.code == "parent_void"


LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("facts", "until", "void"),
    [
        (OPEN, None, False),
        (completed(EARLIER), None, True),
        (completed(EARLIER), LATER, False),
        (completed(EARLIER), NOW, True),
        (completed(EARLIER), EARLIER, True),
        (OPEN, LATER, False),
        (OPEN, NOW, True),
        (SPLIT, None, True),
        (SPLIT, LATER, True),
        (RELEASED, None, True),
        (RELEASED, LATER, True),
    ],
)
def test_when_a_number_must_go(facts: NumberFacts, until: datetime | None, void: bool) -> None:
    for number in (NUMBER, None):  # what is in doubt goes as well
        assert rules.is_void(Binding(no=1, number=number, until=until), facts, NOW) is void


@pytest.mark.parametrize(
    ("scope", "facts", "bound", "over"),
    [
        (Scope.ORDER, OPEN, False, False),
        (Scope.ORDER, completed(NOW), False, False),
        (Scope.ORDER, completed(NOW - timedelta(days=100)), False, True),
        (Scope.ORDER, completed(NOW - timedelta(days=100)), True, False),
        (Scope.ORDER, SPLIT, False, True),
        (Scope.ORDER, SPLIT, True, False),
        (Scope.SUB_ORDER, OPEN, False, False),
        (Scope.SUB_ORDER, RELEASED, False, True),
        (Scope.CASE, OPEN, False, True),
        (Scope.CASE, OPEN, True, False),
    ],
)
def test_when_nothing_is_left_to_wait_for(scope: Scope, facts: NumberFacts, bound: bool, over: bool) -> None:
    assert rules.is_over(scope, state(facts, bound=bound, until=LATER), TERMS, NOW) is over


def test_only_an_order_closed_unclaimed_wants_its_number_back() -> None:
    lapsed = {"lapsed": NUMBER}
    assert rules.wanted(state(completed(NOW, unclaimed=True)).model_copy(update=lapsed)) == NUMBER
    assert rules.wanted(state(completed(NOW)).model_copy(update=lapsed)) is None


# Commands ------------------------------------------------------------------------------------------------


def command(kind: type[NumberCommand], scope: Scope, by: Actor, **fields: object) -> NumberCommand:
    return kind.model_validate({"key": "k", "by": by, "subject": subject(scope), **fields})


MERCHANT, OFFICER = merchant("m-1"), officer("f-1")
PLATFORMS_OWN: dict[type[NumberCommand], dict[str, object]] = {
    OrderCompleted: {"completed_at": NOW},
    BecameSubscription: {},
    ReleaseNumber: {"reason": "person_forgotten"},
}


def code(given: NumberCommand, scope: Scope, known: NumberState, now: datetime = NOW) -> str | None:
    found = rules.refusal(given, scope, known, TERMS, now)
    return found.code if found else None


@pytest.mark.parametrize("actor", [buyer("b-1"), carrier("sf"), merchant("m-2"), Actor(role=Role.CLOCK, id="clock")])
@pytest.mark.parametrize("kind", [ObtainNumber, RenewNumber])
def test_a_merchant_obtains_for_its_own_only_and_the_platform_for_all(kind: type[NumberCommand], actor: Actor) -> None:
    bound = state(bound=True, until=LATER)
    expected = "not_yours" if actor.role is Role.MERCHANT else "wrong_actor"
    assert code(command(kind, Scope.CASE, actor), Scope.CASE, bound) == expected
    for by in (MERCHANT, OFFICER):
        assert code(command(kind, Scope.CASE, by), Scope.CASE, bound) is None


@pytest.mark.parametrize("kind", PLATFORMS_OWN)
def test_what_becomes_of_an_order_is_for_the_platform_to_tell(kind: type[NumberCommand]) -> None:
    for by, expected in ((MERCHANT, "wrong_actor"), (buyer("b-1"), "wrong_actor"), (OFFICER, None)):
        assert code(command(kind, Scope.ORDER, by, **PLATFORMS_OWN[kind]), Scope.ORDER, state()) == expected


@pytest.mark.parametrize(
    ("scope", "known", "expected"),
    [
        (Scope.CASE, state(bound=True, until=LATER), None),
        (Scope.CASE, state(bound=True, until=NOW), "not_bound"),
        (Scope.CASE, state(bound=True, until=LATER, number=None), "not_bound"),
        (Scope.CASE, state(), "not_bound"),
        (Scope.CASE, state(RELEASED, bound=True, until=LATER), "not_bound"),
        (Scope.ORDER, state(bound=True), "not_renewable"),
        (Scope.SUB_ORDER, state(completed(NOW), bound=True, until=LATER), "not_renewable"),
    ],
)
def test_what_is_renewed(scope: Scope, known: NumberState, expected: str | None) -> None:
    assert code(command(RenewNumber, scope, MERCHANT), scope, known) == expected


def test_completions() -> None:
    def told(scope: Scope, known: NumberState, at: datetime = NOW, *, unclaimed: bool = False) -> str | None:
        fact = command(OrderCompleted, scope, OFFICER, completed_at=at, closed_unclaimed=unclaimed)
        return code(fact, scope, known)

    assert told(Scope.ORDER, state()) is None
    assert told(Scope.SUB_ORDER, state(), EARLIER, unclaimed=True) is None
    assert told(Scope.CASE, state()) == "wrong_scope"
    assert told(Scope.ORDER, state(), NOW + timedelta(minutes=4)) is None  # clocks differ
    assert told(Scope.ORDER, state(), NOW + timedelta(minutes=6)) == "not_yet"
    assert told(Scope.ORDER, state(completed(EARLIER)), EARLIER) is None
    assert told(Scope.ORDER, state(completed(EARLIER)), NOW) == "completed_otherwise"
    assert told(Scope.ORDER, state(completed(EARLIER)), EARLIER, unclaimed=True) == "completed_otherwise"


@pytest.mark.parametrize(("scope", "expected"), [(Scope.SUB_ORDER, "wrong_scope"), (Scope.CASE, "wrong_scope")])
def test_only_an_order_becomes_a_subscription(scope: Scope, expected: str) -> None:
    assert code(command(BecameSubscription, scope, OFFICER), scope, state()) == expected


@pytest.mark.parametrize("kind", PLATFORMS_OWN)
def test_what_is_told_adds_to_what_is_known(kind: type[NumberCommand]) -> None:
    before = completed(NOW).model_copy(update={"became_subscription": kind is not BecameSubscription})
    after = rules.told(command(kind, Scope.ORDER, OFFICER, **PLATFORMS_OWN[kind]), before)
    assert after.completed_at == NOW
    assert after.became_subscription
    assert after.released is (kind is ReleaseNumber)


@pytest.mark.parametrize(
    ("scope", "identifier"),
    [
        (Scope.ORDER, "a/b"),
        (Scope.ORDER, ""),
        (Scope.ORDER, "张三"),
        (Scope.ORDER, "o-1\n"),
        (Scope.SUB_ORDER, "refund/o-1/k-1"),
        (Scope.CASE, "o-1"),
        (Scope.CASE, "refund/o 1/k"),
    ],
)
def test_a_subject_has_the_id_of_its_scope(scope: Scope, identifier: str) -> None:
    with pytest.raises(ValidationError):
        NumberSubject(scope=scope, id=identifier)


@pytest.mark.parametrize("year", [1, 1999, 2101, 9999])
def test_a_moment_that_no_date_can_be_counted_from_is_refused(year: int) -> None:
    with pytest.raises(ValidationError):
        command(OrderCompleted, Scope.ORDER, OFFICER, completed_at=datetime(year, 1, 1, tzinfo=UTC))


def test_an_older_worker_reads_what_a_newer_one_has_carried_over() -> None:
    start = NumberStart(subject=subject(Scope.ORDER), state=state(bound=True)).model_dump(mode="json")
    start["state"]["of_tomorrow"] = start["terms"]["of_tomorrow"] = start["of_tomorrow"] = 1

    assert read_own(NumberStart, start).state == state(bound=True)


# What is seen --------------------------------------------------------------------------------------------

WINDOW = window_ends(NOW, TERMS)


@pytest.mark.parametrize(
    ("scope", "known", "stage", "until", "why_none"),
    [
        (Scope.ORDER, None, NumberStage.OPENING, None, "being_looked_up"),
        (Scope.ORDER, state(), NumberStage.AVAILABLE, None, "not_obtained"),
        (Scope.ORDER, state(bound=True), NumberStage.BOUND, None, None),
        (Scope.ORDER, state(bound=True, number=None), NumberStage.IN_DOUBT, None, "provider_unreachable"),
        (Scope.ORDER, state(completed(NOW), bound=True), NumberStage.LEAVING, None, "order_completed"),
        (Scope.ORDER, state(completed(NOW)), NumberStage.AVAILABLE, WINDOW, "not_obtained"),
        (Scope.ORDER, state(completed(NOW), bound=True, until=LATER), NumberStage.BOUND, LATER, None),
        (Scope.ORDER, state(completed(NOW - timedelta(days=99))), NumberStage.ENDED, None, "too_late"),
        (Scope.ORDER, state(SPLIT, bound=True), NumberStage.LEAVING, None, "parent_void"),
        (Scope.ORDER, state(SPLIT), NumberStage.ENDED, None, "parent_void"),
        (Scope.ORDER, state(RELEASED), NumberStage.ENDED, None, "released"),
        (Scope.CASE, state(), NumberStage.AVAILABLE, None, "not_obtained"),
        (Scope.CASE, state().model_copy(update={"lapsed": NUMBER}), NumberStage.AVAILABLE, None, "lapsed"),
        (Scope.CASE, state(bound=True, until=LATER), NumberStage.BOUND, LATER, None),
        (Scope.CASE, state(bound=True, until=NOW), NumberStage.LEAVING, None, "lapsed"),
    ],
)
def test_the_view(
    scope: Scope, known: NumberState | None, stage: NumberStage, until: datetime | None, why_none: str | None
) -> None:
    view = rules.view_of(subject(scope), known, TERMS, NOW)

    assert (view.stage, view.until, view.why_none) == (stage, until, why_none)
    assert (view.number is not None) is (stage is NumberStage.BOUND)
    assert bool(view.no_deadline_because) is (until is None)
    page = rules.page(view, Language.EN)
    assert NUMBER.number not in page
    assert ("until" in page) or view.no_deadline_because in page
    assert f"{scope} `{IDS[scope]}`" in page


def test_an_unknown_subject() -> None:
    view = rules.view_of(subject(Scope.ORDER), None, TERMS, NOW, unknown=True)
    assert (view.stage, view.why_none) == (NumberStage.ENDED, "unknown")


# P4 ------------------------------------------------------------------------------------------------------


def test_calling() -> None:
    assert dial(NUMBER) == Call(dial="10000000001", then="0042#")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=300).filter(str.strip))
@example("您好，包裹放在门口了\n谢谢")
@example("#1234#")
def test_an_sms(text: str) -> None:
    sent = sms(NUMBER, text)

    assert isinstance(sent, Sms)
    assert (sent.to, sent.body) == ("10000000001", f"#0042#{text}")
    assert repr(sent) == "Sms(to='10000000001')"  # the text is a person's own


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "text_blank"),
        (" \n\u3000", "text_blank"),
        ("x" * 301, "text_too_long"),
        ("a\0b", "text_illegible"),
        ("a\x1bb", "text_illegible"),
        ("a\ud800b", "text_illegible"),
    ],
)
def test_an_sms_that_is_none(text: str, refusal: str) -> None:
    refused = sms(NUMBER, text)

    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.rule) == (refusal, "text", "P4")


@pytest.mark.parametrize(
    ("number", "extension"),
    [("1000000000", "0042"), ("100000000012", "0042"), ("1000000000a", "0042"), ("10000000001", "42")],
)
def test_a_number_has_eleven_digits_and_an_extension_of_four(number: str, extension: str) -> None:
    with pytest.raises(ValidationError):
        VirtualNumber(number=number, extension=extension)
