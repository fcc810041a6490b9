"""Addresses as they are shown: down to province, city and district 省市区 (P1)."""

from collections.abc import Mapping
from typing import Final

from workflows.messages.addresses import Region
from workflows.rules.administrative_divisions import division_at_start, division_named
from workflows.rules.typed_text import in_one_width

_STARS: Final = "****"
_PROVINCES: Final[Mapping[str, frozenset[str]]] = {
    "DE": frozenset(
        (
            "Baden-Württemberg",
            "Bayern",
            "Berlin",
            "Brandenburg",
            "Bremen",
            "Hamburg",
            "Hessen",
            "Mecklenburg-Vorpommern",
            "Niedersachsen",
            "Nordrhein-Westfalen",
            "Rheinland-Pfalz",
            "Saarland",
            "Sachsen",
            "Sachsen-Anhalt",
            "Schleswig-Holstein",
            "Thüringen",
        )
    )
}
"""Of countries other than China, by ISO 3166; no list of their cities is kept."""


def masked_address(address: str) -> str:
    """``广东省广州市天河区****``: the divisions with which an address begins, and stars for the rest (P1).

    Nothing but names of the lists of divisions comes through, so no street can: an address that begins with no known
    division comes out as stars alone.
    """
    return _masked(division_at_start(in_one_width(address)))


def masked_region(region: Region, country: str | None = None) -> str:
    """The masked form of an address of which only the region is at hand, in names or in codes (P1).

    Parts that are not in the list of divisions are left out, and what is below them. Of another ``country`` than China
    (ISO 3166) no more than the province is shown, and codes are not: they would be read as China's.
    """
    if country not in {None, "CN"}:
        return _masked((region.province,) if region.province in _PROVINCES.get(country or "", ()) else ())
    parts = (region.province, region.city, region.district)
    return _masked(division_named(part for part in parts if part))


def _masked(division: tuple[str, ...]) -> str:
    return f"{''.join(division)}{_STARS}"
