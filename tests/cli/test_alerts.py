"""``aftersales alerts`` and ``allowances``: what operators were told to do, and had no command for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from activities.postgres import differences
from activities.postgres.alerts import raise_alert
from activities.postgres.differences import Found
from activities.postgres.pool import open_pool
from tests.cli.shell import Shell
from tests.storage.money import open_order, payout
from tests.storage.test_ledger import submitted
from workflows.messages.reconciliation import DifferenceKind
from workflows.rules.legs import AlertKind


async def test_an_alert_is_listed_until_somebody_has_seen_to_it(shell: Shell, database: str) -> None:
    async with await open_pool(database, max_size=2) as pool:
        refund = await submitted(pool, payout(await open_order(pool, lines=[1_000]), {"line:1": 1_000}))
        case = await pool.fetchval("SELECT case_id FROM ledger.legs WHERE refund_no = $1", refund)
        async with pool.acquire() as connection:
            await raise_alert(connection, AlertKind.BALANCE_NOT_HELD, case, refund, "proof", datetime.now(UTC))

    listed = await shell.run("alerts", "list", "--json")
    (mine,) = [each for each in listed.document["alerts"] if each["refund_no"] == refund]
    first = await shell.run("alerts", "resolve", str(mine["id"]), "--json")
    second = await shell.run("alerts", "resolve", str(mine["id"]))
    after = await shell.run("alerts", "list", "--json")

    assert listed.code == 1
    assert (first.code, first.document["closed"]) == (0, True)
    assert (second.code, second.out) == (1, f"there is no open alert {mine['id']}\n")
    assert refund not in after.out


async def test_a_difference_is_listed_with_its_number_until_an_officer_accepts_it(shell: Shell, database: str) -> None:
    number = f"XX-{uuid4().hex[:8]}"
    kind = DifferenceKind.UNKNOWN_TO_US
    found = Found(kind, number, theirs="succeeded", theirs_amount=5, theirs_currency="EUR", attempt=2)
    async with await open_pool(database, max_size=1) as pool, pool.acquire() as connection:
        await differences.record(connection, [found], datetime.now(UTC))

    listed = await shell.run("alerts", "list", "--json")
    (mine,) = [each for each in listed.document["differences"] if each["subject"] == number]
    row = next(each for each in (await shell.run("alerts", "list")).out.splitlines() if number in each)
    of_a_merchant = await shell.run("alerts", "accept", mine["id"], "--as", "merchant:m-1", "--reason", "not_ours")
    in_words = await shell.run("alerts", "accept", mine["id"], "--as", "platform:o-1", "--reason", "was Wang's fault")
    first = await shell.run("alerts", "accept", mine["id"], "--as", "platform:o-1", "--reason", "not_ours", "--json")
    second = await shell.run("alerts", "accept", mine["id"], "--as", "platform:o-1", "--reason", "not_ours")
    after = await shell.run("alerts", "list", "--json")
    accepted = await shell.run("alerts", "list", "--accepted", "--json")
    page = next(each for each in (await shell.run("alerts", "list", "--accepted")).out.splitlines() if number in each)

    assert listed.code == 1
    assert str(mine["id"]) in row.split(number)[0]
    assert "5 minor units of EUR" in row
    assert (of_a_merchant.code, "only the platform" in of_a_merchant.err) == (2, True)
    assert (in_words.code, "written_off" in in_words.err) == (2, True)
    assert (first.code, first.document) == (0, {"difference": mine["id"], "accepted": True})
    assert (second.code, second.out) == (1, f"there is no open difference {mine['id']}\n")
    assert number not in after.out
    (kept,) = [each for each in accepted.document["accepted"] if each["subject"] == number]
    assert accepted.code == 0
    assert (kept["id"], kept["accepted_by"], kept["accepted_for"]) == (mine["id"], "o-1", "not_ours")
    assert "o-1" in page
    assert "not_ours" in page


async def test_an_allowance_is_found_by_its_account_and_prolonged(shell: Shell, tmp_path: Path) -> None:  # A4, A6
    identifier, merchant = f"a-{uuid4().hex[:12]}", f"m-{uuid4().hex[:8]}"
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    record = {
        "allowance_id": identifier,
        "marketplace": "douyin",
        "merchant_id": merchant,
        "buyer_id": "b-1",
        "currency": "CNY",
        "principal": 8_000,
        "bonus": 2_000,
        "tender_kind": "wallet",
        "valid_until": ends.isoformat(),
        "account_name": "小店 一号",
    }
    file = tmp_path / "allowances.jsonl"

    file.write_text(json.dumps(record, ensure_ascii=False) + "\n")
    assert (await shell.json("allowances", "load", file))["loaded"] == 1

    found = await shell.json("allowances", "find", "--merchant", merchant, "--account", "小店一号")
    moved = await shell.json("allowances", "prolong", identifier, "--until", (ends + timedelta(days=9)).isoformat())
    unknown = await shell.run("allowances", "prolong", "a-none", "--until", ends.isoformat())

    assert found["allowances"] == [identifier]
    assert moved["prolonged"] is True
    assert unknown.code == 1
