"""``aftersales bulk``: a dry run, then one command to each case that a query finds (section 12)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down

TYPHOON = ("--as", "platform:o-7", "--reason", "typhoon")


@pytest.fixture
def until() -> str:
    return (datetime.now(UTC) + timedelta(hours=100)).replace(microsecond=0).isoformat()


async def shop_of_three(shell: Shell, folder: Path) -> tuple[str, list[str]]:
    """A merchant with three open refunds."""
    first = order()
    cases: list[str] = []
    for number in range(3):
        bought: dict[str, Any] = order(merchant_id=first["merchant_id"])
        await loaded(shell, folder, "orders", bought)
        cases.append(await written_down(shell, *asks(bought, f"{number + 10}.00")))
    return first["merchant_id"], cases


async def test_first_a_dry_run_then_each_case_once(worker_process: Shell, tmp_path: Path, until: str) -> None:
    shell = worker_process
    merchant, cases = await shop_of_three(shell, tmp_path)
    report = tmp_path / "report.jsonl"
    words = ("bulk", "move_deadline", "--merchant", merchant, *TYPHOON, "--until", until)
    named = (*words, "--name", "typhoon-1", "--report", report)

    dry = await shell.json(*named)
    before = [(await shell.json("show", case))["due"] for case in cases]
    done = await shell.json(*named, "--go", "--rate", 100)
    again = await shell.json(*named, "--go", "--rate", 100)

    assert (dry["dry_run"], dry["found"], sorted(dry["would_take"])) == (True, 3, sorted(cases))
    assert datetime.fromisoformat(until) not in map(datetime.fromisoformat, before)
    assert (done["found"], done["done"], done["refused"], done["unanswered"]) == (3, 3, 0, 0)
    assert again["done"] == 3
    for case in cases:
        view = await shell.json("show", case)
        assert datetime.fromisoformat(view["due"]) == datetime.fromisoformat(until)
        (entry,) = [each for each in view["log"] if each["event"] == "deadline_set"]
        assert (entry["by"], entry["facts"]["reason"]) == ({"role": "platform", "id": "o-7"}, "typhoon")
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert sorted(each["case_id"] for each in lines) == sorted(cases * 2)
    assert {each["came"] for each in lines} == {"done"}


async def test_what_is_refused_is_reported_and_is_not_a_success(worker_process: Shell, tmp_path: Path) -> None:
    shell = worker_process
    merchant, cases = await shop_of_three(shell, tmp_path)
    report = tmp_path / "report.jsonl"

    dry = await shell.json("bulk", "approve", "--merchant", merchant, "--as", "merchant:m-other", "--name", "n")
    ended = await shell.run(
        *("bulk", "approve", "--merchant", merchant, "--as", "merchant:m-other", "--name", "n", "--json"),
        *("--go", "--rate", 100, "--report", report),
    )

    assert dry["found"] == 3
    assert ended.code == 1
    assert (ended.document["refused"], ended.document["refusals"]) == (3, {"not_yours": 3})
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert {each["case_id"] for each in refused} == set(cases)
    assert {each["refusal"]["rule"] for each in refused} == {"section 12"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("move_deadline", *TYPHOON, "--until", "2030-01-01T00:00:00Z", "--name", "n"), "filter"),
        (("move_deadline", *TYPHOON, "--name", "n", "--merchant", "m-1"), "until"),
        (("move_deadline", *TYPHOON, "--name", "a b", "--merchant", "m-1", "--until", "2030-01-01T00:00:00Z"), "name"),
        (("dance", *TYPHOON, "--name", "n", "--merchant", "m-1"), "COMMAND"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_is_sent(shell: Shell, words: tuple[str, ...], named: str) -> None:
    ended = await shell.run("bulk", *words, "--go")

    assert ended.code == 2
    assert named in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_more_cases_than_meant_are_refused(worker_process: Shell, tmp_path: Path) -> None:
    merchant, _ = await shop_of_three(worker_process, tmp_path)
    words = ("bulk", "approve", "--merchant", merchant, "--as", f"merchant:{merchant}", "--name", "n")

    ended = await worker_process.run(*words, "--at-most", 2, "--go")

    assert ended.code == 2
    assert "--at-most" in ended.err
