"""Pieces of order lines: what a case has to do with them (R13)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Identifier, Input, Message
from workflows.messages.money import Minor
from workflows.messages.words import Word


class LineQuantity(Input):
    """So many pieces of an order line."""

    line: Identifier
    quantity: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class PieceUse(Word):
    """What happens to the pieces that a case names."""

    REFUND = "refund"
    """Money for them goes back to the buyer, and no goods come back."""
    PRICE_ADJUSTMENT = "price_adjustment"
    """Part of their price goes back: they stay bought."""
    RETURN = "return"
    """They are to come back for money."""
    EXCHANGE = "exchange"
    """They are to come back for other goods."""
    REPAIR = "repair"
    """They are to come back, be mended and go to the buyer again."""
    RESEND = "resend"
    """They are sent again, whole: the buyer has not got them, or not as they should be."""
    RESEND_PART = "resend_part"
    """Parts of them are sent again: they stay where they are."""
    BACK = "back"
    """They have come back and were accepted."""


class LinePieces(Message):
    """Pieces of one line, and what is asked or paid for them in minor units."""

    line: Identifier
    quantity: Annotated[int, Field(ge=0)]
    amount: Minor = 0
    parts: tuple[Identifier, ...] = ()
    """What of each piece is to be sent again, by the merchant's codes (C1); none for whole pieces."""


class CasePieces(Message):
    """The pieces that a case names, and what happens to them; it stands in the case book for other cases to see."""

    use: PieceUse
    lines: tuple[LinePieces, ...] = ()
