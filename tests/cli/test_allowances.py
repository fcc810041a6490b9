"""``aftersales allowances``: campaigns and allowances are loaded and listed; a quote says where money goes (A7)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cli.shell import Shell
from tests.cli.test_cases import order

NOW = datetime.now(UTC).replace(microsecond=0)


def written(folder: Path, name: str, record: dict[str, Any]) -> Path:
    file = folder / f"{name}.jsonl"
    file.write_text(json.dumps(record) + "\n")
    return file


async def test_campaigns_and_allowances_are_listed_and_quoted(shell: Shell, tmp_path: Path) -> None:  # A1, A7, G5
    merchant, buyer, known = f"m-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}", uuid4().hex[:8]
    whose = {"marketplace": "douyin", "merchant_id": merchant, "currency": "CNY", "principal": 8_000, "bonus": 2_000}
    campaign = {
        **whose,
        "campaign_id": f"c-{known}",
        "starts_at": (NOW - timedelta(days=1)).isoformat(),
        "ends_at": (NOW + timedelta(days=1)).isoformat(),
    }
    allowance = {
        **whose,
        "allowance_id": f"a-{known}",
        "buyer_id": buyer,
        "tender_kind": "wallet",
        "valid_until": (NOW + timedelta(days=9)).isoformat(),
        "campaign_id": campaign["campaign_id"],
    }
    bought = order(merchant_id=merchant, buyer_id=buyer)
    (tender,) = bought["tenders"]
    spent = {"tender": "a", "kind": "allowance", "paid": 1_000, "allowance_id": f"a-{known}"}
    bought["tenders"] = [{**tender, "paid": tender["paid"] - 1_000}, spent]

    loaded = [
        (await shell.json("allowances", "load-campaigns", written(tmp_path, "campaigns", campaign)))["loaded"],
        (await shell.json("allowances", "load", written(tmp_path, "allowances", allowance)))["loaded"],
        (await shell.json("orders", "load", written(tmp_path, "orders", bought)))["loaded"],
    ]
    running = await shell.json("allowances", "campaigns", "--merchant", merchant, "--running")
    past = await shell.json("allowances", "campaigns", "--merchant", merchant, "--past")
    listed = await shell.json("allowances", "list", "--buyer", buyer)
    page = await shell.run("allowances", "list", "--buyer", buyer, "--merchant", merchant)
    elsewhere = await shell.json("allowances", "list", "--buyer", buyer, "--merchant", "m-elsewhere")
    quote = await shell.run("quote", bought["order_no"])

    assert loaded == [1, 1, 1]
    assert [each["campaign_id"] for each in running["campaigns"]] == [f"c-{known}"]
    assert (past["campaigns"], elsewhere["allowances"]) == ([], [])
    (one,) = listed["allowances"]
    assert (one["spent"], one["balance"], one["withdrawable"], one["standing"]) == (1_000, 9_000, 7_200, "valid")
    assert one["campaign"]["campaign_id"] == f"c-{known}"
    assert (page.code, "100.00" in page.out) == (0, True)
    assert f"paid with allowance a-{known}, 10.00 CNY left" in " ".join(quote.out.split())


async def test_moments_are_told_in_the_zone_of_the_profile(shell: Shell, tmp_path: Path) -> None:  # A6, G6
    text = Path("workflows/rules/policies/douyin.toml").read_text(encoding="utf-8")
    own = text.replace('name = "douyin"', 'name = "tokyo"') + '\n[place]\ntime_zone = "Asia/Tokyo"\n'
    (tmp_path / "tokyo.toml").write_text(own, encoding="utf-8")
    there, known = shell.having(AFTERSALES_POLICIES_DIR=str(tmp_path)), uuid4().hex[:8]
    whose = {"marketplace": "tokyo", "merchant_id": f"m-{known}", "currency": "CNY", "principal": 8_000, "bonus": 0}
    campaign = {
        **whose,
        "campaign_id": f"c-{known}",
        "starts_at": "2026-11-01T00:00:00Z",
        "ends_at": "2026-11-11T00:00:00Z",
    }
    allowance = {**whose, "allowance_id": f"a-{known}", "buyer_id": f"b-{known}", "tender_kind": "wallet"}
    until = {"valid_until": "2099-01-31T00:00:00Z", "campaign_id": f"c-{known}"}
    await there.json("allowances", "load-campaigns", written(tmp_path, "campaigns", campaign))
    await there.json("allowances", "load", written(tmp_path, "allowances", allowance | until))

    campaigns = (await there.run("allowances", "campaigns", "--merchant", f"m-{known}")).out
    listed = (await there.run("allowances", "list", "--buyer", f"b-{known}")).out

    assert "2026-11-01 09:00 Asia/Tokyo" in " ".join(campaigns.split()), "nine hours before UTC"
    assert "2099-01-31 09:00" in " ".join(listed.split())
