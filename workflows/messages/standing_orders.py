"""Standing orders: what a merchant lets be decided as soon as it is asked for (G4)."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.message import Code, Identifier, Input, Instant, Message
from workflows.messages.money import Minor, PositiveMinor

DecidedKind: TypeAlias = Literal[
    "unshipped_refund", "shipped_refund", "return", "exchange", "price_protection", "resend", "repair"
]
"""The kinds of case in which the merchant decides on what the buyer asks for."""

Does: TypeAlias = Literal["agree", "refund_without_return"]
"""``agree``: to a refund, that the goods come back, or that they are sent again. ``refund_without_return``: pay, and
leave the goods there."""

MOST_ORDERS = 50
"""How many standing orders a merchant may have in force in one profile (R16) [G]."""


class StandingOrdersPolicy(Input):
    """G4: what a profile allows a merchant's standing orders. By default nothing."""

    kinds: tuple[DecidedKind, ...] = ()
    """The kinds that they may decide."""
    up_to: Minor = 0
    """In minor units: what a request may ask for at most that one agrees to."""
    without_return_up_to: Minor = 0
    """In minor units: what a return may ask for at most that is paid without the goods coming back."""
    most_a_day: Minor = 0
    """In minor units: how much all standing orders of a merchant together may decide on in one day of the profile's."""


class StandingOrder(Input):
    """The terms of one. A request that fits all of them is decided; others wait for the merchant as ever."""

    kinds: Annotated[tuple[DecidedKind, ...], Field(min_length=1)]
    does: Does = "agree"
    reasons: Annotated[tuple[Code, ...], Field(max_length=60)] = ()
    """The codes of the reasons that it is for; all where none is named."""
    up_to: PositiveMinor
    """In minor units: the most that a request may ask for, freight included."""
    most_a_day: PositiveMinor
    """In minor units: how much it may decide on in one day of the profile's, in all."""
    most_cases: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How many other cases the buyer may have opened with this merchant in ``days``; None for any number."""
    days: Annotated[int, Field(ge=1, le=365)] = 90

    @model_validator(mode="after")
    def _goods_could_come_back(self) -> Self:
        if self.does == "refund_without_return" and set(self.kinds) != {"return"}:
            raise ValueError("only a return can be paid without the goods coming back (G4)")
        return self


class _OfMerchant(Input):
    merchant_id: Identifier
    profile: Identifier
    """The marketplace whose orders it is for."""
    by: Actor

    @model_validator(mode="after")
    def _its_own(self) -> Self:
        if self.by.role is not Role.MERCHANT or self.by.id != self.merchant_id:
            raise ValueError("a merchant gives its own standing orders only (G4)")
        return self


class SetStandingOrder(_OfMerchant):
    """Give a standing order, or change one. The same terms again are the same order."""

    number: Annotated[int, Field(ge=1)] | None = None
    """The one to change; None for a new one."""
    terms: StandingOrder


class EndStandingOrder(_OfMerchant):
    """End one: it decides nothing any more. What it has decided stays decided."""

    number: Annotated[int, Field(ge=1)]


class StandingOrderVersion(Message):
    """A standing order as it was set; the last version of a number counts, and none is ever changed."""

    merchant_id: Identifier
    profile: Identifier
    number: Annotated[int, Field(ge=1)]
    """Of the merchant's orders for the profile."""
    version: Annotated[int, Field(ge=1)]
    terms: StandingOrder
    ended: bool = False
    by: Actor
    at: Instant


class ByStandingOrder(Message):
    """That a standing order decides what a case asks for."""

    number: Annotated[int, Field(ge=1)]
    version: Annotated[int, Field(ge=1)]
    does: Does
