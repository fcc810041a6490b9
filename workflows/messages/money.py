"""Amounts: integer minor units (fen, cents) and an ISO 4217 currency (SPEC section 10)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from workflows.messages.message import Message

Minor = Annotated[int, Field(strict=True, ge=0, le=10**15, description="In minor units.")]
"""An amount in minor units, never negative; a float or a bool is refused rather than rounded."""

PositiveMinor = Annotated[int, Field(strict=True, ge=1, le=10**15, description="In minor units.")]

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217, for example ``CNY``. A refund is paid in the currency that was paid."""


NO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """How many decimals an amount of this currency has in print (ISO 4217)."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def in_print(amount: int, currency: str) -> str:
    """An amount of minor units as people read it: 7200 CNY is ``72.00``."""
    places = decimals(currency)
    major, minor = divmod(amount, 10**places)
    return f"{major}.{minor:0{places}d}" if places else str(major)


class Money(Message):
    """An amount with its currency."""

    amount: Minor
    currency: Currency

    def __str__(self) -> str:
        """For people: ``72.00 CNY``."""
        return f"{in_print(self.amount, self.currency)} {self.currency}"
