"""Opening many cases from a file: each once, whatever interrupts it, and every refused line told of."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio.client import Client

from starter.commands.failures import UsageError
from starter.commands.opened_lines import opened_lines
from starter.commands.request_lines import LONGEST, Line
from tests.cli.shell import Shell
from tests.cli.test_cases import order
from tests.patience import PATIENCE

SECRET = "王小明13800000000"


def refund(bought: dict[str, Any], **changes: Any) -> dict[str, Any]:
    whose = {name: bought[name] for name in ("order_no", "merchant_id", "buyer_id")}
    lines = [{"line": "L1", "quantity": 1, "amount": 100}]
    return {"request": "refund", "request_key": "k-1", **whose, "lines": lines, "reason": "other", **changes}


def written(file: Path, lines: Iterable[dict[str, Any] | str]) -> Path:
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


async def with_orders(shell: Shell, folder: Path, count: int, **changes: Any) -> list[dict[str, Any]]:
    orders = [order(**changes) for _ in range(count)]
    assert (await shell.json("orders", "load", written(folder / "orders.jsonl", orders)))["loaded"] == count
    return orders


@pytest_asyncio.fixture
async def own_queue(shell: Shell, client: Client) -> AsyncGenerator[tuple[Shell, str]]:
    """A task queue that no worker reads: what is opened on it waits, for as long as the test lasts.

    Whoever asks every running case afterwards, as ``aftersales recover`` does, would wait for an answer of each.
    """
    queue = f"bulk-{uuid4().hex[:8]}"
    yield shell.having(AFTERSALES_TASK_QUEUE=queue), queue
    async for left in client.list_workflows(f"TaskQueue = '{queue}' AND ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(left.id).terminate("the test is over")


async def count_of(client: Client, queue: str, wanted: int) -> int:
    """The workflows that were started on a queue; visibility tells of them a moment later."""
    async with asyncio.timeout(PATIENCE):
        while (found := (await client.count_workflows(f"TaskQueue = '{queue}'")).count) < wanted:
            await asyncio.sleep(0.1)
    return found


async def test_a_killed_run_is_taken_up_again_and_opens_each_case_once(
    own_queue: tuple[Shell, str], client: Client, tmp_path: Path
) -> None:  # section 11
    shell, queue = own_queue
    lines = [refund(bought) for bought in await with_orders(shell, tmp_path, 30)]
    file = tmp_path / "requests.jsonl"
    # A pipe that is never closed: the first run cannot come to its end.
    os.mkfifo(file)
    process = await shell.start("open", "--from", file, "--at-once", "4")
    feeding = os.open(file, os.O_RDWR)
    os.write(feeding, "".join(f"{json.dumps(line)}\n" for line in lines[:20]).encode())
    note = tmp_path / "requests.jsonl.opened"
    async with asyncio.timeout(PATIENCE):
        while not note.exists() or note.stat().st_size < 16 * 8:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    os.close(feeding)
    file.unlink()
    written(file, lines)

    second = await shell.json("open", "--from", file)
    third = await shell.json("open", "--from", file)

    assert second["lines"] == second["opened"] + second["opened_before"] == 30
    assert 10 <= second["opened"] < 30
    assert (third["opened"], third["opened_before"]) == (0, 30)
    assert await count_of(client, queue, 30) == 30
    assert not (tmp_path / "requests.jsonl.errors.jsonl").exists()


async def test_refused_lines_are_told_of_and_mended_lines_are_all_that_is_left(
    own_queue: tuple[Shell, str], client: Client, tmp_path: Path
) -> None:  # R8, R13, P6
    shell, queue = own_queue
    one, two, three, four = await with_orders(shell, tmp_path, 4)
    (shipped,) = await with_orders(shell, tmp_path, 1, shipped_at=datetime.now(UTC).isoformat())
    merchant_only = {name: value for name, value in refund(four).items() if name != "buyer_id"}
    good: list[dict[str, Any] | str] = [
        refund(one),
        refund(two),
        "",
        refund(shipped, request="return"),
        refund(shipped, request="exchange", request_key="k-2"),
        refund(three, request="dispute", dispute_reason="other"),
        {"request": "late-shipment", "order_no": two["order_no"]},
        merchant_only | {"request": "merchant_refund"},
    ]
    bad: list[tuple[dict[str, Any] | str, tuple[str, str, str]]] = [
        (refund(three, lines=[{"line": "L1", "quantity": 1, "amount": 10_001}]), ("amount_too_high", "R8", "lines")),
        (refund(one, reason="damaged"), ("request_key_reused", "section 11", "request_key")),
        (refund(three, request="owl"), ("malformed", "section 11", "request")),
        (refund(three, request_key=SECRET), ("malformed", "section 11", "request_key")),
        (refund(three) | {SECRET: SECRET}, ("malformed", "section 11", "(an unknown field)")),
        (SECRET, ("malformed", "section 11", "")),
        (json.dumps([SECRET]), ("malformed", "section 11", "")),
        (f'"{"a" * LONGEST}"', ("malformed", "section 11", "")),
        ({"request": "late-shipment", "order_no": "O-none"}, ("unknown_order", "L1", "order_no")),
        (refund(three, lines=[]), ("malformed", "R13", "lines")),
    ]
    file = written(tmp_path / "requests.jsonl", [*good, *(line for line, _ in bad)])
    errors = tmp_path / "requests.jsonl.errors.jsonl"

    checked = await shell.run("open", "--from", file, "--check", "--json")
    foreseen = [json.loads(line) for line in errors.read_text().splitlines()]
    before = (await client.count_workflows(f"TaskQueue = '{queue}'")).count
    # One at a time: of two lines with one key the first one is to be the case.
    first = await shell.run("open", "--from", file, "--at-once", "1", "--json")
    text, mode = errors.read_text(), stat.S_IMODE(errors.stat().st_mode)
    told = [json.loads(line) for line in text.splitlines()]
    written(file, [*good, *(refund(three, request_key=f"k-{number}") for number, _ in enumerate(bad))])
    mended = await shell.json("open", "--from", file)

    wanted = [(number, *what) for number, (_, what) in enumerate(bad, start=9)]
    said = [(each["line"], each["code"], each["rule"], each["field"]) for each in told]
    assert [(*each[:3], each[3].split(".")[0]) for each in said] == wanted
    assert all(each["explanation"] for each in told)
    assert not [part for part in (SECRET, "王小明", "13800000000") if part in text], "what a line held is not repeated"
    assert mode == 0o600
    assert (first.code, first.document["opened"], first.document["refused"]) == (1, 7, 10)
    assert first.document["errors"] == str(errors)
    # Nothing was opened yet whose key could be used again.
    assert [each["line"] for each in foreseen] == [number for number, *_ in wanted if number != 10]
    assert (checked.code, checked.document["good"], before) == (1, 8, 0)
    assert (mended["opened"], mended["opened_before"], mended["refused"], mended["errors"]) == (10, 7, 0, None)
    assert not errors.exists()


async def test_lines_of_a_pipe(own_queue: tuple[Shell, str], client: Client, tmp_path: Path) -> None:
    shell, queue = own_queue
    lines = [refund(bought) for bought in await with_orders(shell, tmp_path, 3)]
    errors = tmp_path / "errors.jsonl"
    typed = "".join(f"{json.dumps(line)}\n" for line in (*lines, {"request": "refund"}))

    ended = await shell.run("open", "--from", "-", "--errors", errors, "--json", typed=typed)
    again = await shell.run("open", "--from", "-", "--errors", errors, "--json", typed=typed)

    assert (ended.code, again.code) == (1, 1)
    assert (ended.document["opened"], again.document["opened"]) == (3, 3)
    assert json.loads(errors.read_text())["line"] == 4
    assert await count_of(client, queue, 3) == 3


def test_the_note_of_another_case_book_counts_for_nothing(tmp_path: Path) -> None:
    file, line, other = tmp_path / "requests.jsonl", Line(3, b"{}\n"), Line(4, b"{}\n")

    with opened_lines(file, "here", afresh=False) as note:
        note.add(line)
        assert note.has(line)
        assert not note.has(other)
        assert not note.has(Line(3, b"{ }\n")), "another line stands there now"
        with pytest.raises(UsageError, match="another process"), opened_lines(file, "here", afresh=False):
            pass
    with opened_lines(file, "here", afresh=False) as note:
        assert note.has(line)
    with opened_lines(file, "elsewhere", afresh=False) as note:
        assert not note.has(line)
        note.add(line)
    with opened_lines(file, "elsewhere", afresh=True) as note:
        assert not note.has(line)
