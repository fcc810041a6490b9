"""Reading messages, by who has written them.

What *others* send (requests, commands, records; JSON from any language) is read strictly: an unknown field is refused,
at whatever depth, because it is most likely a misspelt one. Encoders differ in how they write what is not there and
what is whole: Go's nil slices, Java's records and C#'s classes write ``null`` where a field was left out, and languages
whose numbers are doubles write ``5900.0``, which JSON Schema counts as an integer. Both are taken. Everything else that
does not fit is refused.

What *our own* processes write for each other (activities' inputs and results, starts of our own workflows, what lies in
the database) may come from an older or a newer release: an unknown field is passed over at whatever depth, and one that
is missing has its default. So the same class, such as a policy or an actor, is read in both ways. Words of closed lists
that are not known: see ``workflows.messages.words``.
"""

import json
from functools import lru_cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from workflows.messages.message import OWN

Read = TypeVar("Read", bound=BaseModel)

_Unknown = Literal["forbid", "ignore"]


def read_json(kind: type[Read], text: str | bytes) -> Read:
    """What others have sent, as a message of this kind.

    A field that is ``null`` counts as left out, an unknown one included: no field has another default than None where
    None may be sent.

    Raises:
        ValidationError: it does not fit; ``workflows.messages.problems`` says what may be told of it.
    """
    return _read(kind, text, "forbid", None)


def read_own_json(kind: Any, text: str | bytes) -> Any:
    """What a process of ours has written, of this or another release, as a value of this type.

    Raises:
        ValidationError: a field is missing, or has a value that is not known here.
    """
    return _read(kind, text, "ignore", OWN)


def read_own(kind: type[Read], value: object) -> Read:
    """The same for what has been decoded already, as columns of the database are.

    Raises:
        ValidationError: a field is missing, or has a value that is not known here.
    """
    return kind.model_validate(value, extra="ignore", context=OWN)


def _read(kind: Any, text: str | bytes, unknown: _Unknown, context: object) -> Any:
    reader = _reader(kind)
    try:
        return reader.validate_json(text, extra=unknown, context=context)
    except ValidationError as error:
        # Only now, so that what fits at once costs nothing more.
        try:
            plain = json.dumps(json.loads(text, object_pairs_hook=_without_nulls, parse_float=_whole))
        except (ValueError, RecursionError):
            raise error from None
        return reader.validate_json(plain, extra=unknown, context=context)


@lru_cache(maxsize=1024)
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _without_nulls(members: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in dict(members).items() if value is not None}


def _whole(digits: str) -> int | float:
    value = float(digits)
    return int(value) if value.is_integer() else value
