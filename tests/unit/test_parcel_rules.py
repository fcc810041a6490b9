"""Whom an event of a parcel matters to, and what is true of the parcel after all events (R3, R7, T6, T8)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.rules.parcels import ParcelStatus, first_word_of_leaving, handed_on, standing

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
PARCEL = Parcel(carrier="sf", tracking_no="SF1")
OUTBOUND, SHIPPED, PICKED_UP = ParcelEvent.OUTBOUND, ParcelEvent.SHIPPED, ParcelEvent.PICKED_UP
IN_TRANSIT, ON_DELIVERY_RUN = ParcelEvent.IN_TRANSIT, ParcelEvent.ON_DELIVERY_RUN
SIGNED, REFUSED, RETURNED = ParcelEvent.SIGNED, ParcelEvent.REFUSED, ParcelEvent.RETURNED_TO_WAREHOUSE
HANDED_ON = {
    ParcelPurpose.ORDER: {OUTBOUND, SHIPPED, ON_DELIVERY_RUN, SIGNED, REFUSED, RETURNED},
    ParcelPurpose.RETURN: {SIGNED, REFUSED, RETURNED},
    ParcelPurpose.RESHIPMENT: {SIGNED, REFUSED, RETURNED},
}


def hour(count: float) -> datetime:
    return NOON + timedelta(hours=count)


def told(event: ParcelEvent, at: float, *, key: str | None = None) -> CarrierEvent:
    """An event that happened so many hours after `NOON`."""
    return CarrierEvent(key=key or f"{event}-{at}", parcel=PARCEL, event=event, happened_at=hour(at))


@pytest.mark.parametrize("purpose", ParcelPurpose)
@pytest.mark.parametrize("event", ParcelEvent)
def test_a_case_is_told_what_a_rule_asks_about(purpose: ParcelPurpose, event: ParcelEvent) -> None:  # R3, R7, T6, T8
    assert handed_on(purpose, event) == (event in HANDED_ON[purpose])


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        ([], True),
        ([told(OUTBOUND, 0), told(PICKED_UP, 0)], True),
        ([told(SHIPPED, 1)], False),
        ([told(SIGNED, 1)], False),
        ([told(IN_TRANSIT, 1)], False),
        ([told(SHIPPED, 3), told(IN_TRANSIT, 4)], True),  # these happened later, whenever they came
    ],
)
def test_the_first_scan_on_the_way_stands_for_the_word_that_did_not_come(
    before: list[CarrierEvent], counts: bool
) -> None:  # R7
    scan = told(IN_TRANSIT, 2)

    assert first_word_of_leaving(scan, [*before, scan]) is counts
    assert not first_word_of_leaving(told(PICKED_UP, 2), before)


def test_nothing_told_is_nothing_known() -> None:
    assert standing([]) is None


@pytest.mark.parametrize(
    ("events", "event", "since"),
    [
        ([told(SHIPPED, 1), told(OUTBOUND, 0)], SHIPPED, 1),
        ([told(REFUSED, 5), told(ON_DELIVERY_RUN, 3)], REFUSED, 5),
        ([told(REFUSED, 5), told(IN_TRANSIT, 6)], IN_TRANSIT, 6),
        # The end outlasts what is said to come after it (T6).
        ([told(SIGNED, 5), told(IN_TRANSIT, 6)], SIGNED, 5),
        ([told(RETURNED, 5), told(ON_DELIVERY_RUN, 6)], RETURNED, 5),
        ([told(SIGNED, 5), told(REFUSED, 6)], SIGNED, 5),
        # Of two ends, the later one.
        ([told(SIGNED, 5), told(RETURNED, 9)], RETURNED, 9),
        ([told(RETURNED, 5), told(SIGNED, 9)], SIGNED, 9),
        # At one moment, what comes later along the way.
        ([told(SHIPPED, 1), told(OUTBOUND, 1)], SHIPPED, 1),
        ([told(RETURNED, 5), told(SIGNED, 5)], RETURNED, 5),
    ],
)
def test_the_last_thing_decides_and_the_end_is_the_end(
    events: list[CarrierEvent], event: ParcelEvent, since: float
) -> None:
    assert standing(events) == ParcelStatus(event, hour(since))


def test_a_second_telling_under_another_key_moves_nothing() -> None:
    """T6: the receipt window runs from the first signature, also when another scanner tells it again."""
    twice = [told(SIGNED, 5, key="a"), told(SIGNED, 7, key="b"), told(IN_TRANSIT, 6)]
    assert standing(twice) == ParcelStatus(SIGNED, hour(5))


def test_what_came_between_begins_a_new_time() -> None:
    events = [told(REFUSED, 1), told(ON_DELIVERY_RUN, 2), told(REFUSED, 3)]
    assert standing(events) == ParcelStatus(REFUSED, hour(3))


@pytest.mark.parametrize("event", ParcelEvent)
def test_a_journey_ends_with_a_signature_or_where_it_began(event: ParcelEvent) -> None:  # T7
    assert ParcelStatus(event, NOON).ended == (event in {SIGNED, RETURNED})


# Few moments, so that many things happen at the same one.
_events = st.builds(told, st.sampled_from(ParcelEvent), st.integers(0, 4), key=st.sampled_from("abcdef"))


@st.composite
def _tellings(draw: st.DrawFn) -> tuple[list[CarrierEvent], list[CarrierEvent]]:
    """Events, and the same ones in another order, some of them again."""
    events = draw(st.lists(_events, min_size=1, max_size=8))
    again = draw(st.lists(st.sampled_from(events), max_size=8))
    return events, draw(st.permutations([*events, *again]))


@given(_tellings())
def test_order_and_repetition_change_nothing(tellings: tuple[list[CarrierEvent], list[CarrierEvent]]) -> None:
    events, otherwise = tellings
    assert standing(events) == standing(otherwise)


@given(st.lists(_events, min_size=1, max_size=8))
def test_the_standing_is_something_that_was_told(events: list[CarrierEvent]) -> None:
    now = standing(events)
    assert now
    assert (now.event, now.since) in {(each.event, each.happened_at) for each in events}
    assert now.ended == any(each.event in {SIGNED, RETURNED} for each in events)


@given(st.lists(_events, min_size=1, max_size=8), _events)
def test_what_happens_along_the_way_never_undoes_the_end(events: list[CarrierEvent], late: CarrierEvent) -> None:
    before = standing(events)
    if before and before.ended and late.event not in {SIGNED, RETURNED}:
        assert standing([*events, late]) == before


# T13, P7: one parcel, however its number is typed --------------------------------------------------------


@pytest.mark.parametrize(
    ("carrier", "tracking_no"),
    [
        ("sf", "sf2600001"),
        ("SF", "SF2600001"),
        (" sf ", "SF 26 0000 1"),
        ("sf", "ＳＦ２６００００１"),
        ("sf", "SF-2600001"),
        ("sf", "SF\u20132600001"),
        ("sf", "\u202dSF2600001\u202c"),
        ("sf", "SF\u00a02600001\u3000"),
    ],
    ids=ascii,
)
def test_a_parcel_is_the_same_however_it_is_typed(carrier: str, tracking_no: str) -> None:
    assert Parcel(carrier=carrier, tracking_no=tracking_no) == Parcel(carrier="sf", tracking_no="SF2600001")


@pytest.mark.parametrize("tracking_no", ["", " ", "-", "SF/1", "测试1", "S" * 65, None, 2600001])
def test_what_is_no_number_of_a_parcel_is_refused(tracking_no: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Parcel.model_validate({"carrier": "sf", "tracking_no": tracking_no})

    assert [each["loc"] for each in refused.value.errors()] == [("tracking_no",)]


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", fullmatch=True).filter(lambda text: "replace" not in text))
def test_a_number_that_is_kept_is_read_as_itself(typed: str) -> None:
    kept = Parcel.model_validate({"carrier": "sf", "tracking_no": typed})

    assert Parcel.model_validate(kept.model_dump()) == kept
