"""Moments are told in the time of the profile that a case goes by, and named so (G6)."""

from pathlib import Path

from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down


async def test_every_page_of_a_case_abroad_tells_the_time_there(worker_process: Shell, tmp_path: Path) -> None:
    shell = worker_process.having(COLUMNS="240")
    bought = await loaded(shell, tmp_path, "orders", order(marketplace="eu", currency="EUR"))
    merchant = ("--as", f"merchant:{bought['merchant_id']}")
    case = await written_down(shell, *asks(bought, "50"), "--reason", "withdrawal")
    picture = ("--evidence", f"vault:evidence/1,image/png,17,{'1' * 64}")
    await shell.json("say", case, *merchant, *picture)
    await shell.json("act", case, "submit_evidence", *merchant, *picture)
    noted = ("remarks", "add", case, "--merchant", bought["merchant_id"], *merchant)
    await shell.json(*noted, typed="called back")

    words = (
        ("show", case),
        ("log", case),
        ("thread", case),
        ("dossier", case, "--as", "platform:o-1"),
        ("evidence", case),
        ("remarks", "list", case),
        ("remarks", "list", case, "--merchant", bought["merchant_id"]),
    )
    pages = {" ".join(each): (await shell.run(*each)).out for each in words}
    await shell.json("act", case, "approve", *merchant)
    pages["outcome"] = (await shell.run("outcome", case)).out

    assert [name for name, page in pages.items() if "Europe/Berlin" not in page or "北京时间" in page] == []
