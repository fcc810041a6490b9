"""Phone numbers: read however they are typed, and shown with stars (P1, P7).

Workflows do not need this module, which loads a library of the world's numbering plans: activities and clients do.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from workflows.rules.typed_text import in_one_width

HOME: Final = "CN"
"""Where a number without a country code is from (ISO 3166), where nobody says otherwise (G6)."""


@dataclass(frozen=True)
class Phone:
    """A phone number as somebody has typed it."""

    country: int
    """Its country's code: 86."""
    national: str
    """Its digits within its country, without what is dialled before them there: 13812345678, 1012345678."""
    shown_from: str
    """The digits that were typed. Without the code of its region; another country's counts as part of it."""
    extension: str | None = None

    @property
    def international(self) -> str:
        """``+8613812345678``, the same for every way to type it; no extension."""
        return f"+{self.country}{self.national}"

    @property
    def dialled(self) -> str:
        """As it is dialled in China: 13812345678, 01012345678; in full where it is another country's."""
        if self.country != _code_of(HOME):
            return self.international
        return self.national if _WITHOUT_TRUNK.fullmatch(self.national) else f"0{self.national}"


def is_region(region: str) -> bool:
    """Whether there are phones of this region (ISO 3166)."""
    return bool(_code_of(region))


def read_phone(text: str, region: str = HOME) -> Phone | None:
    """The phone that a text is; None where it is none (P7). Without a country's code it is one of ``region`` (G6).

    The code of its country may stand before it with +, with 00, or with neither. Spaces, dashes, dots, slashes,
    brackets, width and characters that cannot be seen make no difference. An extension is told apart from the number:
    after 转, ext., # and the like, in brackets with such a word or without, or after a dash or space where the number
    is complete without it.
    A carrier's prefix (17951) is left out where nothing else makes a number of the digits.
    """
    found = _SHAPE.fullmatch(_typed(text))
    if found is None:
        return None
    readings: list[tuple[str, str | None]] = [(found["number"], found["extension"])]
    apart = None if found["extension"] else _EXTENSION_BY_DASH.fullmatch(found["number"])
    if apart is not None:
        readings.append((apart["number"], apart["extension"]))
    # The library takes the first digits for a carrier's prefix wherever the rest could be a number: it would read
    # 17900100001-0000, a virtual number and its extension, as 17900 and a landline of Beijing.
    for through_carrier in (False, True):
        for number, extension in readings:
            if (phone := _complete(number, region, through_carrier=through_carrier)) is not None:
                return _with_extension(phone, extension)
    return None


def in_full(phone: str, region: str = HOME) -> str:
    """A phone with the code of its country, without an extension; as it was typed where it is none (P7)."""
    found = read_phone(phone, region)
    return found.international if found else phone


def masked_phone(phone: str, region: str = HOME) -> str:
    """``1******5678``: the first digit and the last four, with stars between (P1).

    There are always six stars, so that they do not tell what kind of number it is. The code of ``region`` and an
    extension are left out; another country's code counts as part of the number. What is not known as a phone, or too
    short to hide anything, comes out as stars alone.
    """
    plain = in_one_width(phone)
    if _MASKED.fullmatch(plain):
        return plain
    found = read_phone(phone, region)
    if found is None or len(found.shown_from) < _SHORTEST_TO_MASK:
        return _STARS
    return f"{found.shown_from[0]}{_STARS}{found.shown_from[-4:]}"


_STARS: Final = "******"
_SHORTEST_TO_MASK: Final = 9
_MASKED = re.compile(r"[0-9]\*{6}[0-9]{4}")
_DIGIT = re.compile("[0-9]")

_SHAPE = re.compile(
    r"(?P<number>[(]?[ ]*[+]?[0-9(][0-9() ./-]*[0-9])"
    r"(?:[ ]*(?:(?:[,;][ ]*)?(?:[(\[【][ ]*)?"  # (转12), 转(12) and ,转12
    r"(?:转|轉|分机|分機|ext[.]?|durchwahl|dw[.]?|apparat|app[.]?|x|#)(?:[ ]*[(\[【])?"
    r"|,|;|\[|【|[(](?=[0-9]{1,6}[)]))"
    r"[ ]*(?P<extension>[0-9]{1,6})[ ]?[])】#]{0,2})?#?",
    re.IGNORECASE,
)
_EXTENSION_BY_DASH = re.compile(r"(?P<number>.+?)(?:[ ]*-[ ]*|[ ]+)(?P<extension>[0-9]{1,6})")
_MOST_BETWEEN: Final = 3
_TOO_FAR_APART = re.compile(rf"[() ./-]{{{_MOST_BETWEEN + 1}}}")

_OTHER_DASHES: Final = "\u2212\u30fc\u2043"
"""Written as dashes though Unicode counts them as something else: minus, the long sound of Japanese, a bullet."""
_NEIGHBOURS: Final = {86: "CN", 852: "HK", 853: "MO", 886: "TW"}
"""Countries whose codes people write without a plus."""
_WITH_CODE = re.compile("(?:86|85[23]|886)[0-9]{8,}")
_TAIWAN_MOBILE = re.compile("09[0-9]{8}")
_HOME_MOBILE = re.compile("1[3-9][0-9]{9}")
_WITHOUT_TRUNK = re.compile("1[3-9][0-9]{9}|[48]00[0-9]{7}")
# With the code of the place, which has three digits or four; the number itself may have seven where it has four.
_HOME_LANDLINE = re.compile("(?:10|2[0-9])[0-9]{8}|[3-9][0-9]{2}[0-9]{7,8}")
_NEAR: Final = {852: re.compile("[0-9]{8}"), 853: re.compile("[0-9]{8}"), 886: re.compile("[0-9]{8,10}")}


def _typed(text: str) -> str:
    plain = in_one_width(text).removeprefix("tel:").removeprefix("TEL:")
    return "".join(_separator(each) for each in plain)


def _separator(character: str) -> str:
    match unicodedata.category(character):
        case "Pd":
            return "-"
        case "Zs" | "Cc":
            return " "
        case _:
            return "-" if character in _OTHER_DASHES else "." if character in "·•‧・" else character


def _complete(typed: str, region: str, *, through_carrier: bool) -> Phone | None:
    """The phone whose digits are all of these; the first of them may choose a carrier (17951) only if told so."""
    if _TOO_FAR_APART.search(typed):
        return None
    digits = "".join(_DIGIT.findall(typed))
    is_international = "+" in typed or digits.startswith("00")
    digits = digits.removeprefix("00") if digits.startswith("00") else digits
    home = _code_of(region)
    readings = [(f"+{digits}", "")] if is_international else [(digits, region)]
    if region != HOME and not is_international and _trunk_of(region) and digits.startswith(str(home)):
        # The code without a plus: what is dialled within such a country begins with its 0.
        readings.insert(0, (f"+{digits}", ""))
    if region == HOME and not is_international and _WITH_CODE.fullmatch(digits):
        readings.append((f"+{digits}", ""))
    if region == HOME and _TAIWAN_MOBILE.fullmatch(digits):
        readings.append((digits, "TW"))
    for reading, of in readings:
        try:
            number = phonenumbers.parse(reading, of or None, keep_raw_input=True)
        except NumberParseException:
            continue
        national = phonenumbers.national_significant_number(number)
        code = number.country_code or 0
        if not through_carrier and _chooses_carrier(number, region, digits.removesuffix(national)):
            continue
        if _is_one(number, code, national, is_place_named=bool(reading.startswith(("+", "0")))):
            without_code = code == home and len(digits) > len(national) and digits.startswith(str(code))
            return Phone(code, national, digits.removeprefix(str(code)) if without_code else digits)
    return None


def _chooses_carrier(number: PhoneNumber, region: str, before: str) -> bool:
    """Whether the digits before the number are a carrier's; the library forgets that after a code without a plus."""
    if number.country_code == _code_of(region):
        return before.removeprefix(str(number.country_code)) not in {"", _trunk_of(region)}
    return bool(number.preferred_domestic_carrier_code)


def _is_one(number: PhoneNumber, code: int, national: str, *, is_place_named: bool) -> bool:
    """Whether there are such numbers; plans change, so that those around us are not taken too narrowly."""
    if phonenumbers.is_valid_number(number):
        return True
    if code == _code_of(HOME):
        is_landline = is_place_named and _HOME_LANDLINE.fullmatch(national)
        return bool(_HOME_MOBILE.fullmatch(national) or is_landline)
    if code in _NEAR:
        return bool(_NEAR[code].fullmatch(national))
    return is_place_named and phonenumbers.is_possible_number(number) and len(f"{code}{national}") > _SHORTEST_TO_MASK


def _trunk_of(region: str) -> str | None:
    """What is dialled before a number within its country: 0. None where there is no such thing."""
    return phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True)


def _code_of(region: str) -> int:
    return phonenumbers.country_code_for_region(region)


def _with_extension(phone: Phone, extension: str | None) -> Phone:
    return Phone(phone.country, phone.national, phone.shown_from, extension)
