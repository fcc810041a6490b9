"""Amounts are typed in decimals and sent in minor units of the currency that was paid in (ISO 4217)."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.commands import wording
from starter.commands.failures import UsageError
from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down
from workflows.messages.money import in_print


def paid_in(currency: str) -> dict[str, Any]:
    """An order of one piece for 60,000 minor units of a currency."""
    return order(
        currency=currency,
        lines=[{"line": "L1", "sku": "s-1", "quantity": 1, "paid": 60_000}],
        tenders=[{"tender": "t1", "kind": "wallet", "paid": 60_000}],
    )


@pytest.mark.parametrize(("currency", "typed", "minor"), [("JPY", "100", 100), ("KWD", "1.234", 1_234)])
async def test_what_is_typed_is_in_the_orders_currency(
    worker_process: Shell, tmp_path: Path, currency: str, typed: str, minor: int
) -> None:
    shell = worker_process
    bought = await loaded(shell, tmp_path, "orders", paid_in(currency))

    case = await written_down(shell, *asks(bought, typed))
    asked = (await shell.json("show", case))["asked"]
    words = ("act", case, "submit_evidence", "--as", f"buyer:{bought['buyer_id']}", "--amount")
    given = await shell.run(*words, typed)
    refused = await shell.run(*words, "0.00001", "--json")

    assert asked == {"amount": minor, "currency": currency}
    assert given.code == 0, given.err
    assert json.loads(refused.err)["field"] == "--amount"


@pytest.mark.parametrize(("currency", "typed", "says"), [("JPY", "100.5", "JPY has no places"), ("CNY", "1.001", "2")])
async def test_more_places_than_the_currency_has_are_refused(
    worker_process: Shell, tmp_path: Path, currency: str, typed: str, says: str
) -> None:
    bought = await loaded(worker_process, tmp_path, "orders", paid_in(currency))

    refused = await worker_process.run(*asks(bought, typed), "--json")

    told = json.loads(refused.err)
    assert (refused.code, told["field"]) == (2, "--line")
    assert says in told["message"]


async def test_a_compensation_is_claimed_in_the_orders_currency(shell: Shell, tmp_path: Path) -> None:  # L5, D1
    bought = await loaded(shell, tmp_path, "orders", paid_in("CNY"))
    about = f"late-shipment/{bought['order_no']}"
    words = (
        *("open", "dispute", "--about", about, "--why", "compensation_refused", "--order", bought["order_no"]),
        *("--merchant", bought["merchant_id"], "--buyer", bought["buyer_id"], "--json"),
    )

    asked = await shell.run(*words, "--compensation", "18.00")
    too_fine = await shell.run(*words, "--compensation", "18.001")
    and_lines = await shell.run(*words, "--compensation", "18.00", "--line", "L1:1:10.00")
    nothing = await shell.run(*words)

    assert (asked.code, asked.failure["code"], asked.failure["field"]) == (4, "unknown_case", "about"), "it fits"
    assert (too_fine.code, too_fine.failure["field"]) == (2, "--compensation")
    assert (and_lines.code, "L5" in and_lines.failure["message"]) == (2, True)
    assert (nothing.code, "L5" in nothing.failure["message"]) == (2, True)


@pytest.mark.parametrize("unknown", ["ABC", "XAU"])
async def test_an_order_is_paid_in_a_currency_that_is_counted(shell: Shell, tmp_path: Path, unknown: str) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(json.dumps(paid_in(unknown)))

    refused = await shell.run("orders", "load", file, "--json")

    (problem,) = json.loads(refused.out)["problems"]
    assert problem["field"] == "currency"
    assert "ISO 4217" in problem["reason"]


@given(amount=st.integers(0, 10**11 - 1), currency=st.sampled_from(["CNY", "JPY", "KWD", "CLF", "UYI", "ISK"]))
def test_what_is_printed_can_be_typed(amount: int, currency: str) -> None:
    typed = wording.amount(in_print(amount, currency), "--amount")
    assert wording.minor(typed, currency, "--amount") == amount


@pytest.mark.parametrize("text", ["", "x", "-1", "NaN", "Infinity", "1e30", "1,5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be an amount"):
        wording.amount(text, "--amount")


def test_amounts_are_found_wherever_they_stand() -> None:
    body = {"lines": [{"line": "1", "amount": Decimal("1.5")}], "freight": Decimal(2), "reason": "other"}
    assert wording.has_amounts(body)
    assert not wording.has_amounts({"reason": "other", "accepted": [{"line": "1", "quantity": 1}]})
    assert wording.in_minor_units(body, "CNY") == {
        "lines": [{"line": "1", "amount": 150}],
        "freight": 200,
        "reason": "other",
    }
