"""What differs between our ledger and the gateway's book, attempt by attempt (section 10, X5)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.differing import bears_out, differing
from activities.gateways.payment import StatementLine
from activities.postgres.whole_ledger import BookedLeg
from workflows.messages.commands import CAME_TO_NOTHING, GatewayResult
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.reconciliation import DifferenceKind, ReconcileRequest

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ASKED = ReconcileRequest(at=NOON)
SUCCEEDED = GatewayResult.SUCCEEDED
TWICE, OURS_ONLY = DifferenceKind.PAID_TWICE, DifferenceKind.OURS_PAID_GATEWAY_NOT
THEIRS_ONLY, STILL_OPEN = DifferenceKind.GATEWAY_PAID_OURS_NOT, DifferenceKind.OURS_FAILED_GATEWAY_OPEN


def leg(state: LegState, attempt: int = 1, paid_by: PaidBy | None = None) -> BookedLeg:
    return BookedLeg(
        refund_no="RF-1-1",
        case_id="refund/o/k",
        fund="order/o",
        amount=500,
        currency="CNY",
        state=state,
        paid_by=paid_by,
        reserved_at=NOON - timedelta(hours=1),
        attempt=attempt,
    )


def line(result: GatewayResult, attempt: int | None = None, amount: int = 500) -> StatementLine:
    return StatementLine(refund_no="RF-1-1", amount=amount, currency="CNY", result=result, attempt=attempt)


ANY_LEG = st.one_of(
    st.builds(leg, st.sampled_from([each for each in LegState if each is not LegState.SUCCEEDED]), st.integers(1, 4)),
    st.builds(leg, st.just(LegState.SUCCEEDED), st.integers(1, 4), st.sampled_from(PaidBy)),
)


@given(ANY_LEG, st.lists(st.sampled_from([SUCCEEDED, *sorted(CAME_TO_NOTHING)]), min_size=1, max_size=4))
def test_the_books_agree_where_the_gateway_has_paid_what_we_say_and_nothing_besides(
    ours: BookedLeg, ended: Sequence[GatewayResult]
) -> None:
    """The gateway has a number for each attempt, and each has ended."""
    lines = [line(result, attempt) for attempt, result in enumerate(ended, start=1)]
    kinds = {kind for each in lines for kind in differing(ASKED, ours, each)}

    theirs = {each.attempt for each in lines if each.result is SUCCEEDED}
    by_us = {ours.attempt} if ours.paid_by is PaidBy.GATEWAY else set[int]()
    stated = by_us & {each.attempt for each in lines}
    paid = ours.state is LegState.SUCCEEDED
    assert kinds == {
        *([OURS_ONLY] if stated - theirs else []),
        *([TWICE] if theirs - by_us and paid else []),
        *([THEIRS_ONLY] if theirs - by_us and not paid else []),
    }


@given(ANY_LEG, st.sampled_from(GatewayResult), st.integers(1, 4))
def test_what_has_failed_under_another_number_says_nothing(
    ours: BookedLeg, result: GatewayResult, attempt: int
) -> None:
    """And no line of another attempt shows that ours was paid, or was not."""
    theirs = line(result, attempt, amount=1 if result in CAME_TO_NOTHING else 500)
    kinds = set(differing(ASKED, ours, theirs))
    if attempt == ours.attempt:
        assert bears_out(ours, theirs) == (result not in CAME_TO_NOTHING)
    else:
        assert not bears_out(ours, theirs)
        assert OURS_ONLY not in kinds
        assert not (kinds and result in CAME_TO_NOTHING)
        assert (result is GatewayResult.PROCESSING) == (STILL_OPEN in kinds)


@given(ANY_LEG, st.sampled_from(GatewayResult))
def test_a_line_without_an_attempt_is_taken_for_the_leg_s_own(ours: BookedLeg, result: GatewayResult) -> None:
    own, none = line(result, ours.attempt), line(result)
    assert list(differing(ASKED, ours, none)) == list(differing(ASKED, ours, own))
    assert bears_out(ours, none) == bears_out(ours, own)


@pytest.mark.parametrize("paid_by", [each for each in PaidBy if each is not PaidBy.GATEWAY])
def test_what_was_paid_otherwise_and_is_open_with_the_gateway_may_be_paid_twice(paid_by: PaidBy) -> None:
    ours = leg(LegState.SUCCEEDED, paid_by=paid_by)
    assert list(differing(ASKED, ours, line(GatewayResult.PROCESSING, 1))) == [STILL_OPEN]
    assert list(differing(ASKED, ours, line(SUCCEEDED, 1))) == [TWICE]
