"""What a setting may be, and what it is where nobody sets it, in words."""

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo


def allowed(field: FieldInfo) -> str:
    """What values it takes."""
    kind = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        *others, last = (f"`{value}`" for value in get_args(kind))
        return f"{', '.join(others)} or {last}"
    if kind is bool:
        return "`true` or `false`"
    if kind is int:
        low = next(limit.ge for limit in field.metadata if isinstance(limit, Ge))
        high = next(limit.le for limit in field.metadata if isinstance(limit, Le))
        return f"a whole number from {low} to {high}"
    if kind is float:
        return "a number above 0"
    if kind is Path:
        return "a path"
    return "secret text" if kind is SecretStr else "text that is not empty"


def default(field: FieldInfo) -> str:
    """What it is where nobody sets it."""
    value: Any = field.get_default()
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case SecretStr():
            return "one for development"
        case _:
            return f"`{value}`"


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        (annotation,) = (part for part in get_args(annotation) if part is not types.NoneType)
    return annotation
