"""What a shell is told when it asks for completions."""

import asyncio
import sysconfig
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from starter.commands.completion import first_word
from tests.cli.shell import Shell
from tests.cli.test_cases import opened, order


async def completed(shell: Shell, line: str) -> list[str]:
    """What bash is offered for the last word of ``line``."""
    words = line.split(" ")
    asking = shell.having(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _AFTERSALES_COMPLETE="complete_bash")
    ended = await asking.run()
    assert (ended.code, ended.err) == (0, "")
    return ended.out.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("aftersales w", ["worker", "watch", "whatif", "webhooks"]),
        ("aftersales open re", ["refund", "return", "resend", "repair"]),
        ("aftersales watch --e", ["--every"]),
        ("aftersales watch --list re", ["refund_only", "returns_to_decide", "reshipments", "resends", "repairs"]),
        ("aftersales act refund/O-1/k-1 with", ["withdraw", "withdraw_proposal"]),
        ("aftersales show --", ["--json", "--help"]),
    ],
)
async def test_words_options_and_values_are_completed(shell: Shell, line: str, offered: list[str]) -> None:
    assert await completed(shell, line) == offered


async def test_ids_of_open_cases_are_completed(worker_process: Shell, tmp_path: Path) -> None:
    bought: dict[str, Any] = order()
    case = await opened(worker_process, tmp_path, bought)
    gone = worker_process.having(AFTERSALES_STATE_DIR=str(tmp_path / "empty"))

    assert await completed(worker_process, f"aftersales show {case[:-3]}") == [case]
    assert await completed(gone, f"aftersales show {case[:-3]}") == []


async def test_bash_completes_by_the_printed_script(shell: Shell) -> None:
    script = (await shell.run("completion", "bash")).out
    asks = 'COMP_WORDS=(aftersales outc); COMP_CWORD=1; _aftersales_completion aftersales; echo "${COMPREPLY[@]}"'
    path = f"{sysconfig.get_path('scripts')}:{shell.environment['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f"{script}\n{asks}", env=shell.environment | {"PATH": path}, stdout=PIPE
    )
    out, _ = await process.communicate()

    assert (process.returncode, out) == (0, b"outcome\n")


@pytest.mark.parametrize(("name", "tells"), [("zsh", "#compdef aftersales"), ("fish", "complete --command aftersales")])
async def test_other_shells_have_scripts_too(shell: Shell, name: str, tells: str) -> None:
    document = await shell.json("completion", name)

    assert document["shell"] == name
    assert tells in document["script"]


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"COMP_WORDS": "aftersales op", "COMP_CWORD": "1"}, None),
        ({"COMP_WORDS": "aftersales open ", "COMP_CWORD": "2"}, "open"),
        ({"COMP_WORDS": "aftersales open re", "COMP_CWORD": "1"}, None),
        ({"_TYPER_COMPLETE_ARGS": "aftersales open"}, None),
        ({"_TYPER_COMPLETE_ARGS": "aftersales open "}, "open"),
        ({"_TYPER_COMPLETE_ARGS": "aftersales "}, None),
        ({}, None),
    ],
)
def test_only_what_a_line_needs_is_loaded(environment: dict[str, str], word: str | None) -> None:
    assert first_word(environment) == word
