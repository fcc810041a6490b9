"""Phone numbers as they are shown (P1)."""

import re
from typing import Final

from workflows.rules.typed_text import in_one_width


def masked_phone(phone: str) -> str:
    """``1******5678``: the first digit and the last four, with stars between (P1).

    There are always six stars, so that they do not tell what kind of number it is. +86 and an extension are left
    out; another country's code counts as part of the number. What is not known as a phone, or too short to hide
    anything, comes out as stars alone.
    """
    phone = in_one_width(phone)
    if _MASKED.fullmatch(phone):
        return phone
    found = _PHONE.fullmatch(phone)
    if not found:
        return _STARS
    digits = re.sub("[^0-9]", "", found["home"] or found["near"] or found["far"])
    return f"{digits[0]}{_STARS}{digits[-4:]}"


_STARS: Final = "******"
_MASKED = re.compile(r"[0-9]\*{6}[0-9]{4}")

_BETWEEN = r"[ ().\-\u2010-\u2015\u2212/]{0,3}"
_DASH = r"[ \-\u2010-\u2015\u2212]{1,3}"


def _digits(first: str, more: str) -> str:
    """A pattern of digits, however they are grouped: how it begins, and how many follow."""
    return rf"{first}(?:{_BETWEEN}[0-9]){{{more}}}"


_MOBILE = _digits("1[3-9]", "9")
# With the code of the place, which has three digits or four; the number itself may have seven where it has four.
_LANDLINE = rf"\(?(?:{_digits('(?:010|02[0-9])', '8')}|{_digits('0[3-9][0-9]{2}', '7,8')})"
_SERVICE = _digits("[48]00", "7")
_CHINA = rf"(?:(?:\+|00)?86{_BETWEEN})?"
_HONG_KONG_MACAO_TAIWAN = rf"{_digits('85[23]', '8')}|{_digits('886', '8,10')}"
_ABROAD = _digits("[1-9]", "9,14")

# A dash or a space leads to an extension where the number is complete without it: its digits are counted.
_EXTENSION = rf"(?: *(?:转|轉|分机|分機|ext\.?|x|#|,|;) *[0-9]{{1,6}}|{_DASH}[0-9]{{1,6}})?#?"

_PHONE = re.compile(
    rf"(?:{_CHINA}(?P<home>{_MOBILE}|{_LANDLINE}|{_SERVICE})"
    rf"|(?:\+|00)?(?P<near>{_HONG_KONG_MACAO_TAIWAN})|(?:\+|00)(?P<far>{_ABROAD}))"
    rf"{_EXTENSION}",
    re.IGNORECASE,
)
