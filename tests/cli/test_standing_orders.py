"""``aftersales standing-orders``: given, shown and ended with the client's own rights, and carried out (G4)."""

from pathlib import Path
from uuid import uuid4

from tests.cli.shell import Shell
from tests.cli.test_cases import opened, order


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

    assert (given["number"], given["terms"]["up_to"], given["terms"]["most_a_day"]) == (1, 20_000, 100_000)
    assert (refused.code, "most_a_day" in refused.err) == (4, True)
    assert outcomes[1] == "merchant_review" != outcomes[0]
    assert [(each["version"], each["ended"]) for each in listed["standing_orders"]] == [(1, False), (2, True)]
