"""Flags 插旗 and remarks 备注: an order or an allowance shares its own with all of its cases (section 12).

A case has remarks of its own beside them (售后备注).
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.message import Identifier, Input, Instant, Message, Subject
from workflows.messages.statements import legible
from workflows.messages.words import Word

REMARKS: Final = "remarks:"
"""With a case's id behind it: what is noted down about that case, as a reference."""


class Colour(Word):
    """The colours of a flag on either marketplace, kept as they are; what each means is the merchant's own business."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    CYAN = "cyan"
    BLUE = "blue"
    PURPLE = "purple"
    GREY = "grey"


class _Marking(Input):
    """What a merchant, or the platform for it, notes at what is its own."""

    merchant_id: Identifier
    """Whose order, allowance or case it is."""
    by: Actor
    key: Identifier
    """The same key at the same subject is the same marking."""

    @model_validator(mode="after")
    def _its_own(self) -> Self:
        match self.by.role:
            case Role.PLATFORM:
                return self
            case Role.MERCHANT if self.by.id == self.merchant_id:
                return self
            case _:
                raise ValueError("a merchant marks its own orders, allowances and cases only (section 12)")


class SetFlag(_Marking):
    """Put a flag up, change its colour, or take it down."""

    subject: Identifier
    """The order number or the allowance id."""
    colour: Colour | None
    """None takes the flag down."""


class AddRemark(_Marking):
    """Note something down, for whoever works on the order or its cases; or on one case only.

    Merchant and platform write, and read what the merchant's orders and cases have; a buyer does neither. The words are
    stars wherever the message ends up but in the table of remarks (P6).
    """

    subject: Subject
    """The order number, the allowance id, or the case's id."""
    text: Annotated[SecretStr, Field(min_length=1, max_length=500), AfterValidator(legible)]


class FlagChange(Message):
    """One line of a flag's history."""

    subject: Identifier
    merchant_id: Identifier
    colour: Colour | None
    """None: the flag was taken down."""
    by: Actor
    key: Identifier
    at: Instant


class Remark(Message):
    """What was noted down, by whom and when."""

    subject: Subject
    """Where: at the order, the allowance, or the case."""
    merchant_id: Identifier
    text: SecretStr | None
    """None once the buyer whom it tells of was forgotten."""
    by: Actor
    key: Identifier
    at: Instant
