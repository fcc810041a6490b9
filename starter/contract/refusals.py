"""Which refusals there are: read off the calls that make them, since a code stands where its rule is carried out."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

SOURCES: Final = (
    "workflows",
    "activities/opening.py",
    "activities/payments.py",
    "activities/virtual_numbers.py",
    "activities/postgres/payable.py",
    "activities/postgres/requirements.py",
)
"""Where workflows, and the activities that they call, refuse something."""

_MAKERS: Final = frozenset({"Refusal", "refused", "not_opened", "_refused", "_refusal"})
_PARAMETERS: Final = ("code", "field", "rule", "explanation")

_OF_A_TEXT: Final = "text"
"""The field of what is refused of a text to a customer: those go through the Python client only."""


@dataclass
class Refused:
    """A code, and what it is said of."""

    fields: set[str] = field(default_factory=set[str])
    """Fields of the command or request, ``N`` for any number of a list."""
    rules: set[str] = field(default_factory=set[str])
    """Rules that it is said under; empty where it is the rule of the stage."""


@cache
def codes() -> Mapping[str, Refused]:
    """Every code that an update's failure or an outcome may hold, sorted."""
    found: dict[str, Refused] = {}
    for module in _modules():
        for said in _said_in(module):
            if "code" not in said or said.get("field") == _OF_A_TEXT:
                continue
            refused = found.setdefault(said["code"], Refused())
            refused.fields |= {said["field"]} if "field" in said else set()
            refused.rules |= {said["rule"]} if "rule" in said else set()
    return dict(sorted(found.items()))


def _modules() -> Iterator[ast.Module]:
    for source in SOURCES:
        package, *rest = source.split("/")
        for file in _files(resources.files(package).joinpath(*rest)):
            yield ast.parse(file.read_text(encoding="utf-8"))


def _files(place: Traversable) -> Iterator[Traversable]:
    if place.is_file():
        if place.name.endswith(".py"):
            yield place
        return
    for each in sorted(place.iterdir(), key=lambda found: found.name):
        yield from _files(each)


def _said_in(module: ast.Module) -> Iterator[dict[str, str]]:
    makers = {each.name: each for each in module.body if isinstance(each, ast.FunctionDef) and each.name in _MAKERS}
    constants = {
        each.targets[0].id: each.value
        for each in module.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _MAKERS:
            maker = makers.get(call.func.id)
            said = _defaults(maker, constants) | _arguments(call, maker, constants)
            yield {name: text for name, node in said.items() if (text := _text(node, constants)) is not None}


def _arguments(call: ast.Call, maker: ast.FunctionDef | None, constants: Mapping[str, ast.expr]) -> dict[str, ast.expr]:
    names = [each.arg for each in maker.args.args] if maker else _PARAMETERS
    values: list[ast.expr] = []
    for each in call.args:
        match each:
            case ast.Starred(value=ast.Name(id=name)):
                several = constants.get(name)
                values += several.elts if isinstance(several, ast.Tuple) else []
            case _:
                values.append(each)
    named = {each.arg: each.value for each in call.keywords if each.arg}
    return {**dict(zip(names, values, strict=False)), **named}


def _defaults(maker: ast.FunctionDef | None, constants: Mapping[str, ast.expr]) -> dict[str, ast.expr]:
    """What a module's own maker fills in: a default, or what it passes on itself."""
    if maker is None:
        return {}
    found = {
        each.arg: value for each, value in zip(maker.args.kwonlyargs, maker.args.kw_defaults, strict=True) if value
    }
    for call in ast.walk(maker):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _MAKERS:
            passed = _arguments(call, None, constants)
            found |= {name: value for name, value in passed.items() if isinstance(value, ast.Constant)}
    return found


def _text(node: ast.expr, constants: Mapping[str, ast.expr]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in constants:
            return _text(constants[name], {})
        case ast.JoinedStr(values=values):
            parts = (each.value if isinstance(each, ast.Constant) else "N" for each in values)
            return "".join(map(str, parts))
        case _:
            return None
