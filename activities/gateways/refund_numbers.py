"""Our refund numbers as providers take them: letters, digits and ``_`` only, one number for each attempt."""

import re
from typing import Final

_FIRST: Final = 1
_OF_OURS: Final = re.compile(r"(RF[0-9a-f]{20})_([0-9]{1,4})_([0-9]{1,4})(?:_([0-9]{1,4}))?")
_OF_OTHERS: Final = re.compile(r"^[^A-Za-z0-9]|[^A-Za-z0-9_.:-]")
"""What other systems' numbers on the same account may hold, and an identifier of ours may not."""


def provider_number(refund_no: str, attempt: int) -> str:
    """The number under which an attempt at a refund is sent: ``RF..-1-1`` is ``RF.._1_1``, and then ``RF.._1_1_2``."""
    plain = refund_no.replace("-", "_")
    return plain if attempt == _FIRST else f"{plain}_{attempt}"


def readable(number: str) -> str:
    """Another system's number on the same account, as an identifier: its line is no fault of the statement."""
    return _OF_OTHERS.sub("X", number)[:64] or "X"


def read_number(number: str) -> tuple[str, int] | None:
    """Our refund number and the attempt behind a provider's number; None where it is none of ours."""
    found = _OF_OURS.fullmatch(number)
    if found is None:
        return None
    stem, payout, leg, attempt = found.groups()
    return f"{stem}-{payout}-{leg}", int(attempt or _FIRST)
