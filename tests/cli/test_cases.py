"""Cases from the command line, end to end: a worker process, real servers, one process for each command."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from tests.cli.shell import Shell
from tests.patience import PATIENCE

VIEW = {"case_id", "stage", "due", "commands", "log", "legs", "on_silence", "attention"}


def order(**changes: Any) -> dict[str, Any]:
    """An order that nobody else uses, with one line of 100.00."""
    number = f"O-{uuid4().hex[:12]}"
    return {
        "order_no": number,
        "marketplace": "douyin",
        "merchant_id": f"m-{number}",
        "buyer_id": f"b-{number}",
        "currency": "CNY",
        "lines": [{"line": "L1", "sku": "s1", "quantity": 2, "paid": 10_000}],
        "freight": 0,
        "tenders": [{"tender": "T1", "kind": "wallet", "paid": 10_000}],
        "paid_at": (datetime.now(UTC) - timedelta(days=3)).isoformat(),
        **changes,
    }


async def loaded(shell: Shell, folder: Path, what: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record, once it is in the shop's stand-in."""
    file = folder / "records.jsonl"
    file.write_text(json.dumps(record) + "\n")
    assert await shell.json(what, "load", file) == {"loaded": 1, "unchanged": 0, "problems": []}
    return record


def asks(bought: dict[str, Any], amount: str) -> tuple[str, ...]:
    """The words that ask for a refund on line L1."""
    return (
        *("open", "refund", "--order", bought["order_no"], "--merchant", bought["merchant_id"]),
        *("--buyer", bought["buyer_id"], "--line", f"L1:1:{amount}"),
    )


@pytest.fixture
def bought() -> dict[str, Any]:
    return order()


async def opened(shell: Shell, folder: Path, bought: dict[str, Any], amount: str = "40.50") -> str:
    await loaded(shell, folder, "orders", bought)
    return await written_down(shell, *asks(bought, amount))


async def written_down(shell: Shell, *words: object) -> str:
    """The case that these words open, once it is in the books: ``open`` itself does not wait for a worker."""
    case = (await shell.json(*words))["case_id"]
    patience = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while (view := await shell.json("show", case))["stage"] == "opening":
        assert datetime.now(UTC) < patience, view
    return case


async def test_what_was_opened_before_is_not_said_to_be_opened(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:
    shell = worker_process
    await loaded(shell, tmp_path, "orders", bought)

    first, second = [await shell.json(*asks(bought, "40.50")) for _ in range(2)]
    said = (await shell.run(*asks(bought, "40.50"))).out

    assert (first["existed"], second["existed"]) == (False, True)
    assert first["case_id"] == second["case_id"]
    assert said.startswith("existed already: ")


async def test_the_way_of_a_refund(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:  # R1
    shell = worker_process
    case = await opened(shell, tmp_path, bought)

    view = await shell.json("show", case)
    listed = await shell.json("list", "--merchant", bought["merchant_id"])
    outcome = await shell.json("act", case, "approve", "--as", f"merchant:{bought['merchant_id']}", "--wait")
    log = await shell.json("log", case)

    assert view.keys() >= VIEW
    assert (view["stage"], view["asked"]) == ("merchant_review", {"amount": 4050, "currency": "CNY"})
    assert [each["case_id"] for each in listed["cases"]] == [case]
    assert listed["counts"] == {"unshipped_refunds": 1}
    assert (outcome["outcome"], outcome["refunded"]["amount"], outcome["decided_by"]) == ("refunded", 4050, "merchant")
    assert await shell.json("outcome", case) == outcome
    assert [each["event"] for each in log["log"]] == ["opened", "approved", "refund_succeeded"]
    assert (await shell.json("list", "--merchant", bought["merchant_id"]))["cases"] == []
    ended = await shell.json("show", case)
    moves = [(stay["stage"], stay["event"], stay["by"]["role"]) for stay in ended["timeline"]]
    assert moves[:2] == [("merchant_review", "opened", "buyer"), ("paying", "approved", "merchant")]
    assert moves[-1] == ("closed", "refund_succeeded", "gateway")
    assert ended["log"] == log["log"]
    closed = await shell.json("list", "--merchant", bought["merchant_id"], "--closed")
    assert [each["outcome"] for each in closed["cases"]] == ["refunded"]


async def test_pages_for_people_say_what_the_case_is(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # section 12
    case = await opened(worker_process, tmp_path, bought)

    page = (await worker_process.run("show", case)).out
    listed = (await worker_process.run("list", "--merchant", bought["merchant_id"])).out

    for word in (
        "the merchant decides",
        "40.50 CNY",
        "1 d 23 h left",
        "the refund is paid",
        "approve (merchant)",
        "R1",
        "timeline",
        "so far",
    ):
        assert word in page
    assert case in listed
    assert "1 d 23 h left" in listed
    assert "unshipped_refunds: 1" in listed


async def test_the_same_words_again_are_the_same_case(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # section 11
    case = await opened(worker_process, tmp_path, bought)

    again = await worker_process.json(*asks(bought, "40.5"))
    other = await worker_process.json(*asks(bought, "40.51"))
    # Nothing of an interpreter's own, such as the seed of its hashes, is part of a key.
    process = await worker_process.start(*asks(bought, "40.50"), "--json")
    elsewhere, _ = await process.communicate()

    assert again["case_id"] == case
    assert json.loads(elsewhere)["case_id"] == case
    assert other["case_id"] != case


async def test_a_request_key_with_another_body_is_refused(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # section 11
    await loaded(worker_process, tmp_path, "orders", bought)
    await worker_process.json(*asks(bought, "10"), "--key", "k-1")

    ended = await worker_process.run(*asks(bought, "11"), "--key", "k-1", "--json")

    assert ended.code == 4
    assert (ended.failure["code"], ended.failure["field"]) == ("request_key_reused", "request_key")


async def test_a_refused_request_names_rule_and_field(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R8
    await loaded(worker_process, tmp_path, "orders", bought)

    ended = await worker_process.run(*asks(bought, "100.01"), "--json")

    assert ended.code == 4
    assert (ended.failure["error"], ended.failure["rule"], ended.failure["field"]) == (
        "refused",
        "R8",
        "lines.0.amount",
    )


async def test_a_request_from_a_file_is_in_minor_units(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:
    await loaded(worker_process, tmp_path, "orders", bought)
    request = {
        "request_key": "from-file",
        "order_no": bought["order_no"],
        "merchant_id": bought["merchant_id"],
        "buyer_id": bought["buyer_id"],
        "lines": [{"line": "L1", "quantity": 1, "amount": 4050}],
        "reason": "out_of_stock",
    }
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))

    case = await written_down(worker_process, "open", "refund", "--from", file)

    assert case == f"refund/{bought['order_no']}/from-file"
    assert (await worker_process.json("show", case))["asked"]["amount"] == 4050


async def test_a_command_is_built_from_options_and_files(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R1
    case = await opened(worker_process, tmp_path, bought)
    waybill = tmp_path / "waybill.jpg"
    waybill.write_bytes(b"a photograph")
    digest = hashlib.sha256(b"a photograph").hexdigest()

    view = await worker_process.json(
        *("act", case, "reject", "--as", f"merchant:{bought['merchant_id']}", "--reason", "goods_shipped"),
        *("--shipping.carrier", "sf", "--shipping.tracking-no=SF1", "--shipping.shipped-at", "now"),
        *("--evidence-file", waybill, "--evidence", f"vault:evidence/2,image/png,17,{'1' * 64}"),
    )

    assert (view["stage"], view["kind"]) == ("return_review", "return")
    facts = view["log"][-1]["facts"]
    assert (facts["reason"], facts["tracking_no"]) == ("goods_shipped", "SF1")
    assert (facts["evidence_1"], facts["evidence_2"]) == ("vault:evidence/2", f"local:{digest}")


async def test_a_command_that_is_not_open_is_refused(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:
    case = await opened(worker_process, tmp_path, bought)

    wrong_actor = await worker_process.run("act", case, "approve", "--as", f"buyer:{bought['buyer_id']}", "--json")
    not_yours = await worker_process.run("act", case, "approve", "--as", "merchant:somebody-else")

    assert wrong_actor.code == 4
    assert wrong_actor.failure["code"] == "wrong_actor"
    assert not_yours.code == 4
    assert "another merchant's" in not_yours.err


async def test_what_is_said_in_words_is_kept_and_read_by_who_may(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R10
    text, blank = tmp_path / "words.txt", tmp_path / "blank.txt"
    text.write_text("锅盖刮花了\n")
    blank.write_text(" ")
    await loaded(worker_process, tmp_path, "orders", bought)

    wrong = await worker_process.run(*asks(bought, "40.50"), "--words-file", blank, "--json")
    case = await written_down(worker_process, *asks(bought, "40.50"), "--words-file", text)
    page = (await worker_process.run("show", case)).out
    reference = (await worker_process.json("show", case))["application"]["words"]
    read = ("statements", "read", reference, "--as")
    by_merchant = await worker_process.json(*read, f"merchant:{bought['merchant_id']}")
    by_another = await worker_process.run(*read, "merchant:somebody-else", "--json")

    assert wrong.code == 2
    assert reference in "".join(page.split())
    assert by_merchant["text"] == "锅盖刮花了"
    assert by_another.code == 2
    assert "锅盖" not in by_another.err + page


async def test_a_decision_on_another_amount_than_is_asked_for_is_refused(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R11
    case = await opened(worker_process, tmp_path, bought)
    approve = ("act", case, "approve", "--as", f"merchant:{bought['merchant_id']}", "--json")

    page = (await worker_process.run("show", case)).out
    (shown,) = [line.split("--expects ")[1].strip() for line in page.splitlines() if "--expects" in line]
    unseen = await worker_process.run(*approve, "--expects", "1:0.01")
    wrong = await worker_process.run(*approve, "--expects", "0.01")
    refused = (await worker_process.json("show", case))["stage"]
    seen = await worker_process.json(*approve[:-1], "--expects", shown)

    assert (unseen.code, unseen.failure["code"], refused) == (4, "application_changed", "merchant_review")
    assert (wrong.code, wrong.failure["field"]) == (2, "--expects")
    assert seen["log"][-1]["event"] in ("approved", "refund_succeeded")


async def test_a_case_whose_workflow_was_stopped_does_not_look_alive(
    worker_process: Shell, client: Client, tmp_path: Path, bought: dict[str, Any]
) -> None:  # section 11
    case = await opened(worker_process, tmp_path, bought)
    approve = ("act", case, "approve", "--as", f"merchant:{bought['merchant_id']}", "--json")
    await client.get_workflow_handle(case).terminate("by an operator")

    page = (await worker_process.run("show", case)).out
    view = await worker_process.json("show", case)
    refused = await worker_process.run(*approve)
    ended = await worker_process.run("outcome", case, "--json")
    while case not in (listed := await worker_process.json("list", "--order", bought["order_no"]))["stopped"]:
        await asyncio.sleep(0.1)
    table = (await worker_process.run("list", "--order", bought["order_no"])).out

    assert (view["stopped"], view["commands"], view["due"]) == ("terminated", [], None)
    assert "the workflow was terminated: nobody follows the case" in " ".join(page.split())
    assert "open commands" not in page
    assert (refused.code, refused.failure["code"]) == (4, "workflow_stopped")
    assert (ended.code, ended.failure["error"]) == (1, "stopped")
    assert listed["stopped"] == {case: "terminated"}
    assert "terminated" in table


async def test_a_signal_is_sent_and_carried_out(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    case = await opened(worker_process, tmp_path, bought)

    sent = await worker_process.json("act", case, "withdraw", "--as", f"buyer:{bought['buyer_id']}", "--signal")
    outcome = await worker_process.json("outcome", case)

    assert sent["sent"] == "withdraw"
    assert outcome["outcome"] == "withdrawn"


async def test_a_clock_moved_over_the_deadline_pays(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R1
    case = await opened(worker_process, tmp_path, bought)

    before = await worker_process.json("fast-forward", case, "47h")
    page = (await worker_process.run("show", case)).out
    after = await worker_process.json("fast-forward", case, "1d12h")
    closed = await worker_process.run("fast-forward", case, "1h", "--json")

    assert before["open"] is True
    assert "59 m" in page, "the remaining time is told by the case's own clock"
    assert after["open"] is False
    assert (await worker_process.json("outcome", case))["decided_by"] == "clock"
    assert (closed.code, closed.failure["code"]) == (4, "not_open")


async def test_goods_that_ship_are_told_to_the_orders_cases(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # R7
    shell = worker_process
    case = await opened(shell, tmp_path, bought)
    parcel = ("--carrier", "sf", "--tracking-no", f"SF-{bought['order_no']}")

    await shell.json("orders", "outbound", bought["order_no"])
    await shell.json("orders", "shipped", bought["order_no"], *parcel)
    view = await standing(shell, case, "return_review")

    assert view["kind"] == "return"
    for word in ("shipped", "outbound"):
        unknown = await shell.run("orders", word, "no-such-order", *(parcel if word == "shipped" else ()), "--json")
        assert (unknown.code, unknown.failure["field"]) == (2, "ORDER")


async def test_the_gateway_does_as_it_is_told(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    shell = worker_process  # section 10
    await loaded(shell, tmp_path, "orders", bought)
    behaviour = await shell.json(
        *("gateway", "behave", "settle_later", "--order", bought["order_no"], "--settle-after", "90m", "--uses", 1)
    )
    told = await shell.json("gateway", "behaviours")
    case = (await shell.json(*asks(bought, "20")))["case_id"]
    await shell.json("act", case, "approve", "--as", f"merchant:{bought['merchant_id']}")
    view = await standing(shell, case, "settling")
    refund_no = view["legs"][0]["refund_no"]
    await shell.json("fast-forward", case, "2h")  # of a payment from ahead of its clock a case believes nothing (R18)

    early = await shell.json("gateway", "deliver")
    late = await shell.json("gateway", "deliver", "--at", (datetime.now(UTC) + timedelta(hours=2)).isoformat())
    outcome = await shell.json("outcome", case)
    books = await shell.json("books", "--at", (datetime.now(UTC) + timedelta(hours=2)).isoformat())

    assert behaviour["settle_after_seconds"] == 5400
    assert behaviour in told["behaviours"]
    assert refund_no not in early["delivered"]
    assert refund_no in late["delivered"]
    assert outcome["outcome"] == "refunded"
    line = next(each for each in books["lines"] if each["refund_no"] == refund_no)
    assert (line["ours"], line["theirs"], line["equal"]) == (2000, 2000, True)
    assert books["equal"] is True


async def standing(shell: Shell, case: str, stage: str) -> Any:
    """The case once it stands in this stage."""
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while (view := await shell.json("show", case))["stage"] != stage:
        assert datetime.now(UTC) < deadline, view
    return view


async def test_a_gateway_that_lost_what_we_paid_makes_the_books_differ(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any], database: str
) -> None:  # section 10
    import asyncpg

    await loaded(worker_process, tmp_path, "orders", bought)
    case = (await worker_process.json(*asks(bought, "30")))["case_id"]
    outcome = await worker_process.json("act", case, "approve", "--as", f"merchant:{bought['merchant_id']}", "--wait")
    refund_no = outcome["legs"][0]["refund_no"]
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("UPDATE gateway.refunds SET amount = amount - 1 WHERE refund_no = $1", refund_no)
        differ = await worker_process.run("books", "--json")
        await connection.execute("UPDATE gateway.refunds SET amount = amount + 1 WHERE refund_no = $1", refund_no)
    finally:
        await connection.close()

    assert differ.code == 1
    assert [line["refund_no"] for line in differ.document["lines"] if not line["equal"]] == [refund_no]
    equal = await worker_process.run("books")
    assert equal.code == 0
    assert "the books are equal" in equal.out


async def test_a_withdrawal_is_found_by_account_name(worker_process: Shell, tmp_path: Path) -> None:  # A1, A4
    name = f"account {uuid4().hex}"
    allowance = {
        "allowance_id": f"A-{uuid4().hex[:12]}",
        "marketplace": "douyin",
        "merchant_id": "m-allowances",
        "buyer_id": "b-1",
        "currency": "CNY",
        "principal": 8000,
        "bonus": 2000,
        "spent": 1000,
        "tender_kind": "wallet",
        "valid_until": (datetime.now(UTC) + timedelta(days=20)).isoformat(),
        "account_name": name,
    }
    await loaded(worker_process, tmp_path, "allowances", allowance)
    whose = ("--allowance", allowance["allowance_id"], "--merchant", "m-allowances", "--buyer", "b-1")

    withdrawal = await written_down(worker_process, "open", "withdrawal", *whose)
    expiry = await worker_process.json("open", "expiry", *whose, "--valid-until", allowance["valid_until"])
    listed = await worker_process.json("list", "--account", f" {name.upper()}")
    waiting = await worker_process.json("show", expiry["case_id"])
    outcome = await worker_process.json("act", withdrawal, "pay_out", "--as", "merchant:m-allowances", "--wait")

    assert [each["case_id"] for each in listed["cases"]] == [withdrawal]
    assert name not in json.dumps(listed)
    assert datetime.fromisoformat(waiting["starts_at"]) > datetime.now(UTC) + timedelta(days=19)
    assert (outcome["refunded"]["amount"], outcome["bonus_voided"]["amount"]) == (7200, 1800)


async def test_bad_lines_of_a_file_are_named(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(json.dumps(order()) + "\n" + json.dumps(order(freight=5)) + "\n")

    ended = await shell.run("orders", "load", file, "--json")

    assert ended.code == 1
    assert ended.document["loaded"] == 1
    assert [(each["line"], each["field"]) for each in ended.document["problems"]] == [(2, "tenders")]


async def test_doctor_finds_all_well_once_all_is_set_up(worker_process: Shell) -> None:
    await worker_process.json("setup")

    ended = await worker_process.run("doctor", "--json")

    found = {each["what"]: each for each in ended.document["checks"]}
    assert (ended.code, ended.document["ok"]) == (0, True), ended.out
    whole = {"Python", "Temporal", "schedules", "worker", "heartbeats", "time skipping", "database", "schema"}
    assert whole <= found.keys()
    assert found["attachments"]["finding"].startswith("own: ")


@pytest.mark.parametrize("command", ["show", "log", "outcome", "evidence"])
async def test_an_unknown_case_has_its_own_code(worker_process: Shell, command: str) -> None:
    ended = await worker_process.run(command, "refund/no/such", "--json")

    assert ended.code == 5
    assert ended.failure["error"] == "unknown_case"


async def test_an_unknown_case_cannot_be_acted_on_or_moved(worker_process: Shell) -> None:
    acted = await worker_process.run("act", "refund/no/such", "approve", "--as", "merchant:m-1")
    moved = await worker_process.run("fast-forward", "refund/no/such", "1h")

    assert (acted.code, moved.code) == (5, 5)
    assert acted.err == "there is no case refund/no/such\n"
