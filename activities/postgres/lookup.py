"""Keyed hashes by which a person is found though nothing of it is kept in clear (A4, P6, section 12)."""

import hashlib
import hmac
import re
import unicodedata
from typing import Final

_DOTS: Final = str.maketrans(dict.fromkeys("•‧・･∙⋅.", "·"))
_SEPARATORS: Final = re.compile(r"[\s()\-.·]+")
_OUR_COUNTRY: Final = re.compile(r"^(?:\+|00)86")


def account_lookup(key: bytes, name: str) -> str:
    """The keyed hash (HMAC-SHA256, hexadecimal) under which an account name is stored and searched.

    Width, case and white space make no difference: people copy names from where they see them.

    Raises:
        ValueError: nothing is left of the name; all such names would be one.
    """
    return _hash(key, _folded(name), "an account name")


def name_lookup(key: bytes, name: str) -> str:
    """The same for a person's name; whichever dot stands between its parts makes no difference either.

    Raises:
        ValueError: nothing is left of the name.
    """
    return _hash(key, _folded(name).translate(_DOTS), "a name")


def phone_lookup(key: bytes, phone: str) -> str:
    """The same for a phone number; separators and the country code of the mainland make no difference.

    Raises:
        ValueError: nothing is left of the number.
    """
    return _hash(key, _OUR_COUNTRY.sub("", _SEPARATORS.sub("", _folded(phone))), "a phone number")


def _folded(text: str) -> str:
    # Folding case can undo the normal form, so that it is taken again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(folded.split())


def _hash(key: bytes, plain: str, what: str) -> str:
    if not plain:
        raise ValueError(f"{what} must not be blank")
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()
