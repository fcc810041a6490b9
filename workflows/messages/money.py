"""Amounts: integer minor units (fen, cents) and an ISO 4217 currency (section 10)."""

from functools import cache
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from workflows.messages.message import Message

MOST: Final = 10**15
"""The largest amount in minor units."""

Minor = Annotated[int, Field(strict=True, ge=0, le=MOST, description="In minor units.")]
"""An amount in minor units, never negative; a float or a bool is refused rather than rounded."""

PositiveMinor = Annotated[int, Field(strict=True, ge=1, le=MOST, description="In minor units.")]

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217, for example ``CNY``. A refund is paid in the currency that was paid."""

USUAL_DECIMALS: Final = 2


@cache
def minor_units(currency: str) -> int | None:
    """How many decimals ISO 4217 gives a currency; None for a code that it lacks or that has none, such as ``XAU``."""
    # Not at the top: reading the table takes longer than loading all of our messages.
    import iso4217  # noqa: PLC0415

    try:
        return iso4217.Currency(currency).exponent
    except ValueError:
        return None


def decimals(currency: str) -> int:
    """How many decimals an amount of this currency has in print: as ISO 4217 says, else two."""
    found = minor_units(currency)
    return USUAL_DECIMALS if found is None else found


def in_print(amount: int, currency: str) -> str:
    """An amount of minor units as people read it: 7200 CNY is ``72.00``."""
    places = decimals(currency)
    major, minor = divmod(amount, 10**places)
    return f"{major}.{minor:0{places}d}" if places else str(major)


def _is_listed(currency: str) -> str:
    if minor_units(currency) is None:
        raise ValueError("must be a currency of ISO 4217 that is counted in minor units, such as CNY")
    return currency


ListedCurrency = Annotated[Currency, AfterValidator(_is_listed)]
"""A currency that somebody is paid in: one whose minor unit ISO 4217 knows."""


class Money(Message):
    """An amount with its currency."""

    amount: Minor
    currency: Currency

    def __str__(self) -> str:
        """For people: ``72.00 CNY``."""
        return f"{in_print(self.amount, self.currency)} {self.currency}"
