"""``aftersales standing-orders``: given, shown and ended with the client's own rights, and carried out (G4)."""

from datetime import datetime
from pathlib import Path
from uuid import uuid4

from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, opened, order, written_down
from workflows.rules.local_time import local


async def test_a_standing_order_decides_a_case_until_it_is_ended(worker_process: Shell, tmp_path: Path) -> None:  # G4
    shell, merchant = worker_process, f"m-{uuid4().hex[:8]}"
    whose = ("--merchant", merchant, "--profile", "douyin")
    limits = ("--kind", "unshipped_refund", "--up-to", "200.00", "--most-a-day")

    given = await shell.json("standing-orders", "set", *whose, *limits, "1000")
    refused = await shell.run("standing-orders", "set", *whose, *limits, "10000.01")
    outcomes: list[str] = []
    for number in range(2):
        case = await opened(shell, tmp_path, order(merchant_id=merchant))
        outcomes.append((await shell.json("show", case))["stage"])
        if number == 0:
            await shell.json("standing-orders", "end", "1", *whose)
    listed = await shell.json("standing-orders", "list", "--merchant", merchant, "--history")
    page = (await shell.run("standing-orders", "list", "--merchant", merchant)).out

    assert (given["number"], given["terms"]["up_to"], given["terms"]["most_a_day"]) == (1, 20_000, 100_000)
    assert "200.00 CNY" in page, "as it is given"
    assert "1000.00 CNY" in page
    assert (refused.code, "most_a_day" in refused.err) == (4, True)
    assert outcomes[1] == "merchant_review" != outcomes[0]
    assert [(each["version"], each["ended"]) for each in listed["standing_orders"]] == [(1, False), (2, True)]


async def test_what_is_told_is_in_currency_and_zone_of_the_profile(shell: Shell, tmp_path: Path) -> None:  # G4, G6
    text = Path("workflows/rules/policies/douyin.toml").read_text(encoding="utf-8")
    place = '\n[place]\ncurrency = "JPY"\ntime_zone = "Asia/Tokyo"\n'
    own = text.replace('name = "douyin"', 'name = "fuji"') + place
    (tmp_path / "fuji.toml").write_text(own, encoding="utf-8")
    merchant, there = f"m-{uuid4().hex[:8]}", shell.having(AFTERSALES_POLICIES_DIR=str(tmp_path))
    terms = ("--merchant", merchant, "--profile", "fuji", "--kind", "unshipped_refund", "--most-a-day", "9000")

    given = await there.json("standing-orders", "set", *terms, "--up-to", "5000")
    in_another = await there.run("standing-orders", "set", *terms, "--up-to", "5000", "--currency", "CNY")
    page = (await there.run("standing-orders", "list", "--merchant", merchant)).out

    assert local(datetime.fromisoformat(given["at"]), "Asia/Tokyo") in " ".join(page.split())
    assert (given["terms"]["up_to"], given["terms"]["most_a_day"]) == (5_000, 9_000)
    assert (in_another.code, "--currency: orders of fuji are paid in JPY" in in_another.err) == (2, True)


async def test_a_quote_says_what_a_standing_order_would_decide_to_who_may_know(
    worker_process: Shell, tmp_path: Path
) -> None:  # G4, G5
    shell, bought = worker_process, order()
    await loaded(shell, tmp_path, "orders", bought)
    merchant = bought["merchant_id"]
    whose = ("--merchant", merchant, "--profile", "douyin", "--kind", "unshipped_refund")
    await shell.json("standing-orders", "set", *whose, "--up-to", "200.00", "--most-a-day", "1000")

    async def told(*reader: str) -> set[int | None]:
        options = (await shell.json("quote", bought["order_no"], *reader))["options"]
        assert {each["standing_order"] for each in options if each["refusal"]} == {None}
        decides = [each["standing_order"] for each in options if not each["refusal"]]
        return {by["number"] if by else None for by in decides}

    assert await told("--as", f"merchant:{merchant}") == await told("--as", "platform:o-1") == {1}
    for nobody in ((), ("--as", f"buyer:{bought['buyer_id']}"), ("--as", "merchant:m-other")):
        assert await told(*nobody) == {None}
    page = (await shell.run("quote", bought["order_no"], "--as", f"merchant:{merchant}")).out
    assert "decided at once by standing order 1" in page

    case = await written_down(shell, *asks(bought, "50"))
    opened_line = (await shell.json("show", case))["log"][1]
    assert opened_line["facts"]["standing_order"] == 1, "and so it is"
    await shell.json("standing-orders", "end", "1", "--merchant", merchant, "--profile", "douyin")
    other = await loaded(shell, tmp_path, "orders", order(merchant_id=merchant))
    options = (await shell.json("quote", other["order_no"], "--as", f"merchant:{merchant}"))["options"]
    assert {each["standing_order"] for each in options} == {None}
