"""``aftersales completion``: what a shell needs to complete words, options, their values, and the ids of open cases."""

import asyncio
import os
from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from starter.commands.printing import Json, answer

PROGRAM: Final = "aftersales"
ASKED_BY: Final = "_AFTERSALES_COMPLETE"
"""The variable by which a shell asks for completions instead of running a command."""

_PATIENCE: Final = 2
"""Seconds: who waits for a completion has typed on by then."""

_AT_MOST: Final = 50


class Shell(StrEnum):
    """The shells that can be completed for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help=f"One of {', '.join(Shell)}.")], as_json: Json = False
) -> int:
    """Print the script that completes this program's words, options, values and open cases in a shell.

    bash: [cyan]aftersales completion bash > ~/.local/share/bash-completion/completions/aftersales[/]

    zsh: [cyan]aftersales completion zsh > ~/.zfunc/_aftersales[/], a folder that fpath names before compinit

    fish: [cyan]aftersales completion fish > ~/.config/fish/completions/aftersales.fish[/]
    """
    script: str = _typer().get_completion_script(prog_name=PROGRAM, complete_var=ASKED_BY, shell=shell)
    if as_json:
        answer(as_json, {"shell": shell, "script": script})
    else:
        typer.echo(script)
    return 0


def asked() -> bool:
    """Whether a shell wants completions of this process."""
    return ASKED_BY in os.environ


def first_word(environment: Mapping[str, str]) -> str | None:
    """The first word of the line that is to be completed, once another one has been begun."""
    line = environment.get("COMP_WORDS") or environment.get("_TYPER_COMPLETE_ARGS") or ""
    words = line.split()
    begun = len(words) + line.endswith((" ", "\n"))
    if "COMP_CWORD" in environment:
        begun = int(environment["COMP_CWORD"]) + 1
    return words[1] if begun > 2 and len(words) > 1 else None


def prepare() -> None:
    """Make the shells' dialects known to the library that parses the line."""
    _typer().completion_init()


def case_ids(incomplete: str) -> list[str]:
    """Open cases whose id begins so; none where no database answers at once."""
    try:
        return asyncio.run(_case_ids(incomplete))
    except Exception:  # whatever it is: a shell's line is no place to be told of it
        return []


async def _case_ids(incomplete: str) -> list[str]:
    # The case book is not needed to complete anything else.
    from activities.postgres.case_rows import open_cases_beginning  # noqa: PLC0415
    from starter.commands.reaching import database  # noqa: PLC0415

    async with asyncio.timeout(_PATIENCE), database() as pool, pool.acquire() as connection:
        return await open_cases_beginning(connection, incomplete, _AT_MOST)


def _typer() -> Any:
    # Its own types stand behind private names.
    return import_module("typer.completion")
