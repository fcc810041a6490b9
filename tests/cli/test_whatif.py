"""Rules tried on cases that servers have carried, from the command line (G7)."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starter.commands.failures import Exit
from tests.cli.shell import Shell
from tests.cli.test_cases import opened, order
from tests.patience import PATIENCE
from tests.whatif.profiles import write_profile


async def _closed(shell: Shell, case: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while (view := await shell.json("show", case))["outcome"] is None:
            await asyncio.sleep(0.1)
    return view


async def test_a_report_on_cases_of_a_merchant(worker_process: Shell, tmp_path: Path) -> None:
    """R1, R9: a case that was approved, and one that is open; both are told again as they were carried."""
    shell, first, second = worker_process, order(), order()
    second = {**second, "merchant_id": first["merchant_id"]}
    approved = await opened(shell, tmp_path, first)
    await shell.json("act", approved, "approve", "--as", f"merchant:{first['merchant_id']}")
    await _closed(shell, approved)
    waiting = await opened(shell, tmp_path, second)
    whose = ("--merchant", first["merchant_id"], "--since", "2026-01-01", "--processes", "1")
    shorter = write_profile(tmp_path, "douyin", refund={"unshipped_review_hours": 24, "reminder_hours": 6})

    report = await shell.json("whatif", "--policy", shorter, *whose)

    assert report["untold"] == []
    assert (report["cases"], report["told"], report["otherwise"], report["same"]) == (2, 2, 0, 2)
    (money,) = report["money"]
    assert (money["currency"], money["was"], money["would_be"]) == ("CNY", 4050, 4050)
    assert report["profile"].startswith("douyin/")
    assert report["limits"][0].startswith("People would have acted otherwise")
    page = (await shell.run("whatif", "--policy", shorter, *whose)).out
    assert "whose money it is" in page
    assert "What this cannot know" in page

    side = await shell.json("whatif", "--policy", shorter, "--story", approved)
    assert side["cannot_be_told_again"] is None
    assert [line["event"] for line in side["log"]] == [line["event"] for line in side["would_be_log"]]
    assert {"opened", "approved", "refund_succeeded"} <= {line["event"] for line in side["log"]}
    assert (side["was"], side["would_be"]) == ("refunded", "refunded")
    shown = (await shell.run("whatif", "--policy", shorter, "--story", waiting)).out
    assert "as it would have been" in shown
    assert "open:merchant_review → open:merchant_review" in shown

    today = datetime.now(UTC)
    window = f"{today:%Y-%m-%d}/{today + timedelta(days=10):%Y-%m-%d}"
    paused = await shell.json("whatif", "--pause", window, *whose)
    assert (paused["profile"], paused["cases"], paused["otherwise"]) == (None, 2, 0)
    page = " ".join((await shell.run("whatif", "--pause", window, *whose)).out.split())
    assert f"tried: pause {today:%Y-%m-%d} 00:00 北京时间 to " in page


async def test_what_does_not_fit_is_said_with_its_option(shell: Shell, tmp_path: Path) -> None:
    since = ("--since", "2026-01-01")
    profile = write_profile(tmp_path, "douyin", refund={"unshipped_review_hours": 24, "reminder_hours": 6})
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("name = 'douyin'\n", encoding="utf-8")

    for words, field in (
        ((*since,), "--policy"),
        (("--policy", profile), "--since"),
        (("--policy", tmp_path / "none.toml", *since), "--policy"),
        (("--policy", wrong, *since), "--policy"),
        (("--policy", profile, "--since", "yesterday"), "--since"),
        (("--policy", profile, *since, "--until", "2025-01-01"), "--since"),
        (("--policy", profile, *since, "--merchant", "m-nobody"), "--policy"),
        (("--pause", "2026-01-01", *since), "--pause"),
    ):
        ended = await shell.run("whatif", *words, "--json")
        assert (ended.code, ended.failure["field"]) == (Exit.USAGE, field), words
    unknown = await shell.run("whatif", "--policy", profile, "--story", "refund/O-nobody/k-1", "--json")
    assert unknown.code == Exit.UNKNOWN_CASE
