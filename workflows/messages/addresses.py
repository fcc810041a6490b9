"""The merchant's address book, and what can be told with a return address in fixed words (T2)."""

from typing import Annotated, Final

from pydantic import StringConstraints

from workflows.messages.message import Identifier, Input, Message, Reference
from workflows.messages.words import Word

# Written as ECMAScript knows it too: patterns go into the published schemas.
_LETTER: Final = r"\p{Script=Han}\p{Script=Latin}"

RegionPart = Annotated[
    str, StringConstraints(pattern=rf"^(?:[0-9]{{2,9}}|[{_LETTER}](?:[{_LETTER}·.'()/ -]{{0,30}}[{_LETTER})])?)$")
]
"""A name, such as ``广东省`` or ``Bayern``, or a code of China's list (``440106``); too short for a phone (P6)."""


class Region(Input):
    """省市区: down to the district, and not more; a person cannot be found by it (P1)."""

    province: RegionPart
    city: RegionPart
    district: RegionPart | None = None
    """None where a city has no districts."""


class SaveAddress(Input):
    """A merchant adds an address to its address book, or changes it (T2)."""

    merchant_id: Identifier
    address_id: Identifier
    region: Region
    details: Reference
    """Where contact, phone and street are kept."""
    is_default: bool = False
    """Taken when nobody picks one; False leaves the default as it is."""


class ReturnAddress(Message):
    """One version of an address; ``address_id`` and ``version`` together never change their meaning (T2)."""

    merchant_id: Identifier
    address_id: Identifier
    region: Region
    details: Reference
    """Where contact, phone and street are kept."""
    is_default: bool
    """Whether the address is the merchant's default now, whichever version this is."""
    version: int
    """Counts from 1."""
    removed: bool = False
    """It is in the address book no longer; cases that were given it go on with it."""


class ReturnClause(Word):
    """What a merchant may tell the buyer with one tick: it does not take in parcels sent this way (T2)."""

    NO_FREIGHT_COLLECT = "no_freight_collect"
    NO_EMS = "no_ems"
    NO_SF_EXPRESS = "no_sf_express"
    NO_POSTAL_PARCEL = "no_postal_parcel"
