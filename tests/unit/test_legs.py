"""How a leg stands after what was said of it (section 10)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.messages.payouts import LegState, PaidBy
from workflows.rules.legs import (
    GATEWAY,
    US,
    AlertKind,
    Change,
    LegEvent,
    LegRecord,
    callback_source,
    counts,
    fold,
    follow,
    in_flight,
    officer_source,
)

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RESERVED, SUBMITTED, PROCESSING = LegState.RESERVED, LegState.SUBMITTED, LegState.PROCESSING
UNKNOWN, SUCCEEDED, FAILED = LegState.UNKNOWN, LegState.SUCCEEDED, LegState.FAILED
ABNORMAL, MANUAL = LegState.ABNORMAL, LegState.MANUAL


def after(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def said(
    says: LegState,
    minutes: int,
    *,
    of: int | None = None,
    paid_by: PaidBy | None = None,
    failure: str | None = None,
    attempt: int | None = None,
    returned: bool = False,
) -> LegEvent:
    """An event entered after so many minutes; ``of`` is the moment that it speaks of."""
    ours = {RESERVED: US, SUBMITTED: US, MANUAL: officer_source("o1")}
    return LegEvent(
        says=says,
        source=ours.get(says, GATEWAY),
        at=after(minutes),
        as_of=after(minutes if of is None else of),
        paid_by=paid_by or (PaidBy.GATEWAY if says is SUCCEEDED else None),
        failure=failure,
        attempt=attempt,
        returned=returned,
    )


def standing(*states: LegState) -> LegRecord:
    """A leg of which these things were said, a minute apart."""
    return fold(said(state, minute) for minute, state in enumerate(states))


def change(before: LegRecord, event: LegEvent) -> Change:
    return follow(before, event)


PATHS = {
    RESERVED: (RESERVED,),
    SUBMITTED: (RESERVED, SUBMITTED),
    PROCESSING: (RESERVED, SUBMITTED, PROCESSING),
    UNKNOWN: (RESERVED, SUBMITTED, UNKNOWN),
    SUCCEEDED: (RESERVED, SUBMITTED, SUCCEEDED),
    FAILED: (RESERVED, SUBMITTED, FAILED),
    ABNORMAL: (RESERVED, SUBMITTED, ABNORMAL),
    MANUAL: (RESERVED, SUBMITTED, ABNORMAL, MANUAL),
}
MOVES = {
    RESERVED: {SUBMITTED, MANUAL, SUCCEEDED},
    SUBMITTED: {SUBMITTED, PROCESSING, UNKNOWN, SUCCEEDED, FAILED, ABNORMAL},
    PROCESSING: {SUCCEEDED, FAILED, ABNORMAL},
    UNKNOWN: {SUBMITTED, PROCESSING, SUCCEEDED, FAILED, ABNORMAL, MANUAL},
    SUCCEEDED: set[LegState](),
    FAILED: {RESERVED, SUCCEEDED},
    ABNORMAL: {SUBMITTED, PROCESSING, SUCCEEDED, FAILED, MANUAL},
    MANUAL: {SUCCEEDED},
}


@pytest.mark.parametrize("state", LegState)
@pytest.mark.parametrize("says", LegState)
def test_what_may_follow_what(state: LegState, says: LegState) -> None:
    before = standing(*PATHS[state])
    assert before.state is state

    after_it = change(before, said(says, 10))

    assert after_it.moved == (says in MOVES[state])
    assert after_it.standing.state is (says if says in MOVES[state] else state)
    if not after_it.moved:
        assert after_it.standing == before


def test_only_a_confirmed_failure_gives_room_back() -> None:
    assert {state for state in LegState if not counts(state)} == {FAILED}
    assert {state for state in LegState if not in_flight(state)} == {FAILED, SUCCEEDED}


def test_a_leg_begins_with_its_reservation() -> None:
    with pytest.raises(ValueError, match="reservation"):
        fold([said(SUBMITTED, 0)])
    with pytest.raises(ValueError, match="reservation"):
        fold([])


def test_success_after_failure_is_a_success_and_an_alert() -> None:
    result = change(standing(RESERVED, SUBMITTED, FAILED), said(SUCCEEDED, 60))
    assert (result.standing.state, result.standing.settled_at) == (SUCCEEDED, after(60))
    assert result.standing.failure is None
    assert result.alert is AlertKind.SUCCESS_AFTER_FAILURE


def test_failure_after_success_changes_nothing_but_raises_an_alert() -> None:
    paid = standing(RESERVED, SUBMITTED, SUCCEEDED)
    assert change(paid, said(FAILED, 60)) == Change(paid, moved=False, alert=AlertKind.FAILURE_AFTER_SUCCESS)
    assert change(paid, said(ABNORMAL, 60)) == Change(paid, moved=False, alert=AlertKind.FAILURE_AFTER_SUCCESS)


def test_old_news_of_a_failure_before_the_success_is_no_contradiction() -> None:
    paid = fold([said(RESERVED, 0), said(SUBMITTED, 1), said(FAILED, 2), said(SUCCEEDED, 30)])
    assert change(paid, said(FAILED, 40, of=2)) == Change(paid, moved=False, alert=None)


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize(("attempt", "moves"), [(1, False), (2, True), (None, True)])
def test_what_comes_of_another_attempt_leaves_the_one_that_has_paid_paid(
    returned: bool, attempt: int | None, moves: bool
) -> None:
    """Paid under two numbers, and one is taken back: the buyer has the money of the other."""
    paid = fold(
        [
            *(said(RESERVED, 0), said(SUBMITTED, 1), said(FAILED, 2, attempt=1)),
            *(said(RESERVED, 10), said(SUBMITTED, 11), said(SUCCEEDED, 12, attempt=2)),
        ]
    )
    assert change(paid, said(SUCCEEDED, 13, attempt=1)).alert is AlertKind.PAID_TWICE

    result = change(paid, said(FAILED, 60, attempt=attempt, returned=returned))

    alert = AlertKind.REFUND_RETURNED if returned else AlertKind.FAILURE_AFTER_SUCCESS
    assert result.alert is (alert if moves else None)
    assert (result.standing.state is FAILED) == (moves and returned)


def test_a_late_failure_of_an_earlier_attempt_does_not_give_the_room_of_the_next_one_back() -> None:
    retried = fold([said(RESERVED, 0), said(SUBMITTED, 1), said(FAILED, 2), said(RESERVED, 10), said(SUBMITTED, 11)])
    assert change(retried, said(FAILED, 12, of=2)) == Change(retried, moved=False)
    assert change(retried, said(FAILED, 12)).standing.state is FAILED


SENT = datetime(2026, 5, 1, 10, 0, 0, 700_450, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        pytest.param(SENT.replace(microsecond=0), True, id="whole seconds"),
        pytest.param(SENT.replace(microsecond=700_000), True, id="whole milliseconds"),
        pytest.param(SENT.replace(second=1, microsecond=0), True, id="the next second"),
        pytest.param(SENT.replace(microsecond=700_449), False, id="a microsecond before"),
        pytest.param(SENT.replace(microsecond=699_000), False, id="a millisecond before"),
        pytest.param(SENT.replace(microsecond=0) - timedelta(seconds=1), False, id="a second before"),
    ],
)
def test_what_is_dated_in_the_second_of_the_sending_is_not_from_before_it(told: datetime, taken: bool) -> None:  # R18
    sent = LegRecord(state=SUBMITTED, reserved_at=SENT, submitted_at=SENT)
    failed = follow(sent, LegEvent(says=FAILED, source="callback:c", at=SENT + timedelta(hours=1), as_of=told))
    paid = LegRecord(state=SUCCEEDED, reserved_at=SENT, paid_by=PaidBy.GATEWAY, settled_at=SENT)
    taken_back = follow(paid, LegEvent(says=FAILED, source="callback:d", at=SENT + timedelta(hours=1), as_of=told))

    assert failed.moved is taken
    assert (taken_back.alert is AlertKind.FAILURE_AFTER_SUCCESS) is taken


def test_a_retry_begins_clean() -> None:
    failed = change(standing(RESERVED, SUBMITTED), said(FAILED, 5, failure="declined")).standing
    assert failed.failure == "declined"
    again = change(failed, said(RESERVED, 6)).standing
    assert again == LegRecord(state=RESERVED, reserved_at=after(6), attempt=2)


def test_the_second_payer_of_a_leg_raises_an_alert() -> None:
    by_hand = fold([*_abnormal(), said(MANUAL, 3), said(SUCCEEDED, 4, paid_by=PaidBy.OFFICER)])
    assert by_hand.paid_by is PaidBy.OFFICER
    assert change(by_hand, said(SUCCEEDED, 5)) == Change(by_hand, moved=False, alert=AlertKind.PAID_TWICE)
    by_gateway = standing(RESERVED, SUBMITTED, SUCCEEDED)
    late_officer = said(SUCCEEDED, 5, paid_by=PaidBy.OFFICER)
    assert change(by_gateway, late_officer) == Change(by_gateway, moved=False, alert=AlertKind.PAID_TWICE)


def test_a_gateway_that_fails_after_an_officer_has_paid_is_as_expected() -> None:
    by_hand = fold([*_abnormal(), said(MANUAL, 3), said(SUCCEEDED, 4, paid_by=PaidBy.PLATFORM)])
    assert change(by_hand, said(FAILED, 60)) == Change(by_hand, moved=False, alert=None)


@pytest.mark.parametrize("state", [RESERVED, SUBMITTED, PROCESSING, UNKNOWN, FAILED, ABNORMAL])
def test_nothing_is_paid_by_hand_that_the_gateway_may_still_pay(state: LegState) -> None:
    before = standing(*PATHS[state])
    assert change(before, said(SUCCEEDED, 10, paid_by=PaidBy.OFFICER)) == Change(before, moved=False)


def test_the_arrival_is_that_of_the_first_acceptance() -> None:
    def accepted(says: LegState, minutes: int, arrives: int) -> LegEvent:
        return LegEvent(
            says=says,
            source=GATEWAY,
            at=after(minutes),
            as_of=after(minutes),
            paid_by=PaidBy.GATEWAY if says is SUCCEEDED else None,
            arrives_from=after(arrives),
            arrives_until=after(arrives + 10),
        )

    processing = change(standing(RESERVED, SUBMITTED), accepted(PROCESSING, 3, 100)).standing
    paid = change(processing, accepted(SUCCEEDED, 50, 900)).standing
    assert (paid.arrives_from, paid.arrives_until) == (after(100), after(110))
    assert change(processing, said(FAILED, 50)).standing.arrives_until is None


def _abnormal() -> list[LegEvent]:
    return [said(RESERVED, 0), said(SUBMITTED, 1), said(ABNORMAL, 2)]


@st.composite
def _anything(draw: st.DrawFn) -> LegEvent:
    says = draw(st.sampled_from(LegState))
    minutes = draw(st.integers(1, 100))
    payer = draw(st.sampled_from(PaidBy))
    return LegEvent(
        says=says,
        source=callback_source("c1"),
        at=after(minutes),
        as_of=after(minutes - draw(st.integers(0, 50))),
        paid_by=payer if says is SUCCEEDED else None,
    )


@given(st.lists(_anything(), max_size=12))
def test_whatever_is_said_in_whatever_order(events: list[LegEvent]) -> None:
    now = fold([said(RESERVED, 0)])
    for event in events:
        result = follow(now, event)
        if now.state is SUCCEEDED:
            assert result.standing == now, "what has been paid stays paid"
        if result.standing.state is FAILED and now.state is not FAILED:
            assert now.submitted_at is not None
            assert event.as_of >= now.submitted_at, "only the attempt under way gives room back"
        assert (result.standing != now) == result.moved
        once_more = follow(result.standing, event)
        assert not (once_more.moved and event.says in {SUCCEEDED, FAILED, ABNORMAL, PROCESSING, UNKNOWN})
        now = result.standing
