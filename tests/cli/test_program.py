"""How the program itself starts and ends: with an interpreter of its own, as everywhere but in the other tests."""

import asyncio
import json
import os
import sys
import sysconfig
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from starter.commands.application import CASES, DESK, MONEY, WORDS
from tests.cli.shell import Shell


@pytest.fixture
def nowhere(shell: Shell, tmp_path: Path) -> Shell:
    """A shell whose state folder no stack runs on."""
    return shell.having(AFTERSALES_STATE_DIR=str(tmp_path / "empty"))


async def test_the_installed_program_is_the_command_line(nowhere: Shell) -> None:
    program = Path(sysconfig.get_path("scripts"), "aftersales")

    async def installed(*words: str) -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            program, *words, env=nowhere.environment, stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate()
        return process.returncode, out, err

    helped, page, nothing = await installed("list", "--help")
    wrong, none, message = await installed("lisst", "--json")
    unreachable, empty, line = await installed("list")

    assert (helped, nothing) == (0, b"")
    assert b"Usage: aftersales list" in page
    assert (wrong, none, json.loads(message)["error"]) == (2, b"", "usage")
    assert (unreachable, empty, line.count(b"\n")) == (3, b"", 1)


async def test_a_reader_that_has_seen_enough_is_no_failure(nowhere: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = (sys.executable, "-m", "starter.commands", "ladder", "douyin")
    process = await asyncio.create_subprocess_exec(*program, env=nowhere.environment, stdout=writing, stderr=PIPE)
    os.close(writing)

    _, err = await process.communicate()

    assert (process.returncode, err) == (1, b"")


async def test_a_word_loads_what_it_needs(shell: Shell) -> None:
    # Alembic and the SDK's worker take as long as all the rest. Only who moves clocks has to wait for one of them.
    daily = [each.word for each in WORDS if each.panel in {CASES, DESK, MONEY} and each.word != "fast-forward"]
    program = (
        "import json, sys\n"
        "from starter.commands import failures\n"
        "from starter.commands.application import application\n"
        "for word in sys.argv[1:]: application([word])\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *daily), env=shell.environment, stdout=PIPE
    )
    out, _ = await process.communicate()

    assert process.returncode == 0
    assert {"alembic", "sqlalchemy", "temporalio.worker", "worker"}.isdisjoint(json.loads(out))
