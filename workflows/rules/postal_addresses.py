"""Addresses as they are shown: down to province, city and district 省市区 (P1)."""

from typing import Final

from workflows.messages.addresses import Region
from workflows.rules.administrative_divisions import division_at_start, division_named
from workflows.rules.typed_text import in_one_width

_STARS: Final = "****"


def masked_address(address: str) -> str:
    """``广东省广州市天河区****``: the divisions with which an address begins, and stars for the rest (P1).

    Nothing but names of the lists of divisions comes through, so no street can: an address that begins with no known
    division comes out as stars alone.
    """
    return _masked(division_at_start(in_one_width(address)))


def masked_region(region: Region) -> str:
    """The masked form of an address of which only the region is at hand, in names or in codes (P1).

    Parts that are not in the list of divisions are left out, and what is below them.
    """
    parts = (region.province, region.city, region.district)
    return _masked(division_named(part for part in parts if part))


def _masked(division: tuple[str, ...]) -> str:
    return f"{''.join(division)}{_STARS}"
