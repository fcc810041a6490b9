"""Keyed hashes by which a person is found though nothing of it is kept in clear (A4, P6, P7, section 12)."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from workflows.messages.persons import Recipient
from workflows.rules.chinese_scripts import in_simplified
from workflows.rules.phone_numbers import HOME, in_full, read_phone

Kind: TypeAlias = Literal["account", "name", "phone"]

_DOTS: Final = str.maketrans(dict.fromkeys("•‧・･∙⋅.", "·") | {"’": "'", "‘": "'"})
_HOME_CODE: Final = re.compile(r"^(?:\+|00)86")
_BETWEEN_DIGITS: Final = str.maketrans(dict.fromkeys("()-.·/"))


@dataclass(frozen=True)
class LookupKey:
    """The secret of the hashes, and the environment that they are for: one secret gives others in another one."""

    secret: bytes = field(repr=False)
    environment: str = ""


def account_lookup(key: LookupKey | bytes, name: str) -> str:
    """The keyed hash (HMAC-SHA256, hexadecimal) under which an account name is stored and searched.

    Width, case, white space and characters that cannot be seen make no difference: people copy names from where they
    see them (P7). The same text as another kind has another hash.

    Raises:
        ValueError: nothing is left of the name; all such names would be one.
    """
    return _hash(key, "account", _folded(name), "an account name")


def name_lookup(key: LookupKey | bytes, name: str) -> str:
    """The same for a person's name; nor does it matter in which script it is, or which dot stands between its parts.

    Raises:
        ValueError: nothing is left of the name.
    """
    return _hash(key, "name", in_simplified(_folded(name)).translate(_DOTS), "a name")


def phone_lookup(key: LookupKey | bytes, phone: str) -> str:
    """The same for a phone number, however it is typed: see `read_phone`. Its extension makes no difference (P7).

    Without a country code it is one of China: `in_full` adds another country's first.

    Raises:
        ValueError: nothing is left of the number.
    """
    found = read_phone(phone)
    plain = found.international if found else _HOME_CODE.sub("", _folded(phone).translate(_BETWEEN_DIGITS))
    return _hash(key, "phone", plain, "a phone number")


LOOKUPS: Final[Mapping[Kind, Callable[[LookupKey | bytes, str], str]]] = MappingProxyType(
    {"account": account_lookup, "name": name_lookup, "phone": phone_lookup}
)
"""The hash of each kind of text that a customer is found by."""


def is_blank(text: str) -> bool:
    """Whether nothing is left of a text once what makes no difference is taken away: no one can be found by it."""
    return not _folded(text)


def of_kind(key: LookupKey | bytes, kind: Kind, plain_hash: str) -> str:
    """The hash of a kind, from the keyed hash of the normalised text alone.

    In two steps, so that what was stored without its kind can be made anew though the text itself is kept nowhere.
    """
    whole = key if isinstance(key, LookupKey) else LookupKey(key)
    domain = f"aftersales lookup\0{whole.environment}\0{kind}\0{plain_hash}"
    return hmac.new(whole.secret, domain.encode(), hashlib.sha256).hexdigest()


def phone_of(recipient: Recipient) -> str:
    """The recipient's phone, with the code of its country where it is known to be a phone (P7)."""
    return in_full(recipient.phone.get_secret_value(), recipient.country or HOME)


def _folded(text: str) -> str:
    # Folding case can undo the normal form, so that it is taken again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = (each for each in folded if unicodedata.category(each) != "Cf" and not each.isspace())
    return "".join("-" if unicodedata.category(each) == "Pd" else each for each in plain)


def _hash(key: LookupKey | bytes, kind: Kind, plain: str, what: str) -> str:
    if not plain:
        raise ValueError(f"{what} must not be blank")
    secret = key.secret if isinstance(key, LookupKey) else key
    return of_kind(key, kind, hmac.new(secret, plain.encode(), hashlib.sha256).hexdigest())
