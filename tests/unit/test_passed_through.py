"""What the sandbox passes through is what it would find nothing in: no clock, no chance, no way to the outside."""

import ast
from pathlib import Path

import pytest

from starter.worker.runner import PASSED_THROUGH
from tests.unit.test_layout import ROOT, imports_of, nodes_of, told, within

ALLOWED = {
    *("__future__", "asyncio", "calendar", "collections", "contextlib", "contextvars", "dataclasses", "datetime"),
    *("difflib", "enum", "fnmatch", "functools", "hashlib", "importlib.resources", "inspect", "itertools", "json"),
    *("math", "re", "sys", "types", "typing", "unicodedata", "urllib.parse", "zlib", "zoneinfo"),
    *("iso4217", "nexusrpc", "phonenumbers", "pydantic", "pydantic_core", "temporalio"),
}
CLOCKS = {"now", "today", "utcnow"}
OUTSIDE = {"open", "input", "breakpoint", "exec", "eval"}


def passed_through(module: str) -> bool:
    return any(within(module, name) for name in PASSED_THROUGH)


def files() -> list[Path]:
    found: list[Path] = []
    for name in PASSED_THROUGH:
        path = ROOT / name.replace(".", "/")
        if name.startswith("workflows"):
            found += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def loaded_from(path: Path) -> set[str]:
    """Modules of ours that a file imports when it is loaded: not for types alone."""
    for_types = {
        id(inner)
        for node in nodes_of(path)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return {
        node.module if (ROOT / node.module.replace(".", "/")).with_suffix(".py").exists() else f"{node.module}.{name}"
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types
        for name in (alias.name for alias in node.names)
        if within(node.module, "workflows")
    }


def test_there_is_something_to_look_at() -> None:
    assert {"workflows.kinds.refund", "workflows.shell.case", "workflows.rules.refund"} <= set(map(module_of, files()))


def test_it_imports_nothing_that_differs_from_time_to_time() -> None:
    found = [
        (told(path), name)
        for path in files()
        for name in imports_of(path)
        if not within(name, "workflows") and not any(within(name, each) for each in ALLOWED)
    ]
    assert found == []


def test_it_asks_no_clock_but_the_workflows_and_opens_nothing() -> None:
    found: list[tuple[str, str]] = []
    for path in files():
        for node in nodes_of(path):
            match node:
                case ast.Attribute(value=value, attr=attribute) if attribute in CLOCKS:
                    if ast.unparse(value).split(".")[-1] in {"datetime", "date"}:
                        found.append((told(path), attribute))
                case ast.Call(func=ast.Name(id=name)) if name in OUTSIDE:
                    found.append((told(path), name))
                case _:
                    pass
    assert found == []


@pytest.mark.parametrize("path", [path for path in files() if "shell" in path.parts], ids=lambda path: path.stem)
def test_it_loads_only_what_is_passed_through_as_well(path: Path) -> None:
    """Else there would be two of a class: one that is raised, and another that is waited for."""
    assert [module for module in loaded_from(path) if not passed_through(module)] == []
