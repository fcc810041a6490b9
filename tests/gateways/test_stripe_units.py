"""How Stripe counts money (X6)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.gateways.limits import Considered, objection
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_units import LIMITS, our_amount, stripe_amount
from workflows.messages.money import minor_units

CURRENCIES = sorted(LIMITS.currencies or ())
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_the_unit_of_each_currency_is_known() -> None:
    assert len(CURRENCIES) > 135
    for currency in CURRENCIES:
        decimals = minor_units(currency)
        assert decimals is not None, currency
        one = stripe_amount(10**decimals, currency)
        assert one == {"JPY": 1, "MGA": 1, "ISK": 100, "UGX": 100, "KWD": 1000}.get(currency, one)
        # All that ISO 4217 counts whole, and the ariary; but two.
        whole = (decimals == 0 or currency == "MGA") and currency not in {"ISK", "UGX"}
        assert one == (1 if whole else 1000 if decimals == 3 else 100), currency


@given(st.sampled_from(CURRENCIES), st.integers(1, 10**15))
def test_an_amount_is_the_same_after_going_there_and_back_or_is_refused(currency: str, amount: int) -> None:
    considered = Considered(amount=amount, currency=currency, charge_known=True)
    if objection(LIMITS, considered, NOW) is None:
        assert our_amount(stripe_amount(amount, currency), currency) == amount
    else:
        with pytest.raises(ValueError, match="cannot pay"):
            stripe_amount(amount, currency)


@pytest.mark.parametrize(
    ("refund", "code"),
    [
        (Considered(amount=1234, currency="KWD", charge_known=True), "amount_not_payable"),
        (Considered(amount=705, currency="MGA", charge_known=True), "amount_not_payable"),
        (Considered(amount=100, currency="IRR", charge_known=True), "currency_not_taken"),
        (Considered(amount=100, currency="CNY", charge_known=False), "charge_unknown"),
        (Considered(amount=100, currency="CNY", original_route=False), "no_bank_transfers"),
    ],
)
def test_what_stripe_will_not_take_is_known_before_anything_is_promised(refund: Considered, code: str) -> None:
    # Of the class: who only opens cases has no keys.
    found = objection(StripeRefunds.limits, refund, NOW)
    assert found is not None
    assert found.code == code


def test_an_amount_that_we_cannot_write_is_none() -> None:
    for amount, currency in ((150, "ISK"), (100, "IRR")):
        with pytest.raises(ValueError, match="cannot write"):
            our_amount(amount, currency)
