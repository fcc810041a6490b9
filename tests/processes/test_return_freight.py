"""What sending in goods at fault has cost the buyer is owed however the case ends in its favour (T10)."""

import pytest

from tests.processes.telling import Story

STATED = 800
"""What the buyer of each story has stated, in minor units."""
RETURN, EXCHANGE, REPAIR = "open return", "open return exchange", "open repair"
RECEIVED = ("0 agree_return merchant", "0 enter_tracking buyer 0", "parcel 0 signed")
REJECTED = (*RECEIVED, "0 reject merchant")
DISPUTED = (*REJECTED, "0 open_dispute buyer")
RESHIPPED = (*RECEIVED, "0 reship merchant")


def freight_of(opens: str, *turns: str) -> int:
    """What the merchant has paid for the freight of the first case, in minor units."""
    story = Story("negotiated shipped")
    story.tell(("address", opens, *turns))
    return story.world.ledger.refunded(f"return-freight/{story.case('0')}")


@pytest.mark.parametrize(
    ("opens", "turns"),
    [
        pytest.param(RETURN, (*RECEIVED, "0 confirm_receipt merchant"), id="received"),
        pytest.param(RETURN, (*RECEIVED, "wait 0"), id="silence"),
        pytest.param(RETURN, (*DISPUTED, "0 approve merchant"), id="disputed-and-granted"),
        pytest.param(RETURN, (*DISPUTED, "hurry 1", "1 rule platform full merchant"), id="ruled"),
        pytest.param(
            RETURN,
            (*REJECTED, "0 propose buyer another_amount", "0 accept_proposal merchant"),
            id="amount-agreed",
        ),
        pytest.param(
            RETURN,
            (
                *REJECTED,
                "0 send_back merchant",
                "0 open_dispute buyer",
                "parcel 3 signed",
                "0 propose merchant keep_goods",
                "0 accept_proposal buyer",
            ),
            id="sent-back-and-kept-for-less",
        ),
        pytest.param(
            RETURN,
            (
                *DISPUTED,
                "0 propose buyer send_again",
                "0 accept_proposal merchant",
                "0 reship merchant",
                "0 confirm_exchange buyer",
            ),
            id="sent-again",
        ),
        pytest.param(EXCHANGE, (*RESHIPPED, "0 confirm_exchange buyer"), id="exchanged"),
        pytest.param(EXCHANGE, (*RESHIPPED, "parcel 2 signed", "wait 0"), id="exchanged-by-silence"),
        pytest.param(
            EXCHANGE,
            (*RECEIVED, "0 convert_to_refund buyer", "0 convert_to_refund merchant"),
            id="converted",
        ),
        pytest.param(
            EXCHANGE,
            (*RESHIPPED, "parcel 2 refused", "0 refund_directly platform"),
            id="not-arrived-and-paid-for",
        ),
        pytest.param(REPAIR, (*RESHIPPED, "0 confirm_exchange buyer"), id="repaired"),
    ],
)
def test_the_freight_is_owed_by_fault_whatever_the_buyer_gets(opens: str, turns: tuple[str, ...]) -> None:  # T10
    assert freight_of(opens, *turns) == STATED


@pytest.mark.parametrize(
    ("opens", "turns"),
    [
        pytest.param(RETURN, (*DISPUTED, "hurry 1", "1 rule platform full buyer"), id="paid"),
        pytest.param(
            EXCHANGE,
            (*RESHIPPED, "0 open_dispute buyer", "hurry 1", "1 rule platform nothing", "0 confirm_exchange buyer"),
            id="other-goods-that-go-on",
        ),
        pytest.param(
            RETURN,
            (*DISPUTED, "hurry 1", "1 rule platform nothing", "0 confirm_receipt merchant"),
            id="paid-for-after-all",
        ),
    ],
)
def test_once_it_was_ruled_on_the_ruling_says_who_bears_it(opens: str, turns: tuple[str, ...]) -> None:  # T10, D8
    assert freight_of(opens, *turns) == 0


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param((*DISPUTED, "1 offer_settlement merchant", "1 accept_settlement buyer"), id="settled"),
        pytest.param((*REJECTED, "0 send_back merchant", "parcel 3 signed", "wait 0"), id="rejected"),
    ],
)
def test_no_freight_is_owed_where_nobody_is_at_fault(turns: tuple[str, ...]) -> None:  # T10, D2, T15
    assert freight_of(RETURN, *turns) == 0
