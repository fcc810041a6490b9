"""What the command line says of itself, of wrong words and settings, and of servers that are not there."""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleSpec, ScheduleUpdate, ScheduleUpdateInput
from typer.testing import CliRunner

from starter.commands.acting import COMMANDS
from starter.commands.application import application
from starter.commands.failures import ended
from tests.cli.shell import Shell

EVERY_COMMAND = [
    *(["demo"], ["up"], ["worker"], ["setup"], ["doctor"]),
    *(["open", kind] for kind in ("refund", "merchant-refund", "withdrawal", "expiry")),
    *(["act"], ["show"], ["log"], ["outcome"], ["list"], ["fast-forward"], ["books"]),
    *(["gateway", word] for word in ("behave", "behaviours", "clear", "deliver")),
    *(["orders", word] for word in ("load", "ship", "outbound", "deliver-run")),
    ["allowances", "load"],
]


@pytest.fixture
def nowhere(shell: Shell, tmp_path: Path) -> Shell:
    """A shell whose state folder no stack runs on."""
    return shell.having(AFTERSALES_STATE_DIR=str(tmp_path / "empty"))


def test_the_help_explains_words_and_exit_codes() -> None:
    text = CliRunner().invoke(application, ["--help"], env={"COLUMNS": "200"}).output

    for word in ("case", "stage", "command", "Exit codes", "0 done", "5 unknown case"):
        assert word in text


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_every_command_has_an_example_and_takes_json(words: list[str]) -> None:
    text = CliRunner().invoke(application, [*words, "--help"], env={"COLUMNS": "300"}).output

    # Once in the usage, once more in an example.
    assert text.count(f"aftersales {' '.join(words)}") >= 2
    assert "--json" in text


def test_the_help_of_act_names_every_command_and_its_fields() -> None:
    text = CliRunner().invoke(application, ["act", "--help"], env={"COLUMNS": "300"}).output

    assert [name for name in COMMANDS if name not in text] == []
    assert "--shipping.tracking-no" in text


async def test_no_stack_is_one_line_and_its_own_code(nowhere: Shell) -> None:
    ended = await nowhere.run("list")

    assert ended.code == 3
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert "aftersales up" in ended.err


async def test_a_server_that_is_not_there_is_its_own_code(nowhere: Shell) -> None:
    gone = nowhere.having(TEMPORAL_ADDRESS="127.0.0.1:1", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    ended = await gone.run("show", "refund/a/b", "--json")

    assert ended.code == 3
    assert ended.failure["error"] == "unreachable"


async def test_a_database_without_schema_says_what_to_run(shell: Shell, empty_database: str) -> None:
    ended = await shell.having(DATABASE_URL=empty_database).run("books")

    assert ended.code == 3
    assert "aftersales setup" in ended.err


async def test_a_wrong_setting_is_one_line(nowhere: Shell) -> None:
    ended = await nowhere.having(AFTERSALES_LANGUAGE="fr").run("list")
    as_json = await nowhere.having(AFTERSALES_LANGUAGE="fr").run("list", "--json")

    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "AFTERSALES_LANGUAGE" in ended.err
    assert (as_json.code, as_json.failure["error"]) == (2, "setting")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["open", "refund", "--line", "L1:1"], "--line"),
        (["open", "refund", "--line", "L1:1:1.234"], "--line"),
        (["open", "refund", "--line", "L1:1:1e9999"], "--line"),
        (["open", "refund", "--line", "L1:1:-1"], "--line"),
        (["open", "refund", "--line", "L1:1:NaN"], "--line"),
        (["open", "refund", "--line", "L1:1:1.00", "--order", "O", "--merchant", "m"], "buyer_id"),
        (["open", "refund", "--from", "/no/such/file"], "--from"),
        (["act", "c", "no_such_command", "--as", "merchant:m"], "no_such_command"),
        (["act", "c", "approve", "--as", "nobody:m"], "--as"),
        (["act", "c", "approve", "--as", "merchant:m", "--colour", "red"], "colour"),
        (["act", "c", "retry_payment", "--as", "platform:o"], "reason"),
        (["act", "c", "retry_payment", "--as", "platform:o", "--reason", "a", "--reason", "b"], "--reason"),
        (["act", "c", "submit_evidence", "--as", "buyer:b", "--evidence", "vault:x,image/png"], "--evidence"),
        (["act", "c", "submit_evidence", "--as", "buyer:b", "--evidence-file", "pyproject.toml"], "--evidence-file"),
        (["act", "c", "approve", "--as", "merchant:m", "--wait", "--signal"], "--wait"),
        (["fast-forward", "c", "soon"], "DURATION"),
        (["gateway", "deliver", "--at", "2026-01-01T00:00"], "--at"),
        (["no-such-word"], "no-such-word"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,  # pyright: ignore[reportUnknownArgumentType]
)
def test_wrong_words_are_named(
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AFTERSALES_STATE_DIR", str(tmp_path))

    code = ended(application, [*words, "--json"])

    said = capsys.readouterr()
    failure = json.loads(said.err)
    assert (code, failure["exit_code"], failure["error"], said.out) == (2, 2, "usage", "")
    assert named in failure["message"]


@pytest.mark.parametrize(
    "words",
    [
        ["fast-forward", "refund/a/b", "48h"],
        ["gateway", "behave", "decline"],
        ["gateway", "clear"],
        ["gateway", "deliver"],
    ],
    ids=" ".join,
)
async def test_production_refuses_to_play(shell: Shell, words: list[str]) -> None:
    production = shell.having(AFTERSALES_ENVIRONMENT="production", AFTERSALES_LOOKUP_KEY="k" * 40)

    ended = await production.run(*words)

    assert ended.code == 2
    assert "refused in production" in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_setup_shows_what_differs_and_puts_it_right(shell: Shell, empty_database: str) -> None:
    fresh = shell.having(DATABASE_URL=empty_database, AFTERSALES_TASK_QUEUE="fresh")

    before = await fresh.run("setup", "--dry-run", "--json")
    done = await fresh.json("setup")
    after = await fresh.run("setup", "--dry-run", "--json")

    wanted = ["fresh-notice-resend", "fresh-reconciliation"]
    assert (before.code, before.document["changed"]) == (1, False)
    assert (before.document["schema"]["was"], before.document["schedules"]) == ("none", wanted)
    assert (done["changed"], done["schedules"]) == (True, wanted)
    assert (after.code, after.document["schema"], after.document["schedules"]) == (0, None, [])


async def test_setup_corrects_a_schedule_that_somebody_changed(shell: Shell, client: Client) -> None:
    own = shell.having(AFTERSALES_TASK_QUEUE="corrected")
    await own.json("setup")
    handle = client.get_schedule_handle("corrected-reconciliation")

    def rarer(given: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = given.description.schedule
        schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
        return ScheduleUpdate(schedule=schedule)

    await handle.update(rarer)
    await handle.pause(note="by a person")

    before = await own.run("setup", "--dry-run", "--json")
    await own.json("setup")
    after = await own.run("setup", "--dry-run", "--json")

    assert (before.code, before.document["schedules"]) == (1, ["corrected-reconciliation"])
    assert after.code == 0
    assert (await handle.describe()).schedule.state.paused, "what a person has paused stays so"


async def test_doctor_names_a_problem_and_what_to_do(shell: Shell, empty_database: str) -> None:
    lame = shell.having(DATABASE_URL=empty_database, AFTERSALES_TASK_QUEUE="nobody-works-here")

    ended = await lame.run("doctor", "--json")

    problems = {each["what"]: each["remedy"] for each in ended.document["checks"] if not each["ok"]}
    assert ended.code == 1
    assert problems.keys() == {"schedules", "worker", "schema"}
    assert "aftersales worker" in problems["worker"]
    assert "aftersales setup" in problems["schema"]


async def test_doctor_without_servers_still_answers(nowhere: Shell) -> None:
    ended = await nowhere.run("doctor")

    assert ended.code == 1
    assert "problem" in ended.out
    assert "aftersales up" in ended.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_up_serves_and_leaves_nothing_behind(nowhere: Shell, state_dir: Path, number: signal.Signals) -> None:
    shell = nowhere.having(AFTERSALES_STATE_DIR=str(state_dir))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.commands", "up", "--json"),
        env=shell.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(90):
        up = json.loads(await process.stdout.readline())
    servers = {
        pid
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if str(state_dir) in _command_line(pid) and pid != process.pid
    }
    healthy = await shell.run("doctor", "--json")
    process.send_signal(number)
    async with asyncio.timeout(60):
        rest = await process.stdout.read()
        code = await process.wait()

    assert up["web_ui"].startswith("http://127.0.0.1:")
    assert up["state_dir"] == str(state_dir.resolve())
    assert healthy.document["ok"] is True, healthy.out
    assert (code, json.loads(rest)) == (0, {"status": "stopped"})
    assert servers, "the servers name their folder"
    assert [pid for pid in servers if str(state_dir) in _command_line(pid)] == []
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(up["database"], timeout=5)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
