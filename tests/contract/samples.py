"""A message of any type, made from its schema: whatever is published can be sent, a command of tomorrow too."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar

import jsonschema_rs
from pydantic import BaseModel, ValidationError

Made = TypeVar("Made", bound=BaseModel)

_TEXTS: Final = (
    "a1",
    "a",
    "ticket:1",
    "vault:evidence/1",
    "refund/o-1/k-1",
    "7-1",
    "evt_" + "1" * 26,
    "1" * 64,
    "1" * 11,
    "1" * 4,
    "CNY",
    "DE-BE",
    "2026-11",
    "DE",
)
_LATELY: Final = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def sample(kind: type[Made], **fields: Any) -> Made:
    """One that is taken as it is, with what must be there and, where that is not enough, all that may be there."""
    return _made(kind, fields, (False, True))


def full_sample(kind: type[Made], **fields: Any) -> Made:
    """One with all that may be there and, where that is too much, with what must be there."""
    return _made(kind, fields, (True, False))


def document(kind: type[BaseModel], *, everything: bool) -> dict[str, Any]:
    """The same as JSON, whether it is taken or not: a rule may want fields that fit each other."""
    schema = _schema(kind)
    return _value(schema, schema.get("$defs", {}), everything=everything)


def _made(kind: type[Made], fields: Mapping[str, Any], ways: tuple[bool, bool]) -> Made:
    for everything in ways:
        try:
            return kind.model_validate({**document(kind, everything=everything), **fields})
        except ValidationError:
            if everything is ways[-1]:
                raise
    raise AssertionError


@cache
def _schema(kind: type[BaseModel]) -> Mapping[str, Any]:
    return kind.model_json_schema()


def _value(schema: Mapping[str, Any], known: Mapping[str, Any], *, everything: bool) -> Any:
    match schema:
        case {"$ref": str(reference)}:
            return _value(known[reference.rpartition("/")[2]], known, everything=everything)
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"anyOf": [option, *_]} | {"oneOf": [option, *_]} | {"allOf": [option, *_]}:
            return _value(option, known, everything=everything)
        case {"type": "string", "format": "date-time"}:
            return _LATELY
        case {"type": "string"}:
            return next(text for text in _TEXTS if jsonschema_rs.is_valid(dict(schema), text))
        case {"type": "integer"}:
            return max(schema.get("minimum", 1), 1)
        case {"type": "number"}:
            return 0.5
        case {"type": "boolean"}:
            return False
        case {"type": "array"}:
            wanted = everything or schema.get("minItems")
            return [_value(schema["items"], known, everything=everything)] if wanted else []
        case {"type": "object"}:
            wanted = schema.get("properties", {})
            names = wanted if everything else schema.get("required", ())
            return {name: _value(wanted[name], known, everything=everything) for name in names}
        case _:
            raise AssertionError(f"no sample of {schema}")
