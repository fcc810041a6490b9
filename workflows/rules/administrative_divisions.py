"""The administrative divisions of China: provinces, cities, districts 省市区.

``divisions.txt`` lists those of today, ``former_divisions.txt`` those that addresses have though they were abolished.
Both are read when they are first asked for. A division is told by its path: the names in full from the province down.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from workflows.rules.chinese_scripts import in_simplified


def division_at_start(text: str) -> tuple[str, ...]:
    """The names of the division with which an address begins, from the province down; empty where it begins with none.

    Only names of the lists count, and a short form (广州 for 广州市) only where a part of that division follows in
    full: a street can be called 广州路, and an estate 朝阳小区. Levels may be left out (浙江义乌市), or be said twice
    (北京市北京市朝阳区). Where a name can mean two divisions, what stands beside it tells which, or it does not count.
    A word before it that says what follows (收货地址：), and the country's name, are passed over.

    The names are as in the list. They are as the address writes them where it writes them in traditional characters
    (臺北市大安區), and where it calls a province's part by its short form and goes on with a town (广东东莞长安镇).
    """
    simplified = in_simplified(text[:_LONGEST_REGION])
    start = _BEFORE.match(simplified)
    found = _read(simplified, start.end() if start else 0, _country())
    if not found:
        return ()
    typed = tuple(text[name.start : name.end] for name in found)
    written = tuple(simplified[name.start : name.end] for name in found)
    return found[-1].place.path if typed == written and found[-1].in_full else typed


def division_named(parts: Iterable[str]) -> tuple[str, ...]:
    """The same for a division that is told part by part, by names, short forms or codes (``440106``).

    It ends before the first part that is not known there.
    """
    place = _country()
    written: list[str] = []
    for part in parts:
        found = place.part_by_code(part) if part.isdigit() else place.part_by_name(in_simplified(part))
        if found is None:
            break
        place = found
        written.append(part)
    return tuple(written) if any(part != in_simplified(part) for part in written) else place.path


_LONGEST_REGION: Final = 100
_LONGEST_NAME: Final = 20
_PLACEHOLDERS: Final = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划")
_PLACEHOLDER_CODES: Final = ("0100", "0200", "9000")
"""What lists have in place of a city where there is none."""

_BEFORE = re.compile(
    r"(?:(?:收货|收件|寄件|发货|退货|寄送|配送|送货|详细|所在|家庭|公司)?(?:地址|地区|住址)|address)?[\s:,]*"
    "(?:中华人民共和国|中国)?",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s,、/|·\-]*")
_STANDS_ALONE = re.compile(".*(?:[市州盟县旗]|地区)")
"""Names that need no province. An estate is often called 区 as well, and there are many villages of one name."""
_IS_A_ROAD = re.compile("[东南西北中]?(?:路|街(?!道)|大道)")
"""What follows where a county's name that stands alone is a road's: 沙县路."""
_DISTRICT: Final = 2
_HAS_A_SHORT_FORM = re.compile("..+[区县市旗]")
"""昆山 for 昆山市."""
_GOES_ON_WITH_A_TOWN = re.compile(r"[\s,]*[^\W\d_路街道巷弄号楼栋]{1,6}?(?:镇|乡|街道|苏木)|\*+$")
"""What follows where a short form is no street's name; or stars, where the address was masked before."""


@dataclass(eq=False)
class _Place:
    """One division, or the whole country."""

    path: tuple[str, ...]
    is_former: bool = False
    named: dict[str, dict["_Place", bool]] = field(default_factory=dict[str, dict["_Place", bool]])
    """Its parts, at whatever depth, by each of their names; True where that is a name in full."""
    coded: dict[str, "_Place"] = field(default_factory=dict[str, "_Place"])

    def parts(self, name: str) -> dict["_Place", bool]:
        """The parts of this name, and whether it is theirs in full; former ones where no part of today has it."""
        found = self.named.get(name, {})
        return {place: in_full for place, in_full in found.items() if not place.is_former} or found

    def part_by_name(self, name: str) -> "_Place | None":
        """The nearest part of this name; None where there is none, or more than one."""
        found = self.parts(name)
        nearest = min((len(each.path) for each in found), default=0)
        places = [each for each in found if len(each.path) == nearest]
        return places[0] if len(places) == 1 else None

    def part_by_code(self, code: str) -> "_Place | None":
        """The part of this code, from which zeros at the end may be missing."""
        return self.coded.get(code.ljust(6, "0"))


@dataclass(frozen=True)
class _Name:
    """A division's name as a text has it."""

    place: _Place
    start: int
    end: int
    in_full: bool


@cache
def _country() -> _Place:
    country = _Place(())
    provinces: list[tuple[_Place, str, dict[str, bool]]] = []
    above = [country]
    for line in _lines("divisions.txt"):
        code, *words = line.split()
        names = {word.removeprefix("~"): not word.startswith("~") for word in words}
        depth = (len(line) - len(line.lstrip())) // 2
        if depth == _DISTRICT and _HAS_A_SHORT_FORM.fullmatch(words[0]):
            names.setdefault(words[0][:-1], False)
        del above[depth + 1 :]
        place = _Place((*above[-1].path, words[0]))
        if depth == 0:
            provinces.append((place, code, names))
        _enter(place, code, names, above)
        above.append(place)
    for line in _lines("former_divisions.txt"):
        _enter_former(country, *line.split())
    for province, code, names in provinces:
        # A city of the same name, such as 吉林, comes first.
        for name, in_full in (*names.items(), *((each, False) for each in _PLACEHOLDERS)):
            province.named.setdefault(name, {province: in_full})
        for rest in _PLACEHOLDER_CODES:
            province.coded.setdefault(f"{code[:2]}{rest}", province)
    return country


def _lines(file: str) -> Iterator[str]:
    text = resources.files("workflows.rules").joinpath(file).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))


def _enter(place: _Place, code: str, names: dict[str, bool], above: Iterable[_Place]) -> None:
    """Let a place be found in each of those that it is a part of, the whole country first."""
    for whole in above:
        if code != "-":
            whole.coded.setdefault(code, place)
        if whole.path or len(place.path) == 1 or _STANDS_ALONE.fullmatch(place.path[-1]):
            for name, in_full in names.items():
                whole.named.setdefault(name, {})[place] = in_full


def _enter_former(country: _Place, code: str, *path: str) -> None:
    above = [country]
    for depth, name in enumerate(path[:-1], start=1):
        above.append(next(each for each in above[-1].named[name] if each.path == path[:depth]))
    _enter(_Place(path, is_former=True), code, {path[-1]: True}, above)


def _read(text: str, at: int, whole: _Place) -> tuple[_Name, ...]:
    """The names by which the text goes from ``whole`` down to one of its parts, as deep as it does; empty for none."""
    separators = _SEPARATORS.match(text, at)
    start = separators.end() if separators else at
    for end in range(min(len(text), start + _LONGEST_NAME), start, -1):
        name = text[start:end]
        # 吉林市场 is a market.
        if name.endswith("市") and text.startswith("场", end):
            continue
        is_of_a_road = not whole.path and _IS_A_ROAD.match(text, end)
        found: dict[tuple[str, ...], tuple[_Name, ...]] = {}
        for place, in_full in whole.parts(name).items():
            if is_of_a_road and len(place.path) > _DISTRICT:
                continue
            below = _read(text, end, place)
            if below or in_full or (whole.path and place is not whole and _GOES_ON_WITH_A_TOWN.match(text, end)):
                names = (_Name(place, start, end, in_full), *below)
                found[names[-1].place.path] = names
        if len(found) == 1:
            return found.popitem()[1]
    return ()
