"""What the command line says of itself, of wrong words and settings, and of servers that are not there."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleSpec, ScheduleUpdate, ScheduleUpdateInput
from typer.testing import CliRunner

from activities.postgres.roles import DatabaseRole
from activities.privacy.keys import new_key
from starter.commands.acting import AMOUNTS, COMMANDS
from starter.commands.application import WORDS, application
from starter.commands.failures import ended
from starter.database_roles import grant_roles
from starter.retention import retention
from starter.settings import Settings
from tests.cli.shell import Shell
from tests.databases import address_of, log_in_as
from tests.patience import PATIENCE
from tests.worker.processes import probe
from workflows.messages.commands import CaseSettled, Command, DisputeIntervened, PausesChanged

MERCHANT = ("--merchant", "m")
PLACE = ("--province", "广东省", "--city", "广州市")
PAUSE = (
    *("--reason", "outage", "--starts-at", "2026-01-01T00:00Z", "--ends-at", "2026-01-02T00:00Z"),
    *("--as", "platform:o"),
)


@pytest.fixture
def nowhere(shell: Shell, tmp_path: Path) -> Shell:
    """A shell whose state folder no stack runs on."""
    return shell.having(AFTERSALES_STATE_DIR=str(tmp_path / "empty"))


def test_the_help_explains_words_and_exit_codes() -> None:
    text = CliRunner().invoke(application(), ["--help"], env={"COLUMNS": "200"}).output

    for word in ("case", "stage", "command", "Exit codes", "0 done", "5 unknown case"):
        assert word in text


def test_the_terminal_alone_breaks_the_lines_of_the_help() -> None:
    """Line ends of the source in the middle of a sentence made it ragged in a terminal of 80 columns."""
    whole = typer.main.get_command(application())
    texts = [str(whole.help), str(whole.epilog), *(str(command.help) for _, command in every_command(whole))]

    assert len(texts) > len(WORDS)
    assert [text for text in texts for paragraph in text.split("\n\n") if "\n" in paragraph] == []


def every_command(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that can be run, down to the last sub-word."""
    inner = getattr(command, "commands", {})
    if not inner or (words and command.invoke_without_command):
        yield words, command
    for word, each in inner.items():
        yield from every_command(each, (*words, word))


def test_every_command_has_an_example_and_takes_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = dict(every_command(typer.main.get_command(application())))

    lacking: list[tuple[tuple[str, ...], str]] = []
    for words, command in found.items():
        if "--json" not in [option for each in command.params for option in each.opts]:
            lacking.append((words, "--json"))
        one = application(words)
        # Once in the usage, once more in an example.
        text = CliRunner().invoke(one, [*words, "--help"], env={"COLUMNS": "300"}).output
        if text.count(f"aftersales {' '.join(words)}") < 2:
            lacking.append((words, "an example"))
        code = ended(one, [*words, "--json", "--no-such-option=1"])
        said = capsys.readouterr()
        if (code, said.out, json.loads(said.err)["error"]) != (2, "", "usage"):
            lacking.append((words, "one JSON object on standard error"))
    assert not lacking
    assert {word for word, *_ in found} == {each.word for each in WORDS}


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["watch", "--once"],
        ["books"],
        ["pauses", "list"],
        ["gateway", "behaviours"],
        ["privacy", "quota", "m-1"],
        ["privacy", "looks", "O-1", "--as", "platform:o-1"],
        ["flags", "show", "O-1", "--merchant", "m-1"],
        ["codec", "token", "--role", "operator", "--as", "o-1"],
        ["keys", "new"],
        ["events"],
    ],
    ids=" ".join,
)
async def test_an_answer_is_one_json_document(shell: Shell, words: list[str]) -> None:
    assert isinstance(await shell.json(*words), dict)


def test_options_for_many_cases_stand_before_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    code = ended(application(["open"]), ["open", "--json", "refund"])
    nothing = ended(application(["open"]), ["open", "--json"])

    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (code, nothing) == (2, 2)
    assert "refund" in said[0]["message"]
    assert said[1]["field"] == "--from"


def test_the_help_names_all_kinds_of_case() -> None:
    text = CliRunner().invoke(application(), ["--help"], env={"COLUMNS": "200"}).output

    for kind in ("refunds", "cancellations", "returns", "exchanges", "disputes", "late shipment", "withdrawals"):
        assert kind in text


def test_the_help_of_act_names_every_command_and_its_fields() -> None:
    text = CliRunner().invoke(application(["act"]), ["act", "--help"], env={"COLUMNS": "300"}).output

    assert [name for name in COMMANDS if name not in text] == []
    for option in (
        "--shipping.tracking-no",
        "--parcel.carrier --parcel.tracking-no (--freight-paid) (--refund-account)",
        "(--clauses=no_freight_collect|no_ems|no_sf_express|no_postal_parcel)",
        "(--accepted=LINE:QUANTITY)",
        "(--final)",
        "--fault=buyer|merchant|both|nobody --refund=full|partial|nothing (--line)",
    ):
        assert option in text


def test_a_misspelt_command_is_answered_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    code = ended(application(["act"]), ["act", "refund/O-1/k-1", "aprove", "--as", "merchant:m-1", "--json"])

    told = json.loads(capsys.readouterr().err)
    assert (code, told["field"]) == (2, "COMMAND")
    assert told["message"].endswith("did you mean approve?")


def test_the_version_can_be_asked_for() -> None:
    from importlib import metadata

    said = CliRunner().invoke(application(["--version"]), ["--version"]).output
    assert said == f"aftersales {metadata.version('aftersales')}\n"


@pytest.mark.parametrize(("first", "code"), [("lisst", 2), ("--version", 0)])
def test_nothing_is_loaded_for_a_word_that_there_is_not(
    first: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("starter.commands.application._join", None)

    assert ended(application([first]), [first]) == code
    assert ("list" in capsys.readouterr().err) is (code == 2), "what was meant is named"


@pytest.mark.parametrize("internal", [DisputeIntervened, CaseSettled, PausesChanged])
def test_what_workflows_tell_each_other_is_no_command_of_a_shell(
    internal: type[Command], capsys: pytest.CaptureFixture[str]
) -> None:  # D3
    name = internal.command_name()
    text = CliRunner().invoke(application(["act"]), ["act", "--help"], env={"COLUMNS": "300"}).output

    code = ended(application(["act"]), ["act", "refund/O-1/k-1", name, "--as", "clock:clock", "--json"])

    assert name not in text
    assert (code, json.loads(capsys.readouterr().err)["field"]) == (2, "COMMAND")


def test_every_amount_of_a_command_is_typed_in_decimals() -> None:
    # A new field in minor units that is not listed would be taken for a text and refused.
    minor = {
        name
        for model in COMMANDS.values()
        for name, field in model.model_fields.items()
        if "Strict" in repr(field) and "int" in repr(field.annotation)
    }

    assert minor == AMOUNTS


async def test_no_stack_is_one_line_and_its_own_code(nowhere: Shell) -> None:
    ended = await nowhere.run("list")

    assert ended.code == 3
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert "aftersales up" in ended.err


async def test_a_server_that_is_not_there_is_its_own_code(nowhere: Shell) -> None:
    gone = nowhere.having(TEMPORAL_ADDRESS="127.0.0.1:1", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    ended = await gone.having(AFTERSALES_KEYS=new_key("k")).run("show", "refund/a/b", "--json")

    assert ended.code == 3
    assert ended.failure["error"] == "unreachable"


async def test_servers_of_ones_own_need_a_key_ring_that_all_share(nowhere: Shell) -> None:
    theirs = nowhere.having(TEMPORAL_ADDRESS="127.0.0.1:1", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    ended = await theirs.run("show", "refund/a/b")

    assert ended.code == 2
    assert "AFTERSALES_KEY_FILE" in ended.err


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
        (["open", "refund", "--line", "L1:1:1.23456"], "--line"),
        (["open", "refund", "--line", "L1:1:1e9999"], "--line"),
        (["open", "refund", "--line", "L1:1:-1"], "--line"),
        (["open", "refund", "--line", "L1:1:NaN"], "--line"),
        (["open", "refund", "--line", "L1:1:1.00", "--order", "O", "--merchant", "m"], "buyer_id"),
        (["open", "refund", "--from", "/no/such/file"], "--from"),
        (["list", "--after", "x"], "after"),
        (["list", "--opened-from", "yesterday"], "--opened-from"),
        (["list", "--opened-until", "0001-01-01"], "--opened-until"),
        (["list", "--opened-from", "2026-11-20", "--opened-until", "2026-11-20"], "opened_until"),
        (["list", "--due-within", "soon"], "--due-within"),
        (["list", "--due-within", "999999d999999d999999d999999d"], "--due-within"),
        (["list", "--customer", "张三"], "customer"),
        (["act", "c", "no_such_command", "--as", "merchant:m"], "no_such_command"),
        (["act", "c", "approve", "--as", "nobody:m"], "--as"),
        (["act", "c", "approve", "--as", "merchant:m", "--colour", "red"], "colour"),
        (["act", "c", "retry_payment", "--as", "platform:o"], "reason"),
        (["act", "c", "retry_payment", "--as", "platform:o", "--reason", "a", "--reason", "b"], "--reason"),
        (["act", "c", "submit_evidence", "--as", "buyer:b", "--evidence", "vault:x,image/png"], "--evidence"),
        (["act", "c", "submit_evidence", "--as", "buyer:b", "--evidence-file", "pyproject.toml"], "--evidence-file"),
        (["act", "c", "approve", "--as", "merchant:m", "--wait", "--signal"], "--wait"),
        (["act", "c", "rule", "--as", "platform:o", "--refund", "full", "--reason", "r"], "fault"),
        (["act", "c", "rule", "--as", "platform:o", "--fault", "both", "--refund", "partial", "--reason", "r"], "D8"),
        (["act", "c", "confirm_receipt", "--as", "merchant:m", "--accepted", "L1"], "--accepted"),
        (["act", "c", "confirm_receipt", "--as", "merchant:m", "--accepted", "L1:two"], "--accepted"),
        (["act", "c", "agree_return", "--as", "merchant:m", "--clauses", "no_owls"], "clauses"),
        (["act", "c", "accept_settlement", "--as", "buyer:b", "--amount", "1.23456"], "--amount"),
        (["act", "c", "reship", "--as", "merchant:m", "--parcel.carrier", "sf"], "parcel.tracking_no"),
        (["act", "c", "submit_evidence", "--as", "merchant:m", "--final"], "D6"),
        (["open", "exchange", "--replacement", "L1"], "--replacement"),
        (["open", "exchange", "--line", "L1:1:1", "--replacement", "L2:x", "--order", "O"], "replacements"),
        (["open", "dispute", "--why", "because"], "--why"),
        (["open", "dispute", "--line", "L1:1:1.00", "--order", "O", "--merchant", "m"], "buyer_id"),
        (["parcels", "tell", "lost", "--carrier", "sf", "--tracking-no", "SF1"], "EVENT"),
        (["parcels", "tell", "signed", "--carrier", "sf", "--tracking-no", "S/F"], "parcel.tracking_no"),
        (["orders", "shipped", "O", "--carrier", "sf", "--tracking-no", "S1", "--at", "yesterday"], "--at"),
        (["addresses", "save", "A", *MERCHANT, *PLACE, "--details", "Nanjing Road 1"], "details"),
        (["addresses", "save", "A", *MERCHANT, *PLACE], "--contact-file"),
        (["whatif", "--pause", "2027-02-05/2027-02-12", "--since", "2026-01-01", "--story", "refund/O/k"], "--since"),
        (["flags", "set", "O", "pink", *MERCHANT, "--as", "merchant:m"], "colour"),
        (["flags", "set", "O", "red", *MERCHANT, "--as", "merchant:other"], "section 12"),
        (["pauses", "declare", "p", *PAUSE, "--kind", "refund"], "--kind"),
        (["pauses", "declare", "p", *PAUSE, "--kind", "return", "--as", "merchant:m"], "by"),
        (["exemptions", "declare", "p", "--reason", "outage"], "--reason"),
        (["ladder", "douyin", "--at", "2026-01-01T00:00"], "--at"),
        (["ladder", "no-such-profile"], "PROFILE"),
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

    code = ended(application(words), [*words, "--json"])

    said = capsys.readouterr()
    failure = json.loads(said.err)
    assert (code, failure["exit_code"], failure["error"], said.out) == (2, 2, "usage", "")
    assert named in failure["message"]


@pytest.mark.parametrize("option", ["statements", "remarks"])
def test_what_people_write_is_not_repeated_in_an_error(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # P6
    monkeypatch.setenv("AFTERSALES_STATE_DIR", str(tmp_path))
    file = tmp_path / "text"
    secret = "王小明 13800000000"
    words = {
        "statements": ["statements", "write", "dispute/order/O-1/k-1", "--as", "merchant:m"],
        "remarks": ["remarks", "add", "O-1", "--merchant", "m", "--as", "merchant:m"],
    }[option]
    said: list[str] = []
    for content in (secret.encode() * 1000, secret.encode() + b"\0", secret.encode("gbk"), b" \n"):
        file.write_bytes(content)
        assert ended(application(words), [*words, "--file", str(file), "--json"]) == 2
        said.append(capsys.readouterr().err)

    assert [text for text in said if "王" in text or "138" in text] == []
    assert [json.loads(text)["field"] for text in said] == ["text", "text", "--file", "text"]


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
    production = shell.having(
        AFTERSALES_ENVIRONMENT="production",
        AFTERSALES_LOOKUP_KEY="k" * 40,
        AFTERSALES_KEYS=new_key("a"),
        AFTERSALES_KEY_STORE_URL="postgresql://127.0.0.1:1/keys",
        DATABASE_URL="postgresql://127.0.0.1:1/none",
    )

    ended = await production.run(*words)

    assert ended.code == 2
    assert "refused in production" in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_the_books_of_production_are_not_compared_with_a_stubs(shell: Shell) -> None:
    queue = "of-another-ring"
    await shell.having(AFTERSALES_TASK_QUEUE=queue).json("setup")
    production = shell.having(
        AFTERSALES_TASK_QUEUE=queue,
        AFTERSALES_ENVIRONMENT="production",
        AFTERSALES_LOOKUP_KEY="k" * 40,
        AFTERSALES_KEYS=new_key("a"),
        AFTERSALES_KEY_STORE_URL="postgresql://127.0.0.1:1/keys",
        DATABASE_URL="postgresql://127.0.0.1:1/none",
    )

    ended = await production.run("books")
    diagnosis = await production.run("doctor", "--json")
    paying = await production.having(AFTERSALES_ROLE="money").run("doctor", "--json")

    assert ended.code == 2
    assert ended.err.startswith("AFTERSALES_PAYMENTS must name an adapter in production")
    assert diagnosis.code == 1, diagnosis.err
    (adapters,) = [each for each in diagnosis.document["checks"] if each["what"] == "notices"]
    assert not adapters["ok"]
    assert "AFTERSALES_NOTICES" in adapters["remedy"]
    found = {each["what"]: each for each in paying.document["checks"]}
    assert not found["payments"]["ok"]
    assert found["notices"]["ok"], "whose secrets are not where money is paid (X1)"
    assert "workers of the role notifications call it" in found["notices"]["finding"]
    (scheduled,) = [each for each in diagnosis.document["checks"] if each["what"] == "schedules"]
    assert not scheduled["ok"]  # their arguments are sealed under a key that this ring does not have
    assert f"{queue}-reconciliation" in scheduled["finding"]


async def test_setup_shows_what_differs_and_puts_it_right(shell: Shell, empty_database: str, client: Client) -> None:
    fresh = shell.having(DATABASE_URL=empty_database, AFTERSALES_TASK_QUEUE="fresh", AFTERSALES_RETENTION_DAYS="9")

    before = await fresh.run("setup", "--dry-run", "--json")
    done = await fresh.json("setup")
    after = await fresh.run("setup", "--dry-run", "--json")

    wanted = ["fresh-notice-resend", "fresh-reconciliation", "fresh-closed-cases"]
    assert (before.code, before.document["changed"]) == (1, False)
    assert (before.document["schema"]["was"], before.document["schedules"]) == ("none", wanted)
    assert (done["changed"], done["schedules"]) == (True, wanted)
    assert (after.code, after.document["schema"], after.document["schedules"]) == (0, None, [])
    assert before.document["retention"]["is"] == done["retention"]["is"] == "P9D"
    assert after.document["retention"] is None
    assert await retention(client) == timedelta(days=9)


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
    async with asyncio.timeout(PATIENCE):  # the server takes changes up one after the other, a moment later
        while not (await handle.describe()).schedule.state.paused:
            await asyncio.sleep(0.05)

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
    assert problems.keys() == {"schedules", "worker", "schema", "key store", "payments", "orders"}
    assert "aftersales worker" in problems["worker"]
    assert "aftersales setup" in problems["schema"]


async def test_a_wrong_profile_is_told_before_anything_starts(nowhere: Shell, tmp_path: Path) -> None:  # section 2
    text = Path("workflows/rules/policies/douyin.toml").read_text(encoding="utf-8")
    wrong = text.replace('name = "douyin"', 'name = "acme"').replace("most_applications = 3", "most_applications = 0")
    (tmp_path / "acme.toml").write_text(wrong, encoding="utf-8")
    shell = nowhere.having(AFTERSALES_POLICIES_DIR=str(tmp_path))

    started = await shell.run("up")
    diagnosis = await shell.run("doctor", "--json")
    fine = await nowhere.run("doctor", "--json")

    said = "acme.toml: refund.most_applications: must be greater than or equal to 1 (R1 to R8)"
    assert (started.code, started.err) == (2, f"{said}\n")
    found = {each["what"]: each["finding"] for each in diagnosis.document["checks"]}
    assert found["profiles"] == said
    (built_in,) = (each for each in fine.document["checks"] if each["what"] == "profiles")
    assert built_in["ok"]
    assert "douyin/" in built_in["finding"]


async def test_doctor_tells_of_a_database_that_refuses(shell: Shell, empty_database: str) -> None:
    missing = address_of("none", empty_database)

    ended = await shell.having(DATABASE_URL=missing).run("doctor", "--json")

    findings = {each["what"]: each["finding"] for each in ended.document["checks"] if not each["ok"]}
    assert {what for what, said in findings.items() if said.startswith("InvalidCatalogNameError")} == {
        "database",
        "schema",
    }


async def test_doctor_without_servers_still_answers(nowhere: Shell) -> None:
    ended = await nowhere.run("doctor")

    assert ended.code == 1
    assert "problem" in ended.out
    assert "aftersales up" in ended.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_up_serves_and_leaves_nothing_behind(nowhere: Shell, state_dir: Path, number: signal.Signals) -> None:
    shell = nowhere.having(AFTERSALES_STATE_DIR=str(state_dir), AFTERSALES_HEALTH_LISTEN="127.0.0.1:0")
    process = await shell.start("up", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        up = json.loads(await process.stdout.readline())
        while (ready := await probe(up["probes"], "/readyz"))[0] != 200:  # its workers begin to poll
            await asyncio.sleep(0.2)
    servers = {
        pid
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if str(state_dir) in _command_line(pid) and pid != process.pid
    }
    healthy = await shell.run("doctor", "--json")
    process.send_signal(number)
    async with asyncio.timeout(PATIENCE):
        rest = await process.stdout.read()
        code = await process.wait()

    assert up["web_ui"].startswith("http://127.0.0.1:")
    assert ready[1]["state"] == "running", ready[1]
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


async def test_doctor_tells_in_which_database_role_it_is(shell: Shell, database: str, settings: Settings) -> None:
    await grant_roles(settings, database)
    as_codec = await log_in_as(DatabaseRole.CODEC, database)

    async def told(url: str) -> dict[str, Any]:
        ended = await shell.having(DATABASE_URL=url).run("doctor", "--json")
        (check,) = [each for each in ended.document["checks"] if each["what"] == "database role"]
        return check

    assert (await told(database))["finding"].endswith("owns the tables and may do everything")
    assert (await told(as_codec))["finding"] == "aftersales_codec_login is aftersales_codec, and may do nothing else"
    owner = await asyncpg.connect(database)
    try:
        await owner.execute("GRANT DELETE ON vault.looks TO aftersales_codec_login")
        more = await told(as_codec)
        await owner.execute("REVOKE DELETE ON vault.looks FROM aftersales_codec_login")
    finally:
        await owner.close()
    assert not more["ok"]
    assert "DELETE on vault.looks" in more["finding"]
