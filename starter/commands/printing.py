"""Standard output: a page for people, or exactly one JSON document (a line each for streams) for programs."""

import json
import sys
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python
from rich.console import Console, RenderableType
from rich.text import Text

from starter.commands.fitting import fitted

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
"""The option that every command has."""

_NARROWEST: Final = 150


class CommandLine(Text):
    """A line with a command to be copied: wider than the terminal, it is not broken into several."""


def notes() -> Console:
    """Standard error, for progress and remarks: standard output stays the answer's."""
    return Console(stderr=True, highlight=False)


def answer(as_json: bool, document: object, *pages: RenderableType) -> None:
    """Print ``document`` as JSON (models, moments and dataclasses included), or the pages that say the same."""
    if as_json:
        json_line(document)
        return
    console = Console(highlight=False, width=page_width())
    for page in pages:
        console.print(fitted(page), soft_wrap=isinstance(page, CommandLine))


def page_width() -> int:
    """How many cells a page has: the terminal's, and enough for most tables in a file or a pager."""
    console = Console()
    return console.width if console.is_terminal else max(console.width, _NARROWEST)


def answer_unwrapped(as_json: bool, document: object, text: str) -> None:
    """Print ``document`` as JSON, or what a program takes, such as a token: as it is, however long its lines are."""
    if as_json:
        json_line(document)
    else:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def json_line(document: object) -> None:
    """One JSON document on a line of its own, at once."""
    plain: Any = to_jsonable_python(document)
    sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def in_words(text: SecretStr | None) -> str:
    """A person's text for whoever may read it, or that it was forgotten."""
    return "(forgotten)" if text is None else text.get_secret_value()


def secrets_shown(told: BaseModel) -> dict[str, Any]:
    """What is told, as JSON, its secrets in clear: for whoever asked for it."""
    return to_jsonable_python(_without_stars(told.model_dump()))


def _without_stars(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case dict():
            return {name: _without_stars(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
