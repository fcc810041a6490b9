"""Why something is asked for: an entry of a profile's catalogue of reasons (G1)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from workflows.messages.message import Code, Input
from workflows.messages.place import Language

AskedWith = Literal["unshipped_refund", "refund_only", "return", "exchange", "merchant_refund", "resend", "repair"]
"""With what a reason can be given: ``unshipped_refund`` includes cancellations (R1, R3)."""

Words = Annotated[str, StringConstraints(pattern=r"^[^@|<>\n\r]{1,60}$")]


LabelText = Annotated[str, StringConstraints(pattern=r"^[^@|<>\n\r]{1,130}$")]
"""A label in one language, or in two: ``不想要了 · no longer wanted``."""


class Label(Input):
    """What people read of a reason."""

    zh: Words
    en: Words
    de: Words | None = None

    def read_in(self, language: Language | None) -> str:
        """What somebody who reads this language is told; both others where it is not given, or nobody knows which."""
        said = {"zh": self.zh, "en": self.en, "de": self.de}.get(language or "")
        return said or f"{self.zh} · {self.en}"


class Reason(Input):
    """One reason, and what follows from it (G1)."""

    code: Code
    label: Label
    asked_with: tuple[AskedWith, ...] = ()
    """Empty for all; for goods that are to be sent again only what is wrong with them, or with their
    way, and for those to be mended only the former (C1, M1)."""
    received: bool | None = None
    """Only for goods that the buyer has received, or has not; None for both."""
    fault: Literal["merchant", "buyer", "carrier", "nobody"]
    """Whose fault it is."""
    evidence: bool = False
    """Whether the request must bring evidence."""
    freight: Literal["buyer", "merchant"]
    """Who bears the freight of goods that have shipped: with ``merchant`` it can be asked back (R4)."""
    return_freight: Literal["buyer", "merchant"]
    """Who bears what sending the goods back costs (T10)."""

    window_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Until when it can be given, instead of the days of the window of its kind (G2)."""

    def goods_are_at_fault(self) -> bool:
        """Whether only who has seen the goods can give it, and the merchant is to blame."""
        return self.received is True and self.fault == "merchant"
