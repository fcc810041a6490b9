"""Returns, exchanges and disputes from the command line, end to end."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from starter.commands.viewing import ruling_words
from tests.cli.shell import Shell
from tests.cli.test_cases import loaded, order, standing, written_down
from workflows.messages.actors import officer
from workflows.messages.rulings import Award, Fault, FreightBearer, Ruling, Verdict

PROOF = ("--evidence", f"vault:evidence/1,image/png,17,{'1' * 64}")


@pytest.fixture
def bought() -> dict[str, Any]:
    """A shipped order whose freight insurance pays 5.00."""
    long_ago = datetime.now(UTC) - timedelta(days=3)
    return order(paid_at=long_ago.isoformat(), shipped_at=long_ago.isoformat(), freight_insured=500)


def merchant(bought: dict[str, Any]) -> tuple[str, str]:
    return ("--as", f"merchant:{bought['merchant_id']}")


def buyer(bought: dict[str, Any]) -> tuple[str, str]:
    return ("--as", f"buyer:{bought['buyer_id']}")


def opening(kind: str, bought: dict[str, Any], *more: str) -> tuple[str, ...]:
    """The words that open a case on both pieces of line L1."""
    return (
        *("open", kind, "--order", bought["order_no"], "--merchant", bought["merchant_id"]),
        *("--buyer", bought["buyer_id"], "--line", "L1:2:100", *more),
    )


CONTACT = {"name": "仓管老潘", "phone": "0571-80765432", "street": "物流园5号库1门"}


async def with_address(shell: Shell, bought: dict[str, Any]) -> str:
    """Put an address into the book of the order's merchant, and give where its contact is kept."""
    saved = await shell.json(
        *("addresses", "save", "A-1", "--merchant", bought["merchant_id"], "--province", "广东省"),
        *("--city", "广州市", "--district", "天河区", "--contact-file", "-"),
        typed=json.dumps(CONTACT),
    )
    return saved["details"]


async def test_the_way_of_a_return(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    shell = worker_process  # T1, T2, T3, T6, T10, T11
    await loaded(shell, tmp_path, "orders", bought)
    kept_at = await with_address(shell, bought)
    number = f"RT-{uuid4().hex[:8]}"
    parcel = ("--carrier", "sf", "--tracking-no", number)

    case = (await shell.json(*opening("return", bought)))["case_id"]
    agreed = await shell.json(
        *("act", case, "agree_return", *merchant(bought), "--clauses", "no_ems", "--clauses", "no_sf_express")
    )
    sent = ("--parcel.carrier", "sf", "--parcel.tracking-no", number, "--freight-paid", "12.50")
    goes_to = ("privacy", "return-address", case, "--print")
    where = (await shell.run(*goes_to, *buyer(bought))).out
    stranger = await shell.run(*goes_to, "--as", "buyer:b-other")
    tracked = await shell.json("act", case, "enter_tracking", *buyer(bought), *sent)
    told = await shell.json("parcels", "tell", "signed", *parcel, "--key", "sf-1")
    again = await shell.run("parcels", "tell", "refused", *parcel, "--key", "sf-1", "--json")
    await standing(shell, case, "return_received")
    page = (await shell.run("show", case)).out
    partly = ("act", case, "confirm_receipt", *merchant(bought), "--accepted", "L1:1")
    bare = await shell.run(*partly, "--json")
    outcome = await shell.json(*partly, "--reason", "other", *PROOF, "--wait")
    insurance = await shell.json("outcome", f"freight-insurance/{case}")
    insured = (await shell.run("outcome", f"freight-insurance/{case}")).out
    known = await shell.json("parcels", "show", *parcel)

    assert case.startswith(f"return/{bought['order_no']}/")
    assert agreed["return_address"]["address_id"] == "A-1"
    assert {"no_ems", "no_sf_express"} <= agreed["log"][-1]["facts"].keys()
    assert tracked["log"][-1]["facts"]["freight_paid"] == 1250
    assert told["event"] == "signed"
    assert (again.code, again.failure["code"]) == (4, "key_reused")
    assert "".join(page.split()).count(f"A-1v1,广东省广州市天河区,{kept_at}") == 1
    assert all(word in where for word in CONTACT.values()), "T12"
    assert re.search(r"^region +广东省 广州市 天河区 *$", where, re.MULTILINE)
    assert not any(word in stranger.out + stranger.err + page for word in CONTACT.values()), "P6"
    assert (bare.code, bare.failure["rule"], bare.failure["field"]) == (4, "T11", "reason")
    assert (outcome["outcome"], outcome["refunded"]["amount"]) == ("refunded", 5000)
    assert insurance["compensated"]["amount"] == 500
    assert "compensated" in insured
    assert "5.00 CNY" in insured
    assert (known["stands"], len(known["events"])) == ("signed", 1)


async def test_a_return_of_what_was_never_sent_is_refused(worker_process: Shell, tmp_path: Path) -> None:  # T1
    bought = await loaded(worker_process, tmp_path, "orders", order())

    ended = await worker_process.run(*opening("return", bought), "--json")

    assert (ended.code, ended.failure["code"], ended.failure["rule"]) == (4, "not_shipped", "T1")


async def test_an_exchange_of_other_goods(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    shell = worker_process  # T8
    await loaded(shell, tmp_path, "orders", bought)
    await with_address(shell, bought)

    case = (await shell.json(*opening("exchange", bought, "--replacement", "L1:boots-43")))["case_id"]
    await shell.json("act", case, "agree_return", *merchant(bought), "--address-id", "A-1")
    owed = await shell.json("act", case, "confirm_receipt", *merchant(bought))
    parcel = ("--parcel.carrier", "sf", "--parcel.tracking-no", f"EX-{uuid4().hex[:8]}")
    await shell.json("act", case, "reship", *merchant(bought), *parcel)
    outcome = await shell.json("act", case, "confirm_exchange", *buyer(bought), "--wait")
    plain = await shell.run(*opening("return", bought), "--replacement", "L1:boots-43", "--json")

    assert case.startswith(f"exchange/{bought['order_no']}/")
    assert (owed["kind"], owed["stage"]) == ("exchange", "reshipment")
    assert outcome["outcome"] == "exchanged"
    assert (plain.code, plain.failure["error"]) == (2, "usage")


async def test_a_dispute_is_ruled_on_and_its_case_carries_it_out(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # D1, D2, D3, D8
    shell = worker_process
    await loaded(shell, tmp_path, "orders", bought)
    case = (await shell.json(*opening("refund", bought)))["case_id"]
    await shell.json("act", case, "reject", *merchant(bought), "--reason", "no_fault_shown", *PROOF)

    disputed = await shell.json("act", case, "open_dispute", *buyer(bought), "--reason", "refund_rejected")
    dispute = disputed["dispute"]
    page = (await shell.run("show", case)).out
    about = (await shell.run("show", dispute)).out
    offered = await shell.json("act", dispute, "offer_settlement", *merchant(bought), "--line", "L1:1:20")
    changed = await shell.run("act", dispute, "accept_settlement", *buyer(bought), "--amount", "30", "--json")
    await standing(shell, case, "locked")
    words = tmp_path / "wanted.txt"
    words.write_text("吊牌的照片", encoding="utf-8")
    demand = ("act", dispute, "demand_evidence", "--as", "platform:o-1", "--of", "merchant")
    demanded = (await shell.json(*demand, "--words-file", str(words)))["log"][-1]
    wanted = await shell.json("statements", "read", demanded["facts"]["statement"], *merchant(bought))
    in_clear = await shell.run(*demand, "--wanted", "a photo", "--json")
    wordless = await shell.run("act", case, "approve", *merchant(bought), "--words-file", str(words), "--json")
    ruling = (
        *("--fault", "both", "--refund", "partial", "--line", "L1:1:40", "--return-freight", "merchant"),
        *("--reason", "both_at_fault"),
    )
    ended = await shell.json("act", dispute, "rule", "--as", "platform:o-1", *ruling, "--wait")
    outcome = await shell.json("outcome", case)
    told = (await shell.run("outcome", case)).out

    assert dispute == f"dispute/{case}/d1"
    assert re.search(rf"^dispute +{dispute}", page, re.MULTILINE)
    assert re.search(rf"^about +{case}", about, re.MULTILINE)
    assert offered["log"][-1]["facts"]["amount"] == 2000
    assert (changed.code, changed.failure["field"]) == (4, "amount")
    assert (demanded["event"], wanted["text"]) == ("evidence_demanded", "吊牌的照片")  # D8
    assert (in_clear.code, in_clear.failure["field"]) == (2, "wanted")
    assert "must be a reference" in in_clear.err
    assert (wordless.code, wordless.failure["field"]) == (2, "--words-file")
    assert (ended["outcome"], ended["ruling"]["fault"]) == ("ruled", "both")
    assert (outcome["outcome"], outcome["refunded"]["amount"]) == ("refunded", 4000)
    assert "ruled, fault: both, partial: 40.00 in all, return freight on the merchant (both_at_fault)" in told


async def test_a_dispute_on_an_ended_case_knows_whose_it_is(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # D1, D8
    shell = worker_process
    await loaded(shell, tmp_path, "orders", bought)
    case = await written_down(shell, *opening("refund", bought))
    claim = ("open", "dispute", "--about", case, "--why", "amount_too_low", "--line", "L1:2:100")

    early = await shell.run(*claim, "--json")
    await shell.json("act", case, "withdraw", *buyer(bought), "--wait")
    dispute = await written_down(shell, *claim)
    view = await shell.json("show", dispute)
    unknown = await shell.run("open", "dispute", "--about", "refund/no/such", "--line", "L1:1:1", "--json")

    assert (early.code, early.failure["code"], early.failure["rule"]) == (4, "case_open", "D1")
    assert (view["dispute"], view["order_no"], view["buyer_id"]) == (case, bought["order_no"], bought["buyer_id"])
    assert unknown.code == 5


async def test_both_sides_talk_and_agree(worker_process: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    shell = worker_process  # N1, N2, N3, N5, R11
    await loaded(shell, tmp_path, "orders", bought)
    words = tmp_path / "words.txt"
    words.write_text("刮痕在灯罩上", encoding="utf-8")

    case = (await shell.json(*opening("return", bought), "--words-file", str(words)))["case_id"]
    await standing(shell, case, "return_review")
    said = await shell.json("say", case, *buyer(bought), "--file", str(words))
    part = ("propose", case, "keep_goods", *merchant(bought), "--line", "L1:2:20.00", "--words-file", str(words))
    (proposal,) = (await shell.json(*part))["talk"]["proposals"]
    page = (await shell.run("show", case)).out
    shown = await shell.json("show", case)
    listed = await shell.json("list", "--merchant", bought["merchant_id"])
    dossier = await shell.json("dossier", case, "--as", "platform:o-1")
    await shell.json("privacy", "export", tmp_path / "x", "--merchant", bought["merchant_id"], *merchant(bought))
    (exported,) = map(json.loads, (tmp_path / "x").read_text().splitlines())
    logged = (await shell.run("log", case)).out
    bare = await shell.json("thread", case)
    read = await shell.json("thread", case, *merchant(bought))
    nothing = await shell.run("say", case, *buyer(bought))
    other = await shell.run("act", case, "accept_proposal", *buyer(bought), "--number", "9", "--json")
    typed = await shell.run("act", case, "propose", *buyer(bought), "--terms.kind", "keep_goods", "--line", "L1:2:30")
    outcome = await shell.json("act", case, "accept_proposal", *buyer(bought), "--number", "1", "--wait")
    ended = await shell.json("thread", case)

    assert (proposal["amount"], proposal["by"]["role"], said["talk"]["messages"]) == (2000, "merchant", 1)
    assert "20.00 CNY" in page
    assert "then it lapses" in page
    assert [each["event"] for each in shown["thread"]] == ["said", "proposed"]
    thread = page.partition("thread")[2]
    assert "proposed" in thread, "the page has the thread"
    assert "proposed_amount 20.00 CNY" in " ".join(thread.split())
    assert "+00:00" not in thread + logged
    assert "20.00 CNY" in logged
    assert "刮痕" not in page, "words are read by name, and recorded"
    open_now = [listed["cases"][0]["talk"]["proposals"], dossier["proposals"], exported["talk"]["proposals"]]
    assert open_now == [[proposal]] * 3
    assert listed["cases"][0]["reason_label"] == exported["reason_label"]
    assert listed["cases"][0]["reason_label"].split(" · ")[1] == dossier["reason"]["label"]["en"]
    assert [each["event"] for each in bare["thread"]] == ["said", "proposed"]
    assert [bare["thread"][0]["text"], read["thread"][0]["text"]] == [None, "刮痕在灯罩上"]
    assert read["thread"][1]["text"] == "刮痕在灯罩上", "a proposal has words, too"
    assert (nothing.code, other.code, typed.code) == (2, 4, 0)
    assert [(each["event"], each["words"] is None) for each in ended["thread"] if "amount" in each["facts"]] == [
        ("proposal_accepted", True)
    ], "who accepts says nothing of its own: the words are the request's"
    assert "proposal_not_open" in other.err
    assert (outcome["outcome"], outcome["refunded"]["amount"], outcome["rule"]) == ("refunded", 2000, "N3")


@pytest.mark.parametrize(
    ("bearer", "said"),
    [
        (FreightBearer.BUYER, "ruled, fault: merchant, full: 40.00 in all (not_as_described)"),
        (
            FreightBearer.MERCHANT,
            "ruled, fault: merchant, full: 40.00 in all, return freight on the merchant (not_as_described)",
        ),
    ],
)
def test_return_freight_is_told_where_a_ruling_moves_it(bearer: FreightBearer, said: str) -> None:  # D8
    ruling = Ruling(
        verdict=Verdict.RULED,
        fault=Fault.MERCHANT,
        award=Award.FULL,
        freight=4000,
        return_freight=bearer,
        reason="not_as_described",
        by=officer("o-1"),
    )

    assert ruling_words(ruling, "CNY") == said
