"""The administrative divisions of China, as ``divisions.txt`` lists them: provinces, cities, districts 省市区.

The list is read when it is first asked for. A division is told by its path: the names in full from the province down.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final


def division_at_start(text: str) -> tuple[str, ...]:
    """The path of the division with which an address begins; empty where it begins with none.

    Only names of the list count, and a short form (广州 for 广州市) only where a part of that division follows in
    full: a street can be called 广州路, and an estate 朝阳小区. Levels may be left out (浙江义乌市), or be said twice
    (北京市北京市朝阳区). Where a name can mean two divisions, what stands beside it tells which, or it does not count.
    """
    start = _COUNTRY_NAME.match(text)
    return _read(text[:_LONGEST_REGION], start.end() if start else 0, _country())


def division_named(parts: Iterable[str]) -> tuple[str, ...]:
    """The path of the division that is told part by part, by names, short forms or codes (``440106``).

    It ends before the first part that is not known there.
    """
    place = _country()
    for part in parts:
        found = place.part_by_code(part) if part.isdigit() else place.part_by_name(part)
        if found is None:
            break
        place = found
    return place.path


_LONGEST_REGION: Final = 100
_LONGEST_NAME: Final = 20
_PLACEHOLDERS: Final = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划")
"""What lists have in place of a city where there is none."""

_COUNTRY_NAME = re.compile("中华人民共和国|中国")
_SEPARATORS = re.compile(r"[\s,、/|·\-]*")
_STANDS_ALONE = re.compile(".*(?:[市州盟县旗]|地区)")
"""Names that need no province. An estate is often called 区 as well, and there are many villages of one name."""


@dataclass(eq=False)
class _Place:
    """One division, or the whole country."""

    path: tuple[str, ...]
    named: dict[str, dict["_Place", bool]] = field(default_factory=dict[str, dict["_Place", bool]])
    """Its parts, at whatever depth, by each of their names; True where that is a name in full."""
    coded: dict[str, "_Place"] = field(default_factory=dict[str, "_Place"])

    def part_by_name(self, name: str) -> "_Place | None":
        """The nearest part of this name; None where there is none, or more than one."""
        found = self.named.get(name, {})
        nearest = min((len(each.path) for each in found), default=0)
        places = [each for each in found if len(each.path) == nearest]
        return places[0] if len(places) == 1 else None

    def part_by_code(self, code: str) -> "_Place | None":
        """The part of this code, from which zeros at the end may be missing."""
        return self.coded.get(code.ljust(6, "0"))


@cache
def _country() -> _Place:
    country = _Place(())
    provinces: list[tuple[_Place, dict[str, bool]]] = []
    above = [country]
    file = resources.files("workflows.rules").joinpath("divisions.txt")
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        code, *words = line.split()
        names = {word.removeprefix("~"): not word.startswith("~") for word in words}
        depth = (len(line) - len(line.lstrip())) // 2
        del above[depth + 1 :]
        place = _Place((*above[-1].path, words[0]))
        if depth == 0:
            provinces.append((place, names))
        for whole in above:
            if code != "-":
                whole.coded[code] = place
            if whole is not country or depth == 0 or _STANDS_ALONE.fullmatch(words[0]):
                for name, in_full in names.items():
                    whole.named.setdefault(name, {})[place] = in_full
        above.append(place)
    for province, names in provinces:
        # A city of the same name, such as 吉林, comes first.
        for name, in_full in (*names.items(), *((each, False) for each in _PLACEHOLDERS)):
            province.named.setdefault(name, {province: in_full})
    return country


def _read(text: str, at: int, whole: _Place) -> tuple[str, ...]:
    """The path of the part of ``whole`` that the text names at a position, as deep as it goes; empty for none."""
    separators = _SEPARATORS.match(text, at)
    start = separators.end() if separators else at
    for end in range(min(len(text), start + _LONGEST_NAME), start, -1):
        name = text[start:end]
        # 吉林市场 is a market.
        if name.endswith("市") and text.startswith("场", end):
            continue
        paths: set[tuple[str, ...]] = set()
        for place, in_full in whole.named.get(name, {}).items():
            below = _read(text, end, place)
            if below or in_full:
                paths.add(below or place.path)
        if len(paths) == 1:
            return paths.pop()
    return ()
