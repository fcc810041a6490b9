"""Every command of ``aftersales`` on the pages for operators, typed as it stands there."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import typer

from starter.commands.acting import fields_of_all_commands
from starter.commands.application import application
from starter.commands.failures import Exit
from tests import pages
from tests.cli.shell import Shell
from tests.cli.test_cases import opened, order
from tests.cli.test_usage import every_command

HELP_OF = ("aftersales bulk", "aftersales bulk COMMAND", "aftersales act")
"""Named as commands, and complete nowhere on the pages."""

ANSWERS = {
    "aftersales stuck": {Exit.OK, Exit.NO},
    "aftersales books": {Exit.OK, Exit.NO},
    "aftersales alerts list": {Exit.OK, Exit.NO},
    "aftersales alerts resolve NUMBER": {Exit.NO},  # there is no such alert
    "aftersales alerts accept NUMBER --as platform:o-1 --reason written_off": {Exit.NO},  # nor such a difference
    "aftersales notices undeliverable": {Exit.OK, Exit.NO},
    "aftersales notices retry": {Exit.OK, Exit.NO},
    "aftersales webhooks dead": {Exit.OK, Exit.NO},
    "aftersales webhooks replay ENDPOINT": {Exit.NO},  # nothing was given up
    "aftersales webhooks discard ENDPOINT --case CASE": {Exit.NO},
    "aftersales events --forget NAME": {Exit.NO},  # nor such a reader
    "aftersales inbox list": {Exit.OK, Exit.NO},
    "aftersales inbox list --waiting": {Exit.OK, Exit.NO},
    "aftersales inbox discard NUMBER": {Exit.NO},  # there is no such message
    "aftersales doctor": {Exit.OK, Exit.NO},  # there are no schedules, unless another test has made them
    "aftersales doctor --deep": {Exit.OK, Exit.NO},
    "aftersales replay --live": {Exit.OK, Exit.NO},  # other tests have left cases of other releases in the namespace
    "aftersales replay --live --namespace NAMESPACE --limit 500 --rate 20": {Exit.OK, Exit.NO},
    "aftersales act CASE move_policy --as platform:o-1 --version 2 --reason new_terms": {Exit.REFUSED},  # not in force
}
"""What else than done, where the state of these books makes it so."""

RECOVERY = {Exit.OK, Exit.NO}
"""Something may be found, and of others' rows some tell no request."""

TEMPORALS = {"--codec-endpoint", "--codec-auth"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def meant(worker_process: Shell, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What stands in the place of the pages' words: a case that waits for its merchant, and what is about it."""
    bought = order()
    case = await opened(worker_process, tmp_path_factory.mktemp("orders"), bought)
    by = ("--as", f"buyer:{bought['buyer_id']}")
    statement = await worker_process.json("statements", "write", case, *by, typed="it came broken\n")
    return {
        "CASE": case,
        "STATEMENT": statement["reference"],
        "ORDER": bought["order_no"],
        "NUMBER": "1000000",
        "NAMESPACE": "default",
        "DAY": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}",
        "UNTIL": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        "m-laurel": bought["merchant_id"],
    }


@pytest.mark.parametrize("line", pages.typed_at_the_command_line())
async def test_a_command_does_what_its_page_says(
    worker_process: Shell, meant: dict[str, str], tmp_path: Path, line: str
) -> None:
    ready = f"{line} --help" if line in HELP_OF else line
    for word, here in meant.items():
        ready = ready.replace(word, here)
    _, *words = shlex.split(ready)
    if "--go" in words:
        words += ["--report", str(tmp_path / "report.jsonl")]  # not into the folder of whoever runs the tests
    if "--live" in words:
        words += ["--limit", "3", "--rate", "1000"]  # other tests have left hundreds of workflows open; the last counts

    ended = await worker_process.run(*words, typed="王小明\n" if words[-1] == "-" else None)

    usual = RECOVERY if line.startswith("aftersales recover") else {Exit.OK}
    assert ended.code in ANSWERS.get(line, usual), ended.err or ended.out
    assert ended.out or ended.code == Exit.REFUSED


def known_options() -> Iterator[str]:
    for _, command in every_command(typer.main.get_command(application())):
        for each in command.params:
            yield from each.opts
    for word in fields_of_all_commands().split():
        yield word.strip("()[],`")


def test_an_option_that_a_page_names_is_one() -> None:
    known = {*known_options(), *TEMPORALS}

    assert [each for each in pages.options() if each.split()[0] not in known] == []
