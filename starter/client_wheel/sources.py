"""The sources of the distribution: exactly the modules that the light client loads, under names of their own."""

import ast
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "aftersales"
BEGINS_WITH: Final = ("starter.light", "workflows.messages.nexus")
"""The client, and what a workflow calls through Nexus with."""

CALLED: Final[Mapping[str, str]] = {
    "starter.light": PACKAGE,
    "starter.errors": f"{PACKAGE}.errors",
    "starter": f"{PACKAGE}._starter",
    "workflows.messages": f"{PACKAGE}.messages",
    "workflows": f"{PACKAGE}._workflows",
    "activities": f"{PACKAGE}._activities",
}
"""What our packages are called there. Names are public where they have no underscore."""

CURRENCIES: Final = "iso4217"
"""A package of which only one table is needed: that is copied, so that nothing else must be installed."""

_NAMED: Final = re.compile(r"``((?:workflows|activities|starter)\.[a-z_.]+)")
_EXTRAS: Final = re.compile(r"\[.*?\]")
_DEPENDENCIES: Final = ("cryptography", "pydantic", "temporalio")


def files() -> dict[str, str]:
    """The text of each file of the source distribution, by its path."""
    texts = {_path(called(module)): _rewritten(module) for module in modules()}
    return {
        "pyproject.toml": _pyproject(),
        "README.md": (ROOT / "docs" / "client.md").read_text(encoding="utf-8"),
        f"{PACKAGE}/py.typed": "",
        f"{PACKAGE}/_currencies.py": _currencies(),
        **{f"{name}.py": text for name, text in sorted(texts.items())},
    }


@cache
def modules(*begin: str) -> frozenset[str]:
    """The modules of ours that these load, or the light client does, and the packages that they are in."""
    found: set[str] = set()
    left = list(begin or BEGINS_WITH)
    while left:
        module = left.pop()
        if module in found:
            continue
        found.add(module)
        if parent := module.rpartition(".")[0]:
            left.append(parent)
        left += _imports(module)[0]
    return frozenset(found)


def called(module: str) -> str:
    """What a module of ours is called there."""
    for name, new in CALLED.items():
        if module == name or module.startswith(f"{name}."):
            return new + module.removeprefix(name)
    raise ValueError(f"{module} is none of ours")


def imported_from_outside(named: frozenset[str]) -> frozenset[str]:
    """The top-level names of what these modules import beside each other, the standard library included."""
    return frozenset[str]().union(*(_imports(module)[1] for module in named))


@cache
def _imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a module imports: our modules, and the top-level names of what is not ours."""
    ours: set[str] = set()
    outside: set[str] = set()
    for node in ast.walk(_parsed(module)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    (ours if _is_ours(alias.name) else outside).add(alias.name)
            case ast.ImportFrom(module=str(name), level=0) if _is_ours(name):
                ours.update(_imported(node))
            case ast.ImportFrom(module=str(name), level=0):
                outside.add(name)
            case _:
                pass
    return frozenset(ours), frozenset(name.split(".")[0] for name in outside)


def _imported(node: ast.ImportFrom) -> list[str]:
    inner = [f"{node.module}.{alias.name}" for alias in node.names]
    found = [each for each in inner if _source(each)]
    return found if len(found) == len(inner) else [str(node.module), *found]


def _is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in ("workflows", "activities", "starter", "worker")


def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)


@cache
def _parsed(module: str) -> ast.Module:
    path = _source(module)
    assert path, module
    return ast.parse(path.read_text(encoding="utf-8"))


def _path(module: str) -> str:
    inner = [each for each in modules() if called(each).startswith(f"{module}.")]
    return module.replace(".", "/") + ("/__init__" if inner or module == PACKAGE else "")


def _rewritten(module: str) -> str:
    path = _source(module)
    assert path
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for node in ast.walk(_parsed(module)):
        match node:
            case ast.ImportFrom(module=str(name), level=0, lineno=line) if _is_ours(name):
                new = {called(f"{name}.{alias.name}").rpartition(".")[0] for alias in node.names}
                if len(new) != 1:
                    raise ValueError(f"{path}, line {line}: import these in two statements")
                lines[line - 1] = lines[line - 1].replace(f"from {name} import", f"from {new.pop()} import", 1)
            case ast.Import(names=[ast.alias(name=name)], lineno=line) if name == CURRENCIES:
                lines[line - 1] = lines[line - 1].replace(
                    f"import {name}", f"from {PACKAGE} import _currencies as {name}", 1
                )
            case ast.Constant(value=str(text), lineno=line) if _is_ours(text) and text.endswith("."):
                # Whose a class is, told by how its module's name begins.
                lines[line - 1] = lines[line - 1].replace(f'"{text}"', f'"{PACKAGE}."', 1)
            case ast.Import(names=names, lineno=line) if any(_is_ours(alias.name) for alias in names):
                raise ValueError(f"{path}, line {line}: write `from ... import ...`")
            case _:
                pass
    return _NAMED.sub(lambda found: f"``{called(found[1])}", "".join(lines))


def _currencies() -> str:
    import iso4217  # noqa: PLC0415 -- reading the table takes long

    table = {each.code: each.exponent for each in iso4217.Currency}
    rows = "".join(f'    "{code}": {exponent},\n' for code, exponent in sorted(table.items()))
    return f'''"""How many decimals each currency has, by ISO 4217."""

_EXPONENTS: dict[str, int | None] = {{
{rows}}}


class Currency:
    """A currency by its code; ``ValueError`` where there is none of that code."""

    def __init__(self, code: str) -> None:
        if code not in _EXPONENTS:
            raise ValueError("not a currency of ISO 4217")
        self.exponent = _EXPONENTS[code]
'''


def _pyproject() -> str:
    ours: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = ours["project"]
    needs = [each for each in project["dependencies"] if re.split(r"[\[><=~]", each)[0] in _DEPENDENCIES]
    needed = "".join(f'    "{_EXTRAS.sub("", each)}",\n' for each in sorted(needs))
    classified = "".join(f'    "{each}",\n' for each in project["classifiers"])
    return f"""[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "aftersales-client"
version = "{project["version"]}"
description = "Typed client of aftersales: open, command and await after-sales cases, with Temporal alone"
readme = "README.md"
requires-python = "{project["requires-python"]}"
classifiers = [
{classified}]
dependencies = [
{needed}]

[tool.setuptools.packages.find]
include = ["{PACKAGE}*"]

[tool.setuptools.package-data]
{PACKAGE} = ["py.typed"]
"""
