"""Which answers can have come from the book (section 11)."""

import pytest
from pydantic import TypeAdapter

from tests.storage.money import NOON, closing, payout
from workflows.messages.cases import Refusal, Stepped
from workflows.messages.openings import Opened
from workflows.messages.payouts import LegState, LegStatus, PaidBy, Reservation, ReserveResult
from workflows.messages.settlements import Settled
from workflows.rules.allocation import refund_number
from workflows.rules.answers import found_by_opening, settled_for, written_as

WISH = payout("2001", {"line:1": 500})
STEP = closing(WISH)
REFUSAL = Refusal(code="no_address", field="address_id", rule="T2", explanation="there is none")
ROOM = ReserveResult(reservation=Reservation.CONTENDED)


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ("{}", False),
        ('{"step": 1}', True),
        ('{"step": 2}', False),
        ('{"written": true, "left": null}', False),
        (Stepped().model_dump_json(), True),  # of a book that did not name the step
        (Stepped(step=1, refusal=REFUSAL).model_dump_json(), True),
        (Stepped(step=3).model_dump_json(), False),
    ],
)
def test_a_step_is_written_where_the_book_says_which(answer: str, fits: bool) -> None:
    assert STEP.step == 1
    assert written_as(STEP)(TypeAdapter(Stepped).validate_json(answer)) is fits


def test_a_step_that_reserves_tells_what_came_of_it() -> None:
    fits = written_as(STEP.model_copy(update={"reserve": WISH}))

    assert not fits(Stepped(step=1))
    assert fits(Stepped(step=1, reserved=ROOM))
    assert fits(Stepped(step=1, refusal=REFUSAL))


def leg(number: str, state: LegState = LegState.SUCCEEDED) -> LegStatus:
    return LegStatus(refund_no=number, amount=500, state=state, paid_by=PaidBy.GATEWAY, settled_at=NOON)


def test_money_is_paid_where_the_ledger_says_so_of_this_case() -> None:
    fits = settled_for(WISH.case_id)
    own, others = refund_number(WISH.case_id, 1, 1), refund_number("refund/2002/k", 1, 1)

    assert fits(Settled(legs=(leg(own),), closed=True))
    assert fits(Settled(legs=(leg(own, LegState.FAILED),)))
    assert fits(Settled(legs=())), "nothing is left (R14)"
    assert not fits(Settled(legs=(), closed=True))
    assert not fits(Settled(legs=(leg(own, LegState.PROCESSING),), closed=True))
    assert not fits(Settled(legs=(leg(others),), closed=True))


def test_an_opening_comes_to_something() -> None:
    assert not found_by_opening(Opened())
    assert found_by_opening(Opened(refusal=REFUSAL))
    assert found_by_opening(Opened(nothing_owed=True))
