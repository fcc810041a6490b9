"""Amounts as Stripe counts them, and what it takes (X6). See https://docs.stripe.com/currencies, read 2026-11."""

from types import MappingProxyType
from typing import Final

from activities.gateways.limits import Limits
from workflows.messages.money import decimals

_WHOLE: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
"""Counted whole. Of these ISO 4217 gives the ariary two decimals, in fifths."""
_IN_TENS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Counted in thousandths of which the last digit must be 0."""
_WHOLE_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
"""Whole by ISO 4217; Stripe wants them times a hundred all the same."""
# fmt: off
_IN_HUNDREDTHS: Final = frozenset(
    {
        "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD",
        "BND", "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK",
        "DKK", "DOP", "DZD", "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD",
        "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR",
        "LRD", "LSL", "MAD", "MDL", "MKD", "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
        "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB",
        "SAR", "SBD", "SCR", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD",
        "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW",
    }
)
# fmt: on

LIMITS: Final = Limits(
    currencies=_WHOLE | _IN_TENS | _WHOLE_IN_HUNDREDTHS | _IN_HUNDREDTHS,
    steps=MappingProxyType({"MGA": 100} | dict.fromkeys(_IN_TENS, 10)),
    needs_charge=True,
    bank_transfers=False,
)
"""Stripe sets no limit to the age of a charge or to the number of its refunds, and pays to no bank account by name."""


def stripe_amount(amount: int, currency: str) -> int:
    """Our minor units as Stripe counts them.

    Raises:
        ValueError: Stripe cannot pay this amount, or we do not know how it counts this currency.
    """
    if currency not in (LIMITS.currencies or ()) or amount % LIMITS.steps.get(currency, 1):
        raise ValueError("an amount that Stripe cannot pay")
    up, down = _scale(currency)
    return amount * up // down


def our_amount(amount: int, currency: str) -> int:
    """An amount of Stripe's in our minor units.

    Raises:
        ValueError: it lies between two of ours, or we do not know how Stripe counts this currency.
    """
    up, down = _scale(currency)
    if currency not in (LIMITS.currencies or ()) or amount * down % up:
        raise ValueError("an amount that we cannot write")
    return amount * down // up


def _scale(currency: str) -> tuple[int, int]:
    """By what our amount is multiplied and divided."""
    ours = decimals(currency)
    theirs = 0 if currency in _WHOLE else 3 if currency in _IN_TENS else 2
    return 10 ** max(theirs - ours, 0), 10 ** max(ours - theirs, 0)
