"""``aftersales codec``, and Temporal's own command line before the codec server."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from temporalio.client import Client

from activities.privacy.codec import encrypting_converter
from activities.privacy.keys import FixedKeys
from starter.codec_server.access import Caller as Known
from starter.codec_server.access import Role
from starter.codec_server.configuration import development_settings
from starter.commands.codec import codec
from starter.commands.failures import Exit, ended
from starter.settings import PREFIX, Settings
from starter.vault import key_provider
from tests.codec.conftest import Serve
from tests.codec.serving import Caller, json_payload, serving, token
from tests.patience import PATIENCE

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``aftersales codec`` on the tests' stack; what it says, and its exit code."""
    monkeypatch.setenv(f"{PREFIX}STATE_DIR", str(settings.state_dir))

    def run(*words: str) -> tuple[int, str, str]:
        code = ended(codec, list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


async def known(settings: Settings, made: str) -> Known:
    server = await development_settings(key_provider(settings), port=0)
    return server.tokens().caller(made)


async def made_by(command: Command, *words: str) -> Any:
    # In a thread: the command brings a loop of its own.
    code, out, err = await asyncio.to_thread(command, "token", *words, "--json")
    assert code == Exit.OK, err
    return json.loads(out)


async def test_a_token_is_one_that_the_stacks_server_knows(command: Command, settings: Settings) -> None:
    before = datetime.now(UTC)
    words = ("--role", "auditor", "--as", "a-17", "--reason", "complaint 4711", "--for", "2h")
    document = await made_by(command, *words)
    assert await known(settings, document["token"]) == Known(Role.AUDITOR, "a-17", "complaint 4711")
    assert before + timedelta(hours=2) <= datetime.fromisoformat(document["until"])
    # This stack has no codec server.
    assert document["endpoint"] is None
    operator = await made_by(command, "--role", "operator", "--as", "o-1")
    assert await known(settings, operator["token"]) == Known(Role.OPERATOR, "o-1")
    half_an_hour = datetime.fromisoformat(operator["until"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < half_an_hour <= timedelta(minutes=30)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--role", "auditor", "--as", "a-1"), "--reason"),
        (("--role", "auditor", "--as", "a-1", "--reason", " "), "--reason"),
        (("--role", "auditor", "--as", "a-1", "--reason", "x" * 501), "--reason"),
        (("--role", "operator", "--as", "o-1", "--reason", "why"), "--reason"),
        (("--role", "operator", "--as", "张三"), "--as"),
        (("--role", "operator", "--as", "o-1", "--for", "soon"), "DURATION"),
        (("--role", "operator", "--as", "o-1", "--for", "25h"), "--for"),
    ],
)
def test_a_token_that_the_server_would_refuse_is_not_made(command: Command, words: tuple[str, ...], field: str) -> None:
    code, out, err = command("token", *words, "--json")
    assert (code, out) == (Exit.USAGE, "")
    assert json.loads(err)["field"] == field


def test_a_file_that_holds_no_public_key_is_told_in_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "issuer.pem"
    path.write_text("no key")
    monkeypatch.setenv(f"{PREFIX}CODEC_TOKEN_PUBLIC_KEY", str(path))
    for words in (("serve",), ("token", "--role", "operator", "--as", "o-1")):
        code, out, err = command(*words, "--json")
        assert (code, out) == (Exit.USAGE, "")
        assert "must hold a PEM public key" in json.loads(err)["message"]


async def test_the_server_runs_by_itself_until_it_is_told_to_stop(
    command: Command, settings: Settings, database: str
) -> None:
    del database
    own = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from starter.commands.codec import codec; codec(['serve', '--json'])"),
        env=own | {f"{PREFIX}STATE_DIR": str(settings.state_dir), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            address = json.loads(await process.stdout.readline())["codec"]
        made = (await made_by(command, "--role", "service", "--as", "s-1"))["token"]
        async with aiohttp.ClientSession() as session:
            service = Caller(session, address).having(Authorization=f"Bearer {made}")
            (encrypted,) = (await service.encode(json_payload('"typed"'))).payloads
            assert b"typed" not in encrypted.data
            assert (await service.decode(encrypted)).texts == ['"typed"']
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0


async def temporal(address: str, *words: str) -> str:
    """Temporal's command line, on this server."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "temporal"), *words, "--address", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode()


async def test_temporals_command_line_reads_and_writes_through_the_server(
    serve: Serve, client: Client, ring: FixedKeys
) -> None:
    config = client.config()
    config["data_converter"] = encrypting_converter(ring)
    handle = await Client(**config).start_workflow(
        "Anything", {"order_no": "O-4711"}, id=f"cli-{uuid4().hex}", task_queue="nobody"
    )
    server = client.service_client.config.target_host
    show = ("workflow", "show", "--workflow-id", handle.id, "--detailed")
    async with serve(serving()) as anybody:
        assert "O-4711" not in await temporal(server, *show)
        through = ("--codec-endpoint", anybody.address, "--codec-auth", f"Bearer {token()}")
        assert "O-4711" in await temporal(server, *show, *through)
        signal_words = ("workflow", "signal", "--workflow-id", handle.id, "--name", "anything", "--input", '"typed"')
        assert "succeeded" in await temporal(server, *signal_words, *through)
        ending_in_a_slash = ("--codec-endpoint", f"{anybody.address}/", *through[2:])
        assert "succeeded" in await temporal(server, *signal_words[:-2], *ending_in_a_slash)
        signaled = [
            each.workflow_execution_signaled_event_attributes
            async for each in handle.fetch_history_events()
            if each.HasField("workflow_execution_signaled_event_attributes")
        ]
        (payload,) = signaled[0].input.payloads
        assert (await anybody.as_("operator").decode(payload)).texts == ['"typed"']
        assert b"typed" not in payload.data
