"""What merchants and the platform keep beside the cases, from the command line; each with a failure."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down
from tests.patience import PATIENCE

SECRET = "王小明 13800000000"


@pytest.fixture
def merchant() -> str:
    return f"m-{uuid4().hex[:12]}"


def saving(merchant: str, address: str, *more: str) -> tuple[str, ...]:
    """The words that put an address into the merchant's book."""
    return (
        *("addresses", "save", address, "--merchant", merchant, "--province", "广东省", "--city", "广州市"),
        *("--details", f"vault:addresses/{address}", *more),
    )


async def test_an_address_book(shell: Shell, merchant: str) -> None:  # T2
    first = await shell.json(*saving(merchant, "A-1"))
    await shell.json(*saving(merchant, "A-2", "--district", "天河区", "--default"))
    edited = await shell.json(*saving(merchant, "A-1", "--district", "越秀区"))
    book = await shell.json("addresses", "list", "--merchant", merchant)
    page = (await shell.run("addresses", "list", "--merchant", merchant)).out

    assert (first["is_default"], first["version"], edited["version"]) == (True, 1, 2)
    assert [(each["address_id"], each["is_default"]) for each in book["addresses"]] == [("A-2", True), ("A-1", False)]
    assert "广东省 广州市 天河区" in page


async def test_a_default_address_is_not_removed_while_there_are_others(shell: Shell, merchant: str) -> None:  # T2
    await shell.json(*saving(merchant, "A-1"))
    await shell.json(*saving(merchant, "A-2"))

    default = await shell.run("addresses", "remove", "A-1", "--merchant", merchant, "--json")
    removed = await shell.json("addresses", "remove", "A-2", "--merchant", merchant)
    unknown = await shell.run("addresses", "remove", "A-2", "--merchant", merchant, "--json")

    assert (default.code, default.failure["rule"], default.failure["field"]) == (4, "T2", "ADDRESS")
    assert removed["removed"] == "A-2"
    assert (unknown.code, unknown.failure["field"]) == (2, "ADDRESS")


async def test_a_flag_finds_the_cases_of_its_order(worker_process: Shell, tmp_path: Path) -> None:  # section 12
    shell, bought = worker_process, order()
    await loaded(shell, tmp_path, "orders", bought)
    case = await written_down(shell, *asks(bought, "10"))
    whose = ("--merchant", bought["merchant_id"])
    by = ("--as", f"merchant:{bought['merchant_id']}")

    await shell.json("flags", "set", bought["order_no"], "red", *whose, *by, "--key", "k-1")
    shown = await shell.json("flags", "show", bought["order_no"], *whose)
    red = await shell.json("list", *whose, "--flag", "red")
    blue = await shell.json("list", *whose, "--flag", "blue")
    other = await shell.run("flags", "set", bought["order_no"], "blue", *whose, *by, "--key", "k-1", "--json")
    down = await shell.json("flags", "set", bought["order_no"], "none", *whose, *by)

    assert shown["colour"] == "red"
    assert [(each["case_id"], each["flag"]) for each in red["cases"]] == [(case, "red")]
    assert (blue["cases"], blue["counts"]) == ([], {})
    assert (other.code, other.failure["code"], other.failure["field"]) == (4, "key_reused", "--key")
    assert down["colour"] is None


async def test_remarks_are_typed_and_read_by_who_may(shell: Shell, merchant: str, tmp_path: Path) -> None:  # P6
    subject = f"O-{uuid4().hex[:12]}"
    whose = ("--merchant", merchant, "--as", f"merchant:{merchant}")
    file = tmp_path / "remark.txt"
    file.write_text("second\n")

    added = await shell.json("remarks", "add", subject, *whose, "--key", "k-1", typed=f"{SECRET}\n")
    await shell.json("remarks", "add", subject, *whose, "--file", file)
    reused = await shell.run("remarks", "add", subject, *whose, "--key", "k-1", "--json", typed="something else")
    found = await shell.json("remarks", "list", subject, "--merchant", merchant)
    others = await shell.json("remarks", "list", subject, "--merchant", "m-somebody-else")

    assert SECRET not in json.dumps(added, ensure_ascii=False)
    assert (reused.code, reused.failure["code"]) == (4, "key_reused")
    assert "else" not in reused.err
    assert [each["text"] for each in found["remarks"]] == [SECRET, "second"]
    assert others["remarks"] == []


async def test_a_case_shows_its_remarks_beside_those_of_its_order(worker_process: Shell, tmp_path: Path) -> None:
    """Section 12: in ``show``, in lists, and for the officer who rules."""
    shell, bought = worker_process, order()
    await loaded(shell, tmp_path, "orders", bought)
    case = await written_down(shell, *asks(bought, "10"))
    whose = ("--merchant", bought["merchant_id"], "--as", f"merchant:{bought['merchant_id']}")

    await shell.json("remarks", "add", bought["order_no"], *whose, typed="at the order")
    await shell.json("remarks", "add", case, *whose, typed=SECRET)
    shown = await shell.json("show", case)
    page = (await shell.run("show", case)).out
    listed = await shell.json("list", "--merchant", bought["merchant_id"])
    dossier = await shell.json("dossier", case, "--as", "platform:o-1")
    stranger = await shell.run(
        *("remarks", "add", case, "--merchant", "m-2", "--as", "merchant:m-2", "--json"), typed="not its own"
    )

    noted = [(bought["order_no"], "at the order"), (case, SECRET)]
    assert [(each["subject"], each["text"]) for each in shown["remarks"]] == noted
    assert [(each["subject"], each["text"]) for each in dossier["remarks"]] == noted
    assert SECRET in page
    assert [(each["remarks"], each["order_remarks"]) for each in listed["cases"]] == [(1, 1)]
    assert (stranger.code, stranger.failure["error"]) == (5, "unknown_case")


async def test_statements_and_evidence_of_a_dispute(worker_process: Shell, tmp_path: Path) -> None:  # D6, D7
    shell = worker_process
    bought = await loaded(shell, tmp_path, "orders", order())
    dispute = await disputing(shell, bought)
    by = f"merchant:{bought['merchant_id']}"

    vague = await shell.run("statements", "write", dispute, "--as", by, "--json", typed="我们会尽快处理")
    foreign = await shell.run("statements", "write", dispute, "--as", "merchant:m-1", "--json", typed="by 2026-01-02")
    written = await shell.json("statements", "write", dispute, "--as", by, typed="refund by 2026-01-02 18:00\n")
    reference = written["reference"]
    acted = await shell.json("act", dispute, "submit_evidence", "--as", by, "--statement", reference, "--amount", "5")
    await shell.json("act", dispute, "submit_evidence", "--as", by, "--statement", reference, "--final")
    read = await shell.json("statements", "read", reference, "--as", "platform:o-1")
    given = await shell.json("evidence", dispute)
    page = (await shell.run("evidence", dispute)).out
    dossier = await shell.json("dossier", dispute, "--as", "platform:o-1")
    shown = (await shell.run("dossier", dispute, "--as", "platform:o-1")).out
    unknown = await shell.run("statements", "read", f"{reference}0", "--as", by, "--json")

    assert (vague.code, vague.failure["rule"], vague.failure["field"]) == (4, "D7", "text")
    assert "尽快" in vague.failure["message"], "the words that are vague are named"
    assert "我们" not in vague.err, "and no others (P6)"
    assert (foreign.code, foreign.failure["code"]) == (4, "not_yours")
    assert acted["log"][-1]["facts"]["statement"] == reference
    assert [each["statement"] for each in dossier["evidence_in_dispute"]] == [reference] * 2
    assert (dossier["about"], dossier["claimed"]["version"]) == (None, 1), "it is about the order"
    assert "these two have" in shown
    assert (read["text"], read["by"]["role"]) == ("refund by 2026-01-02 18:00", "merchant")
    assert [(each["amount"], each["standing"], each["final"]) for each in given["evidence"]] == [
        (500, "replaced", False),
        (None, "final", True),
    ]
    assert "replaced by 2" in page
    assert (unknown.code, unknown.failure["field"]) == (2, "REFERENCE")


async def disputing(shell: Shell, bought: dict[str, Any]) -> str:
    """A dispute on this order."""
    whose = ("--order", bought["order_no"], "--merchant", bought["merchant_id"], "--buyer", bought["buyer_id"])
    return await written_down(shell, "open", "dispute", *whose, "--line", "L1:1:30", "--why", "goods_at_fault")


async def test_a_statement_on_an_unknown_case(shell: Shell) -> None:
    ended = await shell.run(
        "statements", "write", "dispute/no/such", "--as", "buyer:b-1", "--json", typed="where is it"
    )

    assert (ended.code, ended.failure["error"]) == (5, "unknown_case")


async def test_an_intervention_costs_points(worker_process: Shell, tmp_path: Path) -> None:  # D9
    shell = worker_process
    bought = await loaded(shell, tmp_path, "orders", order())

    before = await shell.json("score", bought["merchant_id"])
    dispute = await disputing(shell, bought)  # Douyin steps in at once (D2)
    await shell.json("fast-forward", dispute, "24h1m")
    outcome = await shell.json("outcome", dispute)
    after = await shell.json("score", bought["merchant_id"])

    assert before["points_lost"] == 0
    assert (outcome["outcome"], outcome["refunded"]["amount"], outcome["ruling"]["verdict"]) == (
        "refunded",
        3000,
        "upheld",
    )
    assert after["points_lost"] == sum(each["points"] for each in after["changes"]) > 0
    assert {each["cause"] for each in after["changes"]} == {"intervention", "evidence_timeout", "ruling_lost"}
    assert {each["case_id"] for each in after["changes"]} == {dispute}


async def test_a_pause_moves_the_deadlines_of_open_cases(worker_process: Shell, tmp_path: Path) -> None:  # section 9
    shell = worker_process
    bought = await loaded(shell, tmp_path, "orders", order(marketplace="jd-self"))
    case = await written_down(shell, *asks(bought, "10"))
    before = datetime.fromisoformat((await shell.json("show", case))["due"])
    # No other test has a cancellation, whose clock this would move.
    name, now = f"outage-{uuid4().hex[:8]}", datetime.now(UTC)
    declaring = (
        *("pauses", "declare", name, "--kind", "cancellation", "--kind", "expiry", "--reason", "outage"),
        *("--starts-at", now.isoformat(), "--as", "platform:o-1"),
    )

    declared = await shell.json(*declaring, "--ends-at", (now + timedelta(hours=5)).isoformat())
    otherwise = await shell.run(*declaring, "--ends-at", (now + timedelta(hours=6)).isoformat(), "--json")
    moved = await due_after(shell, case, before)
    lifted = await shell.json("pauses", "lift", name, "--as", "platform:o-1")
    listed = await shell.json("pauses", "list")
    unknown = await shell.run("pauses", "lift", f"{name}-0", "--as", "platform:o-1", "--json")

    assert declared["kinds"] == ["cancellation", "expiry"]
    assert timedelta(hours=4) < moved - before <= timedelta(hours=5, seconds=1)
    assert (otherwise.code, otherwise.failure["field"]) == (4, "ID")
    assert lifted["lifted_by"]["id"] == "o-1"
    assert lifted in listed["pauses"]
    assert (unknown.code, unknown.failure["field"]) == (2, "ID")


async def due_after(shell: Shell, case: str, before: datetime) -> datetime:
    """The case's deadline, once it is later than it was."""
    patience = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while (due := datetime.fromisoformat((await shell.json("show", case))["due"])) <= before:
        assert datetime.now(UTC) < patience, due
    return due


async def test_late_shipment_is_claimed_and_excused(worker_process: Shell, tmp_path: Path) -> None:  # L1, L2
    shell = worker_process
    bought = await loaded(shell, tmp_path, "orders", order(paid_at=datetime.now(UTC).isoformat()))
    exemption, paid = f"peak-{bought['order_no']}", datetime.now(UTC)
    await shell.json(
        *("exemptions", "declare", exemption, "--reason", "promotion_peak", "--merchant", bought["merchant_id"]),
        *("--starts-at", (paid - timedelta(days=1)).isoformat(), "--ends-at", (paid + timedelta(days=1)).isoformat()),
        *("--as", "platform:o-1"),
    )

    case = (await shell.json("open", "late-shipment", bought["order_no"]))["case_id"]
    waiting = await shell.json("show", case)
    await shell.json("fast-forward", case, "49h")
    claimable = await standing_claim(shell, case)
    await shell.json("act", case, "claim_compensation", "--as", f"buyer:{bought['buyer_id']}")
    by = ("--as", f"merchant:{bought['merchant_id']}")
    wrong = await shell.run("act", case, "prove_exemption", *by, "--exemption", "none-such", "--json")
    outcome = await shell.json("act", case, "prove_exemption", *by, "--exemption", exemption, "--wait")
    unknown = await shell.run("open", "late-shipment", "no-such-order", "--json")

    assert datetime.fromisoformat(waiting["starts_at"]) > paid + timedelta(hours=47)
    assert claimable["asked"]["amount"] == 3000
    assert (wrong.code, wrong.failure["field"]) == (4, "exemption")
    assert outcome["outcome"] == "exempt"
    assert (unknown.code, unknown.failure["code"]) == (4, "unknown_order")


async def standing_claim(shell: Shell, case: str) -> Any:
    """The case once the buyer may claim."""
    patience = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while (view := await shell.json("show", case)).get("stage") != "claimable":
        assert datetime.now(UTC) < patience, view
    return view


async def test_an_exemption_of_the_same_id_is_the_same(shell: Shell) -> None:  # L2
    words = (
        *("exemptions", "declare", f"closed-{uuid4().hex[:8]}", "--reason", "epidemic_closure"),
        *("--starts-at", "2026-01-01T00:00Z", "--ends-at", "2026-01-02T00:00Z", "--as", "platform:o-1"),
    )

    assert await shell.json(*words) == await shell.json(*words)
    other = await shell.run(*words, "--merchant", "m-1", "--json")
    assert (other.code, other.failure["code"]) == (4, "declared_otherwise")


async def test_the_ladder_tells_who_is_there(shell: Shell) -> None:  # L4
    # A Monday and a Saturday that is a working day by no calendar.
    at_work = await shell.json("ladder", "douyin", "--at", "2026-11-23T09:00+08:00")
    weekend = await shell.json("ladder", "jd-pop", "--at", "2026-11-21T09:00+08:00")

    assert [each["rung"] for each in at_work["ladder"]] == ["platform_service", "senior_service", "12315"]
    assert [each["open_now"] for each in at_work["ladder"]] == [True, True, True]
    assert [each["open_now"] for each in weekend["ladder"]] == [True, True, False]
    abroad = await shell.json("ladder", "eu")
    assert [each["rung"] for each in abroad["ladder"]] == ["platform_service", "senior_service"]
    assert datetime.fromisoformat(weekend["ladder"][2]["opens_at"]) == datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
