"""Persons' data from the command line: masked, revealed with a record, exported, searched, forgotten (section 8)."""

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from activities.privacy.keys import read_keys
from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down

NAME, STREET = "欧阳小明", "体育东路1号"


@pytest.fixture
def bought() -> dict[str, Any]:
    region = {"province": "广东省", "city": "广州市", "district": "天河区"}
    phone = f"139{uuid4().int % 10**8:08}"
    return order() | {"recipient": {"name": NAME, "phone": phone, "region": region, "street": STREET}}


def by(bought: dict[str, Any]) -> tuple[str, str]:
    return "--as", f"merchant:{bought['merchant_id']}"


async def test_a_merchant_sees_masks_and_reveals_with_a_record(
    shell: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # P1, P2
    await loaded(shell, tmp_path, "orders", bought)

    shown = await shell.run("privacy", "show", bought["order_no"], *by(bought))
    stranger = await shell.run("privacy", "show", bought["order_no"], "--as", "merchant:m-other")
    silent = await shell.run(
        "privacy", "reveal", bought["order_no"], *by(bought), "--why", "buyer_called", "--field", "name"
    )
    revealed = await shell.run(
        *("privacy", "reveal", bought["order_no"], *by(bought), "--why", "buyer_called", "--field", "name", "--print")
    )
    looks = await shell.run("privacy", "looks", bought["order_no"], "--as", f"merchant:{bought['merchant_id']}")

    assert shown.code == 0
    assert "欧阳**" in shown.out
    assert f"1******{bought['recipient']['phone'][-4:]}" in shown.out
    assert not [plain for plain in (NAME, STREET, bought["recipient"]["phone"]) if plain in shown.out]
    assert stranger.code != 0
    assert "欧阳" not in stranger.out + stranger.err
    assert (silent.code, NAME in silent.out) == (2, False), "where real data goes is said first"
    assert NAME in revealed.out
    assert "buyer_called" in looks.out


async def test_a_customer_is_searched_for_and_forgotten(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # section 12
    shell = worker_process
    await loaded(shell, tmp_path, "orders", bought)
    case = await written_down(shell, *asks(bought, "10"))
    search = ("list", "--merchant", bought["merchant_id"], "--phone", f"+86 {bought['recipient']['phone']}")
    noted = ("remarks", "add", bought["order_no"], "--merchant", bought["merchant_id"], *by(bought))
    await shell.run(*noted, typed=f"{NAME} 来电")

    found = await shell.json(*search)
    unseen = await shell.json(*search[:-1], "-", typed=f"{search[-1]}\n")
    done = await shell.json("forget", f"buyer/{bought['buyer_id']}", "--by", "f-1", "--reason", "erasure_request")
    gone = await shell.json(*search)
    shown = await shell.run("privacy", "show", bought["order_no"], *by(bought))

    assert [each["case_id"] for each in found["cases"]] == [case]
    assert unseen == found, "nor has it to be in the list of processes (P6)"
    assert (done["keys_destroyed"], done["readable"]) == (1, 0)
    assert case in done["open_cases"]
    assert gone["cases"] == []
    assert "欧阳" not in shown.out


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("forget", "b-1", "--by", "f-1", "--reason", "asked"), "PERSON"),
        (("forget", "buyer/b-1", "--by", "f-1", "--reason", "because I say so"), "--reason"),
        (("list", "--name", "李四", "--phone", "13900000000"), "--name"),
        (("list", "--phone", "+86"), "--phone"),
        (("privacy", "looks", "--as", "platform:o-1"), "SUBJECT"),
        (("privacy", "looks", "O-1", "--as", "buyer:b-1"), "--as"),
        (("privacy", "quota", "m-1", "--buy", "5", "--as", "merchant:m-1"), "by"),
        (("privacy", "return-address", "return/O-1/k", "--as", "buyer:b-1"), "--file"),
    ],
)
async def test_words_that_do_not_fit_are_named(shell: Shell, words: tuple[str, ...], field: str) -> None:
    refused = await shell.run(*words, "--json")
    assert (refused.code, refused.failure["field"]) == (2, field)


async def test_orders_and_cases_are_exported_and_gone_on_with(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # P5
    shell, plain = worker_process, order(merchant_id=bought["merchant_id"])
    for each in (bought, plain):
        await loaded(shell, tmp_path, "orders", each)
    case = await written_down(shell, *asks(bought, "10"))
    whose = ("--merchant", bought["merchant_id"], "--as", f"merchant:{bought['merchant_id']}")
    file, cases = tmp_path / "orders-out.jsonl", tmp_path / "cases-out.jsonl"

    written = await shell.json("privacy", "export-orders", file, *whose, "--kind", "masked_contact")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    again = await shell.run("privacy", "export-orders", file, *whose, "--json")
    with_cases = await shell.json("privacy", "export-orders", tmp_path / "w", *whose, "--orders", "with_cases")
    of_cases = await shell.json("privacy", "export", cases, *whose)
    unpaid = await shell.json("privacy", "export-orders", tmp_path / "u", *whose, "--until", "2020-01-01T00:00+08:00")

    assert (written["rows"], with_cases["rows"], of_cases["rows"], unpaid["rows"]) == (2, 1, 1, 0)
    assert {row["order_no"]: row["cases"] for row in rows} == {bought["order_no"]: 1, plain["order_no"]: 0}
    assert json.loads(cases.read_text())["case_id"] == case
    assert file.stat().st_mode & 0o077 == 0
    assert not file.with_name("orders-out.jsonl.cursor").exists()
    assert (again.code, again.failure["field"]) == (2, "FILE")

    # As if it had been interrupted after the first row: the key of the export stands beside the file.
    rest = tmp_path / "rest.jsonl"
    rest.write_text(json.dumps({"row": 1, "order_no": "O-from-before"}) + '\n{"row": 2, "cut')
    rest.with_name("rest.jsonl.cursor").write_text("k-1")
    resumed = await shell.json("privacy", "export-orders", rest, *whose)
    first, second = map(json.loads, rest.read_text().splitlines())

    assert (resumed["rows"], resumed["resumed_after"]) == (2, 1)
    assert (first["order_no"], second["row"]) == ("O-from-before", 2)


async def test_a_picture_is_kept_named_as_evidence_and_read_by_who_may(
    worker_process: Shell, tmp_path: Path, bought: dict[str, Any]
) -> None:  # D6, P2
    shell, picture, out = worker_process, tmp_path / "lid.bin", tmp_path / "out.png"
    content = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    picture.write_bytes(content)
    await loaded(shell, tmp_path, "orders", bought)

    kept = await shell.json("attachments", "upload", picture, "--at", bought["order_no"])
    again = await shell.json("attachments", "upload", picture, "--at", bought["order_no"])
    page = (await shell.run("attachments", "upload", picture, "--at", bought["order_no"])).out
    case = await written_down(shell, *asks(bought, "10"), "--evidence", kept["evidence"])
    shown = await shell.json("show", case)
    read = await shell.json("attachments", "download", case, kept["uri"], *by(bought), "--file", out)
    stranger = ("attachments", "download", case, kept["uri"], "--as", "buyer:b-other", "--file", tmp_path / "no")
    not_theirs = await shell.run(*stranger, "--json")
    twice = await shell.run("attachments", "download", case, kept["uri"], *by(bought), "--file", out, "--json")
    unknown = await shell.run(
        *("attachments", "download", case, "vault:evidence/0", *by(bought), "--file", tmp_path / "no", "--json")
    )
    looks = await shell.json("privacy", "looks", case, "--as", "platform:o-1")

    assert kept == again
    assert (kept["media_type"], kept["bytes"], kept["sha256"]) == (
        *("image/png", len(content)),
        hashlib.sha256(content).hexdigest(),
    )
    assert f"--evidence {kept['evidence']}" in page.splitlines()
    assert [each["uri"] for each in shown["application"]["evidence"]] == [kept["uri"]]
    assert (out.read_bytes(), read["sha256"]) == (content, kept["sha256"])
    assert out.stat().st_mode & 0o077 == 0
    assert (not_theirs.code, not_theirs.failure["error"]) == (5, "unknown_case")
    assert (twice.failure["field"], unknown.failure["field"]) == ("--file", "REFERENCE")
    assert not (tmp_path / "no").exists()
    assert [(each["by"]["role"], each["field"]) for each in looks["looks"]] == [("merchant", "attachment")]


@pytest.mark.parametrize(
    ("content", "more", "field"),
    [
        (b"\x7fELF\x01\x02", (), "FILE"),
        (b"", (), "FILE"),
        (b"%PDF-1.7", ("--type", "image/png"), "FILE"),
    ],
)
async def test_what_is_no_evidence_is_not_kept(
    shell: Shell, tmp_path: Path, bought: dict[str, Any], content: bytes, more: tuple[str, ...], field: str
) -> None:  # D6
    await loaded(shell, tmp_path, "orders", bought)
    file = tmp_path / "x"
    file.write_bytes(content)

    refused = await shell.run("attachments", "upload", file, "--at", bought["order_no"], *more, "--json")
    unknown = await shell.run("attachments", "upload", Path(__file__), "--at", "O-unknown", "--json")

    assert refused.code in (2, 4)
    assert (refused.failure["field"], unknown.code) == (field, 2)


async def test_a_new_key_is_one_that_a_ring_takes(shell: Shell) -> None:
    made = await shell.json("keys", "new", "--id", "2026-12")
    (key,) = read_keys(made["key"])
    assert key.id.startswith("2026-12-")


async def test_keys_are_rotated(shell: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    await loaded(shell, tmp_path, "orders", bought)
    assert (await shell.json("keys", "rotate"))["moved"] == 0, "all persons' keys are under the current one"
