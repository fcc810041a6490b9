"""Standard output: a page for people, or exactly one JSON document (a line each for streams) for programs."""

import json
import sys
from typing import Annotated, Any, Final

import typer
from pydantic import SecretStr
from pydantic_core import to_jsonable_python
from rich.console import Console, RenderableType

from starter.commands.fitting import fitted

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
"""The option that every command has."""

_NARROWEST: Final = 150


def notes() -> Console:
    """Standard error, for progress and remarks: standard output stays the answer's."""
    return Console(stderr=True, highlight=False)


def answer(as_json: bool, document: object, *pages: RenderableType) -> None:
    """Print ``document`` as JSON (models, moments and dataclasses included), or the pages that say the same."""
    if as_json:
        json_line(document)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        # Piped into a file or a pager: no terminal's width cuts the tables.
        console = Console(highlight=False, width=max(console.width, _NARROWEST))
    for page in pages:
        console.print(fitted(page))


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
