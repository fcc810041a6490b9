"""Reading what others send: requests, commands and records, as JSON from any language.

Encoders differ in how they write what is not there and what is whole: Go's nil slices, Java's records and C#'s classes
write ``null`` where a field was left out, and languages whose numbers are doubles write ``5900.0``, which JSON Schema
counts as an integer. Both are taken. Everything else that does not fit is refused.
"""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Read = TypeVar("Read", bound=BaseModel)


def read_json(kind: type[Read], text: str | bytes) -> Read:
    """``text`` as a message of this kind.

    A field that is ``null`` counts as left out, an unknown one included: no field has another default than None where
    None may be sent.

    Raises:
        ValidationError: it does not fit; ``workflows.messages.problems`` says what may be told of it.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        # Only now, so that what fits at once costs nothing more.
        try:
            plain = json.dumps(json.loads(text, object_pairs_hook=_without_nulls, parse_float=_whole))
        except (ValueError, RecursionError):
            raise error from None
        return kind.model_validate_json(plain)


def _without_nulls(members: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in dict(members).items() if value is not None}


def _whole(digits: str) -> int | float:
    value = float(digits)
    return int(value) if value.is_integer() else value
