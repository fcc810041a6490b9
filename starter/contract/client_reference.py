"""``docs/client-reference.md``: the light client's classes, functions and errors, from their docstrings."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

import starter.light as client
from starter import errors
from starter.client_wheel.sources import called
from starter.contract.workflows import contracts
from workflows.messages.cases import Outcome
from workflows.messages.commands import Command
from workflows.messages.requests import Request

_MODULE: Final = re.compile(r"\b[a-z_][a-z0-9_]*\.(?:[a-z0-9_]+\.)*(?=[A-Z])")
_QUOTED: Final = re.compile(r"'([A-Z]\w*)'")
_FUNCTION: Final = re.compile(r"<function (\w+) at 0x[0-9a-f]+>")
_SECTION: Final = re.compile(r"^(Args|Raises):$", re.MULTILINE)
_ITEM: Final = re.compile(r"^    (?=\S)(\w+)(?:: )", re.MULTILINE)
_TYPE_VARIABLE: Final = re.compile(r"~?\bCaseT\b")


def page() -> str:
    """The whole page."""
    return (
        "\n".join(
            [
                "# The light client: reference",
                "",
                "Written by `make docs` from the docstrings. How to use it: [client.md](client.md). All shapes:",
                "[contract/messages.schema.json](contract/messages.schema.json); what each command says, and when",
                "it is open: [contract/reference.md](contract/reference.md).",
                "",
                "## aftersales",
                "",
                *_public(),
                "## aftersales.errors",
                "",
                *_errors(),
                "## aftersales.messages",
                "",
                "Pydantic models. Requests open a case, commands are given to `act` and `tell`.",
                "",
                "| module | requests |",
                "| --- | --- |",
                *_rows(get_args(Request)),
                "",
                "| module | commands |",
                "| --- | --- |",
                *_rows(_commands()),
                "",
                "`aftersales.messages.actors` has `buyer()`, `merchant()` and `officer()`, for a command's `by`;",
                "`aftersales.messages.cases` has `CaseView`, `Outcome` and `Refusal`.",
            ]
        )
        + "\n"
    )


def _public() -> Iterator[str]:
    for name in client.__all__:
        each: Any = getattr(client, name)
        yield f"### `{name}`"
        yield ""
        if inspect.isclass(each) and not getattr(each, "_is_protocol", False):
            yield from _class(each)
        else:
            yield from _callable(name, each) if inspect.isfunction(each) else _text(each)


def _class(each: type) -> Iterator[str]:
    yield from _callable(each.__name__, each)
    if made := vars(each).get("__init__"):
        yield from _text(made)
    for name, method in inspect.getmembers(each, inspect.isfunction):
        if not name.startswith("_") and method.__module__.split(".")[0] in ("activities", "starter"):
            yield from _callable(f"{each.__name__}.{name}", method, heading="####")


def _callable(name: str, each: Callable[..., Any], heading: str = "") -> Iterator[str]:
    signature = inspect.signature(each)
    told = [value for key, value in signature.parameters.items() if key != "self"]
    asynchronous = "async " if inspect.iscoroutinefunction(each) else ""
    line = f"{asynchronous}{name}{signature.replace(parameters=told)}"
    if heading:
        yield f"{heading} `{name}`"
        yield ""
    yield "```python"
    yield _TYPE_VARIABLE.sub("LightCase", _FUNCTION.sub(r"\1", _QUOTED.sub(r"\1", _MODULE.sub("", line))))
    yield "```"
    yield ""
    yield from _text(each)


def _text(each: Any) -> Iterator[str]:
    """Its docstring as Markdown: sections become lists."""
    text = inspect.cleandoc(each.__doc__ or "")
    if not text:
        return
    parts = _SECTION.split(text)
    yield parts[0].strip().replace("``", "`")
    yield ""
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        yield f"{title}:"
        yield ""
        names = _ITEM.split(body)
        for name, said in zip(names[1::2], names[2::2], strict=True):
            yield f"- `{name}`: {' '.join(said.split())}".replace("``", "`")
        yield ""


def _errors() -> Iterator[str]:
    for name, each in vars(errors).items():
        if inspect.isclass(each) and issubclass(each, errors.AftersalesError):
            bases = "" if each is errors.AftersalesError else f" ({each.__bases__[0].__name__})"
            yield f"- `{name}`{bases}: {' '.join((inspect.getdoc(each) or '').split())}".replace("``", "`")
    yield ""


def _commands() -> list[type]:
    taken = {
        each.takes
        for contract in contracts()
        if contract.result is Outcome
        for each in contract.updates.values()
        if each.takes
    }
    asked = [each for each in taken if issubclass(each, Command) and not each.ours and not each.fact]
    return sorted(asked, key=lambda each: each.__name__)


def _rows(models: Any) -> Iterator[str]:
    of: dict[str, list[str]] = {}
    for each in models:
        of.setdefault(called(each.__module__), []).append(each.__name__)
    for module, names in of.items():
        yield f"| `{module}` | {', '.join(f'`{name}`' for name in names)} |"
