"""What stands below fields, members and constants in the source: Python itself does not keep it."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Final

_OURS: Final = ("workflows.", "activities.", "starter.")


def of_fields(kind: type) -> dict[str, str]:
    """The text below each field of a class or member of an enumeration, those of its bases included."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith(_OURS):
            found |= _of_classes(sys.modules[each.__module__])[each.__name__]
    return found


def of_constants(module: ModuleType) -> Mapping[str, str]:
    """The text below each constant of a module."""
    return _texts(ast.parse(inspect.getsource(module)).body)


@cache
def _of_classes(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    parsed = ast.parse(inspect.getsource(module))
    return {each.name: _texts(each.body) for each in parsed.body if isinstance(each, ast.ClassDef)}


def _texts(statements: Sequence[ast.stmt]) -> dict[str, str]:
    return dict(_pairs(statements))


def _pairs(statements: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for named, text in pairwise(statements):
        match named, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, inspect.cleandoc(words)
            case _:
                pass
