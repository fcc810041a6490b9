"""Our refund numbers as providers take them: letters, digits and ``_`` only, one number for each attempt."""

import re
from typing import Final

_FIRST: Final = 1
_OF_OURS: Final = re.compile(r"^(RF[0-9a-f]{20})_(\d{1,4})_(\d{1,4})(?:_(\d{1,4}))?$")


def provider_number(refund_no: str, attempt: int) -> str:
    """The number under which an attempt at a refund is sent: ``RF..-1-1`` is ``RF.._1_1``, and then ``RF.._1_1_2``."""
    plain = refund_no.replace("-", "_")
    return plain if attempt == _FIRST else f"{plain}_{attempt}"


def read_number(number: str) -> tuple[str, int] | None:
    """Our refund number and the attempt behind a provider's number; None where it is none of ours."""
    found = _OF_OURS.match(number)
    if found is None:
        return None
    stem, payout, leg, attempt = found.groups()
    return f"{stem}-{payout}-{leg}", int(attempt or _FIRST)
