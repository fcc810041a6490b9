"""Persons' data from the command line: masked, revealed with a record, exported, searched, forgotten (section 8)."""

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


async def test_a_new_key_is_one_that_a_ring_takes(shell: Shell) -> None:
    made = await shell.json("keys", "new", "--id", "2026-12")
    (key,) = read_keys(made["key"])
    assert key.id.startswith("2026-12-")


async def test_keys_are_rotated(shell: Shell, tmp_path: Path, bought: dict[str, Any]) -> None:
    await loaded(shell, tmp_path, "orders", bought)
    assert (await shell.json("keys", "rotate"))["moved"] == 0, "all persons' keys are under the current one"
