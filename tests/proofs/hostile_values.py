"""What nobody should send: documents that fit, changed as a careless or an evil sender changes them.

``Sender.text`` gives bytes, mostly of JSON, that may hold anything. ``Sender.odd`` gives a document that can still be
read, mostly, and says what is odd: amounts and moments at the edges, other people's ids, other roles, keys of before.
"""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel, ValidationError

from tests.contract.samples import document
from workflows.messages.actors import Role

MARK: Final = "王小明"
"""Stands in much of what is sent, and must stand in nothing that is answered (P6)."""

Document: TypeAlias = dict[str, Any]


class Raw(str):
    """A piece of JSON, or of what is none, as it stands."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object whose names may stand more than once."""


NUMBERS: Final[tuple[Any, ...]] = (
    *(0, 1, -1, 2, 200, 201, 10_000, 10**15, 10**15 + 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**70, -(2**70)),
    *(0.5, 1.0, 5900.0, -0.0, 1e15, True, False),
    *map(Raw, ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "1E2", "01", "0x10", "1" * 5_000)),
)
TEXTS: Final[tuple[Any, ...]] = (
    *("", " ", MARK, "a" * 64, "a" * 65, "a" * 10_000, "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\u202eevil"),
    *("😀" * 20, "a\nb", "../../etc/passwd", "' OR 1=1 --", "{{7*7}}", "%s%n", "replace-me", "null", "0" * 64),
    *("Ａ１", "\ufeff", "1" * 300, "vault:" + "a" * 400, "refund/" + "a" * 200, "refund/../..", "a:" * 32),
    *map(Raw, ('"\\ud800"', '"\\u0000"', '"\\x41"', '"', "'a'")),
)
MOMENTS: Final[tuple[Any, ...]] = (
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z"),
    *("2000-01-01T00:00:00+23:59", "2100-01-01T00:00:00Z", "2100-01-01T00:00:00-23:59", "2999-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "+10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *("2026-03-02T02:00:00", "2026-03-02", "2026-03-02T02:00:00+99:99", "2026-12-31T23:59:60Z", "now"),
    *(0, -62_135_596_800, 253_402_300_800, 1e18, 2**70, "1772416800"),
)
SHAPES: Final[tuple[Any, ...]] = (
    *(None, [], {}, [[]], {"": 1}, [None, None], [MARK], {MARK: MARK}, ["a"] * 201, ["a"] * 5_000),
    *(Raw("[" * depth + "]" * depth) for depth in (50, 300, 20_000)),
    *(Raw('{"a":' * depth + "1" + "}" * depth) for depth in (50, 300, 20_000)),
)
_ANY: Final = (*NUMBERS, *TEXTS, *MOMENTS, *SHAPES)
_NAMES: Final = ("", "a", "a" * 70, MARK, "\x00", "__proto__", "__class__", "key", "keys", "request", "order_no", "by")

_EDGES: Final = (
    "2000-01-01T00:00:00Z",
    "2100-01-01T00:00:00Z",
    "2099-12-31T23:59:59+14:00",
    "2000-01-01T12:00:00-11:30",
)
_NEAR: Final = ("2026-03-02T02:00:00Z", "2026-03-02T10:00:00+08:00", "2026-03-01T00:00:00Z", "2026-03-09T02:00:00Z")
_AMOUNTS: Final = (0, 1, 2, 50, 99, 100, 101, 9_000, 29_999, 30_000, 30_001, 31_000, 10**15, 1_000_000)
_IDS: Final = ("M-1", "M-2", "B-1", "B-2", "O-1", "O-2", "A-1", "f-1", "k-1", "k-2", "1", "2", "sf", "T0", "T1", "T2")
_CASES: Final = ("refund/O-1/k-1", "return/O-1/k-1", "dispute/O-1/k-2", "refund/O-2/k-1")
_WORDS: Final = (
    "other",
    "quality_fault",
    "no_longer_wanted",
    "looked_at",
    "vault:account/1",
    "ticket:1",
    "statement:1",
)


@cache
def examples(kind: type[BaseModel]) -> tuple[Document, ...]:
    """Messages of this kind: with what must be there, with all that may be, and those that fit, as far as found."""
    made = document(kind, everything=False), document(kind, everything=True)
    return (*made, *(fits for each in made if (fits := _fitting(kind, each)) is not None))


def _fitting(kind: type[BaseModel], example: Document) -> Document | None:
    """Rules want fields that fit each other: another actor, or a field less."""
    for without in (None, *example):
        left = {name: value for name, value in example.items() if name != without}
        actors: list[Any] = [{"by": {"role": role, "id": "a1"}} for role in Role] if "by" in left else [{}]
        for by in actors:
            with suppress(ValidationError):
                kind.model_validate_json(json.dumps(left | by))
                return left | by
    return None


class Sender:
    """Whoever sends such things; the same dice send the same."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def text(self, example: Document, others: Sequence[Document] = ()) -> bytes:
        """Something like ``example``, as it goes over the wire; with fields of ``others`` perhaps."""
        dice = self._dice
        changed: Any = copy.deepcopy(example)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            changed = self._spoilt(changed, others)
        return self._cut(_written(changed, escaped=dice.random() < 0.7))

    def odd(self, example: Document) -> Document:
        """Something like ``example`` that fits its types, mostly."""
        changed = copy.deepcopy(example)
        for _ in range(self._dice.choice((0, 1, 1, 2, 3))):
            if places := [each for each in _places(changed) if each[1] not in ("request", "kind")]:
                self._bent(*self._dice.choice(places))
        return changed

    def _spoilt(self, value: Any, others: Sequence[Document]) -> Any:
        dice = self._dice
        places = list(_places(value))
        if not places or dice.random() < 0.02:
            return self._one_of(_ANY)
        holder, name = dice.choice(places)
        match dice.randrange(8):
            case 0 | 1 | 2:
                holder[name] = self._of_a_kind(holder[name])
            case 3:
                holder[name] = self._one_of(_ANY)
            case 4:
                del holder[name]
            case 5:
                holder[name] = dice.choice(([holder[name]], {"value": holder[name]}, str(holder[name]), None))
            case 6 if isinstance(holder[name], list):
                holder[name] = holder[name] * dice.choice((2, 201, 1_000))
            case _:
                return self._with_another(value, others)
        return value

    def _one_of(self, values: Sequence[Any]) -> Any:
        return copy.deepcopy(self._dice.choice(values))  # it may be changed in its turn

    def _of_a_kind(self, value: Any) -> Any:
        match value:
            case bool() | int() | float():
                return self._one_of(NUMBERS)
            case str() if _is_moment(value):
                return self._one_of(MOMENTS)
            case str():
                return self._one_of(TEXTS)
            case _:
                return self._one_of(SHAPES)

    def _with_another(self, value: Any, others: Sequence[Document]) -> Any:
        """A field that does not belong there, or one that stands there twice."""
        dice = self._dice
        if not isinstance(value, dict) or not value:
            return [value]
        whole = cast("Document", value)
        strange = dice.choice(others) if others else whole
        name = dice.choice((*_NAMES, *strange))
        added = copy.deepcopy(strange.get(name, self._one_of(_ANY)))
        if dice.random() < 0.5:
            return Pairs([*whole.items(), (name, added)])
        whole[name] = added
        return whole

    def _cut(self, text: bytes) -> bytes:
        dice = self._dice
        match dice.randrange(60):
            case 0:
                return text[: dice.randrange(len(text) + 1)]
            case 1:
                return b"\xef\xbb\xbf" + text
            case 2:
                return text + dice.choice((b"x", b"{}", b"\x00", b",", text))
            case 3:
                at = dice.randrange(len(text) + 1)
                return text[:at] + bytes([dice.randrange(256)]) + text[at:]
            case 4:
                return text.decode("utf-8", "replace").encode(dice.choice(("utf-16", "utf-32", "utf-8")))
            case _:
                return text

    def _bent(self, holder: Any, name: Any) -> None:
        dice, value = self._dice, holder[name]
        match value:
            case bool():
                holder[name] = not value
            case int():
                holder[name] = dice.choice((*_AMOUNTS, value + 1, max(value - 1, 0)))
            case str() if _is_moment(value):
                holder[name] = dice.choice((*_EDGES, *_NEAR, *_NEAR))
            case str() if value in [*Role]:
                holder[name] = dice.choice([*Role])
            case str() if "/" in value:
                holder[name] = dice.choice((*_CASES, *_WORDS))
            case str():
                holder[name] = dice.choice((*_IDS, *_IDS, *_WORDS))
            case list():
                many = cast("list[Any]", value)
                holder[name] = dice.choice(([], many[:1], [*many, *copy.deepcopy(many)]))
            case _ if isinstance(holder, dict) and dice.random() < 0.3:
                del holder[name]
            case _:
                pass


def _is_moment(text: str) -> bool:
    return text[4:5] == "-" and text[10:11] == "T"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Wherever something stands: what holds it, and under which name or number."""
    match value:
        case Pairs():
            for _, each in value:
                yield from _places(each)
        case dict():
            for name, each in list(cast("Document", value).items()):
                yield cast("Document", value), name
                yield from _places(each)
        case list():
            for number, each in enumerate(cast("list[Any]", value)[:20]):
                yield cast("list[Any]", value), number
                yield from _places(each)
        case _:
            return


def _written(value: Any, *, escaped: bool) -> bytes:
    return _text(value, escaped).encode("utf-8", "surrogatepass")


def _text(value: Any, escaped: bool) -> str:
    match value:
        case Raw():
            return value
        case Pairs():
            named = ((name, each) for name, each in value)
        case dict():
            named = cast("Document", value).items()
        case list():
            return "[" + ",".join(_text(each, escaped) for each in cast("list[Any]", value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=escaped)
    return (
        "{" + ",".join(f"{json.dumps(name, ensure_ascii=escaped)}:{_text(each, escaped)}" for name, each in named) + "}"
    )
