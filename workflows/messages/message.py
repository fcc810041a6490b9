"""The bases of all messages, and the kinds of text that they may hold."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final, Self, TypeAlias, TypeVar, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)

from workflows.rules.typed_text import typed_in_one_way

PLACEHOLDER: Final = "replace-me"
"""What stands in examples for what only the sender knows; with ``_`` for ``-`` where the type has no dash."""

NO_DIGEST: Final = "0" * 64
"""The same for a SHA-256. No content that anybody knows has it."""


OWN: Final = object()
"""The validation context of what our own processes have written: it was checked when it came to us."""


def _no_placeholder(text: str, info: ValidationInfo) -> str:
    """``text``, unless it is an example's that was pasted as it stood (section 12).

    Raises:
        ValueError: it holds a placeholder.
    """
    if info.context is OWN or len(text) < len(PLACEHOLDER):
        return text
    if PLACEHOLDER in text.lower().replace("_", "-") or text == NO_DIGEST:
        raise ValueError("a placeholder of an example: put in its place what is true (section 12)")
    return text


_Stated = AfterValidator(_no_placeholder)

_IDENTIFIER: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_CASE_ID: Final = r"^[a-z-]{3,32}/[A-Za-z0-9_.:/-]{1,200}$"
_CODE: Final = r"^[a-z][a-z0-9_]{0,47}$"
_REFERENCE: Final = r"^[a-z][a-z0-9+.-]{1,15}:[A-Za-z0-9/_.:%?=&#~-]{1,400}$"

Identifier = Annotated[str, StringConstraints(pattern=_IDENTIFIER), _Stated]
"""An order number, a person's or a shop's id, a request key: 1 to 64 of A-Z a-z 0-9 _ . : -"""

CaseId = Annotated[str, StringConstraints(pattern=_CASE_ID), _Stated]
"""A case's id, such as ``refund/O-1/k-1``."""

Subject: TypeAlias = Identifier | CaseId
"""An order's number, an allowance's id, or a case's id: only the last has a slash."""

Code = Annotated[str, StringConstraints(pattern=_CODE), _Stated]
"""A machine-readable word, such as ``goods_shipped``."""

Reference = Annotated[str, StringConstraints(pattern=_REFERENCE), _Stated]
"""Where something is kept, as a URI: ``vault:evidence/7f3a``. It must not itself tell anything of a person."""

PATTERNS_IN_WORDS: Final = {
    _IDENTIFIER: "an id of 1 to 64 letters, digits and _ . : -",
    _CASE_ID: "a case's id, such as refund/O-1/k-1",
    _CODE: "a code of a-z, 0-9 and _, such as goods_shipped",
    _REFERENCE: "a reference, such as ticket:4711 or vault:evidence/7f3a, and not the content itself",
}
"""What a sender is told whose text does not match one of these."""

ProviderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:|*@-]{0,127}$"), _Stated]
"""A payment provider's own id of something: ``ch_3Nq``, ``4200000119201811``."""

ProviderCode = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,120}$")]
"""A provider's own word for what happened, as it was sent: printable ASCII, and never a text that a person wrote."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), _Stated]

_Typed = BeforeValidator(lambda typed: typed_in_one_way(typed) if isinstance(typed, str) else typed)

TrackingNo = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"),
    _Stated,
    AfterValidator(lambda number: number.replace("-", "").upper()),
    _Typed,
]
"""By what number a carrier knows a parcel: kept in capitals and without dashes, however it was typed (T13, P7)."""

CarrierCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"),
    _Stated,
    AfterValidator(str.lower),
    _Typed,
]
"""A carrier's short name, such as ``sf``: kept in small letters (T13)."""

Instant = AwareDatetime
"""A moment of ours with its offset, in UTC. What others tell is a `Moment`."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def _possible(moment: datetime) -> datetime:
    # Beyond these years a moment is one that was not set, "no end", or seconds taken for a date; and nothing could be
    # counted from it: years 1 and 9999 overflow in the next time zone.
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("a moment must lie between the years 2000 and 2100 (R18)")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_possible)]
"""A moment that comes from outside, with its offset: between the years 2000 and 2100 (R18)."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class Value(BaseModel):
    """The base of all that is copied often: pydantic's own way asks each time for what our models do not have.

    That is, for private attributes and fields that are not declared.
    """

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """See base class."""
        if deep:
            return super().model_copy(update=update, deep=True)
        stated = self.__pydantic_fields_set__
        if not update:
            return _made(self.__class__, self.__dict__.copy(), stated)
        if not stated.issuperset(update):
            stated = _shared(frozenset((*stated, *update)))
        return _made(self.__class__, {**self.__dict__, **update}, stated)

    @classmethod
    def made_of(cls, **fields: Any) -> Self:
        """A value of ours, made of values of ours: nothing is checked, which takes most of the time else.

        Raises:
            TypeError: a field is missing that has no default, or one that is made anew each time.
        """
        defaults, stated = _beside(cls, tuple(fields))
        return _made(cls, defaults | fields, stated)


_Made = TypeVar("_Made", bound=Value)


def _slot(name: str) -> Callable[[BaseModel, Any], None]:
    return vars(BaseModel)[name].__set__


def _made(kind: type[_Made], values: dict[str, Any], stated: set[str]) -> _Made:
    made = _new(kind)
    _set_values(made, values)
    _set_stated(made, stated)
    _set_extra(made, None)
    _set_private(made, None)
    return made


# The slots themselves: found once, where ``object.__setattr__`` looks each of them up at every value that is made.
_new: Final = object.__new__
_set_values: Final = _slot("__dict__")
_set_stated: Final = _slot("__pydantic_fields_set__")
_set_extra: Final = _slot("__pydantic_extra__")
_set_private: Final = _slot("__pydantic_private__")


@cache
def _shared(stated: frozenset[str]) -> set[str]:
    """Which fields were stated, once for all values of which the same were: nobody changes them, and a set is large."""
    return set(stated)


@cache
def _beside(model: type[BaseModel], stated: tuple[str, ...]) -> tuple[dict[str, Any], set[str]]:
    """What a value has besides the fields that are stated: the defaults, and the note of which were stated."""
    missing = {name: field for name, field in model.model_fields.items() if name not in stated}
    if wanted := [name for name, field in missing.items() if field.is_required() or field.default_factory]:
        raise TypeError(f"{model.__name__} is made with {', '.join(wanted)}")
    # All defaults, in the order of the fields: so are a value's own, whatever is stated.
    defaults = {name: missing[name].default if name in missing else None for name in model.model_fields}
    return defaults, _shared(frozenset(stated))


def lean(value: _Made) -> _Made:
    """The same value, which takes less memory from now on: for what was read, and is kept for weeks."""
    shared = _shared(frozenset(value.__pydantic_fields_set__))
    if value.__pydantic_fields_set__ is shared:
        return value
    _set_stated(value, shared)
    for part in value.__dict__.values():
        for each in cast("tuple[object, ...]", part) if type(part) is tuple else (part,):
            if isinstance(each, Value):
                lean(each)
    return value


class Message(Value):
    """What we tell: frozen; unknown fields are passed over, so that older readers understand newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Input(Value):
    """What others may state: frozen; an unknown field is an error, because it is most likely a misspelt one.

    Inputs travel on inside of our own messages, which may be of a newer release: ``workflows.messages.reading`` reads
    them by who has written them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
